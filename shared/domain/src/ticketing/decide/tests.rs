use super::*;
use crate::alert::blocked::{BlockedSince, CallRefusal};
use crate::alert::event::{AlertChange, Event, Particulars, Payload, Severity};
use crate::alert::fold::fold;
use crate::alert::key::TicketRef;
use crate::alert::kind::Category;
use crate::alert::record::{NoteKind, TicketEnd};
use crate::connection::breaker::Breaker;
use crate::fixtures::{SETTLE, at, key, too_many};
use crate::setup::mapping::Mapping;
use crate::setup::settings::Settings;
use crate::ticketing::write_effect::{WriteEffect, apply_effect};
use crate::{ClaimId, EventId, Kind};

fn event(second: i64, change: AlertChange) -> Event {
    Event::immediate(
        key(),
        EventId::parse(format!("e{second}")).unwrap(),
        at(second),
        change,
    )
}

fn particulars(severity: Severity, category: Category) -> Particulars {
    let payload = Payload {
        title: "Disk full".into(),
        description: "C:".into(),
        tenant_name: None,
        device: None,
        user: None,
        link: None,
    };
    Particulars {
        kind: Kind::parse("disk").unwrap(),
        category,
        severity,
        expires_at: None,
        payload,
    }
}

fn raised(second: i64) -> Event {
    event(
        second,
        AlertChange::Raised(particulars(Severity::Medium, Category::Operations)),
    )
}

fn worse(second: i64) -> Event {
    event(
        second,
        AlertChange::Updated(particulars(Severity::Critical, Category::Operations)),
    )
}

fn resolved(second: i64) -> Event {
    event(second, AlertChange::Resolved)
}

fn folded(events: &[Event]) -> Record {
    events.iter().fold(Record::new(key()), fold)
}

fn view() -> ConnectionView {
    let operations = BoardTarget {
        board: Some(2),
        start_status: Some(20),
        closing_status: Some(23),
        ..BoardTarget::default()
    };
    let cyber_alerts = BoardTarget {
        board: Some(3),
        on_resolve: OnResolve::Note,
        ..BoardTarget::default()
    };
    let settings = Settings {
        operations,
        cyber_alerts,
        priorities: [(Severity::Critical, 1), (Severity::Medium, 3)].into(),
        ..Settings::default()
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
            ..Mapping::default()
        }),
        breaker: Breaker::default(),
        ticket_index: Some(TicketIndexState::Complete),
        source_since: None,
    }
}

fn open() -> OpenTicket {
    OpenTicket {
        ticket_id: 77,
        board_id: Some(2),
        company_id: 19,
        epoch: 1,
        opened_at: at(10),
        severity: Severity::Medium,
        last_note_at: None,
        noted_repeats: 0,
        noted_resolved: false,
        owes_reopened_note: false,
        ticket_ref: None,
    }
}

fn claim(op: Op) -> Claim {
    let id = ClaimId::parse("c-1").unwrap();
    Claim {
        id,
        op,
        reason: "test".into(),
        ticket_ref: TicketRef::new(&key(), 1),
        ticket_id: None,
        board_id: Some(2),
        company_id: 19,
        epoch: 1,
        severity: Severity::Medium,
        began_at: at(0),
        raise_received_at: None,
        repeats: 0,
        until: at(65),
        uncertain_at: None,
        visits: 0,
        visited_at: None,
        empty_visits: 0,
        suspected_refusal: None,
    }
}

/// The open ticket with the note that its alert is gone.
fn noted() -> OpenTicket {
    OpenTicket {
        noted_resolved: true,
        ..open()
    }
}

fn note(note: NoteContent) -> TicketWrite {
    TicketWrite::Note {
        ticket_id: 77,
        note,
    }
}

fn next(record: &Record, now: i64) -> Decision {
    decide(record, &view(), SETTLE, at(now))
}

#[test]
fn a_raised_alert_of_a_mapped_tenant_becomes_a_ticket() {
    let Decision::Write(TicketWrite::Create(create)) = next(&folded(&[raised(1)]), 2) else {
        panic!()
    };
    assert_eq!(
        (create.company, create.board, create.status, create.priority),
        (19, Some(2), Some(20), Some(3))
    );
    assert_eq!(create.raised_at, at(1));
}

