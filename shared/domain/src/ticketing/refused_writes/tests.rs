use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::group::outcome;
use super::group_id::normalize_message;
use super::*;
use crate::alert::blocked::{Blocked, CallRefusal, MaintenanceHold, TicketTarget};
use crate::alert::event::Severity;
use crate::alert::kind::Category;
use crate::alert::record::{Actual, Claim, ClosedBy, ClosedTicket, NoteKind, Op, OpenTicket};
use crate::setup::assignment::TenantAssignment;
use crate::ticketing::refused_writes::group::RetryOutcome;
use crate::ticketing::refused_writes::group_id::LONGEST_CLASS;
use crate::{AlertId, ClaimId, Kind, PartnerId, SourceId};

fn at(minute: i64) -> Timestamp {
    "2026-11-22T07:30:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
}

fn key(n: usize) -> AlertKey {
    AlertKey {
        partner: PartnerId::parse("northwind").unwrap(),
        tenant: TenantId::parse("acme").unwrap(),
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        alert_id: AlertId::parse(format!("a{n}")).unwrap(),
    }
}

fn details() -> AlertDetails {
    AlertDetails {
        kind: Kind::parse("disk").unwrap(),
        category: Category::Operations,
        severity: Severity::High,
        raised_at: at(0),
        repeats: 0,
        expires_at: None,
        raise_received_at: at(0),
        previous_event_at: None,
    }
}

/// ConnectWise, the table and reconcile with some alerts, minute by minute.
struct Site {
    records: Vec<Record>,
    refusals: RefusalGroups,
    minute: i64,
    /// The minutes in which ConnectWise received a write.
    writes: Vec<i64>,
    usable: TargetUsability,
    reason: Blocked,
}

impl Site {
    /// Alerts for which ConnectWise refused to create tickets in the first minute.
    fn new(count: usize, reason: &Blocked) -> Self {
        let refused = |n| {
            let mut record = Record::new(key(n));
            record.desired.active = true;
            record.desired.details = Some(details());
            refused_now(record, reason, "field is required", at(0))
        };
        Self {
            records: (0..count).map(refused).collect(),
            refusals: RefusalGroups::default(),
            minute: 0,
            writes: vec![],
            usable: TargetUsability::Yes,
            reason: reason.clone(),
        }
    }

    fn survey(&self) -> RefusalSurvey {
        let mut survey = RefusalSurvey::default();
        for record in &self.records {
            let Some(blocked) = &record.blocked else {
                continue;
            };
            let refused = RefusedAlert {
                key: record.key.clone(),
                occurrence: record.occurrence,
                at: blocked.since,
                details: record.desired.details.clone(),
            };
            survey.add(&self.refusals, refused, blocked);
        }
        survey
    }

    /// A run of reconcile. Returns the retries.
    fn run(&mut self) -> Vec<RefusedAlert> {
        let now = at(self.minute);
        let retried: Vec<AlertKey> = self.refusals.retried().cloned().collect();
        for key in retried {
            let record = self.records.iter().find(|record| record.key == key);
            self.refusals.apply_retry(&key, record, now);
        }
        let survey = self.survey();
        let asked = self.refusals.questions(&survey, now);
        let asked = asked.iter().map(|question| question.target.clone());
        let usable: BTreeMap<_, _> = asked.map(|target| (target, self.usable)).collect();
        self.refusals.next(survey, &usable, (true, 300), now)
    }

    /// One minute: a run, and the writes that it requests. `accepts` says whether ConnectWise
    /// accepts the write of an alert.
    fn minute(&mut self, accepts: impl Fn(&AlertKey) -> bool) {
        for refused in self.run() {
            self.write(&refused, &accepts);
        }
        self.minute += 1;
    }

    fn write(&mut self, asked: &RefusedAlert, accepts: impl Fn(&AlertKey) -> bool) {
        // A worker makes the write a moment later.
        let now = at(self.minute) + SignedDuration::from_secs(10);
        let reason = self.reason.clone();
        let record = self
            .records
            .iter_mut()
            .find(|record| record.key == asked.key);
        let record = record.unwrap();
        let known = record.blocked.as_ref().map(|blocked| blocked.since);
        if known != Some(asked.at) {
            return;
        }
        self.writes.push(self.minute);
        let released = record.clone().released();
        *record = match accepts(&asked.key) {
            true => released.with_open(open(now)),
            false => refused_now(released, &reason, "field is required", now),
        };
    }

    fn minutes(&mut self, count: usize, accepts: impl Fn(&AlertKey) -> bool + Copy) {
        for _ in 0..count {
            self.minute(accepts);
        }
    }

