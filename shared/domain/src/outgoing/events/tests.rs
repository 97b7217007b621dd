use super::*;
use crate::Blocked;
use crate::alert::event::{AlertChange, Event};
use crate::alert::fold::fold;
use crate::alert::op::Op;
use crate::alert::record::{Actual, OpenTicket, Record, TicketEnd};
use crate::fixtures::{RETENTION, at, event, key, new_claim, particulars};

fn with_webhook(event: Event) -> Event {
    Event {
        webhook: WebhookScope::EventsAndActions,
        ..event
    }
}

fn raised(second: i64) -> Event {
    with_webhook(event(second, AlertChange::Raised(particulars())))
}

fn resolved(second: i64) -> Event {
    with_webhook(event(second, AlertChange::Resolved))
}

/// What a receiver would read, a line an event.
fn lines(record: &Record) -> Vec<String> {
    let events = record.outgoing.as_ref().unwrap().after(0);
    events
        .iter()
        .map(|event| {
            let json = serde_json::to_value(&event.what).unwrap();
            let name = json["event"].as_str().unwrap();
            let second = event.at.duration_since(at(0)).as_secs();
            let of = [&json["by"], &json["reason"], &json["action"]];
            let of = of.iter().find_map(|of| of.as_str()).unwrap_or_default();
            format!("{} {second} {name} {of}", event.sequence)
                .trim_end()
                .to_owned()
        })
        .collect()
}

fn new_alert() -> Record {
    fold(Record::new(key()), &raised(1)).to_stored()
}

fn claimed(record: Record, op: Op, second: i64) -> Record {
    let claim = new_claim(op, record.occurrence_ref(), at(second));
    record.with_claim(claim).to_stored()
}

fn opened(record: Record, ticket: RecordId, second: i64) -> Record {
    let record = claimed(record, Op::Create, second - 1);
    let claim = record.claim.clone().unwrap();
    let open = OpenTicket::new(ticket, None, &claim, at(second));
    record.with_open(open).to_stored()
}

fn blocked(record: Record, reason: Blocked, second: i64) -> Record {
    let record = Record {
        claim: None,
        ..record
    };
    record.with_blocked(reason, None, at(second)).to_stored()
}

#[test]
fn the_life_of_a_ticket_is_three_events() {
    let mut record = opened(new_alert(), 77, 3);
    if let Some(Actual::Open(open)) = &mut record.actual {
        open.last_note_at = Some(at(9));
    }
    let record = fold(record.to_stored(), &resolved(12)).to_stored();
    let record = claimed(record, Op::Close, 13);
    let record = record.with_closed(77, 1, ClosedBy::Us, at(20)).to_stored();
    let expected = [
        "1 3 ticket_created",
        "2 9 ticket_noted",
        "3 20 ticket_closed us",
    ];
    assert_eq!(lines(&record), expected);
    assert_eq!(lines(&record.to_stored()), expected, "stored once more");
    let outgoing = record.outgoing.unwrap();
    assert_eq!(outgoing.after(2).len(), 1);
    assert_eq!(outgoing.after(3), []);
}

#[test]
fn the_record_of_a_source_without_a_webhook_carries_nothing() {
    let raised = event(1, AlertChange::Raised(particulars()));
    let record = opened(fold(Record::new(key()), &raised).to_stored(), 77, 3);
    assert_eq!(record.outgoing, None);
}

#[test]
fn the_same_reason_after_a_refused_write_is_no_new_event() {
    let unmapped = || Blocked::Rejected("no such board".into());
    let record = blocked(new_alert(), unmapped(), 2);
    let record = claimed(record, Op::Create, 60);
    assert_eq!(lines(&record), ["1 2 alert_blocked rejected"]);
    let again = Blocked::Rejected("no such status".into());
    let record = blocked(record, again, 61);
    assert_eq!(lines(&record), ["1 2 alert_blocked rejected"]);
    let record = blocked(record, Blocked::Unmapped, 70);
    let record = opened(record, 77, 90);
    assert_eq!(
        lines(&record),
        [
            "1 2 alert_blocked rejected",
            "2 70 alert_blocked unmapped",
            "3 90 alert_released",
            "4 90 ticket_created"
        ]
    );
}

#[test]
fn an_alert_that_is_resolved_while_it_is_blocked_is_released() {
    let record = blocked(new_alert(), Blocked::Unmapped, 2);
    let record = fold(record, &resolved(30)).with_nothing_to_do(None);
    assert_eq!(
        lines(&record.to_stored()),
        ["1 2 alert_blocked unmapped", "2 30 alert_released"]
    );
}

#[test]
fn a_ticket_that_had_ended_before_it_was_found_is_created_and_closed() {
    let record = claimed(new_alert(), Op::Create, 2);
    let record = record.with_closed(77, 1, ClosedBy::Technician, at(9));
    assert_eq!(
        lines(&record.to_stored()),
        ["1 9 ticket_created", "2 9 ticket_closed technician"]
    );
}

#[test]
fn an_open_ticket_is_reported_when_the_source_gets_a_webhook() {
    let plain = event(1, AlertChange::Raised(particulars()));
    let record = opened(fold(Record::new(key()), &plain).to_stored(), 77, 3);
    let record = fold(record, &raised(20)).to_stored();
    assert_eq!(lines(&record), ["1 3 ticket_created"]);
}