#[test]
fn an_alert_resolved_before_its_ticket_makes_none() {
    for events in [[raised(1), resolved(2)], [resolved(2), raised(1)]] {
        assert_eq!(next(&folded(&events), 3), Decision::Nothing(Idle::Cleared));
    }
}

#[test]
fn each_block_has_its_reason() {
    let record = folded(&[raised(1)]);
    let mapping = |company, enabled| {
        Some(Mapping {
            company,
            enabled,
            ..Mapping::default()
        })
    };
    let cases = [
        (
            ConnectionView {
                connection: None,
                ..view()
            },
            Blocked::NotSetUp,
        ),
        (
            ConnectionView {
                mapping: None,
                ..view()
            },
            Blocked::Unmapped,
        ),
        (
            ConnectionView {
                mapping: mapping(None, true),
                ..view()
            },
            Blocked::Unmapped,
        ),
        (
            ConnectionView {
                mapping: mapping(Some(19), false),
                ..view()
            },
            Blocked::TenantDisabled,
        ),
    ];
    for (view, reason) in cases {
        assert_eq!(
            decide(&record, &view, SETTLE, at(2)),
            Decision::Block(reason)
        );
    }
    let mut off = view();
    off.connection
        .as_mut()
        .unwrap()
        .settings
        .kinds_off
        .insert(Kind::parse("disk").unwrap());
    assert_eq!(
        decide(&record, &off, SETTLE, at(2)),
        Decision::Block(Blocked::KindDisabled)
    );
}

#[test]
fn a_refused_call_is_repeated_only_by_a_retry() {
    let reason = Blocked::Rejected("no".into());
    let refused = |record: &Record, op| {
        let refusal = CallRefusal {
            op,
            words: "no".into(),
        };
        record
            .clone()
            .with_refusal(reason.clone(), refusal, None, at(20))
    };
    let create = folded(&[raised(1)]);
    let repeat = fold(create.clone().with_open(open()), &raised(12));
    let closing = fold(create.clone().with_open(open()), &resolved(12));
    let close = closing.clone().with_open(noted());
    for (record, op, other) in [
        (&create, Op::Create, Op::Close),
        (&repeat, Op::Note(NoteKind::Repeats), Op::Close),
        (&closing, Op::Note(NoteKind::Closing), Op::Close),
        (&close, Op::Close, Op::Create),
    ] {
        let decided = next(record, 21);
        assert!(matches!(&decided, Decision::Write(step) if step.op() == op));
        let blocked = refused(record, Some(op));
        assert_eq!(
            next(&blocked, 21),
            Decision::Block(reason.clone()),
            "{op:?}"
        );
        // A worker that folds in another event finds the same.
        let folded = fold(blocked.clone(), &raised(1));
        assert_eq!(next(&folded, 21), Decision::Block(reason.clone()));
        // Another write was not refused.
        assert_eq!(next(&refused(record, Some(other)), 21), decided, "{op:?}");
        // What must come before it was: nothing is written.
        assert_eq!(
            next(&refused(record, None), 21),
            Decision::Block(reason.clone())
        );
        assert_eq!(next(&blocked.released(), 21), decided, "{op:?}");
    }
    let uncertain = create
        .with_claim(claim(Op::Create))
        .with_unknown_outcome(None, at(2));
    assert_eq!(next(&uncertain, 1000), Decision::Search);
    let unsearched = refused(&uncertain, None);
    assert_eq!(next(&unsearched, 1000), Decision::Block(reason.clone()));
    assert_eq!(
        next(&refused(&uncertain, Some(Op::Create)), 1000),
        Decision::Search
    );
    let unknown = Claim {
        ticket_id: Some(7),
        ..claim(Op::Note(NoteKind::Repeats))
    };
    let unknown = repeat.with_claim(unknown).with_unknown_outcome(None, at(2));
    assert_eq!(next(&unknown, 1000), Decision::Verify(7));
    let unseen = refused(&unknown, None);
    assert_eq!(next(&unseen, 1000), Decision::Block(reason.clone()));
    assert_eq!(
        next(&refused(&unknown, Some(Op::Note(NoteKind::Repeats))), 1000),
        Decision::Verify(7)
    );
}

