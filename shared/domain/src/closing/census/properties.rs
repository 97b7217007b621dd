//! Properties of every plan. Alerts, snapshots and tickets are generated, reconcile reads them, and
//! `tickets` carries out its commands.

use proptest::prelude::*;

use super::*;
use crate::alert::command::{Command, CommandAction};
use crate::alert::event::{AlertChange, EventDigest};
use crate::alert::fold::fold;
use crate::alert::record::{ClosedBy, Record, TicketEnd};
use crate::closing::census::tests::{event, raised, with_ticket};
use crate::closing::snapshot::tests::{LAG, Sent, alert, item, kind, minute, read, sent};
use crate::ticketing::adopt::apply_recheck;
use crate::ticketing::found_ticket::FoundTicket;
use crate::{RecordId, SourceId, TicketRef};

/// The time of the newest event, and the present, in minutes.
const LAST: i64 = 2000;
const NOW: i64 = LAST + 15;
const KINDS: [&str; 3] = ["disk", "cpu", "memory"];
const TENANTS: [&str; 2] = ["contoso", "fabrikam"];
const SOURCES: [&str; 2] = [
    "src_0123456789abcdefghijklmnop",
    "src_zzzzzzzzzzzzzzzzzzzzzzzzzz",
];
/// Boards: where tickets are created, another one, and one that the API member cannot see.
const BOARDS: [RecordId; 3] = [2, 3, 4];
const HIDDEN: RecordId = 4;
const COMPANY: RecordId = 19;

