use domain::alert::blocked::{CallRefusal, MaintenanceHold};
use domain::alert::fold::fold;
use domain::alert::kind::Category;
use domain::alert::record::{ClosedBy, ClosedTicket, Op};
use domain::alert::test_alert;
use domain::setup::settings::BoardTarget;
use domain::ticketing::refused_writes::RefusalGroup;
use domain::{AlertId, Kind, PartnerId, TenantId};
use jiff::SignedDuration;

use super::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + 60 * minute).unwrap()
}

fn alert_key() -> AlertKey {
    test_alert::key(
        PartnerId::parse("northwind").unwrap(),
        TenantId::parse("acme").unwrap(),
        AlertId::for_test(at(0)),
    )
}

fn active() -> Record {
    let kind = Kind::parse("disk").unwrap();
    let raised = test_alert::raised(alert_key(), kind, Category::Operations, None, at(0));
    fold(Record::new(alert_key()), &raised)
}

fn resolved() -> Record {
    fold(active(), &test_alert::resolved(alert_key(), at(0), at(5)))
}

fn closed(record: Record, by: ClosedBy) -> Record {
    let closed = ClosedTicket {
        ticket_id: 7,
        occurrence: record.occurrence,
        epoch: 1,
        at: at(9),
        ended_at: at(9),
        by,
        company_id: Some(301),
        ticket_ref: None,
        action: None,
    };
    Record {
        actual: Some(Actual::Closed(closed)),
        ..record
    }
}

fn context(change: impl FnOnce(&mut BoardTarget)) -> NextStepContext {
    let mut settings = Settings::default();
    change(&mut settings.operations);
    NextStepContext {
        settings: Some(settings),
        ..NextStepContext::default()
    }
}

fn time_of(record: &Record, context: &NextStepContext) -> Option<Timestamp> {
    NextStep::of(record, context, at(10)).at
}

#[test]
fn a_block_with_an_end_says_when_it_ends() {
    let none = NextStepContext::default();
    let hold = MaintenanceHold {
        until: at(90),
        device: None,
    };
    for (reason, expected) in [
        (Blocked::Deferred, Some(at(3 + 10))),
        (Blocked::Maintenance(hold), Some(at(90))),
        (Blocked::WontFix(at(99)), Some(at(99))),
        (Blocked::Flapping(at(98)), Some(at(98))),
        (Blocked::Unmapped, None),
        (Blocked::OlderThanBackfill, None),
    ] {
        let record = active().with_blocked(reason.clone(), None, at(3));
        assert_eq!(time_of(&record, &none), expected, "{reason:?}");
    }
    let paused = NextStepContext {
        breaker: Some(Breaker {
            paused_until: Some(at(40)),
            ..Breaker::default()
        }),
        ..NextStepContext::default()
    };
    let throttled = active().with_blocked(Blocked::Throttled, None, at(3));
    assert_eq!(time_of(&throttled, &paused), Some(at(40)));
    assert_eq!(time_of(&throttled, &none), None);
}

#[test]
fn a_blocked_alert_says_what_happens_once_and_where_a_person_acts() {
    let none = NextStepContext::default();
    let record = |reason| active().with_blocked(reason, None, at(3));
    for (reason, step, words) in [
        (
            Blocked::NotSetUp,
            SetupStep::Confirm,
            "the set-up is confirmed",
        ),
        (Blocked::Unmapped, SetupStep::Tenants, "mapped to a company"),
        (Blocked::TenantDisabled, SetupStep::Tenants, "switched on"),
        (Blocked::KindDisabled, SetupStep::Tickets, "switched on"),
        (
            Blocked::ConnectionBroken,
            SetupStep::Check,
            "accepts requests",
        ),
        (
            Blocked::MissingRight(String::new()),
            SetupStep::Check,
            "has the right",
        ),
    ] {
        let next = NextStep::of(&record(reason), &none, at(10));
        assert_eq!(next.step, Some(step), "{next:?}");
        assert!(
            next.words.starts_with("Its ticket is created within"),
            "{next:?}"
        );
        assert!(next.words.contains(words), "{next:?}");
    }
    // Later than 48 hours after the raise, a person may have to release it.
    let late = at(0) + SignedDuration::from_hours(49);
    let words = |at| NextStep::of(&record(Blocked::Unmapped), &none, at).words;
    assert!(words(late).contains("waits for you to release it"));
    assert!(!words(at(10)).contains("release"));
    let resolved = resolved().with_blocked(Blocked::ConnectionBroken, None, at(6));
    let next = NextStep::of(&resolved, &none, at(10));
    assert!(next.words.starts_with("It is decided again"), "{next:?}");
}

#[test]
fn a_refused_alert_says_when_its_group_is_tried_again() {
    let refusal = CallRefusal {
        op: Some(Op::Create),
        words: "The company is inactive".to_owned(),
        record: None,
    };
    let reason = Blocked::Rejected(refusal.words.clone());
    let blocked = BlockedSince::refused(reason, refusal, at(3));
    let record = Record {
        blocked: Some(blocked.clone()),
        ..active()
    };
    let id = RefusalGroupId::new(&blocked, &record.key, record.desired.details.as_ref());
    let group = |state| {
        let mut context = NextStepContext::default();
        context.refusals.groups.push(RefusalGroup {
            id: id.clone().unwrap(),
            words: String::new(),
            since: at(3),
            alerts: 1,
            attempts: 1,
            missed: false,
            state,
        });
        context
    };
    let backing_off = group(RetryState::BackingOff { until: at(18) });
    assert_eq!(time_of(&record, &backing_off), Some(at(18)));
    let unusable = NextStep::of(&record, &group(RetryState::Unusable), at(10));
    assert!(unusable.words.contains("not usable"), "{unusable:?}");
    // The state of the groups may be lost.
    assert_eq!(time_of(&record, &NextStepContext::default()), None);
}

#[test]
fn an_ended_ticket_says_until_when_it_is_reopened_and_when_a_repeat_counts() {
    let reopened = context(|board| board.reopen_days = 7);
    let until = at(9) + SignedDuration::from_hours(7 * 24);
    let record = closed(resolved(), ClosedBy::Us);
    assert_eq!(time_of(&record, &reopened), Some(until));
    assert_eq!(time_of(&record, &context(|_| {})), None);
    let moved = closed(resolved(), ClosedBy::Moved);
    assert_eq!(time_of(&moved, &reopened), None);
    let late = NextStep::of(&record, &reopened, until);
    assert_eq!(late.at, None, "{late:?}");

    let renewed = context(|board| board.renew_after_hours = 4);
    let record = closed(active(), ClosedBy::Technician);
    let from = at(9) + SignedDuration::from_hours(4);
    assert_eq!(time_of(&record, &renewed), Some(from));
    assert_eq!(time_of(&record, &context(|_| {})), None);
}