#[test]
fn a_refused_ticket_waits_for_a_person() {
    let mut record = folded(&[raised(1)]);
    let reason = Blocked::Rejected("no".into());
    record.blocked = Some(BlockedSince {
        reason: reason.clone(),
        since: at(1),
        refusal: None,
    });
    assert_eq!(next(&record, 2), Decision::Block(reason));
    assert_eq!(
        next(&fold(record, &resolved(3)), 4),
        Decision::Nothing(Idle::Cleared)
    );
}

#[test]
fn a_repeat_is_noted_once_an_hour() {
    let record = folded(&[raised(1)]).with_open(open());
    assert_eq!(next(&record, 11), Decision::Nothing(Idle::UpToDate));
    let mut record = fold(record, &raised(12));
    assert_eq!(
        next(&record, 13),
        Decision::Write(TicketWrite::Note {
            ticket_id: 77,
            note: NoteContent::Repeats {
                repeats: 1,
                unreported: 1
            }
        })
    );
    record.actual = Some(Actual::Open(OpenTicket {
        last_note_at: Some(at(13)),
        noted_repeats: 1,
        ..open()
    }));
    assert_eq!(next(&record, 14), Decision::Nothing(Idle::UpToDate));
    let record = fold(fold(record, &raised(15)), &raised(16));
    assert_eq!(next(&record, 17), Decision::Nothing(Idle::NotedRecently));
    assert_eq!(
        next(&record, 13 + 3600),
        Decision::Write(TicketWrite::Note {
            ticket_id: 77,
            note: NoteContent::Repeats {
                repeats: 3,
                unreported: 2
            }
        })
    );
}

#[test]
fn a_higher_severity_is_patched_at_once() {
    let record = fold(folded(&[raised(1)]).with_open(open()), &worse(12));
    assert_eq!(
        next(&record, 13),
        Decision::Write(TicketWrite::Patch {
            ticket_id: 77,
            severity: Severity::Critical,
            priority: 1
        })
    );
}

#[test]
fn a_resolve_closes_operations_and_notes_cyber_alerts() {
    let record = fold(folded(&[raised(1)]).with_open(open()), &resolved(12));
    assert_eq!(
        next(&record, 13),
        Decision::Write(note(NoteContent::Closing))
    );
    assert_eq!(
        next(&record.with_open(noted()), 13),
        Decision::Write(TicketWrite::Close { ticket_id: 77 }),
        "the note comes first: one on a closed ticket may reopen it"
    );
    let cyber = event(
        1,
        AlertChange::Raised(particulars(Severity::High, Category::CyberAlerts)),
    );
    let record = fold(folded(&[cyber]).with_open(open()), &resolved(12));
    assert_eq!(
        next(&record, 13),
        Decision::Write(note(NoteContent::Resolved))
    );
}

#[test]
fn an_open_ticket_closes_even_if_its_tenant_is_disabled() {
    let record = fold(folded(&[raised(1)]).with_open(noted()), &resolved(12));
    let view = ConnectionView {
        mapping: None,
        ..view()
    };
    assert_eq!(
        decide(&record, &view, SETTLE, at(13)),
        Decision::Write(TicketWrite::Close { ticket_id: 77 })
    );
}

#[test]
fn a_ticket_of_another_epoch_is_not_touched() {
    let mut view = view();
    view.connection.as_mut().unwrap().epoch = 2;
    let settled = claim(Op::Create).settled_at(SETTLE);
    for (record, until) in [
        (
            fold(folded(&[raised(1)]).with_open(open()), &resolved(12)),
            at(5000),
        ),
        (
            fold(folded(&[raised(1)]).with_open(open()), &worse(12)),
            at(5000),
        ),
        (folded(&[raised(1)]).with_claim(claim(Op::Create)), settled),
    ] {
        assert_eq!(
            decide(&record, &view, SETTLE, at(5000)),
            Decision::Wait { until },
            "the connection is read again"
        );
    }
}

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

