//! Snapshots, one run of reconcile over them, and, independent of the plan, whether its proposals
//! are allowed.

use std::collections::{BTreeSet, HashMap};

use domain::alert::command::{Command, CommandAction};
use domain::alert::event::{AlertChange, Event, EventOrder};
use domain::alert::record::Record;
use domain::alert::resolution::Resolution;
use domain::closing::census::Census;
use domain::closing::proposal::{Proposal, ProposedAction};
use domain::closing::resolution_plan::ScopeSnapshots;
use domain::closing::snapshot::{SnapshotMatches as InSnapshots, SnapshotPartHead, Snapshots};
use domain::ticketing::alert_request::AlertRequest;
use domain::ticketing::found_ticket::FoundTicket;
use domain::{AlertId, AlertKey, Kind, SnapshotId};

use jiff::SignedDuration;

use crate::model::{Model, at, key};
use crate::{BEHIND, List, Run, Searches};

/// How far snapshots lag behind events at most, in seconds.
const LAG: i64 = 600;

/// A snapshot, as far as its parts have arrived.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    id: SnapshotId,
    taken: i64,
    received: i64,
    kinds: Option<Vec<Kind>>,
    has: bool,
    is_empty: bool,
    is_torn: bool,
    /// Another system rewrote its ids: none is spelled as in the events.
    is_tidied: bool,
    /// It states its total.
    is_counted: bool,
}

impl Snapshot {
    fn heads(&self) -> Vec<SnapshotPartHead> {
        let AlertKey {
            partner,
            tenant,
            source,
            ..
        } = key();
        let parts = 1..=if self.is_torn { 1 } else { 2 };
        let heads = parts.map(|part| SnapshotPartHead {
            pk: format!("snapshot-{}-{part}", self.id),
            partner: partner.clone(),
            tenant: tenant.clone(),
            source: source.clone(),
            snapshot_id: self.id.clone(),
            taken_at: at(self.taken),
            received_at: at(self.received),
            kinds: self.kinds.clone().map(BTreeSet::from_iter),
            part,
            parts: 2,
            listed: if part == 1 { self.listed() } else { 0 },
            total: self.is_counted.then(|| self.listed()),
            conflicting: false,
        });
        heads.collect()
    }

    fn listed(&self) -> u32 {
        u32::from(self.has) + u32::from(!self.is_empty)
    }

    fn list(&self) -> Vec<AlertKey> {
        let other = AlertKey {
            alert_id: AlertId::parse("b").unwrap(),
            ..key()
        };
        let there = [key(), other].into_iter().zip([self.has, !self.is_empty]);
        let there = there.filter(|(_, has)| *has).map(|(key, _)| key);
        let written = there.map(|key| match self.is_tidied {
            true => {
                let alert_id = key.alert_id.as_str().to_uppercase();
                let alert_id = AlertId::parse(alert_id).unwrap();
                AlertKey { alert_id, ..key }
            }
            false => key,
        });
        written.collect()
    }

    /// Whether it is complete, of today, and proves that the alert is resolved whose last event was
    /// received then.
    fn lacks(&self, last: i64, now: i64) -> bool {
        let is_new = now - self.taken <= 24 * 3600 && self.taken >= last + LAG;
        !self.is_torn && is_new && !self.has
    }
}

impl Model {
    /// The source sends a snapshot, which may be wrong and may arrive late.
    pub(crate) fn list(&mut self, list: &List) {
        let taken = self.now - list.on_its_way;
        let seen = taken - list.behind;
        let was = self.there.iter().rev().find(|(since, _)| *since <= seen);
        let has = was.is_some_and(|(_, there)| *there) && !list.is_empty;
        self.snapshots.push(Snapshot {
            id: SnapshotId::parse(format!("s{}", self.snapshots.len())).unwrap(),
            taken,
            received: self.now,
            kinds: match list.of_disks {
                None => None,
                Some(true) => Some(vec![disk()]),
                Some(false) => Some(vec![Kind::parse("cpu").unwrap()]),
            },
            has,
            is_empty: list.is_empty,
            is_torn: list.is_torn,
            is_tidied: list.is_tidied,
            is_counted: list.is_counted,
        });
    }

    /// A run of reconcile. Its commands go to the queue, once, twice or never.
    pub(crate) fn reconcile(&mut self, run: &Run) -> Result<(), String> {
        for command in self.plan(run)? {
            let message = AlertRequest::Command(Box::new(command));
            self.queue.extend(vec![message; run.copies]);
        }
        Ok(())
    }