/// An alert, and the state of its ticket.
#[derive(Debug, Clone)]
struct GeneratedAlert {
    scope: usize,
    kind: usize,
    last: i64,
    expires: Option<i64>,
    history: TicketHistory,
    fate: Fate,
    twins: Vec<Twin>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TicketHistory {
    NoTicket,
    OpenTicket,
    /// The ticket of the first occurrence was reopened in the second.
    Reopened,
    Resolved,
    OtherEpoch,
    EndedByPerson,
    RaisedAgain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    AsMade,
    Closed,
    Deleted,
    Merged,
    OtherCompany,
    OtherBoard,
    HiddenBoard,
    NoToken,
}

/// Another ticket with the same reference.
#[derive(Debug, Clone, Copy)]
struct Twin {
    closed: bool,
    touched: bool,
    company: RecordId,
    board: usize,
    merged: bool,
}

fn generated() -> impl Strategy<Value = GeneratedAlert> {
    let history = prop_oneof![
        2 => Just(TicketHistory::NoTicket),
        6 => Just(TicketHistory::OpenTicket),
        1 => Just(TicketHistory::Reopened),
        1 => Just(TicketHistory::Resolved),
        1 => Just(TicketHistory::OtherEpoch),
        1 => Just(TicketHistory::EndedByPerson),
        1 => Just(TicketHistory::RaisedAgain),
    ];
    let fate = prop_oneof![
        8 => Just(Fate::AsMade),
        1 => Just(Fate::Closed),
        1 => Just(Fate::Deleted),
        1 => Just(Fate::Merged),
        1 => Just(Fate::OtherCompany),
        1 => Just(Fate::OtherBoard),
        1 => Just(Fate::HiddenBoard),
        1 => Just(Fate::NoToken),
    ];
    let twin = (any::<bool>(), any::<bool>(), any::<bool>(), 0..3_usize);
    let twin = (twin, prop::bool::weighted(0.1));
    let twin = twin.prop_map(|((closed, touched, ours, board), merged)| Twin {
        closed,
        touched,
        company: if ours { COMPANY } else { 20 },
        board,
        merged,
    });
    let twins = prop_oneof![8 => Just(vec![]), 1 => prop::collection::vec(twin, 1..3)];
    let expires = prop_oneof![3 => Just(None), 1 => (NOW - 3..NOW + 3).prop_map(Some)];
    let place = (0..4_usize, 0..3_usize, LAST - 15..=LAST);
    let all = (place, expires, history, fate, twins);
    all.prop_map(
        |((scope, kind, last), expires, history, fate, twins)| GeneratedAlert {
            scope,
            kind,
            last,
            expires,
            history,
            fate,
            twins,
        },
    )
}

/// A snapshot of a scope: how long before the next newer one it was taken, and what is wrong with
/// it.
#[derive(Debug, Clone)]
struct DrawnList {
    scope: usize,
    gap: i64,
    kinds: Option<Vec<&'static str>>,
    parts: u32,
    missing: Option<u32>,
    mixed: bool,
    /// One in this many alerts is listed. 0 lists none.
    lists_one_in: usize,
    /// Its source's clock is ahead by this many minutes.
    ahead: i64,
    /// Another system rewrote its ids.
    tidied: bool,
}

impl DrawnList {
    fn written(&self, id: &str) -> String {
        match self.tidied {
            true => id.to_uppercase(),
            false => id.to_owned(),
        }
    }
}

fn list() -> impl Strategy<Value = DrawnList> {
    let kinds = prop_oneof![
        3 => Just(None),
        1 => prop::sample::subsequence(KINDS.to_vec(), 0..3).prop_map(Some),
    ];
    let missing = prop_oneof![6 => Just(None), 1 => (1..4_u32).prop_map(Some)];
    let lists = prop_oneof![1 => Just(0), 9 => 1..4_usize];
    let all = (0..4_usize, 1..12_i64, kinds, 1..4_u32, missing, lists);
    let ahead = prop_oneof![6 => Just(0), 1 => 1..5_i64];
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (all, flags, ahead).prop_map(|(all, (mixed, tidied), ahead)| DrawnList {
        ahead,
        tidied,
        scope: all.0,
        gap: all.1,
        kinds: all.2,
        parts: all.3,
        missing: all.4,
        mixed,
        lists_one_in: all.5,
    })
}

/// The input of a run of reconcile.
#[derive(Debug, Clone)]
struct Scenario {
    records: Vec<Record>,
    /// One for each record, in the same order.
    items: Vec<ItemKey>,
    site: BTreeMap<RecordId, FoundTicket>,
    snapshots: BTreeMap<usize, Vec<Sent>>,
    approved: BTreeMap<TenantId, u32>,
    page: usize,
}

fn scope(number: usize) -> Scope {
    Scope {
        tenant: TenantId::parse(TENANTS[number / 2]).unwrap(),
        source: SourceId::parse(SOURCES[number % 2]).unwrap(),
    }
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let alerts = prop_oneof![
        2 => prop::collection::vec(generated(), 0..12),
        1 => prop::collection::vec(generated(), 40..90),
    ];
    let lists = prop::collection::vec(list(), 0..12);
    let approved = prop_oneof![Just(vec![]), prop::collection::vec(15..60_u32, 2)];
    let all = (alerts, lists, approved, 1..50_usize);
    all.prop_map(|(alerts, lists, approved, page)| Scenario::of(&alerts, &lists, &approved, page))
}

/// One tenant with many tickets, some of which a complete snapshot lists.
fn crowd() -> impl Strategy<Value = Scenario> {
    let one = generated().prop_map(|generated| GeneratedAlert {
        scope: 0,
        history: match (
            generated.history == TicketHistory::NoTicket,
            generated.expires,
        ) {
            (true, _) => TicketHistory::NoTicket,
            (false, Some(_)) => TicketHistory::Resolved,
            (false, None) => TicketHistory::OpenTicket,
        },
        ..generated
    });
    let whole = list().prop_map(|list| DrawnList {
        scope: 0,
        gap: 1,
        kinds: None,
        missing: None,
        mixed: false,
        ..list
    });
    let alerts = prop::collection::vec(one, 30..90);
    let approved = prop_oneof![Just(vec![]), prop::collection::vec(15..60_u32, 2)];
    (alerts, whole, approved)
        .prop_map(|(alerts, list, approved)| Scenario::of(&alerts, &[list], &approved, 50))
}

impl Scenario {
    fn of(alerts: &[GeneratedAlert], lists: &[DrawnList], approved: &[u32], page: usize) -> Self {
        let approved = TENANTS.iter().zip(approved);
        let approved = approved.map(|(tenant, count)| (TenantId::parse(*tenant).unwrap(), *count));
        let mut scenario = Self {
            records: vec![],
            items: vec![],
            site: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            approved: approved.collect(),
            page,
        };
        for (number, generated) in alerts.iter().enumerate() {
            scenario.add(number, generated);
        }
        let mut taken = [NOW; 4];
        for (number, list) in lists.iter().enumerate() {
            taken[list.scope] -= list.gap;
            let snapshot = scenario.snapshot(number, list, taken[list.scope]);
            let of_scope = scenario.snapshots.entry(list.scope).or_default();
            of_scope.push(snapshot);
        }
        scenario
    }

