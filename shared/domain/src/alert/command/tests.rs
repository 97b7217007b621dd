use super::*;
use crate::alert::event::{AlertChange, Event, EventDigest, Particulars};
use crate::alert::fold::fold;
use crate::alert::record::{Claim, ClosedBy, NoteKind, Op};
use crate::closing::snapshot::tests::{alert, minute};
use crate::wire::message::Message;
use crate::{EventId, SnapshotId, TicketRef, fixtures};

fn event(at: i64, change: AlertChange) -> Event {
    Event::immediate(
        alert("contoso", "a"),
        EventId::parse(format!("e{at}")).unwrap(),
        minute(at),
        change,
    )
}

fn particulars(expires: Option<i64>) -> Particulars {
    Particulars {
        expires_at: expires.map(minute),
        ..fixtures::particulars()
    }
}

fn raised(at: i64) -> Event {
    event(at, AlertChange::Raised(particulars(Some(60))))
}

fn updated(at: i64) -> Event {
    event(at, AlertChange::Updated(particulars(Some(90))))
}

/// The raise again, with its time, received at another.
fn repeat_of_raise(received_at: Timestamp) -> Event {
    let mut repeat = raised(0);
    repeat.digest = EventDigest::new(&["repeat"]);
    repeat.receipt.at = received_at;
    repeat
}

fn claim(op: Op) -> Claim {
    fixtures::new_claim(op, TicketRef::new(&alert("contoso", "a"), 1), minute(0))
}

/// Raised at minute 0, expires at minute 60.
fn active() -> Record {
    fold(Record::new(alert("contoso", "a")), &raised(0))
}

fn with_ticket(ticket_id: RecordId) -> Record {
    let open = OpenTicket::new(ticket_id, Some(2), &claim(Op::Create), minute(1));
    active().with_open(open)
}

fn absent() -> Resolution {
    Resolution::Absent {
        snapshot_id: SnapshotId::parse("s").unwrap(),
        taken_at: minute(10),
    }
}

fn expired() -> Resolution {
    Resolution::Expired { at: minute(60) }
}

fn command(record: &Record, action: CommandAction) -> Command {
    Command {
        key: record.key.clone(),
        occurrence: record.occurrence,
        ticket_id: record.open().map(|open| open.ticket_id),
        action,
    }
}

fn resolve(record: &Record, shown: Resolution) -> Command {
    let last = record.desired.last.clone().unwrap();
    command(record, CommandAction::Resolve { last, shown })
}

#[test]
fn a_resolve_command_changes_only_the_desired_state() {
    for record in [active(), with_ticket(77)] {
        for shown in [absent(), expired()] {
            let after = resolve(&record, shown.clone()).apply(record.clone(), minute(70));
            let mut expected = record.clone();
            expected.desired.active = false;
            expected.desired.resolution = Some(shown.clone());
            assert_eq!(after, expected);
            let twice = resolve(&record, shown).apply(after.clone(), minute(71));
            assert_eq!(twice, after);
        }
    }
}

