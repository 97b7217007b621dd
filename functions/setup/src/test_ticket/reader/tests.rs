use domain::alert::event::Severity;
use domain::alert::fold::fold;
use domain::alert::record::{Claim, ClosedBy, ClosedTicket, Op, OpenTicket};
use domain::{AlertId, Blocked, ClaimId, TicketRef};
use jiff::Timestamp;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn test(close_requested: bool) -> TestTicket {
    TestTicket {
        tenant: TenantId::parse("acme-dental").unwrap(),
        alert_id: AlertId::for_test(at(0)),
        kind: Kind::parse("disk").unwrap(),
        category: Category::Operations,
        asked_at: at(0),
        close_requested,
    }
}

fn test_key() -> AlertKey {
    key(&PartnerId::parse("northwind").unwrap(), &test(false))
}

fn claim() -> Claim {
    Claim {
        id: ClaimId::parse("c1").unwrap(),
        op: Op::Create,
        reason: "raised".into(),
        ticket_ref: TicketRef::new(&test_key(), 1),
        ticket_id: None,
        board_id: None,
        company_id: 301,
        epoch: 1,
        severity: Severity::Informational,
        kind: None,
        began_at: at(1),
        raise_received_at: None,
        repeats: 0,
        links_configuration: false,
        until: at(60),
        uncertain_at: None,
        visits: 0,
        visited_at: None,
        empty_visits: 0,
        suspected_refusal: None,
    }
}

fn closed(by: ClosedBy) -> Actual {
    Actual::Closed(ClosedTicket {
        ticket_id: 7,
        occurrence: 1,
        epoch: 1,
        at: at(9),
        ended_at: at(9),
        by,
        company_id: None,
        ticket_ref: None,
        action: None,
    })
}

#[test]
fn a_tests_state_is_derived_from_its_record() {
    let kind = test(false).kind;
    let raised = test_alert::raised(test_key(), kind, Category::Operations, None, at(0));
    let resolved = test_alert::resolved(test_key(), at(0), at(5));
    let active = fold(Record::new(test_key()), &raised);
    let resolved = fold(active.clone(), &resolved);
    let with = |record: &Record, actual| Record {
        actual: Some(actual),
        ..record.clone()
    };
    let open = || Actual::Open(OpenTicket::new(7, None, &claim(), at(2)));
    let uncertain = Record {
        claim: Some(claim()),
        ..resolved.clone()
    };
    let is = |close_requested: bool, record: Option<&Record>| {
        TestState::of(&test(close_requested), record)
    };
    assert_eq!(is(false, None), TestState::Waiting);
    assert_eq!(is(true, None), TestState::Withdrawn);
    assert_eq!(is(false, Some(&active)), TestState::Waiting);
    assert_eq!(is(true, Some(&resolved)), TestState::Withdrawn);
    assert_eq!(is(true, Some(&uncertain)), TestState::Waiting);
    assert_eq!(is(false, Some(&with(&active, open()))), TestState::Open);
    assert_eq!(is(true, Some(&with(&resolved, open()))), TestState::Closing);
    let how = "Ticketbridge closed it, since the alert was resolved.";
    let ended = with(&resolved, closed(ClosedBy::Us));
    assert_eq!(is(true, Some(&ended)), TestState::Closed { how });
    let blocked = active.with_blocked(Blocked::NotSetUp, None, at(3));
    let blocked = is(false, Some(&blocked));
    assert!(matches!(blocked, TestState::Blocked { reason, .. } if reason == "not_set_up"));
}

#[test]
fn a_test_can_be_closed_once() {
    let can_close = |close_requested, actual: Option<Actual>| {
        let record = Record {
            actual,
            ..Record::new(test_key())
        };
        last_test(test(close_requested), Some(&record), None, None).can_close
    };
    let open = || Some(Actual::Open(OpenTicket::new(7, None, &claim(), at(2))));
    assert!(can_close(false, open()));
    assert!(!can_close(true, open()));
    let by_technician = Some(closed(ClosedBy::Technician));
    assert!(!can_close(false, by_technician));
    assert!(last_test(test(false), None, None, None).can_close);
}