/// The raise is acknowledged while the close is held up: nobody else has its text.
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

/// Otherwise a ticket that was opened, and whose alert went before that was known, would stay open.
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

fn closed_by_person(closed_at: i64) -> TicketEnd {
    TicketEnd {
        by: ClosedBy::Technician,
        at: Some(at(closed_at)),
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
    // The ticket was recorded at 10. Resolved, and raised anew at 30; nothing was closed by us meanwhile. A close that lies ahead of our
    // clock says nothing of when it was.
    let anew = folded(&[raised(1)]).with_open(open());
    let anew = fold(fold(anew, &resolved(20)), &raised(30)).with_nothing_to_do(None);
    for (closed_at, is_next) in [(15, true), (25, true), (30, true), (31, false), (41, true)] {
        let seen = anew
            .clone()
            .with_closed(77, 1, closed_by_person(closed_at), at(40));
        assert_eq!(seen.occurrence == 2, is_next, "closed at {closed_at}");
        assert_eq!(seen.text(None).is_some(), is_next, "its message is gone");
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
    // ConnectWise's clock is hours behind: by ours the raise came before the ticket, so it is the ticket's own.
    let first = folded(&[raised(1)]).with_open(open());
    let seen = first.with_closed(77, 1, closed_by_person(-7200), at(40));
    assert_eq!(next(&seen, 41), Decision::Nothing(Idle::EndedByPerson));
    // The ticket's creation was uncertain, and a person closed it before it was found.
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
        "nothing was heard since"
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

/// Nothing new is decided before that: a close that comes late would surprise an alert that was raised again.
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
                    | Decision::Write(_)) => panic!("{other:?} at {now}"),
                }
            }
            assert_eq!(looks, [15, 60, 240, 600, 630], "{op:?}");
        }
    }
}

#[test]
fn an_update_that_overtakes_a_raise_does_not_hide_it() {
    let gone = folded(&[raised(1), resolved(2)]);
    let updated = fold(gone.clone(), &worse(6));
    assert_eq!(
        updated.desired, gone.desired,
        "an update of what is gone changes nothing"
    );
    let raised_again = fold(updated, &raised(5));
    assert!(raised_again.desired.active);
}

#[test]
fn an_update_without_its_raise_is_a_raise() {
    let record = folded(&[worse(6), raised(5)]);
    assert!(matches!(
        next(&record, 7),
        Decision::Write(TicketWrite::Create(_))
    ));
    let details = record.desired.details.unwrap();
    assert_eq!(
        (details.raised_at, details.repeats, details.severity),
        (at(6), 0, Severity::Critical)
    );
}

#[test]
fn folding_twice_is_folding_once() {
    let once = folded(&[raised(1), raised(2), worse(3)]);
    let twice = fold(fold(once.clone(), &raised(2)), &worse(3));
    assert_eq!(twice, once);
    assert_eq!(once.desired.details.as_ref().unwrap().repeats, 2);
}

fn broken() -> Breaker {
    Breaker {
        open: Some(BlockedSince {
            reason: Blocked::ConnectionBroken,
            since: at(0),
            refusal: None,
        }),
        ..Breaker::default()
    }
}

#[test]
fn an_open_breaker_blocks_only_calls() {
    let view = ConnectionView {
        breaker: broken(),
        ..view()
    };
    let uncertain = folded(&[raised(1)])
        .with_claim(claim(Op::Create))
        .with_unknown_outcome(None, at(2));
    for (record, decision) in [
        (
            folded(&[raised(1)]),
            Decision::Block(Blocked::ConnectionBroken),
        ),
        (uncertain, Decision::Block(Blocked::ConnectionBroken)),
        (
            fold(folded(&[raised(1)]).with_open(open()), &resolved(12)),
            Decision::Block(Blocked::ConnectionBroken),
        ),
        (
            folded(&[raised(1), resolved(2)]),
            Decision::Nothing(Idle::Cleared),
        ),
        (
            folded(&[raised(1)]).with_open(open()),
            Decision::Nothing(Idle::UpToDate),
        ),
    ] {
        assert_eq!(decide(&record, &view, SETTLE, at(20)), decision);
    }
}

