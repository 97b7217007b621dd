//! The next occurrence of an alert.

use super::*;
use crate::alert::flapping::FlapRule;

#[test]
fn a_recurrence_is_a_new_ticket_that_names_the_old_one() {
    let record = fold(folded(&[raised(1)]).with_open(open()), &resolved(12)).with_closed(
        77,
        1,
        ClosedBy::Us,
        at(13),
    );
    assert_eq!(next(&record, 14), Decision::Nothing(Idle::Closed));
    let record = fold(record, &raised(15));
    assert_eq!(record.occurrence, 2);
    let Decision::Write(TicketWrite::Create(create)) = next(&record, 16) else {
        panic!()
    };
    assert_eq!(create.previous, Some(77));
}

#[test]
fn a_raise_during_the_close_starts_the_next_occurrence() {
    let closing =
        fold(folded(&[raised(1)]).with_open(open()), &resolved(12)).with_claim(claim(Op::Close));
    let raised_again = fold(closing, &raised(14));
    assert_eq!(next(&raised_again, 15), Decision::Wait { until: at(65) });
    let closed = raised_again.with_closed(77, 1, ClosedBy::Us, at(16));
    assert_eq!(closed.occurrence, 2);
    assert!(matches!(
        next(&closed, 17),
        Decision::Write(TicketWrite::Create(_))
    ));
}

/// The message of the raise is deleted while the close is blocked, so the text is only in the
/// record.
#[test]
fn a_raise_during_the_close_keeps_its_text() {
    let again = raised(20);
    let record = folded(&[raised(0), resolved(10)]).with_open(open());
    let waiting =
        fold(record, &again).with_blocked(Blocked::ConnectionBroken, again.payload(), at(21));
    let closed = waiting.with_closed(7, 1, ClosedBy::Us, at(60));
    assert_eq!(closed.text(None), again.payload());
    assert!(matches!(
        next(&closed, 61),
        Decision::Write(TicketWrite::Create(_))
    ));
}

fn closed_by_person(closed_at: i64) -> TicketEnd {
    TicketEnd {
        by: ClosedBy::Technician,
        at: Some(at(closed_at)),
        action: None,
    }
}

#[test]
fn a_persons_close_holds_until_the_alert_is_raised_again() {
    for by in [ClosedBy::Technician, ClosedBy::Deleted, ClosedBy::Moved] {
        let closed = folded(&[raised(1)])
            .with_open(open())
            .with_closed(77, 1, by, at(13));
        assert_eq!(next(&closed, 14), Decision::Nothing(Idle::EndedByPerson));
        assert_eq!(fold(closed.clone(), &raised(1)), closed);
        let repeated = fold(closed, &raised(20));
        assert_eq!(
            next(&repeated, 21),
            Decision::Nothing(Idle::EndedByPerson),
            "it never ended"
        );
        let anew = fold(fold(repeated, &resolved(30)), &raised(31));
        assert_eq!(anew.occurrence, 2);
        assert!(matches!(
            next(&anew, 32),
            Decision::Write(TicketWrite::Create(_))
        ));
    }
}

#[test]
fn a_repeat_after_expiry_recurs_after_a_persons_close() {
    let mut first = raised(1);
    let AlertChange::Raised(particulars) = &mut first.change else {
        panic!("no raise")
    };
    particulars.expires_at = Some(at(100));
    let closed = folded(&[first]).with_open(open());
    let closed = closed.with_closed(77, 1, ClosedBy::Technician, at(13));
    assert_eq!(fold(closed.clone(), &raised(99)).occurrence, 1);
    assert_eq!(fold(closed, &raised(100)).occurrence, 2);
}

