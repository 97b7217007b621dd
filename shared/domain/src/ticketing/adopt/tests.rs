mod prior;

use std::slice;

use jiff::SignedDuration;

use super::*;
use crate::Blocked;
use crate::alert::event::Severity;
use crate::alert::key::TicketRef;
use crate::alert::record::{Actual, CallRefusal, ClosedBy, Op};
use crate::fixtures::{at, key, new_claim};
use crate::ticketing::found_ticket::end_of_second;
use crate::ticketing::prior_tickets::{adopt_prior_tickets, set_last_event};

fn claimed() -> (Record, Claim) {
    let record = Record::new(key());
    let claim = Claim {
        severity: Severity::High,
        ..new_claim(Op::Create, record.occurrence_ref(), at(0))
    };
    (record.with_claim(claim.clone()), claim)
}

fn ticket(ticket_id: u64, second: i64, closed: bool) -> FoundTicket {
    FoundTicket {
        ticket_id,
        ticket_ref: Some(claimed().1.ticket_ref),
        board_id: Some(2),
        company_id: Some(19),
        entered_at: Some(at(second)),
        raised_at: None,
        closed,
        closed_at: closed.then(|| at(second + 1000)),
        merged: false,
        touched: false,
        action: None,
    }
}

#[test]
fn a_ticket_entered_since_the_claim_is_adopted() {
    let (record, claim) = claimed();
    let adopted = adopt(
        record,
        &claim,
        &[ticket(9, 5, false), ticket(8, -3000, false)],
        at(70),
    );
    assert_eq!(adopted.open().map(|open| open.ticket_id), Some(8));
    assert_eq!(adopted.claim, None);
}

#[test]
fn a_ticket_that_a_technician_closed_meanwhile_stays_closed() {
    let (record, claim) = claimed();
    let adopted = adopt(record, &claim, &[ticket(8, 5, true)], at(70));
    assert!(
        matches!(adopted.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Technician)
    );
}

#[test]
fn a_reference_names_the_occurrence_whatever_the_clock() {
    let (record, claim) = claimed();
    for second in [-7200, 7200] {
        let adopted = adopt(record.clone(), &claim, &[ticket(8, second, false)], at(70));
        assert_eq!(adopted.open().map(|open| open.ticket_id), Some(8));
        let adopted = adopt(record.clone(), &claim, &[ticket(8, second, true)], at(70));
        let Some(Actual::Closed(closed)) = adopted.actual else {
            panic!("{:?}", adopted.actual)
        };
        assert_eq!((closed.ticket_id, adopted.occurrence), (8, 1));
    }
}

#[test]
fn a_moved_or_merged_ticket_is_left_alone() {
    let (record, claim) = claimed();
    let moved = FoundTicket {
        company_id: Some(20),
        ..ticket(8, 5, false)
    };
    let merged = FoundTicket {
        merged: true,
        ..ticket(8, 5, false)
    };
    for found in [moved, merged] {
        let adopted = adopt(record.clone(), &claim, &[found], at(70));
        assert!(
            matches!(adopted.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Moved)
        );
    }
}

fn too_many(record: &Record) -> Vec<u64> {
    let ids = record
        .duplicates
        .iter()
        .map(|duplicate| duplicate.ticket_id);
    ids.collect()
}

#[test]
fn a_created_ticket_is_recorded_without_its_claim() {
    let (record, claim) = claimed();
    let open = |ticket_id| OpenTicket::new(ticket_id, Some(2), &claim, at(70));
    let made = record.clone().with_created(open(8), &claim);
    assert_eq!((made.open(), too_many(&made)), (Some(&open(8)), vec![]));
    assert_eq!(made.claim, None, "it ends the other worker's claim");
    assert_eq!(made.clone().with_created(open(8), &claim), made);
    let kept = made.clone().with_created(open(9), &claim);
    assert_eq!((kept.open(), too_many(&kept)), (made.open(), vec![9]));
    assert_eq!(kept.clone().with_created(open(9), &claim), kept, "once");

    let closed = record.with_closed(7, 1, ClosedBy::Technician, at(60));
    assert_eq!(closed.clone().with_created(open(7), &claim), closed);
    let late = closed.clone().with_created(open(8), &claim);
    assert_eq!((late.open(), too_many(&late)), (None, vec![8]));
    let mut next = closed;
    next.occurrence += 1;
    let late = next.clone().with_created(open(8), &claim);
    assert_eq!(too_many(&late), [8], "of an earlier occurrence");
    let claim = Claim {
        ticket_ref: next.occurrence_ref(),
        ticket_id: None,
        ..claim
    };
    let made = next.with_created(OpenTicket::new(9, None, &claim, at(80)), &claim);
    assert_eq!(
        (made.open().unwrap().ticket_id, too_many(&made)),
        (9, vec![])
    );
}