    fn add(&mut self, number: usize, generated: &GeneratedAlert) {
        let of = scope(generated.scope);
        let mut key = alert(of.tenant.as_str(), &format!("a{number}"));
        key.source = of.source;
        let bare = Record::new(key.clone());
        let kind = kind(KINDS[generated.kind]);
        let record = fold(
            bare.clone(),
            &raised(&bare, generated.last, &kind, generated.expires),
        );
        // Neither in the order of the alerts nor consecutive.
        let id = 1000 + ((number as u64) * 37) % 1009 * 4;
        let ticket = with_ticket(record.clone(), id, generated.last + 1);
        let ended = |by| ticket.clone().with_closed(id, 1, by, minute(NOW));
        let record = match generated.history {
            TicketHistory::NoTicket => record,
            TicketHistory::OpenTicket => ticket,
            TicketHistory::EndedByPerson => ended(ClosedBy::Technician),
            TicketHistory::RaisedAgain => ended(ClosedBy::Us),
            TicketHistory::Resolved => fold(
                ticket.clone(),
                &event(&ticket, LAST + 1, AlertChange::Resolved),
            ),
            TicketHistory::Reopened | TicketHistory::OtherEpoch => {
                let mut record = ticket;
                if let Some(Actual::Open(open)) = &mut record.actual {
                    match generated.history == TicketHistory::Reopened {
                        true => open.ticket_ref = Some(TicketRef::new(&key, 1)),
                        false => open.epoch = 2,
                    }
                }
                record.occurrence += u32::from(generated.history == TicketHistory::Reopened);
                record
            }
        };
        let ticket_ref = TicketRef::new(&key, 1);
        let made = FoundTicket {
            ticket_id: id,
            ticket_ref: Some(ticket_ref),
            board_id: Some(BOARDS[0]),
            company_id: Some(COMPANY),
            entered_at: Some(minute(generated.last + 1)),
            raised_at: None,
            closed: false,
            closed_at: None,
            merged: false,
            touched: false,
            action: None,
        };
        let mut found = made.clone();
        match generated.fate {
            Fate::AsMade | Fate::Deleted => {}
            Fate::Closed => found.closed = true,
            Fate::Merged => (found.closed, found.merged) = (true, true),
            Fate::OtherCompany => found.company_id = Some(20),
            Fate::OtherBoard => found.board_id = Some(BOARDS[1]),
            Fate::HiddenBoard => found.board_id = Some(HIDDEN),
            Fate::NoToken => found.ticket_ref = None,
        }
        let has_ticket = !matches!(
            generated.history,
            TicketHistory::NoTicket | TicketHistory::OtherEpoch
        );
        if has_ticket && generated.fate != Fate::Deleted {
            self.site.insert(id, found);
        }
        for (n, twin) in (1..).zip(&generated.twins).filter(|_| has_ticket) {
            let found = FoundTicket {
                ticket_id: id + n,
                closed: twin.closed,
                touched: twin.touched,
                company_id: Some(twin.company),
                board_id: Some(BOARDS[twin.board]),
                merged: twin.merged,
                ..made.clone()
            };
            self.site.insert(id + n, found);
        }
        self.items.push(item(&record.key));
        self.records.push(record);
    }