    fn open(&self) -> usize {
        let open = self.records.iter().filter(|record| record.open().is_some());
        open.count()
    }
}

fn refused_now(record: Record, reason: &Blocked, words: &str, now: Timestamp) -> Record {
    let refusal = CallRefusal {
        op: Some(Op::Create),
        words: words.into(),
        record: None,
    };
    record.with_refusal(reason.clone(), refusal, None, now)
}

fn open(now: Timestamp) -> OpenTicket {
    OpenTicket {
        ticket_id: 7,
        board_id: None,
        company_id: 301,
        epoch: 1,
        opened_at: now,
        severity: Severity::High,
        kind: None,
        last_note_at: None,
        noted_repeats: 0,
        noted_resolved: false,
        owes_reopened_note: false,
        title_note_at: None,
        ticket_ref: None,
        made: None,
        manual_change: None,
        action: None,
        link_at: None,
    }
}

fn first() -> AlertKey {
    key(0)
}

fn rejected() -> Blocked {
    Blocked::Rejected("field is required".into())
}

const COMPANY: Blocked = Blocked::TargetMissing(TicketTarget::Company);

#[test]
fn one_alert_of_a_group_is_retried_at_growing_intervals() {
    let mut site = Site::new(5, &rejected());
    site.minutes(4 * 60, |_| false);
    assert_eq!(site.writes, [5, 20, 50, 110, 170, 230]);
    assert_eq!(site.refusals.groups.len(), 1);
    assert_eq!(site.refusals.notified().len(), 1);
}

#[test]
fn after_one_is_accepted_the_others_follow() {
    let mut site = Site::new(400, &rejected());
    site.minutes(30, |_| false);
    let before = site.writes.len();
    site.minutes(30, |_| true);
    let writes: Vec<usize> = (50..58)
        .map(|minute| {
            site.writes[before..]
                .iter()
                .filter(|of| **of == minute)
                .count()
        })
        .collect();
    assert_eq!(writes, [1, 4, 16, 64, 256, 59, 0, 0]);
    assert_eq!(site.open(), 400);
    assert_eq!(site.refusals.groups, []);
}

#[test]
fn each_member_of_a_group_is_retried_in_turn() {
    let mut site = Site::new(20, &rejected());
    site.minutes(60, |key| *key != first());
    assert_eq!(site.open(), 19);
    // The first retry was that of the invalid one, and the next was not.
    assert_eq!(&site.writes[..3], [5, 20, 21]);
    let after = site.writes.len();
    site.minutes(180, |key| *key != first());
    assert!(site.writes.len() - after <= 4, "{:?}", site.writes);
}

#[test]
fn a_listed_but_refused_target_backs_off() {
    let mut site = Site::new(5, &COMPANY);
    site.minutes(1, |_| false);
    assert_eq!(site.refusals.notified().len(), 0, "it may be mended by now");
    site.minutes(60, |_| false);
    assert_eq!(site.writes, [0, 15, 45]);
    assert_eq!(site.refusals.notified().len(), 1);
}

#[test]
fn an_unusable_target_costs_no_write() {
    let mut site = Site::new(5, &COMPANY);
    site.usable = TargetUsability::No;
    site.minutes(60, |_| false);
    assert_eq!(site.writes, [0; 0]);
    assert_eq!(site.refusals.notified().len(), 0, "the probe says more");
    site.usable = TargetUsability::Unknown;
    site.minutes(5, |_| true);
    assert_eq!(site.open(), 0);
    site.usable = TargetUsability::Yes;
    site.minute(|_| true);
    assert_eq!(site.open(), 5);
    // It is listed as usable, but is not.
    let mut site = Site::new(5, &COMPANY);
    site.usable = TargetUsability::No;
    site.minute(|_| false);
    site.usable = TargetUsability::Yes;
    site.minutes(60, |_| false);
    assert_eq!(site.writes, [1, 1, 1, 1, 1, 17, 47]);
}

#[test]
fn a_person_is_notified_of_an_unusable_owner_since_no_probe_reads_members() {
    let mut site = Site::new(5, &Blocked::TargetMissing(TicketTarget::Owner));
    for record in &mut site.records {
        let blocked = record.blocked.as_mut().unwrap();
        blocked.refusal.as_mut().unwrap().record = Some(153);
    }
    site.usable = TargetUsability::No;
    site.minutes(5, |_| false);
    assert_eq!(site.writes, [0; 0]);
    let cause = RefusalCause::Target(RefusedTarget::Owner(153));
    let notified: Vec<_> = site.refusals.notified().into_iter().collect();
    assert_eq!(notified.len(), 1);
    assert_eq!(notified[0].cause, cause);
}