#[test]
fn of_several_open_tickets_the_one_a_person_changed_stays() {
    let (record, claim) = claimed();
    let adopted = adopt(
        record.clone(),
        &claim,
        &[ticket(9, 5, false), ticket(8, 6, false), ticket(7, 7, true)],
        at(70),
    );
    assert_eq!(adopted.open().unwrap().ticket_id, 8);
    assert_eq!(too_many(&adopted), [9]);
    let touched = FoundTicket {
        touched: true,
        ..ticket(9, 5, false)
    };
    let adopted = adopt(record, &claim, &[touched, ticket(8, 6, false)], at(70));
    assert_eq!(adopted.open().unwrap().ticket_id, 9);
    assert_eq!(too_many(&adopted), [8]);
}

#[test]
fn a_ticket_that_was_moved_to_another_company_is_left_alone() {
    let (record, claim) = claimed();
    let moved = FoundTicket {
        company_id: Some(20),
        ..ticket(8, 5, false)
    };
    let adopted = adopt(record, &claim, &[moved], at(70));
    assert!(matches!(adopted.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Moved));
}

/// A create that was given up at `at(700)`.
fn given_up() -> (Record, Recheck) {
    let (record, _) = claimed();
    let settle = SignedDuration::from_mins(10);
    let record = record
        .with_unknown_outcome(None, at(60))
        .with_empty_visit(settle, at(660))
        .with_empty_visit(settle, at(700));
    assert_eq!(record.claim, None);
    let recheck = record.rechecks[0].clone();
    assert_eq!((recheck.at, recheck.last), (at(700 + 3600), false));
    assert_eq!(
        recheck.board_id,
        Some(2),
        "whose sentinels its searches must return"
    );
    (record, recheck)
}

#[test]
fn a_ticket_of_an_earlier_epoch_is_not_the_creates() {
    let before = ticket(10, -100, true);
    let (record, claim) = claimed();
    let known = |record: Record| record.with_closed(10, 1, ClosedBy::OutOfReach, at(-50));
    let record = known(Record::new(record.key)).with_claim(claim.clone());
    let adopted = adopt(record.clone(), &claim, slice::from_ref(&before), at(20));
    assert!(matches!(&adopted.actual, Some(Actual::Closed(closed)) if closed.ticket_id == 10));
    let ops: Vec<_> = adopted.rechecks.iter().map(|recheck| recheck.op).collect();
    assert_eq!(ops, [Op::Create], "it can still make one");

    let both = [before, ticket(11, 5, false)];
    let adopted = adopt(record, &claim, &both, at(20));
    assert_eq!(adopted.open().unwrap().ticket_id, 11);
    assert_eq!(adopted.rechecks, []);
}

#[test]
fn a_ticket_of_an_earlier_attempt_reports_fewer_repeats() {
    let repeated = |(record, claim): (Record, Claim)| {
        let claim = Claim {
            repeats: 2,
            ..claim
        };
        let record = record.without_claim().with_claim(claim.clone());
        let adopted = adopt(record, &claim, &[ticket(11, 5, false)], at(800));
        adopted.open().unwrap().noted_repeats
    };
    assert_eq!(repeated(claimed()), 2);
    assert_eq!(repeated((given_up().0, claimed().1)), 0);
}

#[test]
fn a_suspected_refusal_blocks_after_no_effect_was_seen() {
    let (record, claim) = claimed();
    let settle = SignedDuration::from_mins(10);
    let words = String::from("500, An error occurred");
    let (op, reason) = (Some(Op::Create), Blocked::Rejected(words.clone()));
    let refusal = CallRefusal {
        op,
        words,
        record: None,
    };
    let record = record
        .with_unknown_outcome(None, at(60))
        .with_suspected_refusal(reason.clone(), refusal.clone(), at(60));
    assert!(record.blocked.is_none() && record.claim.is_some());
    let record = record.with_empty_visit(settle, at(660));
    assert!(record.blocked.is_none() && record.claim.is_some());

    let late = adopt(record.clone(), &claim, &[ticket(11, 62, false)], at(670));
    assert_eq!(
        (late.open().map(|open| open.ticket_id), late.blocked),
        (Some(11), None)
    );

    let refused = record.with_empty_visit(settle, at(700));
    let blocked = refused.blocked.clone().unwrap();
    assert_eq!((blocked.reason, blocked.since), (reason, at(700)));
    assert_eq!(blocked.refusal, Some(refusal));
    assert!(refused.was_given_up_before(&claim));
}

