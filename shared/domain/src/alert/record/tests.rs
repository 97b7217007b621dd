use jiff::civil::Date;

use super::*;
use crate::SnapshotId;
use crate::alert::event::{AlertChange, Severity};
use crate::alert::figures::AlertFigures;
use crate::alert::fold::fold;
use crate::alert::resolution::Resolution;
use crate::alert::trail::StepKind;
use crate::fixtures::{
    RETENTION, SETTLE, at, claim, duplicate, event, key, open, particulars, raised, resolved,
};
use crate::time::later;

/// A record with a close that was given up.
fn close_given_up() -> Record {
    let record = open(&[raised(1), resolved(12)]);
    let close = claim(Op::Close, &record);
    let record = record.with_claim(close.clone());
    record.with_write_given_up(&close, at(700))
}

/// A record with a close and a create that were given up, and their rechecks.
fn two_given_up() -> (Record, Recheck, Recheck) {
    let mut record = close_given_up();
    let close = record.rechecks[0].clone();
    let create = Recheck {
        op: Op::Create,
        ..close.clone()
    };
    record.rechecks.push(create.clone());
    (record, close, create)
}

#[test]
fn a_ticket_in_another_connectwise_is_left_alone() {
    let record = open(&[raised(1)])
        .with_duplicate(duplicate(1))
        .with_payload(raised(1).payload());
    let there = record.clone().in_epoch(1, SETTLE, at(100));
    assert_eq!(there, record);
    let elsewhere = record.in_epoch(2, SETTLE, at(100));
    assert_eq!(elsewhere.duplicates, []);
    let Some(Actual::Closed(closed)) = &elsewhere.actual else {
        panic!("{:?}", elsewhere.actual)
    };
    assert_eq!((closed.by, closed.epoch), (ClosedBy::OutOfReach, 1));
    assert!(
        !elsewhere.is_occurrence_over(),
        "it continues without that ticket"
    );
    assert_eq!(
        elsewhere.payload.as_ref(),
        raised(1).payload(),
        "the text of the next ticket"
    );
}

#[test]
fn a_pending_write_settles_before_a_connection_change_counts() {
    let record = open(&[raised(1)]);
    let note = claim(Op::Note(NoteKind::Repeats), &record);
    let record = record.with_claim(note.clone());
    let settled_at = note.settled_at(SETTLE);
    let before = settled_at.saturating_sub(SignedDuration::from_secs(1));
    let settling = record.clone().in_epoch(2, SETTLE, before.unwrap());
    assert!(settling.claim.is_some() && settling.open().is_some());
    let settled = record.in_epoch(2, SETTLE, settled_at);
    assert!(settled.claim.is_none() && settled.open().is_none());
}

#[test]
fn only_a_technicians_close_may_be_a_late_close() {
    for (found, by) in [
        (ClosedBy::Technician, ClosedBy::Us),
        (ClosedBy::Deleted, ClosedBy::Deleted),
        (ClosedBy::Moved, ClosedBy::Moved),
        (ClosedBy::OutOfReach, ClosedBy::OutOfReach),
    ] {
        let record = close_given_up().with_closed(77, 1, found, at(800));
        let Some(Actual::Closed(closed)) = &record.actual else {
            panic!("{:?}", record.actual)
        };
        assert_eq!(closed.by, by, "{found:?}");
    }
}

#[test]
fn a_text_is_kept_only_while_a_ticket_may_need_it() {
    let again = raised(30);
    let open = open(&[raised(1), resolved(12)]);
    let settled = fold(open.clone(), &again).with_nothing_to_do(Some(&again));
    assert_eq!(settled.payload.as_ref(), again.payload(), "raised again");
    let repeated = fold(
        open.clone().with_open(OpenTicket {
            opened_at: at(40),
            ..open.open().unwrap().clone()
        }),
        &again,
    );
    assert_eq!(repeated.with_nothing_to_do(Some(&again)).payload, None);
    let may_close = fold(close_given_up(), &again);
    let may_close = may_close.with_open(OpenTicket {
        opened_at: at(40),
        ..open.open().unwrap().clone()
    });
    assert_eq!(
        may_close.with_nothing_to_do(Some(&again)).payload.as_ref(),
        again.payload()
    );
    assert_eq!(
        close_given_up()
            .with_nothing_to_do(Some(&resolved(12)))
            .payload,
        None,
        "the alert is resolved"
    );
}

