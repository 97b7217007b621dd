//! Writes of unknown outcome, rechecks and lost tickets.

use super::*;

/// Otherwise a ticket that was reopened would stay open if its alert was resolved before that was
/// known.
#[test]
fn an_uncertain_reopening_is_verified_after_a_resolve() {
    let mut record = folded(&[raised(0), resolved(10)])
        .with_open(open())
        .with_closed(7, 1, ClosedBy::Us, at(20));
    record = fold(record, &raised(30)).with_claim(Claim {
        ticket_id: Some(7),
        ..claim(Op::Reopen)
    });
    let record = fold(record.with_unknown_outcome(None, at(31)), &resolved(32));
    assert_eq!(next(&record, 46), Decision::Verify(7));
}

#[test]
fn overdue_searches_are_made_apart() {
    let record = folded(&[raised(0)]).with_claim(claim(Op::Create));
    let record = record.with_unknown_outcome(None, at(0));
    let late = 3600;
    assert_eq!(next(&record, late), Decision::Search);
    let record = record.with_empty_visit(SETTLE, at(late));
    let until = at(late + 30);
    assert_eq!(next(&record, late), Decision::Wait { until });
}

#[test]
fn an_uncertain_create_is_searched_and_never_repeated() {
    let record = folded(&[raised(1)]).with_claim(claim(Op::Create));
    assert_eq!(next(&record, 2), Decision::Wait { until: at(65) });
    assert_eq!(next(&record, 65), Decision::Search);

    let mut record = record.with_unknown_outcome(None, at(5));
    let mut looks = vec![];
    let mut now = 5;
    while record.claim.is_some() && looks.len() < 20 {
        match next(&record, now) {
            Decision::Wait { until } => now = until.as_second() - at(0).as_second(),
            Decision::Search => {
                looks.push(now - 5);
                record = record.with_empty_visit(SETTLE, at(now));
            }
            other @ (Decision::Nothing(_)
            | Decision::Block(_)
            | Decision::Verify(_)
            | Decision::Recheck(_)
            | Decision::FindPriorTickets
            | Decision::DetectExistingTickets
            | Decision::AdmitNewAlert
            | Decision::Write(_)) => panic!("{other:?} at {now}"),
        }
    }
    assert_eq!(
        looks,
        [15, 60, 240, 600, 630],
        "seconds from when it became uncertain"
    );
    assert!(matches!(
        next(&record, now),
        Decision::Write(TicketWrite::Create(_))
    ));
}

#[test]
fn a_short_settling_time_skips_the_late_visits() {
    let settle = SignedDuration::from_secs(30);
    let record = folded(&[raised(1)])
        .with_claim(claim(Op::Create))
        .with_unknown_outcome(None, at(0));
    let record = record.with_empty_visit(settle, at(15));
    assert_eq!(
        decide(&record, &view(), settle, at(16)),
        Decision::Wait { until: at(45) }
    );
}

/// Nothing new is decided before that: a late close would affect an alert that was raised again.
#[test]
fn every_uncertain_write_is_looked_up_until_settled() {
    for op in [
        Op::Note(NoteKind::Repeats),
        Op::Note(NoteKind::Resolved),
        Op::Note(NoteKind::Closing),
        Op::Note(NoteKind::Reopened),
        Op::Note(NoteKind::Duplicate),
        Op::Note(NoteKind::Kept),
        Op::Patch,
        Op::Close,
        Op::Reopen,
        Op::Repair,
    ] {
        let claim = Claim {
            ticket_id: Some(77),
            ..claim(op)
        };
        for events in [&[raised(1)][..], &[raised(1), resolved(2), raised(3)]] {
            let record = folded(events).with_open(open());
            let record = record.with_claim(claim.clone());
            assert_eq!(
                next(&record, 64),
                Decision::Wait { until: at(65) },
                "{op:?}"
            );
            assert_eq!(next(&record, 65), Decision::Verify(77), "{op:?}");
            let mut record = record.with_unknown_outcome(None, at(5));
            let mut looks = vec![];
            let mut now = 5;
            while record.claim.is_some() {
                match next(&record, now) {
                    Decision::Wait { until } => now = until.as_second() - at(0).as_second(),
                    Decision::Verify(77) => {
                        looks.push(now - 5);
                        record = record.with_empty_visit(SETTLE, at(now));
                    }
                    other @ (Decision::Nothing(_)
                    | Decision::Block(_)
                    | Decision::Search
                    | Decision::Verify(_)
                    | Decision::Recheck(_)
                    | Decision::FindPriorTickets
                    | Decision::DetectExistingTickets
                    | Decision::AdmitNewAlert
                    | Decision::Write(_)) => panic!("{other:?} at {now}"),
                }
            }
            assert_eq!(looks, [15, 60, 240, 600, 630], "{op:?}");
        }
    }
}