#[test]
fn a_missing_right_blocks_only_what_needs_it() {
    let mut view = view();
    view.breaker.missing_rights = ["service_tickets.add".to_owned()].into();
    let missing = Decision::Block(Blocked::MissingRight("service_tickets.add".into()));
    assert_eq!(decide(&folded(&[raised(1)]), &view, SETTLE, at(2)), missing);
    let gone = fold(folded(&[raised(1)]).with_open(open()), &resolved(12));
    assert_eq!(
        decide(&gone, &view, SETTLE, at(13)),
        Decision::Write(TicketWrite::Close { ticket_id: 77 })
    );
}

#[test]
fn a_pause_is_waited_for() {
    let mut view = view();
    view.breaker.paused_until = Some(at(30));
    let record = folded(&[raised(1)]);
    assert_eq!(
        decide(&record, &view, SETTLE, at(2)),
        Decision::Wait { until: at(30) }
    );
    assert!(matches!(
        decide(&record, &view, SETTLE, at(30)),
        Decision::Write(_)
    ));
}

#[test]
fn a_long_pause_is_spent_in_the_table() {
    let mut view = view();
    let uncertain = folded(&[raised(1)])
        .with_claim(claim(Op::Create))
        .with_unknown_outcome(None, at(2));
    let close = fold(folded(&[raised(1)]).with_open(open()), &resolved(12));
    for (pause, expected) in [
        (150, Decision::Wait { until: at(1150) }),
        (151, Decision::Block(Blocked::Throttled)),
        (3600, Decision::Block(Blocked::Throttled)),
    ] {
        view.breaker.paused_until = Some(at(1000 + pause));
        for record in [&folded(&[raised(1)]), &uncertain, &close] {
            let decision = decide(record, &view, SETTLE, at(1000));
            assert_eq!(decision, expected, "{pause}");
        }
    }
}