#[test]
fn each_given_up_write_is_rechecked_separately() {
    let (record, close, create) = two_given_up();
    let looked = record.with_recheck_done(&close);
    let last: Vec<_> = looked.rechecks.iter().map(|of| (of.op, of.last)).collect();
    assert_eq!(last, [(Op::Close, true), (Op::Create, false)]);
    let looked = looked.with_recheck_done(&close);
    assert_eq!(looked.rechecks, [create]);
}

#[test]
fn a_search_is_blind_too_long_after_an_hour() {
    let create = claim(Op::Create, &open(&[raised(1)]));
    let hour = SignedDuration::from_mins(70);
    let limit = create.uncertain_since().saturating_add(hour).unwrap();
    assert!(!create.is_blind_too_long(SETTLE, limit));
    let later = limit.saturating_add(SignedDuration::from_secs(1)).unwrap();
    assert!(create.is_blind_too_long(SETTLE, later));
}

#[test]
fn a_record_is_indexed_by_its_state() {
    let state = |record: &Record| {
        let index = record.index(&key().item_key());
        index.map(|(state, _)| state.split('#').nth(1).unwrap().to_owned())
    };
    let open = open(&[raised(1)]);
    assert_eq!(state(&open).as_deref(), Some("open"));
    let blocked = open.clone().with_blocked(Blocked::Unmapped, None, at(9));
    assert_eq!(state(&blocked).as_deref(), Some("blocked"));
    let ended = open.clone().with_closed(77, 1, ClosedBy::Technician, at(9));
    assert_eq!(
        state(&ended).as_deref(),
        Some("open"),
        "its alert is still active"
    );
    let closed = fold(open, &resolved(8)).with_closed(77, 1, ClosedBy::Us, at(9));
    assert_eq!(state(&closed).as_deref(), Some("closed"));
    assert_eq!(state(&Record::new(key())), None);
    let shrink = closed
        .clone()
        .shrink(RETENTION, at(9 + RETENTION.as_secs()));
    assert_eq!(state(&shrink), None, "a tombstone");
    assert!(shrink.desired.details.is_none() && closed.desired.details.is_some());
}

#[test]
fn a_record_stays_whole_for_its_retention() {
    let closed = fold(open(&[raised(1)]), &resolved(8)).with_closed(77, 1, ClosedBy::Us, at(9));
    for days in [7, 90] {
        let retention = SignedDuration::from_hours(24 * days);
        let end = at(9 + retention.as_secs());
        assert_eq!(closed.next_check_at(retention), Some(end));
        let before = at(8 + retention.as_secs());
        assert_eq!(closed.clone().shrink(retention, before), closed);
        let tombstone = closed.clone().shrink(retention, end);
        assert_eq!(tombstone.next_check_at(retention), None);
    }
}

/// A late close changes nothing if its ticket stayed closed.
#[test]
fn a_close_that_may_still_come_keeps_no_ended_record_whole() {
    let record = close_given_up();
    let mut closed = record.with_closed(77, 1, ClosedBy::Us, at(800));
    closed.rechecks = close_given_up().rechecks;
    let much_later = at(800 + RETENTION.as_secs());
    assert!(
        closed
            .shrink(RETENTION, much_later)
            .desired
            .details
            .is_none()
    );
}

#[test]
fn a_created_ticket_reports_the_repeats_of_its_claim() {
    let record = fold(fold(Record::new(key()), &raised(1)), &raised(5));
    let create = claim(Op::Create, &record);
    let made = OpenTicket::new(77, Some(2), &create, at(10));
    let record = record.with_created(made, &create);
    assert_eq!(record.open().unwrap().noted_repeats, 1);
}

