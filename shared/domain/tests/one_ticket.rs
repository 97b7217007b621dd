//! The core against a model of ConnectWise: whatever the order, the repeats, the lost answers and the crashes, an alert has one
//! open ticket if it stands, none if it is gone, and never two.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test"
)]

use domain::adopt::{Found, adopt, rechecked};
use domain::breaker::Breaker;
use domain::decide::{Decision, Step, decide};
use domain::event::{Change, Event, Particulars, Payload, Severity};
use domain::fold::fold;
use domain::kind::Role;
use domain::memory::MemoryState;
use domain::record::{Claim, ClosedBy, Open, Record};
use domain::settings::{BoardTarget, ConnectionView, LiveConnection, Mapping, Settings};
use domain::{AlertId, AlertKey, ClaimId, EventId, Kind, PartnerId, SourceId, TenantId, Token};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const SETTLE: SignedDuration = SignedDuration::from_mins(10);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn key() -> AlertKey {
    AlertKey {
        partner: PartnerId::parse("acme").unwrap(),
        tenant: TenantId::parse("contoso").unwrap(),
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        alert_id: AlertId::parse("a").unwrap(),
    }
}

fn event(second: i64, what: What) -> Event {
    let payload = Payload {
        title: "Disk full".into(),
        description: String::new(),
        tenant_name: None,
        device: None,
        user: None,
        link: None,
    };
    let particulars = Particulars {
        kind: Kind::parse("disk").unwrap(),
        role: Role::Operations,
        severity: Severity::High,
        expires_at: None,
        payload,
    };
    let change = match what {
        What::Raised => Change::Raised(particulars),
        What::Updated => Change::Updated(particulars),
        What::Resolved => Change::Resolved,
    };
    let id = EventId::parse(format!("e{second}")).unwrap();
    Event {
        key: key(),
        id,
        occurred_at: at(second),
        change,
    }
}

fn view() -> ConnectionView {
    let settings = Settings {
        operations: BoardTarget::default(),
        cyber_alerts: BoardTarget::default(),
        kinds_off: std::collections::BTreeSet::default(),
        priorities: std::collections::BTreeMap::default(),
        note_interval_minutes: 60,
        notes_for_customers: false,
    };
    ConnectionView {
        connection: Some(LiveConnection {
            epoch: 1,
            confirmed_at: None,
            settings,
        }),
        mapping: Some(Mapping {
            company: Some(19),
            enabled: true,
            name: None,
            enabled_at: None,
        }),
        breaker: Breaker::default(),
        memory: Some(MemoryState::Complete),
    }
}

#[derive(Debug, Clone, Copy)]
enum What {
    Raised,
    Updated,
    Resolved,
}

/// How a call to ConnectWise ends.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    /// Done, and the answer is lost.
    Lost,
    /// Not done, and answered with a 500.
    Failed,
    /// Done, and the worker dies before it records so.
    DiedAfter,
    /// The worker dies between its claim and its call.
    DiedBefore,
}

/// Done five minutes later, within the settling time, after an answer of 500.
const LATE: i64 = 300;

struct Model {
    record: Record,
    /// Token, whether open, from when it can be found, and its number.
    tickets: Vec<(String, bool, i64)>,
    now: i64,
    claims: u32,
}

impl Model {
    fn new() -> Self {
        Self {
            record: Record::new(key()),
            tickets: vec![],
            now: 1000,
            claims: 0,
        }
    }

    /// One delivery of an event: fold, decide, do, as far as it goes. Tells whether the message may go.
    fn deliver(&mut self, event: &Event, fates: &mut impl Iterator<Item = (Fate, bool)>) -> bool {
        self.record = fold(self.record.clone(), event);
        for _ in 0..20 {
            match decide(&self.record, &view(), SETTLE, at(self.now)) {
                Decision::Nothing(_) => {
                    self.record = self.record.clone().at_rest();
                    return true;
                }
                Decision::Wait { .. } => return false,
                Decision::Block(reason) => panic!("nothing blocks here: {reason}"),
                Decision::Search => self.search(),
                Decision::Recheck(recheck) => {
                    let found = self.found(&recheck.token);
                    self.record = rechecked(self.record.clone(), &recheck, &found, at(self.now));
                }
                other @ (Decision::Recall | Decision::Remember) => {
                    panic!("not asked for here: {other:?}")
                }
                Decision::Write(step) => {
                    let (fate, late) = fates.next().unwrap_or((Fate::Answered, false));
                    if !self.write(&step, fate, late) {
                        return false;
                    }
                }
            }
        }
        panic!("no end in sight");
    }

    fn found(&self, carried: &Token) -> Vec<Found> {
        (1..)
            .zip(&self.tickets)
            .filter(|(_, (token, _, seen))| token == carried.as_str() && *seen <= self.now)
            .map(|(ticket_id, (token, open, seen))| Found {
                ticket_id,
                token: Token::parse(token),
                board_id: None,
                company_id: Some(19),
                entered_at: Some(at(*seen)),
                closed: !open,
                closed_at: None,
                merged: false,
                touched: false,
            })
            .collect()
    }

    fn search(&mut self) {
        let claim = self.record.claim.clone().unwrap();
        let found = self.found(&claim.token);
        let record = self.record.clone();
        self.record = match found.is_empty() {
            true => record.with_empty_visit(SETTLE, at(self.now)),
            false => adopt(record, &claim, &found, at(self.now)),
        };
    }