#[test]
fn prior_tickets_are_searched_while_the_index_rebuilds() {
    let mut view = view();
    let makes = folded(&[raised(1)]);
    let gone = folded(&[raised(1), resolved(2)]);
    for (ticket_index, decision) in [
        (None, Decision::DetectExistingTickets),
        (
            Some(TicketIndexState::Rebuilding),
            Decision::FindPriorTickets,
        ),
    ] {
        view.ticket_index = ticket_index;
        for record in [&makes, &gone] {
            assert_eq!(decide(record, &view, SETTLE, at(3)), decision);
        }
        let unheard = Record::new(key());
        assert_eq!(
            decide(&unheard, &view, SETTLE, at(3)),
            Decision::Nothing(Idle::Cleared)
        );
        let known = folded(&[raised(1)]).with_open(open());
        assert_eq!(
            decide(&known, &view, SETTLE, at(13)),
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
    assert_eq!(record.next_check_at(), Some(at(3600)));
    let view = ConnectionView {
        breaker: broken(),
        ..view()
    };
    assert_eq!(
        decide(&record, &view, SETTLE, at(3600)),
        Decision::Nothing(Idle::UpToDate),
        "later, and nothing is held up"
    );
    let gone = fold(record.clone(), &resolved(12));
    assert_eq!(
        decide(&gone, &view, SETTLE, at(3600)),
        Decision::Block(Blocked::ConnectionBroken),
        "what goes on meanwhile calls nobody either"
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
fn a_duplicate_is_closed_first() {
    let duplicate = Duplicate {
        ticket_id: 78,
        ticket_ref: TicketRef::new(&key(), 1),
        company_id: 19,
        epoch: 1,
        noted: false,
        noted_on_kept: false,
    };
    let record = fold(folded(&[raised(1)]).with_open(open()), &resolved(12));
    let record = record.with_duplicate(duplicate.clone());
    let steps = [
        TicketWrite::Note {
            ticket_id: 78,
            note: NoteContent::Duplicate {
                duplicate: duplicate.clone(),
                kept: Some(77),
            },
        },
        note(NoteContent::Kept { duplicate: 78 }),
        TicketWrite::Repair(Duplicate {
            noted: true,
            noted_on_kept: true,
            ..duplicate
        }),
    ];
    let mut repaired = record;
    for (step, done) in steps.iter().zip([
        WriteEffect::Noted,
        WriteEffect::Noted,
        WriteEffect::Repaired,
    ]) {
        assert_eq!(next(&repaired, 13), Decision::Write(step.clone()));
        let id = ClaimId::parse("c-2").unwrap();
        let claim = step.claim(&repaired, id, 1, at(0), at(65)).unwrap();
        repaired = apply_effect(repaired.with_claim(claim.clone()), &claim, &done, at(14));
    }
    assert_eq!(
        next(&repaired, 15),
        Decision::Write(note(NoteContent::Closing))
    );
}

#[test]
fn an_alert_older_than_the_backfill_waits_for_a_person() {
    let two_days = 48 * 3600;
    let waiting = |reason| folded(&[raised(1)]).with_blocked(reason, None, at(2));
    let mut view = view();
    for reason in [
        Blocked::NotSetUp,
        Blocked::Unmapped,
        Blocked::TenantDisabled,
    ] {
        let record = waiting(reason);
        view.mapping.as_mut().unwrap().enabled_at = Some(at(two_days));
        assert!(
            matches!(
                decide(&record, &view, SETTLE, at(9 * two_days)),
                Decision::Write(TicketWrite::Create(_))
            ),
            "what counts is when it was switched on"
        );
        view.mapping.as_mut().unwrap().enabled_at = Some(at(two_days + 2));
        assert_eq!(
            decide(&record, &view, SETTLE, at(two_days + 3)),
            Decision::Block(Blocked::OlderThanBackfill)
        );
    }
    let mended = waiting(Blocked::ConnectionBroken);
    assert!(matches!(
        decide(&mended, &view, SETTLE, at(9 * two_days)),
        Decision::Write(TicketWrite::Create(_))
    ));
    let old = waiting(Blocked::OlderThanBackfill);
    let again = fold(fold(old, &resolved(9)), &raised(9 * two_days));
    assert!(
        matches!(
            decide(&again, &view, SETTLE, at(9 * two_days)),
            Decision::Write(_)
        ),
        "a new life is young"
    );
}

/// The 48 hours count from the last switch, whichever it was.
#[test]
fn each_switch_holds_alerts_older_than_48_hours() {
    type Switch<'a> = &'a dyn Fn(&mut ConnectionView, Timestamp);
    let two_days = 48 * 3600;
    let disk = Kind::parse("disk").unwrap();
    let connection: fn(&mut ConnectionView, Timestamp) =
        |view, at| view.connection.as_mut().unwrap().confirmed_at = Some(at);
    let tenant: fn(&mut ConnectionView, Timestamp) =
        |view, at| view.mapping.as_mut().unwrap().enabled_at = Some(at);
    let source: fn(&mut ConnectionView, Timestamp) = |view, at| view.source_since = Some(at);
    let kind = |view: &mut ConnectionView, at| {
        let connection = view.connection.as_mut().unwrap();
        let off = connection
            .settings
            .clone()
            .with_kinds_off([disk.clone()].into(), at);
        connection.settings = off.with_kinds_off([].into(), at);
    };
    let switches: [(&str, Switch<'_>); 4] = [
        ("connection", &connection),
        ("tenant", &tenant),
        ("kind", &kind),
        ("source", &source),
    ];
    let new = folded(&[raised(1)]);
    let waiting = |reason| new.clone().with_blocked(reason, None, at(2));
    let records = [
        waiting(Blocked::NotSetUp),
        waiting(Blocked::Unmapped),
        waiting(Blocked::TenantDisabled),
        waiting(Blocked::KindDisabled),
    ];
    let later = at(9 * two_days);
    for (name, switch) in switches {
        // A source that is off posts nothing, so that no alert of it is blocked before.
        let new = (name == "source").then_some(&new);
        for record in records.iter().chain(new) {
            let at_switch = |second| {
                let mut view = view();
                // All others were on long before.
                for (_, other) in switches {
                    other(&mut view, at(0));
                }
                switch(&mut view, at(second));
                view
            };
            let recent = decide(record, &at_switch(two_days + 1), SETTLE, later);
            assert!(
                matches!(recent, Decision::Write(TicketWrite::Create(_))),
                "{name} {recent:?}"
            );
            let old = at_switch(two_days + 2);
            assert_eq!(
                decide(record, &old, SETTLE, later),
                Decision::Block(Blocked::OlderThanBackfill),
                "{name}"
            );
            // Then nothing but a person lets it go on.
            let held = record
                .clone()
                .with_blocked(Blocked::OlderThanBackfill, None, later);
            assert_eq!(
                decide(&held, &old, SETTLE, later),
                Decision::Block(Blocked::OlderThanBackfill)
            );
            let released = decide(&held.released(), &old.released(), SETTLE, later);
            assert!(
                matches!(released, Decision::Write(TicketWrite::Create(_))),
                "{name} {released:?}"
            );
        }
    }
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
    let Decision::Write(step) = decide(&record, &view, SETTLE, at(21)) else {
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
    let Decision::Write(TicketWrite::Reopen(again)) = decide(&again, &view, SETTLE, at(41)) else {
        panic!()
    };
    assert_eq!(
        again.ticket_ref,
        TicketRef::new(&key(), 1),
        "it still carries its first token"
    );

    let late = decide(&record, &view, SETTLE, at(13 + 24 * 3600));
    assert!(matches!(late, Decision::Write(TicketWrite::Create(_))));
    view.mapping.as_mut().unwrap().company = Some(20);
    let remapped = decide(&record, &view, SETTLE, at(21));
    assert!(
        matches!(remapped, Decision::Write(TicketWrite::Create(create)) if create.company == 20)
    );
}

#[test]
fn nothing_is_looked_up_over_an_open_breaker() {
    let mut view = view();
    assert!(may_look(&view, at(10)));
    view.breaker.paused_until = Some(at(30));
    assert!(!may_look(&view, at(29)));
    assert!(may_look(&view, at(30)));
    view.breaker.missing_rights = [rights::TICKETS_INQUIRE.to_owned()].into();
    assert!(!may_look(&view, at(30)));
}

#[test]
fn a_duplicate_closes_without_notes_if_the_right_is_missing() {
    let mut view = view();
    view.breaker.missing_rights = [rights::TICKETS_ADD.to_owned()].into();
    let record = folded(&[raised(1)]).with_open(open());
    let record = record.with_duplicate(too_many(1));
    assert_eq!(
        decide(&record, &view, SETTLE, at(13)),
        Decision::Write(TicketWrite::Repair(too_many(1)))
    );
}

#[test]
fn no_duplicate_of_another_epoch_is_written() {
    let elsewhere = folded(&[raised(1)]).with_open(open());
    let elsewhere = elsewhere.with_duplicate(too_many(2));
    assert_eq!(next(&elsewhere, 13), Decision::Nothing(Idle::UpToDate));
    let stays_elsewhere = OpenTicket { epoch: 2, ..open() };
    let noted = Duplicate {
        noted: true,
        ..too_many(1)
    };
    let record = folded(&[raised(1)]).with_open(stays_elsewhere);
    let record = record.with_duplicate(noted.clone());
    assert_eq!(
        next(&record, 13),
        Decision::Write(TicketWrite::Repair(noted))
    );
}

#[test]
fn a_resolved_alerts_ticket_is_searched_in_the_next_epoch() {
    let gone = fold(folded(&[raised(1)]).with_open(open()), &resolved(12));
    let gone = gone.with_closed(77, 1, ClosedBy::OutOfReach, at(20));
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
        assert_eq!(
            decide(&gone, &view, SETTLE, at(30)),
            decision,
            "{ticket_index:?}"
        );
    }
}