#[test]
fn a_raise_before_the_close_was_noticed_gets_a_ticket() {
    // The ticket was recorded at 10. The alert was resolved, and raised again at 30. Ticketbridge
    // has not closed it. A close in the future by Ticketbridge's clock says nothing about its time.
    let anew = folded(&[raised(1)]).with_open(open());
    let anew = fold(fold(anew, &resolved(20)), &raised(30)).with_nothing_to_do(None);
    for (closed_at, is_next) in [(15, true), (25, true), (30, true), (31, false), (41, true)] {
        let seen = anew
            .clone()
            .with_closed(77, 1, closed_by_person(closed_at), at(40));
        assert_eq!(seen.occurrence == 2, is_next, "closed at {closed_at}");
        assert_eq!(
            seen.text(None).is_some(),
            is_next,
            "its message is no longer in the queue"
        );
        let step = next(&seen, 41);
        assert_eq!(
            matches!(step, Decision::Write(TicketWrite::Create(_))),
            is_next,
            "{step:?}"
        );
    }
    for by in [ClosedBy::Deleted, ClosedBy::Moved] {
        let seen = anew.clone().with_closed(77, 1, by, at(40));
        assert_eq!(
            seen.occurrence, 2,
            "when that was is not known: no alert is lost"
        );
    }
    // ConnectWise's clock is hours behind. By Ticketbridge's clock the raise came before the
    // ticket, so the ticket is for it.
    let first = folded(&[raised(1)]).with_open(open());
    let seen = first.with_closed(77, 1, closed_by_person(-7200), at(40));
    assert_eq!(next(&seen, 41), Decision::Nothing(Idle::EndedByPerson));
    // The ticket's creation was uncertain, and a person closed the ticket before it was found.
    let uncertain = folded(&[raised(1)]).with_claim(claim(Op::Create));
    let uncertain = fold(fold(uncertain, &resolved(20)), &raised(30)).with_nothing_to_do(None);
    let seen = uncertain.with_closed(77, 1, closed_by_person(25), at(40));
    assert_eq!(seen.occurrence, 2);
    assert!(seen.text(None).is_some());
}

#[test]
fn a_lasting_alert_gets_a_new_ticket_if_configured() {
    let settings = |renew_after_hours| {
        let mut settings = view().connection.unwrap().settings;
        settings.operations.renew_after_hours = renew_after_hours;
        settings
    };
    let (never, hour) = (settings(0), settings(1));
    let closed = folded(&[raised(1)]).with_open(open());
    let closed = closed.with_closed(77, 1, closed_by_person(13), at(20));
    let early = fold(closed.clone(), &raised(13 + 3599));
    let late = fold(early.clone(), &raised(13 + 3600));
    assert_eq!(
        closed.clone().renew(&hour),
        closed,
        "no event arrived since"
    );
    assert_eq!(early.clone().renew(&hour), early);
    assert_eq!(late.clone().renew(&never), late);
    let renew = late.clone().renew(&hour);
    assert_eq!(renew.occurrence, 2);
    assert_eq!(renew.clone().renew(&hour), renew, "once");
    let resolved = fold(late, &resolved(13 + 3601));
    assert_eq!(resolved.clone().renew(&hour), resolved);
}