    /// Each report makes the tickets be compared, and nothing of it is trusted.
    pub(crate) fn call_back(&mut self, times: usize) -> Result<(), String> {
        for _ in 0..times {
            self.reconcile(&Run {
                copies: 1,
                lists_are_late: false,
                compares: Some(Searches::See),
            })?;
        }
        Ok(())
    }

    pub(crate) fn plan(&mut self, run: &Run) -> Result<Vec<Command>, String> {
        let listed = match run.lists_are_late {
            true => self.indexed.clone(),
            false => self.stored.clone(),
        };
        let Some(listed) = listed else {
            return Ok(vec![]);
        };
        let mut census = Census::default();
        let actual = listed.actual.as_ref();
        census.add(&key(), &listed.desired, actual, listed.occurrence);
        let seen = HashMap::from([(0, self.seen(&census))]);
        let lag = SignedDuration::from_secs(LAG);
        let resolved_alerts = census.resolved_alerts(&seen, lag, at(self.now));
        let resolution_plan =
            census.resolution_plan(resolved_alerts, &[], &Default::default(), at(self.now));
        let mut proposals = resolution_plan.proposals;
        if let Some(searches) = run.compares {
            // If ConnectWise's list fails, nothing is known of tickets. Which alerts are resolved
            // does not depend on it.
            proposals.extend(self.compared(&census, searches).into_iter().flatten());
        }
        let Some(stored) = self.stored.clone() else {
            return Ok(vec![]);
        };
        let commands = proposals
            .iter()
            .filter_map(|proposal| command(&stored, proposal));
        let commands: Vec<Command> = commands.collect();
        for command in &commands {
            if let CommandAction::Resolve { last, shown } = &command.action {
                self.check_resolution(last, shown)?;
                self.shown.push((last.clone(), shown.clone()));
            }
        }
        Ok(commands)
    }

    fn seen(&self, census: &Census) -> ScopeSnapshots {
        let mut heads: Vec<SnapshotPartHead> =
            self.snapshots.iter().flat_map(Snapshot::heads).collect();
        heads.sort_by_key(|head| std::cmp::Reverse(head.taken_at));
        let mut snapshots = Snapshots::new(census.kinds_of(0));
        for head in heads {
            if !snapshots.add(head, at(self.now)) {
                break;
            }
        }
        let watched = census.watched(0);
        let mut found = InSnapshots::default();
        for snapshot in snapshots.to_read() {
            let sent = self.snapshots.iter().find(|sent| sent.id == *snapshot.id());
            let mut list = HashMap::new();
            for listed in sent.unwrap().list() {
                watched.find(&listed, &mut list);
            }
            found.add(snapshot, list);
        }
        ScopeSnapshots { snapshots, found }
    }

    /// ConnectWise's open tickets next to the recorded one. `None` if the list fails.
    fn compared(&mut self, census: &Census, searches: Searches) -> Option<Vec<Proposal>> {
        if self.broken {
            self.refuse();
            return None;
        }
        let until = match searches {
            Searches::Fail => return None,
            Searches::Stale => self.now - BEHIND,
            Searches::See | Searches::Blind => self.now,
        };
        // A security role hides all boards.
        let sees = searches != Searches::Blind;
        let shown: Vec<FoundTicket> = (1..)
            .zip(&self.tickets)
            .filter(|(_, ticket)| ticket.site == self.site && !ticket.deleted && sees)
            .filter(|(_, ticket)| ticket.entered <= until)
            .map(|(number, _)| self.found(number))
            .collect();
        let open: Vec<FoundTicket> = shown
            .iter()
            .filter(|found| !found.closed)
            .cloned()
            .collect();
        let tickets = census.tickets(self.epoch());
        let compared = tickets.compare(0, None, &open, at(self.now));
        let ids = shown.iter().map(|found| found.ticket_id).collect();
        let boards = tickets.boards(&compared.missing);
        let boards = boards.into_iter().filter(|_| sees).collect::<BTreeSet<_>>();
        let mut proposals = compared.proposals;
        proposals.extend(tickets.explain_missing(&compared.missing, &ids, &boards));
        Some(proposals)
    }