#[test]
fn prior_tickets_are_searched_while_the_index_rebuilds() {
    let mut view = view();
    let makes = folded(&[raised(1)]);
    let ended = folded(&[raised(1), resolved(2)]);
    for (ticket_index, decision) in [
        (None, Decision::DetectExistingTickets),
        (
            Some(TicketIndexState::Rebuilding),
            Decision::FindPriorTickets,
        ),
    ] {
        view.ticket_index = ticket_index;
        for record in [&makes, &ended] {
            assert_eq!(next_in(record, &view, 3), decision);
        }
        let unheard = Record::new(key());
        assert_eq!(
            next_in(&unheard, &view, 3),
            Decision::Nothing(Idle::Cleared)
        );
        let known = folded(&[raised(1)]).with_open(open());
        assert_eq!(
            next_in(&known, &view, 13),
            Decision::Nothing(Idle::UpToDate)
        );
    }
}

#[test]
fn a_found_ticket_without_events_is_left_alone() {
    let found = Record::new(key()).with_open(open());
    assert_eq!(next(&found, 20), Decision::Nothing(Idle::NoEventYet));
}

#[test]
fn a_given_up_create_is_rechecked_when_due() {
    let mut record = folded(&[raised(1)]).with_open(open());
    let recheck = Recheck {
        op: Op::Create,
        ticket_ref: record.occurrence_ref(),
        board_id: None,
        company_id: 19,
        epoch: 1,
        at: at(3600),
        last: false,
    };
    record.rechecks.push(recheck.clone());
    assert_eq!(next(&record, 3599), Decision::Nothing(Idle::UpToDate));
    assert_eq!(next(&record, 3600), Decision::Recheck(recheck));
    assert_eq!(record.next_check_at(RETENTION), Some(at(3600)));
    let view = ConnectionView {
        breaker: broken(),
        ..view()
    };
    assert_eq!(
        next_in(&record, &view, 3600),
        Decision::Nothing(Idle::UpToDate),
        "later, and nothing is held up"
    );
    let ended = fold(record.clone(), &resolved(12));
    assert_eq!(
        next_in(&ended, &view, 3600),
        Decision::Block(Blocked::ConnectionBroken),
        "a resolved alert calls ConnectWise no more than an active one"
    );
    let moved = record.clone().in_epoch(2, SETTLE, at(20));
    let [recheck] = &moved.rechecks[..] else {
        panic!("{:?}", moved.rechecks)
    };
    assert_eq!((recheck.epoch, recheck.at), (2, at(3600)));
}

#[test]
fn an_uncertain_create_is_searched_in_the_next_epoch() {
    let record = folded(&[raised(1)])
        .with_claim(claim(Op::Create))
        .with_unknown_outcome(None, at(20));
    let settling = record.clone().in_epoch(2, SETTLE, at(619));
    assert_eq!(settling, record);
    let settled = record.in_epoch(2, SETTLE, at(620));
    assert_eq!(settled.claim, None);
    let [recheck] = &settled.rechecks[..] else {
        panic!("{:?}", settled.rechecks)
    };
    assert_eq!(
        (recheck.op, recheck.epoch, recheck.at),
        (Op::Create, 2, at(620 + 3600))
    );
}

#[test]
fn a_resolved_alerts_ticket_is_searched_in_the_next_epoch() {
    let ended = fold(folded(&[raised(1)]).with_open(open()), &resolved(12));
    let ended = ended.with_closed(77, 1, ClosedBy::OutOfReach, at(20));
    let mut view = view();
    view.connection.as_mut().unwrap().epoch = 2;
    for (ticket_index, decision) in [
        (TicketIndexState::Rebuilding, Decision::FindPriorTickets),
        (
            TicketIndexState::Complete,
            Decision::Nothing(Idle::OutOfReach),
        ),
    ] {
        view.ticket_index = Some(ticket_index);
        assert_eq!(next_in(&ended, &view, 30), decision, "{ticket_index:?}");
    }
}
