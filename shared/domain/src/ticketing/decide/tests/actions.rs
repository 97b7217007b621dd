//! Actions that a technician asks for by a ticket's status.

use super::*;
use crate::alert::record::ClosedBy;
use crate::alert::source_answer::SourceAnswer;
use crate::setup::status_action::StatusAction;
use crate::ticketing::alert_request::AlertRequest;
use crate::ticketing::found_ticket::FoundTicket;
use crate::ticketing::lookup::apply_inspection;

const DAY: i64 = 24 * 60 * 60;
const WONT_FIX: StatusAction = StatusAction::WontFix { days: 30 };

/// The ticket as a technician left it.
fn seen(action: Option<StatusAction>, closed: bool) -> FoundTicket {
    FoundTicket {
        ticket_id: 77,
        ticket_ref: Some(TicketRef::new(&key(), 1)),
        board_id: Some(2),
        company_id: Some(19),
        entered_at: None,
        raised_at: None,
        closed,
        closed_at: None,
        merged: false,
        touched: true,
        action,
    }
}

fn inspected(record: Record, found: &FoundTicket, second: i64) -> Record {
    let open = record.open().unwrap().clone();
    apply_inspection(record, &open, Some(found), at(second))
}

fn active() -> Record {
    folded(&[raised(1)]).with_open(open())
}

/// The alert after a technician closed its ticket with "Won't fix", and its source resolved it and
/// raised it again.
fn raised_again_after_wont_fix() -> Record {
    let record = inspected(active(), &seen(Some(WONT_FIX), true), 20);
    assert_eq!(next(&record, 25), Decision::Nothing(Idle::EndedByPerson));
    [resolved(30), raised(40)].iter().fold(record, fold)
}

fn answer(asked_at: i64, text: &str) -> SourceAnswer {
    SourceAnswer {
        key: key(),
        ticket_id: 77,
        asked_at: at(asked_at),
        text: text.to_owned(),
    }
}

#[test]
fn a_status_asks_once_as_long_as_the_ticket_stays_in_it() {
    let action = |record: &Record| record.open().unwrap().action.clone();
    let act = seen(Some(StatusAction::Act), false);
    let asked = inspected(active(), &act, 20);
    assert_eq!(action(&asked).unwrap().at, at(20));
    let stays = inspected(asked.clone(), &act, 30);
    assert_eq!(stays, asked);
    let moved_on = inspected(asked.clone(), &seen(None, false), 40);
    assert_eq!(action(&moved_on), None);
    let again = inspected(moved_on, &act, 50);
    assert_eq!(action(&again).unwrap().at, at(50));
    let other = inspected(asked, &seen(Some(StatusAction::Acknowledge), false), 60);
    assert_eq!(action(&other).unwrap().at, at(60));
}

#[test]
fn an_alert_that_is_not_to_be_fixed_gets_no_ticket_for_the_days_chosen() {
    let record = raised_again_after_wont_fix();
    let until = at(20 + 30 * DAY);
    let blocked = Decision::Block(Blocked::WontFix(until));
    assert_eq!(next(&record, 41), blocked);
    assert_eq!(next(&record, 19 + 30 * DAY), blocked);
    let created = next(&record, 20 + 30 * DAY);
    assert!(matches!(created, Decision::Write(TicketWrite::Create(_))));
}

#[test]
fn a_person_can_release_an_alert_that_is_not_to_be_fixed() {
    let record = raised_again_after_wont_fix();
    let reason = Blocked::WontFix(at(20 + 30 * DAY));
    let blocked = record.with_blocked(reason, None, at(41));
    let released = AlertRequest::Release.apply(blocked, &view(), SETTLE, at(50));
    let created = next(&released, 50);
    assert!(matches!(created, Decision::Write(TicketWrite::Create(_))));
}