#[test]
fn a_changed_record_makes_a_command_void() {
    let none = active();
    let open = with_ticket(77);
    let ours = open.clone().with_closed(77, 1, ClosedBy::Us, minute(9));
    let by_person = open
        .clone()
        .with_closed(77, 1, ClosedBy::Technician, minute(9));
    let repeated = |record: &Record| fold(record.clone(), &updated(5));
    let resolved = |record: &Record| fold(record.clone(), &event(5, AlertChange::Resolved));
    let same_time = repeat_of_raise(minute(12));
    let moved = repeated(&open);
    let kept_alive = fold(moved.clone(), &same_time);
    let mut next_occurrence = none.clone();
    next_occurrence.occurrence = 2;
    let mut other_end = open.clone();
    other_end.desired.details.as_mut().unwrap().expires_at = Some(minute(61));
    let claimed = |record: &Record, op| record.clone().with_claim(claim(op));
    let resolved_record = resolve(&open, absent()).apply(open.clone(), minute(11));
    // Commands for one record, applied to another: of a snapshot, of expiry, and to look.
    let cases: [(&str, &Record, Record, [bool; 3]); 17] = [
        ("unmoved", &open, open.clone(), [true; 3]),
        (
            "unmoved, no ticket",
            &none,
            none.clone(),
            [true, true, false],
        ),
        (
            "a claim runs",
            &open,
            claimed(&open, Op::Note(NoteKind::Resolved)),
            [true; 3],
        ),
        (
            "its ticket is being created",
            &none,
            claimed(&none, Op::Create),
            [true, true, false],
        ),
        ("a ticket came", &none, open.clone(), [false; 3]),
        ("the ticket is forgotten", &open, none.clone(), [false; 3]),
        ("of the next occurrence", &none, next_occurrence, [false; 3]),
        ("another ticket", &open, with_ticket(78), [false; 3]),
        ("repeated", &open, repeated(&open), [false, false, true]),
        ("repeated, no ticket", &none, repeated(&none), [false; 3]),
        (
            "repeated at the same time",
            &open,
            fold(open.clone(), &same_time),
            [false, false, true],
        ),
        (
            "repeated since, with a time before the newest event's",
            &moved,
            kept_alive,
            [false, false, true],
        ),
        (
            "it ends at another time",
            &open,
            other_end,
            [true, false, true],
        ),
        ("resolved", &open, resolved(&open), [false, false, true]),
        (
            "resolved already",
            &open,
            resolved_record,
            [false, false, true],
        ),
        ("closed by Ticketbridge", &open, ours, [false; 3]),
        ("closed by a technician", &open, by_person, [false; 3]),
    ];
    for (what, made_for, now, fits) in cases {
        let commands = [
            resolve(made_for, absent()),
            resolve(made_for, expired()),
            command(made_for, CommandAction::Look),
        ];
        for (command, fits) in commands.iter().zip(fits) {
            assert_eq!(
                command.applies_to(&now),
                fits,
                "{what}: {:?}",
                command.action
            );
            let after = command.apply(now.clone(), minute(70));
            let takes = fits && command.action != CommandAction::Look;
            assert_eq!(after != now, takes, "{what}: {:?}", command.action);
        }
        let duplicates = command(made_for, CommandAction::LookForDuplicates);
        assert_eq!(duplicates.applies_to(&now), fits[2], "{what}");
    }
}

#[test]
fn a_resolve_after_a_persons_close_allows_a_new_occurrence() {
    let ended = with_ticket(77).with_closed(77, 1, ClosedBy::Technician, minute(9));
    let repeated = fold(ended.clone(), &repeat_of_raise(minute(80)));
    assert_eq!(repeated.occurrence, 1, "it is still active");
    for shown in [absent(), expired()] {
        let resolved_record = resolve(&ended, shown).apply(ended.clone(), minute(70));
        assert!(!resolved_record.desired.active);
        let anew = fold(resolved_record, &repeat_of_raise(minute(80)));
        assert_eq!((anew.occurrence, anew.desired.active), (2, true));
    }
}

#[test]
fn duplicates_are_searched_at_once_by_reference() {
    let record = with_ticket(77);
    let action = |record: &Record| command(record, CommandAction::LookForDuplicates);
    let after = action(&record).apply(record.clone(), minute(70));
    let due = Recheck {
        op: Op::Create,
        ticket_ref: record.occurrence_ref(),
        board_id: Some(2),
        company_id: 19,
        epoch: 1,
        at: minute(70),
        last: true,
    };
    assert_eq!(*after.rechecks, *std::slice::from_ref(&due));
    let again = action(&record).apply(after.clone(), minute(71));
    assert_eq!(again, after, "not put off");

    let planned = Recheck {
        op: Op::Create,
        at: minute(90),
        last: false,
        ..due.clone()
    };
    let known = Record {
        rechecks: [planned.clone()].into_iter().collect(),
        ..record.clone()
    };
    let after = action(&known).apply(known, minute(70));
    let sooner = Recheck {
        op: Op::Create,
        at: minute(70),
        ..planned
    };
    assert_eq!(
        after.rechecks,
        [sooner],
        "sooner, and not for the last time"
    );

    let mut reopened = record;
    let first = reopened.occurrence_ref();
    reopened.occurrence = 2;
    if let Some(Actual::Open(open)) = &mut reopened.actual {
        open.ticket_ref = Some(first.clone());
    }
    let after = action(&reopened).apply(reopened.clone(), minute(70));
    assert_eq!(after.rechecks[0].ticket_ref, first);
}