#[test]
fn each_team_and_owner_is_a_group_of_its_own() {
    let id = |target, record| {
        let refusal = CallRefusal {
            op: Some(Op::Create),
            words: "Service Team 41 not found".to_owned(),
            record,
        };
        let blocked = BlockedSince::refused(Blocked::TargetMissing(target), refusal, at(0));
        RefusalGroupId::new(&blocked, &first(), None).unwrap()
    };
    let (team, owner) = (TicketTarget::Team, TicketTarget::Owner);
    assert_eq!(id(team, Some(41)), id(team, Some(41)));
    assert_ne!(id(team, Some(41)), id(team, Some(42)));
    assert_ne!(id(team, Some(41)), id(owner, Some(41)));
    // Without the id, ConnectWise's message tells them apart as far as it can.
    assert!(matches!(id(team, None).cause, RefusalCause::Words(_)));
}

#[test]
fn a_change_of_configuration_is_retried_at_once() {
    let mut site = Site::new(5, &rejected());
    site.minutes(60, |_| false);
    assert_eq!(site.writes, [5, 20, 50]);
    site.refusals.note_configuration(1, at(60));
    site.minutes(10, |_| true);
    assert_eq!(site.open(), 5);
    let changed = |company, enabled| changed_to(company, enabled, None);
    fn changed_to(company: Option<u64>, enabled: bool, owner: Option<u64>) -> u64 {
        let mapping = Mapping {
            company,
            enabled,
            assignment: TenantAssignment {
                owner,
                ..TenantAssignment::default()
            },
            ..Mapping::default()
        };
        let tenant = TenantId::parse("acme").unwrap();
        fingerprint(None, [(&tenant, &mapping)].into_iter())
    }
    let unmapped = fingerprint(None, std::iter::empty());
    let with_owner = changed_to(Some(1), true, Some(151));
    let mapped = [changed(Some(1), true), changed(Some(2), true)];
    let seen = BTreeSet::from([mapped[0], mapped[1], with_owner, unmapped]);
    assert_eq!(seen.len(), 4);
    assert_eq!(
        changed(Some(1), false),
        unmapped,
        "a tenant that was only seen"
    );
    assert_eq!(changed(None, true), unmapped);
}

#[test]
fn a_moot_or_lost_retry_is_replaced() {
    let mut site = Site::new(2, &rejected());
    site.minutes(5, |_| false);
    let first = site.run();
    assert_eq!(first.len(), 1);
    // No worker has started it: nothing else is requested, and the same again after some minutes.
    for minute in 6..15 {
        site.minute = minute;
        assert_eq!(site.run(), [], "{minute}");
    }
    site.minute = 15;
    assert_eq!(site.run(), first);
    // Meanwhile the alert is resolved.
    let record = site.records.iter_mut().find(|of| of.key == first[0].key);
    let record = record.unwrap();
    *record = record.clone().with_nothing_to_do(None);
    site.minute = 16;
    let second = site.run();
    assert_eq!(second.len(), 1);
    assert_ne!(second[0].key, first[0].key);
}