#[test]
fn an_active_alert_whose_ticket_a_person_closed_can_open_another() {
    let active = open(&[raised(1)]);
    let ended = active
        .clone()
        .with_closed(77, 1, ClosedBy::Technician, at(20));
    assert!(ended.can_open_again());
    let over = fold(ended.clone(), &resolved(30));
    let unknown = Record {
        summary: None,
        ..ended.clone()
    };
    for record in [active, over, unknown] {
        assert!(!record.can_open_again(), "{record:?}");
    }
    let again = ended.opened_again(at(40));
    assert_eq!(again.occurrence, 2);
    assert!(again.payload.unwrap().description.contains("#77"));
}

#[test]
fn nothing_is_known_of_the_priority_and_type_of_a_reopened_ticket() {
    let record = open(&[raised(1)]);
    let claim = Claim {
        kind: Some(crate::Kind::parse("disk").unwrap()),
        ..claim(Op::Reopen, &record)
    };
    let ticket = OpenTicket::reopened(77, Some(2), &claim, at(40));
    assert_eq!(
        (ticket.severity, ticket.kind, ticket.last_note_at),
        (Severity::Informational, None, Some(at(40)))
    );
}

#[test]
fn who_closed_a_ticket_has_a_word() {
    let words = [
        (ClosedBy::Us, "us"),
        (ClosedBy::Technician, "technician"),
        (ClosedBy::Deleted, "deleted"),
        (ClosedBy::Moved, "moved"),
        (ClosedBy::OutOfReach, "out of reach"),
    ];
    for (by, word) in words {
        assert_eq!(by.as_str(), word);
    }
}

#[test]
fn a_tombstone_keeps_only_what_an_old_event_needs() {
    let mut record = open(&[raised(1), raised(5)]).with_closed(77, 1, ClosedBy::Technician, at(9));
    record.desired.resolution = Some(Resolution::Expired { at: at(8) });
    let counts = record.figures.days.entry(Date::constant(2026, 9, 21));
    counts.or_default().raised = 2;
    let kept = (
        record.occurrence,
        record.actual.clone(),
        record.desired.last.clone(),
    );
    let tombstone = record.clone().shrink(RETENTION, later(at(9), RETENTION));
    let left = (
        tombstone.occurrence,
        tombstone.actual.clone(),
        tombstone.desired.last.clone(),
    );
    assert_eq!(left, kept);
    assert!(record.desired.active && !tombstone.desired.active);
    assert_eq!(tombstone.desired.details, None);
    assert_eq!(tombstone.desired.resolution, None);
    assert_eq!(tombstone.summary, None);
    assert_ne!(record.folded, tombstone.folded, "no repeats");
    assert_ne!(record.raises, tombstone.raises);
    assert_eq!(tombstone.raises, RecentRaises::default());
    assert_eq!(tombstone.trail, Trail::default());
    assert_eq!(tombstone.figures, AlertFigures::default());
    assert_eq!(
        (record.listed_at().is_some(), tombstone.listed_at()),
        (true, None)
    );
}

#[test]
fn a_record_with_anything_left_to_do_is_not_reduced() {
    let over = open(&[raised(1), resolved(8)]).with_closed(77, 1, ClosedBy::Us, at(9));
    assert_eq!(over.shrinks_at(RETENTION), Some(later(at(9), RETENTION)));
    let (_, _, create) = two_given_up();
    let mut searched = over.clone();
    searched.rechecks.push(create);
    let reopen = claim(Op::Reopen, &over);
    for (what, busy) in [
        ("a claim", over.clone().with_claim(reopen)),
        (
            "a block",
            over.clone().with_blocked(Blocked::Unmapped, None, at(9)),
        ),
        ("a search", searched),
        ("a duplicate", over.clone().with_duplicate(duplicate(1))),
    ] {
        assert_eq!(busy.shrinks_at(RETENTION), None, "{what}");
    }
}