#[test]
fn a_late_second_ticket_is_a_duplicate() {
    let (record, _) = given_up();
    let (_, claim) = claimed();
    let record = record.with_open(OpenTicket::new(8, Some(2), &claim, at(800)));
    let recheck = record.rechecks[0].clone();
    assert_eq!(
        recheck.at,
        at(800 + 3600),
        "an hour after the ticket was recorded"
    );
    let found = [ticket(8, 750, false), ticket(7, 4000, false)];
    let looked = apply_recheck(record.clone(), &recheck, &found, at(4400));
    assert_eq!(looked.open().unwrap().ticket_id, 8);
    assert_eq!(too_many(&looked), [7]);
    let recheck = looked.rechecks[0].clone();
    assert_eq!((recheck.at, recheck.last), (at(800 + 24 * 3600), true));
    let looked = apply_recheck(looked, &recheck, &found[..1], at(90_000));
    assert_eq!(looked.rechecks, []);

    let touched = FoundTicket {
        touched: true,
        ..ticket(9, 4000, false)
    };
    let found = [ticket(8, 750, false), touched];
    let looked = apply_recheck(record, &recheck, &found, at(4400));
    assert_eq!(looked.open().unwrap().ticket_id, 9);
    assert_eq!(too_many(&looked), [8]);
}

#[test]
fn a_late_ticket_does_not_replace_a_closed_one() {
    let (record, _) = given_up();
    let (_, claim) = claimed();
    let record = record.with_open(OpenTicket::new(8, Some(2), &claim, at(800)));
    let recheck = record.rechecks[0].clone();
    let touched = FoundTicket {
        touched: true,
        ..ticket(9, 4000, false)
    };
    let found = [ticket(8, 750, true), touched];
    let looked = apply_recheck(record, &recheck, &found, at(4400));
    assert_eq!(looked.open().unwrap().ticket_id, 8);
    assert_eq!(too_many(&looked), [9]);
}

#[test]
fn a_moved_or_merged_late_ticket_does_not_count() {
    let (record, _) = given_up();
    let (_, claim) = claimed();
    let record = record.with_open(OpenTicket::new(8, Some(2), &claim, at(800)));
    let recheck = record.rechecks[0].clone();
    let late = FoundTicket {
        touched: true,
        ..ticket(7, 4000, false)
    };
    let moved = FoundTicket {
        company_id: Some(20),
        ..late.clone()
    };
    let merged = FoundTicket {
        merged: true,
        ..late
    };
    for left_alone in [moved, merged] {
        let found = [ticket(8, 750, false), left_alone];
        let looked = apply_recheck(record.clone(), &recheck, &found, at(4400));
        assert_eq!(looked.open().unwrap().ticket_id, 8);
        assert!(too_many(&looked).is_empty());
    }
}

#[test]
fn a_late_ticket_of_an_alert_that_has_none_is_adopted() {
    let (record, recheck) = given_up();
    let looked = apply_recheck(
        record.clone(),
        &recheck,
        &[ticket(7, 4000, false)],
        at(4400),
    );
    assert_eq!(looked.open().unwrap().ticket_id, 7);
    let closed = apply_recheck(record, &recheck, &[ticket(7, 4000, true)], at(4400));
    assert_eq!((closed.open(), too_many(&closed)), (None, vec![]));
}

#[test]
fn a_late_ticket_of_a_finished_occurrence_is_a_duplicate() {
    let (record, recheck) = given_up();
    let record = record.with_closed(6, 1, ClosedBy::Us, at(900));
    let found = [ticket(6, 800, false), ticket(7, 4000, false)];
    let looked = apply_recheck(record, &recheck, &found, at(4400));
    assert_eq!(too_many(&looked), [7]);
}

#[test]
fn a_late_ticket_of_an_earlier_occurrence_is_a_duplicate() {
    let (mut record, recheck) = given_up();
    record.occurrence = 2;
    let looked = apply_recheck(record, &recheck, &[ticket(7, 4000, false)], at(4400));
    assert_eq!((looked.open(), too_many(&looked)), (None, vec![7]));
}