#[test]
fn the_outcome_of_a_retry_is_read_from_the_record() {
    use RetryOutcome::{Accepted, Moot, Pending, Refused};
    let details = details();
    let start = || {
        let mut record = Record::new(key(0));
        record.desired.active = true;
        record.desired.details = Some(details.clone());
        record
    };
    let closed = |minute, by| {
        let closed = ClosedTicket {
            ticket_id: 7,
            occurrence: 1,
            epoch: 1,
            at: at(minute),
            by,
            company_id: None,
            ended_at: at(minute),
            ticket_ref: None,
            action: None,
        };
        let actual = Some(Actual::Closed(closed));
        Record { actual, ..start() }
    };
    let id = ClaimId::parse("c").unwrap();
    let claimed = start().with_claim(Claim {
        id,
        op: Op::Create,
        reason: "raised".into(),
        ticket_ref: start().occurrence_ref(),
        ticket_id: None,
        board_id: None,
        company_id: 301,
        epoch: 1,
        severity: Severity::High,
        kind: None,
        began_at: at(1),
        raise_received_at: None,
        repeats: 0,
        links_configuration: false,
        until: at(2),
        uncertain_at: None,
        visits: 0,
        visited_at: None,
        empty_visits: 0,
        suspected_refusal: None,
    });
    let low = OpenTicket {
        severity: Severity::Low,
        ..open(at(-9))
    };
    let noted = OpenTicket {
        last_note_at: Some(at(1)),
        ..open(at(-9))
    };
    let with = |open| start().with_open(open);
    let refused = |minute| refused_now(start(), &rejected(), "no", at(minute));
    for (op, record, expected) in [
        (Op::Create, claimed, Pending),
        (Op::Create, refused(0), Pending),
        (Op::Create, refused(1), Refused),
        (
            Op::Create,
            start().with_blocked(Blocked::ConnectionBroken, None, at(1)),
            Moot,
        ),
        (Op::Create, start(), Moot),
        (Op::Create, with(open(at(1))), Accepted),
        (Op::Create, with(open(at(-1))), Moot),
        (Op::Create, closed(1, ClosedBy::Technician), Accepted),
        (Op::Create, closed(-1, ClosedBy::Us), Moot),
        (Op::Reopen, with(open(at(1))), Accepted),
        (Op::Reopen, closed(1, ClosedBy::Us), Moot),
        (Op::Close, closed(1, ClosedBy::Us), Accepted),
        (Op::Close, closed(1, ClosedBy::Technician), Moot),
        (Op::Close, closed(-1, ClosedBy::Us), Moot),
        (Op::Close, with(open(at(1))), Moot),
        (Op::Note(NoteKind::Repeats), with(noted), Accepted),
        (Op::Note(NoteKind::Repeats), with(open(at(1))), Moot),
        (Op::Patch, with(open(at(-9))), Accepted),
        (Op::Patch, with(low), Moot),
        (Op::Repair, start(), Accepted),
    ] {
        let seen = outcome(Some(op), Some(&record), at(0));
        assert_eq!(seen, expected, "{op:?} {record:?}");
    }
    assert_eq!(outcome(Some(Op::Create), None, at(0)), Moot);
}