    fn snapshot(&self, number: usize, list: &DrawnList, taken: i64) -> Sent {
        let of = scope(list.scope);
        let mut ids = vec![];
        if list.lists_one_in > 0 {
            let here = self
                .records
                .iter()
                .filter(|record| record.key.tenant == of.tenant && record.key.source == of.source);
            for (n, record) in here.enumerate() {
                if (n + number).is_multiple_of(list.lists_one_in) {
                    ids.push(list.written(record.key.alert_id.as_str()));
                }
            }
            ids.push("of another time".to_owned());
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut snapshot = sent(&format!("s{number}"), taken, &ids).in_parts(list.parts);
        snapshot = snapshot.received((taken - list.ahead).min(NOW));
        if let Some(kinds) = &list.kinds {
            snapshot = snapshot.of(kinds);
        }
        for head in &mut snapshot.heads {
            head.tenant = of.tenant.clone();
            head.source = of.source.clone();
        }
        if list.mixed
            && let Some(last) = snapshot.heads.get_mut(1)
        {
            last.parts += 1;
        }
        match list.missing.filter(|_| list.parts > 1) {
            Some(part) => snapshot.without(part),
            None => snapshot,
        }
    }

    fn census(&self) -> Census {
        let mut census = Census::default();
        for record in &self.records {
            let actual = record.actual.as_ref();
            census.add(&record.key, &record.desired, actual, record.occurrence);
        }
        census
    }

    fn resolution_plan(&self) -> ResolutionPlan {
        let census = self.census();
        let of = |of: &Scope| {
            let lists = (0..4).find(|number| scope(*number) == *of);
            lists.and_then(|number| self.snapshots.get(&number).cloned())
        };
        let seen = (0..).zip(&census.scopes).map(|(number, scope)| {
            let sent = of(scope).unwrap_or_default();
            let watched = census.watched(number);
            let (snapshots, found) = read(&sent, &census.kinds_of(number), &watched, minute(NOW));
            (number, ScopeSnapshots { snapshots, found })
        });
        let resolved_alerts = census.resolved_alerts(&seen.collect(), LAG, minute(NOW));
        let approval = |(tenant, closings): (&TenantId, &u32)| {
            let of_tenant = self
                .records
                .iter()
                .filter(|record| record.key.tenant == *tenant);
            let alerts = of_tenant
                .take(*closings as usize)
                .map(|record| item(&record.key));
            let approval = Approval {
                closings: *closings,
                at: minute(NOW - 1),
                in_progress: Some(AlertSet::new(alerts)),
            };
            (tenant.clone(), approval)
        };
        let approvals = self.approved.iter().map(approval).collect();
        census.resolution_plan(resolved_alerts, &[], &approvals, minute(NOW))
    }

    fn shown(&self) -> impl Iterator<Item = &FoundTicket> {
        let shown = self.site.values();
        shown.filter(|found| found.board_id != Some(HIDDEN))
    }

    fn differing(&self) -> Vec<Proposal> {
        let tickets = self.census().tickets(1);
        let is_listed = |found: &&FoundTicket| !found.closed && found.ticket_ref.is_some();
        let listed: Vec<FoundTicket> = self.shown().filter(is_listed).cloned().collect();
        let mut proposals = vec![];
        let mut behind = 0;
        let mut pages = listed.chunks(self.page).peekable();
        loop {
            let page = pages.next().unwrap_or_default();
            let last = page.last().map(|found| found.ticket_id);
            let to = last.filter(|_| pages.peek().is_some());
            let compared = tickets.compare(behind, to, page, minute(NOW));
            let shown = self.shown().map(|found| found.ticket_id);
            let shown = shown.filter(|id| compared.missing.contains(id)).collect();
            let boards = BTreeSet::from([BOARDS[0], BOARDS[1]]);
            proposals.extend(compared.proposals);
            proposals.extend(tickets.explain_missing(&compared.missing, &shown, &boards));
            let Some(to) = to else { break };
            behind = to;
        }
        proposals
    }

    fn record(&self, key: ItemKey) -> &Record {
        let at = self.items.iter().position(|item| *item == key);
        &self.records[at.unwrap()]
    }

    /// The commands. A proposal without a matching command is dropped.
    fn plan(&self) -> Vec<Command> {
        let proposals = self.resolution_plan().proposals.into_iter();
        let commands = proposals.chain(self.differing()).map(|proposal| {
            let record = self.record(proposal.key);
            let last = record.desired.last.clone();
            let action = match proposal.action {
                ProposedAction::Resolve { last: at, shown } => {
                    let last = last.filter(|last| last.occurred_at == at).unwrap();
                    CommandAction::Resolve { last, shown }
                }
                ProposedAction::Look(_) => CommandAction::Look,
                ProposedAction::LookForDuplicates(_) => CommandAction::LookForDuplicates,
            };
            let ticket_id = record.open().map(|open| open.ticket_id);
            let command = Command {
                key: record.key.clone(),
                occurrence: record.occurrence,
                ticket_id,
                action,
            };
            assert!(command.applies_to(record), "{command:?} for {record:?}");
            command
        });
        commands.collect()
    }

    /// Applies a command as `tickets` does, including the writes for resolved alerts.
    fn execute(&mut self, command: &Command) {
        let at = self
            .records
            .iter()
            .position(|record| record.key == command.key);
        let stored = &self.records[at.unwrap()];
        let fits = command.applies_to(stored);
        let mut record = command.apply(stored.clone(), minute(NOW));
        match (&command.action, record.open().cloned()) {
            (CommandAction::Look, Some(open)) if fits => {
                let seen = self.shown().find(|found| found.ticket_id == open.ticket_id);
                let by = seen.map_or(Some(TicketEnd::from(ClosedBy::Deleted)), |found| {
                    found.ended(&record.ticket_ref(), open.company_id)
                });
                record = match by {
                    Some(by) => record.with_closed(open.ticket_id, open.epoch, by, minute(NOW)),
                    None => seen.map_or(record.clone(), |found| {
                        record.with_moves(found, minute(NOW))
                    }),
                };
            }
            (CommandAction::LookForDuplicates, Some(_)) => {
                let rechecks = record.rechecks.clone();
                for recheck in rechecks.iter() {
                    let found = self.shown();
                    let found = found
                        .filter(|found| found.ticket_ref.as_ref() == Some(&recheck.ticket_ref));
                    let found: Vec<FoundTicket> = found.cloned().collect();
                    record = apply_recheck(record, recheck, &found, minute(NOW));
                }
                for too_many in std::mem::take(&mut record.duplicates) {
                    let ticket = self.site.get_mut(&too_many.ticket_id).unwrap();
                    if ticket
                        .ended(&too_many.ticket_ref, too_many.company_id)
                        .is_none()
                    {
                        ticket.closed = true;
                    }
                }
            }
            (
                CommandAction::Look
                | CommandAction::LookForDuplicates
                | CommandAction::Resolve { .. }
                | CommandAction::Retry { .. }
                | CommandAction::OpenAgain,
                _,
            ) => {}
        }
        self.records[at.unwrap()] = record;
    }

    fn execute_all(&mut self, commands: &[Command]) {
        for command in commands {
            self.execute(command);
        }
    }

    /// The sent snapshots for the alert's kind, newest first. One that contradicts itself counts
    /// for every kind.
    fn covering(&self, record: &Record) -> Vec<&Sent> {
        let number = (0..4).find(|number| {
            let scope = scope(*number);
            scope.tenant == record.key.tenant && scope.source == record.key.source
        });
        let sent = self.snapshots.get(&number.unwrap()).into_iter().flatten();
        let kind = &record.desired.details.as_ref().unwrap().kind;
        let mut covering: Vec<&Sent> = sent
            .filter(|sent| {
                let named = |head: &crate::closing::snapshot::SnapshotPartHead| {
                    head.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind))
                };
                let counts: BTreeSet<u32> = sent.heads.iter().map(|head| head.parts).collect();
                sent.heads.iter().any(named) || counts.len() > 1
            })
            .collect();
        covering.sort_by_key(|sent| std::cmp::Reverse(taken(sent)));
        covering
    }
}