#[test]
fn an_update_revives_an_alert_that_no_event_resolved() {
    for record in [active(), with_ticket(77)] {
        for shown in [absent(), expired()] {
            let resolved_record = resolve(&record, shown).apply(record.clone(), minute(61));
            for change in [updated(5), raised(5)] {
                let revived = fold(resolved_record.clone(), &change);
                assert!(revived.desired.active);
                assert_eq!(revived.desired.resolution, None);
                assert_eq!(revived.desired.last, Some(change.order()));
                assert_eq!(
                    revived.occurrence, 1,
                    "its ticket is still open, or was never made"
                );
            }
            let old = updated(-1);
            let mut after = fold(resolved_record.clone(), &old);
            assert!(after.folded.contains(old.digest));
            after.folded = resolved_record.folded.clone();
            assert_eq!(after, resolved_record);
            let resolved = fold(resolved_record.clone(), &event(5, AlertChange::Resolved));
            assert!(!resolved.desired.active);
            assert_eq!(resolved.desired.resolution, None, "now its source says so");
            let updated = fold(resolved.clone(), &updated(6));
            assert_eq!(updated.desired, resolved.desired);
        }
    }
    let record = with_ticket(77);
    let closed = resolve(&record, absent()).apply(record, minute(11));
    let closed = closed.with_closed(77, 1, ClosedBy::Us, minute(12));
    let revived = fold(closed, &updated(5));
    assert_eq!(
        revived.occurrence, 2,
        "the late update starts the next occurrence"
    );
}

/// Messages in the queue are older than the code that reads them.
#[test]
fn commands_have_one_form_on_the_queue() {
    let record = with_ticket(77);
    let head = r#"{"v":1,"type":"command","body":{"key":{"partner":"acme","tenant":"contoso","source":"src_0123456789abcdefghijklmnop","alert_id":"a"},"occurrence":1"#;
    let last = r#""action":"resolve","last":{"occurred_at":"2026-09-21T14:13:20Z","receipt":{"at":"2026-09-21T14:13:20Z"},"rank":2,"digest":"dcfd3e398fd9af40"}"#;
    let absent_form =
        r#""shown":{"by":"absent","snapshot_id":"s","taken_at":"2026-09-21T14:23:20Z"}"#;
    let expired_form = r#""shown":{"by":"expired","at":"2026-09-21T15:13:20Z"}"#;
    let cases = [
        (
            resolve(&record, absent()),
            format!(r#""ticket_id":77,{last},{absent_form}"#),
        ),
        (
            resolve(&active(), expired()),
            format!("{last},{expired_form}"),
        ),
        (
            command(&record, CommandAction::Look),
            r#""ticket_id":77,"action":"look""#.into(),
        ),
        (
            command(&record, CommandAction::LookForDuplicates),
            r#""ticket_id":77,"action":"look_for_duplicates""#.into(),
        ),
    ];
    for (command, form) in cases {
        let text = format!("{head},{form}}}}}");
        let message = Message::Command(command);
        assert_eq!(message.to_json(), text);
        assert_eq!(Message::from_json(&text).unwrap(), message);
    }
}

#[test]
fn a_retry_is_for_one_refusal_and_void_after_it() {
    let rejected = crate::Blocked::Rejected("no".into());
    let refusal = || crate::alert::blocked::CallRefusal {
        op: Some(Op::Create),
        words: "no".into(),
        record: None,
    };
    let record = fold(Record::new(alert("contoso", "a")), &raised(0));
    let refused = |at| {
        record
            .clone()
            .with_refusal(rejected.clone(), refusal(), None, minute(at))
    };
    let retry = Command {
        key: record.key.clone(),
        occurrence: 1,
        ticket_id: None,
        action: CommandAction::Retry {
            refused_at: minute(5),
        },
    };
    assert_eq!(retry.apply(refused(5), minute(6)), record);
    // Refused again since, blocked for another reason, or claimed.
    let unavailable = crate::Blocked::ConnectionUnavailable;
    let elsewhere = record.clone().with_blocked(unavailable, None, minute(5));
    let claimed = refused(5).with_claim(claim(Op::Create));
    for moved in [refused(6), elsewhere, claimed, record.clone()] {
        assert!(!retry.applies_to(&moved));
        assert_eq!(retry.apply(moved.clone(), minute(7)), moved);
    }
    let text = Message::Command(retry.clone()).to_json();
    assert_eq!(Message::from_json(&text).unwrap(), Message::Command(retry));
}