#[test]
fn a_reopening_is_blocked_too() {
    let record = raised_again_after_wont_fix();
    let mut view = view();
    view.connection
        .as_mut()
        .unwrap()
        .settings
        .operations
        .reopen_days = 90;
    let blocked = Decision::Block(Blocked::WontFix(at(20 + 30 * DAY)));
    assert_eq!(next_in(&record, &view, 41), blocked);
    let reopened = next_in(&record, &view, 20 + 30 * DAY);
    assert!(matches!(reopened, Decision::Write(TicketWrite::Reopen(_))));
}

#[test]
fn a_close_by_ticketbridge_keeps_what_a_technician_asked_for() {
    let asked = inspected(active(), &seen(Some(WONT_FIX), false), 20);
    let resolved = fold(asked, &resolved(30));
    let closed = resolved.with_closed(77, 1, ClosedBy::Us, at(35));
    let record = fold(closed, &raised(40));
    let until = at(20 + 30 * DAY);
    assert_eq!(next(&record, 41), Decision::Block(Blocked::WontFix(until)));
    // Its own closing status asks for nothing, whatever the board's first closed status is.
    let end = TicketEnd {
        by: ClosedBy::Us,
        at: None,
        action: Some(WONT_FIX),
    };
    let closed = fold(active(), &super::resolved(30)).with_closed(77, 1, end, at(35));
    let record = fold(closed, &raised(40));
    let created = next(&record, 41);
    assert!(matches!(created, Decision::Write(TicketWrite::Create(_))));
}

#[test]
fn other_actions_and_other_closed_statuses_block_nothing() {
    for action in [
        None,
        Some(StatusAction::Acknowledge),
        Some(StatusAction::Act),
    ] {
        let asked = inspected(active(), &seen(Some(WONT_FIX), false), 15);
        let record = inspected(asked, &seen(action, true), 20);
        let record = [resolved(30), raised(40)].iter().fold(record, fold);
        let created = next(&record, 41);
        let creates = matches!(created, Decision::Write(TicketWrite::Create(_)));
        assert!(creates, "{action:?}: {created:?}");
    }
}

#[test]
fn the_first_answer_becomes_one_note() {
    let asked = inspected(active(), &seen(Some(StatusAction::Act), false), 20);
    let answered = answer(20, "The device is isolated.").apply(asked);
    let second = answer(20, "Again.").apply(answered.clone());
    assert_eq!(second, answered);
    let text = "The device is isolated.".to_owned();
    let note = note(NoteContent::Answer { text });
    assert_eq!(next(&answered, 32), Decision::Write(note.clone()));
    let noted = apply_effect(answered, &claim(note.op()), &WriteEffect::Noted, at(33));
    assert_eq!(next(&noted, 34), Decision::Nothing(Idle::UpToDate));
    let third = answer(20, "Again.").apply(noted.clone());
    assert_eq!(third, noted);
}

#[test]
fn an_answer_is_noted_before_the_ticket_is_closed() {
    let asked = inspected(active(), &seen(Some(StatusAction::Act), false), 20);
    let answered = answer(20, "Done.").apply(fold(asked, &resolved(25)));
    let text = "Done.".to_owned();
    let expected = Decision::Write(note(NoteContent::Answer { text }));
    assert_eq!(next(&answered, 32), expected);
    // Without the right to write notes it delays nothing.
    let mut view = view();
    view.breaker.missing_rights = [rights::TICKETS_ADD.to_owned()].into();
    let closed = next_in(&answered, &view, 32);
    assert!(matches!(closed, Decision::Write(TicketWrite::Close { .. })));
}

#[test]
fn an_answer_to_an_earlier_move_is_void() {
    let asked = inspected(active(), &seen(Some(StatusAction::Act), false), 20);
    let moved_on = inspected(asked.clone(), &seen(None, false), 25);
    let again = inspected(moved_on.clone(), &seen(Some(StatusAction::Act), false), 28);
    let closed = inspected(asked, &seen(Some(StatusAction::Act), true), 25);
    for record in [moved_on, again, closed] {
        assert_eq!(answer(20, "Late.").apply(record.clone()), record);
    }
}