    /// Makes a step as `tickets` does; false where the worker died.
    fn write(&mut self, step: &Step, fate: Fate, late: bool) -> bool {
        self.claims += 1;
        let id = ClaimId::parse(format!("c{}", self.claims)).unwrap();
        let claim = Claim {
            id: id.clone(),
            marker: id,
            op: step.op(),
            reason: "test".into(),
            token: self.record.token(),
            board_id: None,
            company_id: 19,
            epoch: 1,
            severity: Severity::High,
            began_at: at(self.now),
            until: at(self.now + 65),
            uncertain_at: None,
            attempts: 1,
            visits: 0,
            visited_at: None,
            empty_visits: 0,
        };
        let takeover = self.record.claim.is_some();
        self.record = self.record.clone().with_claim(claim.clone());
        let done = matches!(fate, Fate::Answered | Fate::Lost | Fate::DiedAfter);
        let now = at(self.now);
        let mut after = self.record.clone().without_claim();
        match step {
            Step::Create(_) => {
                let seen = match (done, late) {
                    (true, _) => Some(self.now),
                    (false, true) if matches!(fate, Fate::Failed) => Some(self.now + LATE),
                    (false, _) => None,
                };
                if let Some(seen) = seen {
                    self.tickets.push((claim.token.to_string(), true, seen));
                }
                let ticket_id = self.tickets.len() as u64;
                after = self
                    .record
                    .clone()
                    .with_open(Open::new(ticket_id, None, &claim, now));
            }
            Step::Close { ticket_id } => {
                let ticket = &mut self.tickets[usize::try_from(*ticket_id).unwrap() - 1];
                let standing = self.record.wanted.standing;
                if !ticket.1 {
                    assert!(takeover, "nobody else closes here");
                }
                if ticket.1 && standing {
                    self.record = after;
                    return true;
                }
                if done {
                    ticket.1 = false;
                }
                if !ticket.1 || matches!(fate, Fate::Answered) {
                    after = self
                        .record
                        .clone()
                        .with_closed(*ticket_id, 1, ClosedBy::Us, now);
                }
            }
            Step::NoteRepeats { repeats, .. } => {
                let open = self.record.open().unwrap().clone();
                after = self.record.clone().with_open(Open {
                    last_note_at: Some(now),
                    noted_repeats: *repeats,
                    ..open
                });
            }
            Step::NoteGone { .. } | Step::Patch { .. } | Step::Reopen(_) | Step::Repair { .. } => {
                panic!("not asked for here")
            }
        }
        match fate {
            Fate::Answered => self.record = after,
            Fate::Lost | Fate::Failed => {
                self.record = self.record.clone().with_uncertain(None, now);
            }
            Fate::DiedAfter | Fate::DiedBefore => return false,
        }
        true
    }

    fn open_tickets(&self) -> usize {
        self.tickets.iter().filter(|(_, open, _)| *open).count()
    }
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        4 => Just(What::Raised),
        2 => Just(What::Updated),
        2 => Just(What::Resolved),
    ]
}

fn fate() -> impl Strategy<Value = (Fate, bool)> {
    let fate = prop_oneof![
        4 => Just(Fate::Answered),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Failed),
        1 => Just(Fate::DiedAfter),
        1 => Just(Fate::DiedBefore),
    ];
    (fate, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_happens_a_standing_alert_has_one_ticket_and_a_gone_one_none(
        whats in prop::collection::vec(what(), 1..7),
        deliveries in prop::collection::vec((any::<prop::sample::Index>(), 0i64..400), 1..25),
        fates in prop::collection::vec(fate(), 0..12),
    ) {
        let events: Vec<_> = whats.iter().zip(1..).map(|(what, second)| event(second, *what)).collect();
        let mut fates = fates.into_iter();
        let mut model = Model::new();
        for (index, pause) in deliveries {
            model.now += pause;
            model.deliver(index.get(&events), &mut fates);
            prop_assert!(model.open_tickets() <= 1, "{:?}", model.tickets);
        }
        // Every message that was not done comes back until it is.
        let mut waiting = events.clone();
        for _ in 0..200 {
            waiting.retain(|event| !model.deliver(event, &mut fates));
            prop_assert!(model.open_tickets() <= 1, "{:?}", model.tickets);
            if waiting.is_empty() {
                break;
            }
            model.now += 31;
        }
        prop_assert!(waiting.is_empty(), "{:?}", model.record);
        prop_assert_eq!(model.open_tickets(), usize::from(model.record.wanted.standing), "{:?}", model.record);
        let settled = model.record.clone();
        for event in &events {
            model.deliver(event, &mut fates);
        }
        prop_assert_eq!(settled, model.record, "replaying everything changes nothing");
    }

    #[test]
    fn raises_and_resolves_mean_the_same_in_any_order(
        whats in prop::collection::vec(prop_oneof![Just(What::Raised), Just(What::Resolved)], 1..7),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..14),
    ) {
        let events: Vec<_> = whats.iter().zip(1..).map(|(what, second)| event(second, *what)).collect();
        let in_order = events.iter().fold(Record::new(key()), fold);
        let shuffled = order.iter().map(|index| index.get(&events)).fold(Record::new(key()), fold);
        let shuffled = events.iter().fold(shuffled, fold);
        prop_assert_eq!(in_order.wanted.standing, shuffled.wanted.standing);
        prop_assert_eq!(in_order.wanted.last, shuffled.wanted.last);
    }
}