/// By its source's clock, but not later than it was received.
fn taken(sent: &Sent) -> Timestamp {
    sent.heads[0].taken_at.min(sent.heads[0].received_at)
}

/// Complete and consistent.
fn is_whole(sent: &Sent) -> bool {
    is_complete(sent) || sent.lists.is_empty() && sent.heads.len() == sent.heads[0].parts as usize
}

/// Complete, consistent and not empty.
fn is_complete(sent: &Sent) -> bool {
    let of = sent.heads[0].parts;
    let numbers: Vec<u32> = sent.heads.iter().map(|head| head.part).collect();
    let same = sent.heads.iter().all(|head| head.parts == of);
    same && numbers == (1..=of).collect::<Vec<_>>() && !sent.lists.is_empty()
}

/// A raise, an update or a resolve, this much later; or at the same time, and sorted after it.
fn newer() -> impl Strategy<Value = (u8, i64)> {
    (0..3_u8, 0..3_i64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_that_was_carried_out_proposes_nothing_more(mut scenario in scenario()) {
        let held: Vec<TenantId> = scenario.resolution_plan().held.into_keys().collect();
        let commands = scenario.plan();
        scenario.execute_all(&commands);
        // Of a held tenant, fewer alerts than the limit may be left now.
        let mut rest = scenario.plan();
        rest.retain(|command| !held.contains(&command.key.tenant));
        prop_assert_eq!(rest, vec![]);
    }

    #[test]
    fn a_plan_is_the_same_every_time_and_page_by_page(scenario in scenario(), page in 1..50_usize) {
        let plan = scenario.plan();
        prop_assert_eq!(&scenario.plan(), &plan);
        let sorted = |mut commands: Vec<Command>| {
            commands.sort_by_key(|command| format!("{command:?}"));
            commands
        };
        let other = Scenario { page, ..scenario };
        prop_assert_eq!(sorted(other.plan()), sorted(plan));
    }

    #[test]
    fn a_plan_that_is_carried_out_twice_is_carried_out_once(mut scenario in scenario()) {
        let plan = scenario.plan();
        scenario.execute_all(&plan);
        let once = scenario.clone();
        scenario.execute_all(&plan);
        prop_assert_eq!(scenario.records, once.records);
        prop_assert_eq!(scenario.site, once.site);
    }

    #[test]
    fn no_listed_or_possibly_active_alert_is_resolved(scenario in scenario()) {
        for proposal in scenario.resolution_plan().proposals {
            let record = scenario.record(proposal.key);
            let ProposedAction::Resolve { last, shown } = proposal.action else { panic!() };
            prop_assert!(record.desired.active);
            let covering = scenario.covering(record);
            let id = record.key.alert_id.to_string();
            let has = |sent: &Sent| sent.lists.iter().any(|listed| listed.eq_ignore_ascii_case(&id));
            match shown {
                Resolution::Absent { snapshot_id, taken_at } => {
                    // Several can have the same time.
                    let newest: Vec<&Sent> =
                        covering.iter().copied().take_while(|sent| taken(sent) == taken_at).collect();
                    prop_assert!(newest.iter().any(|sent| sent.heads[0].snapshot_id == snapshot_id));
                    for sent in newest {
                        prop_assert!(is_whole(sent) && !has(sent));
                        if !sent.lists.is_empty() {
                            prop_assert!(taken_at.duration_since(last) >= LAG);
                            continue;
                        }
                        let row = covering.iter().take_while(|sent| {
                            sent.lists.is_empty() && is_whole(sent) && taken(sent).duration_since(last) >= LAG
                        });
                        let row: BTreeSet<Timestamp> = row.map(|sent| taken(sent)).collect();
                        prop_assert!(row.len() >= 3);
                        let first = row.first().unwrap();
                        prop_assert!(taken_at.duration_since(*first) >= SignedDuration::from_mins(30));
                    }
                }
                Resolution::Expired { at } => {
                    prop_assert!(at <= minute(NOW));
                    prop_assert_eq!(record.desired.details.as_ref().unwrap().expires_at, Some(at));
                    let newest = covering.first();
                    prop_assert!(!newest.is_some_and(|sent| is_complete(sent) && has(sent) && taken(sent) >= at));
                }
            }
        }
    }

    #[test]
    fn no_more_tickets_close_than_the_guard_or_a_person_allows(scenario in prop_oneof![1 => scenario(), 3 => crowd()]) {
        let resolution_plan = scenario.resolution_plan();
        for tenant in TENANTS {
            let tenant = TenantId::parse(tenant).unwrap();
            let of = |record: &&Record| record.key.tenant == tenant;
            let tickets = |record: &&Record| record.open().is_some();
            let resolved = resolution_plan.proposals.iter().map(|proposal| scenario.record(proposal.key));
            let resolved: Vec<&Record> = resolved.filter(of).collect();
            let closing = resolved.iter().copied().filter(tickets).count();
            let open = scenario.records.iter().filter(of).filter(tickets).count();
            let is_within_limit = closing <= 20 || closing * 10 <= open * 3;
            let approved = scenario.approved.get(&tenant).map_or(0, |count| *count as usize);
            prop_assert!(is_within_limit || closing <= approved, "{} of {}", closing, open);
            let is_stopped = resolution_plan.held.contains_key(&tenant);
            prop_assert!(!is_stopped || resolved.is_empty());
        }
    }

    #[test]
    fn any_newer_event_voids_a_resolve_command(scenario in scenario(), (change, later) in newer()) {
        for command in scenario.plan() {
            let CommandAction::Resolve { last, .. } = &command.action else { continue };
            let record = scenario.records.iter().find(|record| record.key == command.key).unwrap();
            let details = record.desired.details.clone().unwrap();
            let at = NOW - 100;
            let mut newer = match change {
                2 => event(record, at, AlertChange::Resolved),
                _ => raised(record, at, &details.kind, None),
            };
            if let (1, AlertChange::Raised(particulars)) = (change, newer.change.clone()) {
                newer.change = AlertChange::Updated(particulars);
            }
            newer.occurred_at = last.occurred_at + SignedDuration::from_mins(later);
            newer.receipt.at = last.receipt.at.max(newer.occurred_at) + SignedDuration::from_secs(1);
            newer.digest = EventDigest::new(&["later"]);
            prop_assert!(newer.order() > *last);
            let after = fold(record.clone(), &newer);
            prop_assert!(!command.applies_to(&after));
            prop_assert_eq!(command.apply(after.clone(), minute(NOW)), after);
        }
    }
}