#[test]
fn messages_are_grouped_without_their_quotations() {
    for (one, other, is_same) in [
        ("Site ID is required", "site id is  required", true),
        ("Ticket 1255787 is locked", "Ticket 9 is locked", true),
        (r#"Summary "a b" is bad"#, r#"Summary "c" is bad"#, true),
        ("Summary “a” is bad", "Summary “b c” is bad", true),
        ("Site ID is required", "Budget is required", false),
        ("", "a web page", false),
        ("403, a web page", "404, a web page", false),
        ("403, a web page", "403, a  web page", true),
        ("401", "403", false),
        ("403, Forbidden id 7", "403, forbidden id 8", true),
        ("7, a web page", "8, a web page", true),
        ("1403, a web page", "1404, a web page", true),
        ("Ticket 403, closed", "Ticket 404, closed", true),
    ] {
        assert_eq!(
            normalize_message(one) == normalize_message(other),
            is_same,
            "{one} / {other}"
        );
    }
    assert!(normalize_message(&"word ".repeat(200)).chars().count() <= LONGEST_CLASS);
}

#[test]
fn unique_messages_make_few_groups() {
    let mut site = Site::new(200, &rejected());
    for (n, record) in site.records.iter_mut().enumerate() {
        let words = format!("{} is wrong", "x".repeat(n + 1));
        *record = refused_now(record.clone(), &rejected(), &words, at(0));
    }
    site.minutes(3, |_| false);
    assert_eq!(site.refusals.groups.len(), MOST_GROUPS + 1);
    let counted: u64 = site.refusals.groups.iter().map(|group| group.alerts).sum();
    assert_eq!(counted, 200);
    let item = serde_json::to_string(&site.refusals).unwrap();
    assert!(item.len() < 100_000, "{}", item.len());
    let back: RefusalGroups = serde_json::from_str(&item).unwrap();
    assert_eq!(back, site.refusals);

    let mut site = Site::new(1, &rejected());
    site.records[0].key.source = SourceId::for_test_alerts();
    site.minutes(10, |_| false);
    assert_eq!(site.writes, [5]);
    assert_eq!(site.refusals.notified().len(), 0);
}

/// The names of all reasons, with their group, and who is notified.
#[test]
fn every_reason_behaves_as_docs_reliability_says() {
    use crate::monitoring::issue::IncidentScope;
    let all = [
        Blocked::NotSetUp,
        Blocked::Unmapped,
        Blocked::TenantDisabled,
        Blocked::KindDisabled,
        Blocked::ConnectionBroken,
        Blocked::ConnectionUnavailable,
        Blocked::Throttled,
        Blocked::Deferred,
        Blocked::MissingRight("service_tickets.add".into()),
        COMPANY,
        rejected(),
        Blocked::OlderThanBackfill,
        Blocked::Maintenance(MaintenanceHold {
            until: at(0),
            device: None,
        }),
        Blocked::Flapping(at(0)),
        Blocked::Storm(crate::AlertId::for_storm(at(0))),
        Blocked::WontFix(at(0)),
    ];
    let table = include_str!("../../../../../docs/reliability.md");
    for (n, reason) in all.iter().enumerate() {
        // A new reason must be added here.
        let place = match reason {
            Blocked::NotSetUp => 0,
            Blocked::Unmapped => 1,
            Blocked::TenantDisabled => 2,
            Blocked::KindDisabled => 3,
            Blocked::ConnectionBroken => 4,
            Blocked::ConnectionUnavailable => 5,
            Blocked::Throttled => 6,
            Blocked::Deferred => 7,
            Blocked::MissingRight(_) => 8,
            Blocked::TargetMissing(_) => 9,
            Blocked::Rejected(_) => 10,
            Blocked::OlderThanBackfill => 11,
            Blocked::Maintenance(_) => 12,
            Blocked::Flapping(_) => 13,
            Blocked::Storm(_) => 14,
            Blocked::WontFix(_) => 15,
        };
        assert_eq!(n, place);
        let name = reason.to_string();
        let name = name.split('(').next().unwrap();
        let notified = match IncidentScope::for_reason(reason) {
            Some(IncidentScope::Connection) => "a mail about the connection",
            Some(IncidentScope::PartnerConfig) => "a mail about the set-up",
            Some(IncidentScope::Sources) => unreachable!("{reason}: no source blocks an alert"),
            None => match reason {
                Blocked::Unmapped | Blocked::Rejected(_) | Blocked::OlderThanBackfill => {
                    "a mail about waiting alerts"
                }
                Blocked::NotSetUp
                | Blocked::TenantDisabled
                | Blocked::KindDisabled
                | Blocked::Maintenance(_)
                | Blocked::Flapping(_)
                | Blocked::Storm(_)
                | Blocked::WontFix(_) => "the page",
                Blocked::ConnectionBroken
                | Blocked::ConnectionUnavailable
                | Blocked::Throttled
                | Blocked::Deferred
                | Blocked::MissingRight(_)
                | Blocked::TargetMissing(_) => unreachable!("{reason}: it has an incident"),
            },
        };
        let blocked = BlockedSince {
            reason: reason.clone(),
            since: at(0),
            refusal: None,
        };
        let row = format!("| `{name}` | {notified} | ");
        let rows: Vec<&str> = table
            .lines()
            .filter(|line| line.starts_with(&row))
            .collect();
        assert_eq!(rows.len(), 1, "{row}");
        let group = RefusalGroupId::new(&blocked, &key(0), Some(&details()));
        assert_eq!(group.is_some(), blocked.is_refusal(), "{name}");
        let retried = rows[0].contains("a retry of its group");
        assert_eq!(retried, blocked.is_refusal(), "{name}");
    }
    assert_eq!(all.len(), 16);
}

proptest! {
    /// Whatever ConnectWise accepts: refusals cost one write in five minutes, and beyond that no
    /// more than follow accepted ones.
    #[test]
    fn refused_writes_are_few_whatever_connectwise_does(
        moods in prop::collection::vec((0_usize..4, 1_usize..90), 1..12), count in 1_usize..60, of_company in any::<bool>(),
    ) {
        let reason = if of_company { COMPANY } else { rejected() };
        let mut site = Site::new(count, &reason);
        for (mood, minutes) in moods {
            for _ in 0..minutes {
                // All, none, every other one, or all but one.
                site.minute(move |key| {
                    let n: usize = key.alert_id.as_str()[1..].parse().unwrap();
                    [true, false, n.is_multiple_of(2), n != 0][mood]
                });
            }
        }
        let accepted = site.open();
        let refused = site.writes.len() - accepted;
        let periods = usize::try_from(site.minute).unwrap() / 5 + 1;
        // Each accepted write lets at most four times as many follow.
        prop_assert!(refused <= periods + 4 * accepted, "{refused} refused, {accepted} accepted in {periods} periods");
        // Nothing is given up: once all are accepted again, all are done within the longest
        // back-off.
        site.minutes(90, |_| true);
        prop_assert_eq!(site.open(), count);
        prop_assert_eq!(&site.refusals.groups, &vec![]);
    }
}