#[test]
fn a_blind_search_counts_as_a_visit_that_showed_nothing() {
    let record = open(&[raised(1)]);
    let mut create = claim(Op::Create, &record);
    (create.visits, create.empty_visits) = (3, 1);
    let seen = record.with_claim(create).with_blind_visit(at(50));
    let claim = seen.claim.unwrap();
    assert_eq!(
        (claim.visits, claim.visited_at, claim.empty_visits),
        (4, Some(at(50)), 0)
    );
}

#[test]
fn a_search_without_an_answer_is_made_again_soon() {
    let (record, close, create) = two_given_up();
    let delayed = record.with_recheck_delayed(&close, at(5000));
    assert!(delayed.rechecks[0].at > at(5000), "{:?}", delayed.rechecks);
    assert_eq!(delayed.rechecks[1], create);
}

#[test]
fn a_write_that_is_given_up_again_is_searched_for_twice_again() {
    let record = close_given_up();
    let first = record.rechecks[0].clone();
    let looked = record.with_recheck_done(&first);
    assert!(looked.rechecks[0].last);
    let close = claim(Op::Close, &looked);
    let again = looked
        .with_claim(close.clone())
        .with_write_given_up(&close, at(900));
    assert_eq!(again.rechecks.len(), 1);
    assert!(!again.rechecks[0].last);
}

#[test]
fn a_ticket_ends_the_block_when_it_opens_and_when_it_is_closed() {
    let blocked = open(&[raised(1)]).with_blocked(Blocked::Unmapped, None, at(9));
    let ticket = blocked.open().unwrap().clone();
    assert_eq!(blocked.clone().with_open(ticket).blocked, None);
    let closed = blocked.with_closed(77, 1, ClosedBy::Technician, at(9));
    assert_eq!(closed.blocked, None);
}

#[test]
fn a_block_ends_only_while_a_claim_brings_the_alert_back() {
    let blocked = open(&[raised(1)]).with_blocked(Blocked::Unmapped, None, at(9));
    assert!(blocked.clone().unblock_claimed().blocked.is_some());
    let close = claim(Op::Close, &blocked);
    let claimed = Record {
        claim: Some(close),
        ..blocked
    };
    assert_eq!(claimed.unblock_claimed().blocked, None);
}

#[test]
fn a_ticket_that_a_person_asks_for_again_is_in_the_timeline() {
    let closed = open(&[raised(1)]).with_closed(77, 1, ClosedBy::Technician, at(9));
    let again = closed.opened_again(at(20));
    assert_eq!(again.occurrence, 2);
    let asked = again.trail.steps().into_iter().next_back();
    let asked = asked.map(|step| (step.at, step.what.clone()));
    assert_eq!(asked, Some((at(20), StepKind::AskedAgain)));
}

#[test]
fn a_snapshot_resolves_only_what_was_received_before_it() {
    let desired = open(&[raised(1)]).desired;
    let received = desired.last_received_at.unwrap();
    let absent = |taken_at| Resolution::Absent {
        snapshot_id: SnapshotId::parse("s1").unwrap(),
        taken_at,
    };
    assert!(!desired.is_resolved_by(&absent(received)));
    let after = later(received, SignedDuration::from_nanos(1));
    assert!(desired.is_resolved_by(&absent(after)));
}

#[test]
fn the_text_of_an_older_event_does_not_replace_a_newer_one() {
    let titled = |second, title: &str| {
        let mut particulars = particulars();
        particulars.payload.title = title.to_owned();
        event(second, AlertChange::Raised(particulars))
    };
    let (older, newer) = (titled(1, "older"), titled(5, "newer"));
    let record = open(&[older.clone(), newer.clone()]).with_payload(newer.payload());
    assert_eq!(record.text(Some(&older)), newer.payload());
    let stored = open(&[older.clone(), newer.clone()]).with_payload(older.payload());
    assert_eq!(stored.text(Some(&newer)), newer.payload());
}