#[test]
fn numbers_go_on_after_the_webhook_was_removed_and_set_again() {
    let record = opened(new_alert(), 77, 3);
    let off = event(20, AlertChange::Raised(particulars()));
    let record = fold(record, &off).to_stored();
    assert!(lines(&record).is_empty());
    let record = fold(record, &raised(10)).to_stored();
    assert!(
        !record.outgoing.as_ref().unwrap().is_on(),
        "an earlier event switches nothing"
    );
    let record = fold(record, &resolved(30)).to_stored();
    let record = claimed(record, Op::Close, 31);
    let record = record.with_closed(77, 1, ClosedBy::Us, at(32)).to_stored();
    assert_eq!(lines(&record), ["2 32 ticket_closed us"]);
    let later = at(32).checked_add(RETENTION).unwrap();
    let record = record.shrink(RETENTION, later).to_stored();
    assert!(lines(&record).is_empty());
    assert_eq!(record.outgoing.unwrap().last_sequence(), 2);
}

#[test]
fn only_the_newest_events_are_kept() {
    let mut record = opened(new_alert(), 77, 3);
    for second in 10..60 {
        if let Some(Actual::Open(open)) = &mut record.actual {
            open.last_note_at = Some(at(second));
        }
        record = record.to_stored();
    }
    let events = record.outgoing.as_ref().unwrap().after(0);
    let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (20..=51).collect::<Vec<_>>());
}

/// A technician moves the ticket to a status at this time, or away from one.
fn moved(record: Record, action: Option<StatusAction>, second: i64) -> Record {
    let mut record = record;
    if let Some(Actual::Open(open)) = &mut record.actual {
        open.action = RequestedAction::seen(open.action.as_ref(), action, at(second));
    }
    record.to_stored()
}

fn with_scope(second: i64, scope: WebhookScope) -> Event {
    Event {
        webhook: scope,
        ..event(second, AlertChange::Updated(particulars()))
    }
}

#[test]
fn each_move_to_a_status_is_one_event() {
    let act = Some(StatusAction::Act);
    let record = moved(opened(new_alert(), 77, 3), act, 10);
    let record = moved(moved(record, act, 11), None, 12);
    let record = moved(record, act, 20);
    let end = TicketEnd {
        by: ClosedBy::Technician,
        at: None,
        action: Some(StatusAction::WontFix { days: 30 }),
    };
    let record = record.with_closed(77, 1, end, at(30)).to_stored();
    let expected = [
        "1 3 ticket_created",
        "2 10 ticket_action act",
        "3 20 ticket_action act",
        "4 30 ticket_action wont_fix",
        "5 30 ticket_closed technician",
    ];
    assert_eq!(lines(&record), expected);
    assert_eq!(lines(&record.to_stored()), expected, "stored once more");
}

#[test]
fn a_source_gets_no_action_of_the_time_when_it_took_none() {
    let act = Some(StatusAction::Act);
    let opened = opened(new_alert(), 77, 3);
    for before in [WebhookScope::Events, WebhookScope::Nothing] {
        let denied = fold(opened.clone(), &with_scope(5, before)).to_stored();
        let asked = moved(denied, act, 10);
        let allowed = fold(asked, &with_scope(20, WebhookScope::EventsAndActions)).to_stored();
        let actions = |record: &Record| {
            let lines = lines(record);
            lines.iter().filter(|line| line.contains("action")).count()
        };
        assert_eq!(actions(&allowed), 0, "{before:?}");
        let again = moved(moved(allowed, None, 30), act, 40);
        assert_eq!(actions(&again), 1, "{before:?}");
    }
}

#[test]
fn a_webhook_for_one_action_gets_that_action_alone() {
    let only = with_scope(2, WebhookScope::WontFix);
    let mut record = opened(fold(Record::new(key()), &only).to_stored(), 77, 3);
    for (second, action) in [
        (10, Some(StatusAction::Act)),
        (11, Some(StatusAction::Acknowledge)),
        (12, Some(StatusAction::WontFix { days: 30 })),
        (13, None),
    ] {
        record = moved(record, action, second);
    }
    assert_eq!(lines(&record), ["1 12 ticket_action wont_fix"]);
    let end = TicketEnd {
        by: ClosedBy::Technician,
        at: None,
        action: Some(StatusAction::WontFix { days: 30 }),
    };
    let record = record.with_closed(77, 1, end, at(30)).to_stored();
    let expected = ["1 12 ticket_action wont_fix", "2 30 ticket_action wont_fix"];
    assert_eq!(lines(&record), expected);
    assert_eq!(lines(&record.to_stored()), expected, "stored once more");
}

#[test]
fn a_webhook_that_gets_all_events_later_gets_the_open_ticket() {
    let only = with_scope(2, WebhookScope::WontFix);
    let record = opened(fold(Record::new(key()), &only).to_stored(), 77, 3);
    assert!(lines(&record).is_empty());
    let all = fold(record, &with_scope(20, WebhookScope::Events)).to_stored();
    assert_eq!(lines(&all), ["1 3 ticket_created"]);
}