    /// Whether snapshots or expiry prove that the alert with this last event is resolved.
    fn check_resolution(&self, last: &EventOrder, shown: &Resolution) -> Result<(), String> {
        let last_event = last.occurred_at.as_second() - at(0).as_second();
        let speaks = |sent: &&Snapshot| {
            let kinds = sent.kinds.as_ref();
            kinds.is_none_or(|kinds| kinds.contains(&disk()))
        };
        let mut lists: Vec<&Snapshot> = self.snapshots.iter().filter(speaks).collect();
        lists.sort_by_key(|sent| std::cmp::Reverse(sent.taken));
        let lacks = |sent: &&Snapshot| sent.lacks(last_event, self.now);
        let newest = lists.first();
        match shown {
            Resolution::Absent { .. } => {
                let Some(newest) = newest else {
                    return Err("no snapshot was taken".to_owned());
                };
                let same_time = lists.iter().take_while(|sent| sent.taken == newest.taken);
                hold!(
                    same_time.clone().all(lacks),
                    "no snapshot shows that it is resolved: {lists:?}"
                );
                let row = lists.iter().take_while(|sent| {
                    sent.is_empty && !sent.has && !sent.is_torn && sent.taken >= last_event + LAG
                });
                let row: BTreeSet<(i64, i64)> =
                    row.map(|sent| (sent.taken, sent.received)).collect();
                let times: BTreeSet<i64> = row.iter().map(|(taken, _)| *taken).collect();
                let is_long = row
                    .first()
                    .is_some_and(|first| newest.taken - first.0 >= 1800);
                for sent in same_time {
                    hold!(
                        !sent.is_empty || sent.is_counted || times.len() >= 3 && is_long,
                        "empty snapshots show nothing so soon: {lists:?}"
                    );
                }
                // However far the source's snapshots lag, an active alert's ticket is not closed.
                let was_away = self
                    .there
                    .iter()
                    .any(|(since, there)| *since >= last_event && !there);
                hold!(
                    newest.is_empty || was_away,
                    "it is active, and has been since its last event at {last_event}: {lists:?}"
                );
            }
            Resolution::Expired { at: end } => {
                let ends = |event: &Event| match &event.change {
                    AlertChange::Raised(what) | AlertChange::Updated(what) => what.expires_at,
                    AlertChange::Resolved => None,
                };
                let event = self.sent.iter().find(|event| event.digest == last.digest);
                let ends_at = event.and_then(ends);
                // Of two events at the same time, the later end counts.
                let of_moment = |event: &&Event| event.occurred_at == last.occurred_at;
                let mut of_moment = self.sent.iter().filter(of_moment);
                let later = of_moment.any(|event| ends(event) == Some(*end));
                hold!(
                    ends_at == Some(*end) || later && ends_at.is_some_and(|at| at < *end),
                    "it expires at {ends_at:?}, not at {end}"
                );
                hold!(*end <= at(self.now), "it has not ended yet: {end}");
                let has = newest.is_some_and(|newest| {
                    let is_new = self.now - newest.taken <= 24 * 3600;
                    // With an incomplete one of the same time nothing is known.
                    let mut same_time = lists.iter().filter(|sent| sent.taken == newest.taken);
                    let is_whole = same_time.all(|sent| !sent.is_torn);
                    newest.has && is_whole && is_new && at(newest.taken) >= *end
                });
                hold!(!has, "a list still has it: {lists:?}");
            }
        }
        Ok(())
    }

    /// I3: a ticket is closed only if its alert was resolved.
    pub(crate) fn may_close(&self, record: &Record) -> Result<(), String> {
        let desired = &record.desired;
        let Some(last) = desired.last.as_ref().filter(|_| !desired.active) else {
            return Ok(());
        };
        let event = self.sent.iter().find(|event| event.digest == last.digest);
        let resolved = event.is_some_and(|event| event.change == AlertChange::Resolved);
        let shown = |(of, by): &(EventOrder, Resolution)| {
            of == last && Some(by) == desired.resolution.as_ref()
        };
        hold!(
            resolved || self.shown.iter().any(shown),
            "it closes an alert that is not resolved: {record:?}"
        );
        Ok(())
    }
}

fn disk() -> Kind {
    Kind::parse("disk").unwrap()
}

/// The command for a proposal, by the current record.
fn command(record: &Record, proposal: &Proposal) -> Option<Command> {
    let open = record.open().map(|open| open.ticket_id);
    let (action, ticket_id) = match &proposal.action {
        ProposedAction::Resolve { last: seen, shown } => {
            let last = record.desired.last.clone();
            let last = last.filter(|last| last.occurred_at == *seen)?;
            let shown = shown.clone();
            (CommandAction::Resolve { last, shown }, open)
        }
        ProposedAction::Look(ticket) => (CommandAction::Look, Some(*ticket)),
        ProposedAction::LookForDuplicates(ticket) => {
            (CommandAction::LookForDuplicates, Some(*ticket))
        }
    };
    let command = Command {
        key: record.key.clone(),
        occurrence: record.occurrence,
        ticket_id,
        action,
    };
    command.applies_to(record).then_some(command)
}