#[test]
fn a_recurrence_reopens_its_ticket_if_configured() {
    let closed = fold(folded(&[raised(1)]).with_open(open()), &resolved(12)).with_closed(
        77,
        1,
        ClosedBy::Us,
        at(13),
    );
    let record = fold(closed, &raised(20));
    let Decision::Write(TicketWrite::Create(create)) = next(&record, 21) else {
        panic!()
    };
    assert_eq!(
        create.previous,
        Some(77),
        "a new ticket that links the old one"
    );

    let mut view = view();
    view.connection
        .as_mut()
        .unwrap()
        .settings
        .operations
        .reopen_days = 1;
    let Decision::Write(step) = next_in(&record, &view, 21) else {
        panic!()
    };
    let TicketWrite::Reopen(reopen) = &step else {
        panic!("{step:?}")
    };
    assert_eq!(
        (reopen.ticket_id, &reopen.ticket_ref),
        (77, &TicketRef::new(&key(), 1))
    );
    let id = ClaimId::parse("c-2").unwrap();
    let claim = step.claim(&record, id, 1, at(0), at(65)).unwrap();
    let done = WriteEffect::Reopened { board_id: Some(2) };
    let open = apply_effect(
        record.clone().with_claim(claim.clone()),
        &claim,
        &done,
        at(22),
    );
    assert_eq!(
        next(&open, 23),
        Decision::Write(note(NoteContent::Reopened))
    );
    assert_eq!(
        (open.occurrence, open.ticket_ref()),
        (2, TicketRef::new(&key(), 1))
    );
    let again = fold(
        fold(open, &resolved(30)).with_closed(77, 1, ClosedBy::Us, at(31)),
        &raised(40),
    );
    let Decision::Write(TicketWrite::Reopen(again)) = next_in(&again, &view, 41) else {
        panic!()
    };
    assert_eq!(
        again.ticket_ref,
        TicketRef::new(&key(), 1),
        "it still carries its first token"
    );

    let late = next_in(&record, &view, 13 + 24 * 3600);
    assert!(matches!(late, Decision::Write(TicketWrite::Create(_))));
    view.mapping.as_mut().unwrap().company = Some(20);
    let remapped = next_in(&record, &view, 21);
    assert!(
        matches!(remapped, Decision::Write(TicketWrite::Create(create)) if create.company == 20)
    );
}

/// An alert with a ticket that was raised at these seconds, and resolved a second after each.
fn flapping(seconds: &[i64]) -> Record {
    let events = |second: &i64| [raised(*second), resolved(second + 1)];
    let events: Vec<Event> = seconds.iter().flat_map(events).collect();
    let (first, rest) = events.split_first().unwrap();
    let record = fold(folded(&[]), first).with_open(open());
    rest.iter().fold(record, fold)
}

#[test]
fn the_ticket_of_a_flapping_alert_stays_open_until_it_is_calm() {
    let mut view = view();
    view.connection.as_mut().unwrap().settings.flapping = Some(FlapRule {
        raises: 3,
        minutes: 10,
    });
    let calm = flapping(&[100, 200]);
    assert!(matches!(next_in(&calm, &view, 202), Decision::Write(_)));
    let flaps = flapping(&[100, 200, 300]);
    let held = Decision::Block(Blocked::Flapping(at(700)));
    assert_eq!(next_in(&flaps, &view, 302), held);
    assert_eq!(next_in(&flaps, &view, 699), held);
    let closing = Decision::Write(TicketWrite::Note {
        ticket_id: 77,
        note: NoteContent::Closing {
            only_untouched: false,
        },
    });
    assert_eq!(next_in(&flaps, &view, 700), closing);
    // Without the rule it is closed at once, and a close that has begun is finished.
    assert_eq!(next_in(&flaps, &super::view(), 302), closing);
    let noted = OpenTicket {
        noted_resolved: true,
        ..open()
    };
    let begun = flaps.with_open(noted);
    assert!(matches!(
        next_in(&begun, &view, 302),
        Decision::Write(TicketWrite::Close { .. })
    ));
}

#[test]
fn several_raises_of_a_flapping_alert_are_one_note() {
    let mut view = view();
    let settings = &mut view.connection.as_mut().unwrap().settings;
    settings.flapping = Some(FlapRule {
        raises: 3,
        minutes: 10,
    });
    settings.note_interval_minutes = 5;
    let noted = OpenTicket {
        last_note_at: Some(at(310)),
        ..open()
    };
    let raised_again = |view: &ConnectionView, now| {
        let record = flapping(&[100, 200, 300]).with_open(noted.clone());
        next_in(&fold(record, &raised(400)), view, now)
    };
    let idle = Decision::Nothing(Idle::NotedRecently { until: at(610) });
    assert_eq!(raised_again(&view, 401), idle);
    assert!(matches!(raised_again(&view, 611), Decision::Write(_)));
    let calm = super::view();
    assert!(matches!(raised_again(&calm, 401), Decision::Write(_)));
}
