use super::*;
use crate::alert::blocked::CallRefusal;
use crate::alert::figures::DayCounts;
use crate::alert::fold::fold;
use crate::alert::op::NoteKind;
use crate::alert::record::{Claim, OpenTicket, Record};
use crate::fixtures::{RETENTION, at, key, new_claim, raised, resolved};

/// What a technician would read, a line a step.
fn lines(record: &Record) -> Vec<String> {
    let steps = record.trail.steps().into_iter();
    steps
        .map(|step| {
            let json = serde_json::to_value(&step.what).unwrap();
            let name = json["step"].as_str().unwrap().to_owned();
            format!("{} {name}", step.at.duration_since(at(0)).as_secs())
        })
        .collect()
}

/// A claimed write that began at this time.
fn started(op: Op, record: &Record, second: i64) -> Claim {
    new_claim(op, record.occurrence_ref(), at(second))
}

fn open_ticket(record: &Record, second: i64) -> OpenTicket {
    OpenTicket::new(77, None, &started(Op::Create, record, second), at(second))
}

/// A stored record of an alert that was raised and has a ticket.
fn with_ticket() -> Record {
    let record = fold(Record::new(key()), &raised(1)).to_stored();
    let create = started(Op::Create, &record, 2);
    let record = record.with_claim(create).to_stored();
    let open = open_ticket(&record, 3);
    record.with_open(open).to_stored()
}

#[test]
fn a_ticket_that_is_closed_leaves_four_steps() {
    let record = fold(with_ticket(), &resolved(12)).to_stored();
    let close = started(Op::Close, &record, 13);
    let record = record.with_claim(close).to_stored();
    let ticket = record.open().unwrap().ticket_id;
    let record = record
        .with_closed(ticket, 1, ClosedBy::Us, at(20))
        .to_stored();
    assert_eq!(
        lines(&record),
        ["1 raised", "3 opened", "12 resolved", "20 closed"]
    );
}

#[test]
fn a_write_in_progress_is_a_step_until_its_outcome() {
    let record = fold(Record::new(key()), &raised(1)).to_stored();
    let create = started(Op::Create, &record, 2);
    let record = record.with_claim(create).to_stored();
    assert_eq!(lines(&record), ["1 raised", "2 started"]);
    let unclear = record.clone().with_unknown_outcome(None, at(9)).to_stored();
    let open = open_ticket(&unclear, 30);
    let adopted = unclear.with_open(open).to_stored();
    assert_eq!(
        lines(&adopted),
        ["1 raised", "2 started", "9 unclear", "30 opened"]
    );
}

#[test]
fn a_new_priority_or_type_stays_a_step_when_a_note_follows() {
    for op in [Op::Patch, Op::SetType] {
        let record = with_ticket();
        let write = started(op, &record, 20);
        let open = record.open().unwrap().clone();
        let record = record.with_claim(write).to_stored();
        let noted = OpenTicket {
            last_note_at: Some(at(30)),
            ..open
        };
        let record = record.with_open(noted).to_stored();
        assert_eq!(
            lines(&record),
            ["1 raised", "3 opened", "20 started", "30 noted"],
            "{op:?}"
        );
    }
}

#[test]
fn a_state_that_goes_on_is_one_step() {
    let mut record = with_ticket();
    for second in 10..30 {
        record = fold(record, &raised(second)).to_stored();
    }
    let steps = record.trail.steps();
    let last = &steps.last().unwrap().what;
    assert!(
        matches!(last, StepKind::Repeated { count: 20, .. }),
        "{last:?}"
    );
    assert_eq!(steps.len(), 3);
    let refused = |record: Record, second| {
        let refusal = CallRefusal {
            op: Some(Op::Note(NoteKind::Repeats)),
            words: "no".to_owned(),
            record: None,
        };
        let note = started(Op::Note(NoteKind::Repeats), &record, second - 1);
        let claimed = record.with_claim(note).to_stored();
        let released = Record {
            claim: None,
            ..claimed
        };
        let reason = Blocked::Rejected("no".to_owned());
        released
            .with_refusal(reason, refusal, None, at(second))
            .to_stored()
    };
    for second in [100, 200, 300] {
        record = refused(record, second);
    }
    let steps = record.trail.steps();
    let last = steps.last().unwrap();
    assert_eq!(last.at, at(300));
    assert!(
        matches!(&last.what, StepKind::Blocked { times: 3, answer: Some(answer), .. } if answer == "no"),
        "{last:?}"
    );
    assert_eq!(steps.len(), 4);
}

#[test]
fn a_resolve_that_is_sent_again_is_one_step() {
    let mut record = with_ticket();
    for second in [12, 13, 14] {
        record = fold(record, &resolved(second)).to_stored();
    }
    assert_eq!(lines(&record), ["1 raised", "3 opened", "12 resolved"]);
}

#[test]
fn storing_the_same_record_again_adds_nothing() {
    let record = fold(with_ticket(), &resolved(12)).to_stored();
    let again = record.to_stored();
    assert_eq!(again.trail, record.trail);
    assert_eq!(again.rev, record.rev + 1);
}

#[test]
fn a_trail_has_at_most_forty_steps_and_takes_back_no_old_one() {
    let mut record = with_ticket();
    for second in (100..).step_by(10).take(60) {
        record = fold(record, &resolved(second)).to_stored();
        record = fold(record, &raised(second + 5)).to_stored();
        assert!(record.trail.steps().len() <= MAX_STEPS);
    }
    assert!(record.trail.is_cut());
    let times: Vec<_> = record.trail.steps.iter().map(|step| step.at).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(times[1], at(3), "how it began stays");
    assert!(times[FIRST_STEPS] > at(200), "{times:?}");
    let size = serde_json::to_string(&record.trail).unwrap().len();
    assert!(size < 8 * 1024, "{size} bytes");
}

#[test]
fn a_tombstone_has_no_trail() {
    let ticket = 77;
    let record = fold(with_ticket(), &resolved(12))
        .with_closed(ticket, 1, ClosedBy::Us, at(20))
        .to_stored();
    let later = at(20 + 91 * 24 * 3600);
    let tombstone = record.shrink(RETENTION, later).to_stored();
    assert!(tombstone.trail.is_empty() && tombstone.summary.is_none());
    assert_eq!(tombstone.listed_at(), None);
    let again = fold(tombstone, &raised(20 + 92 * 24 * 3600)).to_stored();
    assert_eq!(again.occurrence, 2);
    let names = lines(&again);
    assert!(names.last().unwrap().ends_with("raised"), "{names:?}");
}

fn blocked(record: Record, reason: Blocked, second: i64) -> Record {
    record.with_blocked(reason, None, at(second)).to_stored()
}

#[test]
fn what_a_record_shows_is_counted_once() {
    let record = with_ticket();
    let noted = OpenTicket {
        last_note_at: Some(at(30)),
        ..open_ticket(&record, 3)
    };
    let record = fold(record, &raised(20)).to_stored();
    let record = record.with_open(noted).to_stored();
    let record = fold(record, &resolved(40)).to_stored();
    let record = record.with_closed(77, 1, ClosedBy::Us, at(50)).to_stored();
    let expected = DayCounts {
        raised: 1,
        created: 1,
        noted: 1,
        closed: 1,
        delays: vec![2],
        ..DayCounts::default()
    };
    assert_eq!(record.figures.total(), expected);
    assert_eq!(record.to_stored().figures.total(), expected, "stored again");
}

#[test]
fn a_ticket_is_late_only_by_an_outage_and_fast_only_without_a_person() {
    let ticket_after = |reasons: &[Blocked]| {
        let mut record = fold(Record::new(key()), &raised(1)).to_stored();
        for (second, reason) in (10..).zip(reasons) {
            record = blocked(record, reason.clone(), second);
        }
        let open = open_ticket(&record, 101);
        let sum = record.with_open(open).to_stored().figures.total();
        assert_eq!(sum.created, 1);
        (sum.late, sum.delays)
    };
    let (outage, person) = (Blocked::ConnectionUnavailable, Blocked::Unmapped);
    assert_eq!(ticket_after(&[]), (0, vec![100]));
    assert_eq!(ticket_after(std::slice::from_ref(&outage)), (1, vec![100]));
    assert_eq!(ticket_after(std::slice::from_ref(&person)), (0, vec![]));
    assert_eq!(ticket_after(&[person, outage]), (1, vec![]));
}

#[test]
fn a_second_ticket_for_the_same_raise_has_no_delay() {
    let record = with_ticket();
    let ended = record.with_closed(77, 1, ClosedBy::Deleted, at(50));
    let record = ended.to_stored();
    let again = OpenTicket {
        ticket_id: 78,
        ..open_ticket(&record, 9_000)
    };
    let sum = record.with_open(again).to_stored().figures.total();
    let counts = (sum.raised, sum.created, sum.closed_by_person, sum.delays);
    assert_eq!(counts, (1, 2, 1, vec![2]));
}

#[test]
fn a_ticket_that_ended_before_it_was_found_was_created_too() {
    let record = fold(Record::new(key()), &raised(1)).to_stored();
    let found = record.with_closed(77, 1, ClosedBy::Technician, at(50));
    let record = found.to_stored();
    assert_eq!(lines(&record), ["1 raised", "50 opened", "50 closed"]);
    let sum = record.figures.total();
    assert_eq!((sum.created, sum.closed_by_person), (1, 1));
}

#[test]
fn figures_of_an_alert_go_back_90_days() {
    let day = 24 * 3600;
    let mut record = with_ticket();
    for occurrence in 1..120 {
        let second = occurrence * day;
        record = fold(record, &resolved(second)).to_stored();
        record = fold(record, &raised(second + 5)).to_stored();
    }
    assert_eq!(record.figures.days.len(), 90);
    let size = serde_json::to_string(&record.figures).unwrap().len();
    assert!(size < 4_000, "{size} bytes");
}

#[test]
fn a_reopened_ticket_that_is_in_reach_again_was_reopened_once() {
    let record = fold(with_ticket(), &resolved(12)).to_stored();
    let record = record.with_closed(77, 1, ClosedBy::Us, at(20)).to_stored();
    let record = fold(record, &raised(30)).to_stored();
    let reopen = started(Op::Reopen, &record, 31);
    let reopened = |second| OpenTicket::reopened(77, None, &reopen, at(second));
    let record = record.with_open(reopened(32)).to_stored();
    let record = record.with_closed(77, 1, ClosedBy::OutOfReach, at(40));
    let found = record.to_stored().with_open(reopened(50)).to_stored();
    let counts = found.figures.days.values();
    assert_eq!(counts.map(|counts| counts.reopened).sum::<u32>(), 1);
    // It can be closed and reopened once more.
    let closed = found.with_closed(77, 1, ClosedBy::Us, at(60)).to_stored();
    let again = fold(closed, &raised(70))
        .with_open(reopened(72))
        .to_stored();
    let counts = again.figures.days.values();
    assert_eq!(counts.map(|counts| counts.reopened).sum::<u32>(), 2);
}

#[test]
fn the_step_of_a_note_says_why_it_was_written() {
    let record = with_ticket();
    let note = Claim {
        reason: "repeated".to_owned(),
        ..started(Op::Note(NoteKind::Repeats), &record, 20)
    };
    let open = record.open().unwrap().clone();
    let record = record.with_claim(note).to_stored();
    let noted = OpenTicket {
        last_note_at: Some(at(22)),
        ..open
    };
    let record = record.with_open(noted).to_stored();
    let steps = record.trail.steps();
    let StepKind::Noted { reason, .. } = &steps.last().unwrap().what else {
        unreachable!("{steps:?}");
    };
    assert_eq!(reason.as_deref(), Some("repeated"));
    // It is the same step when the record is stored again.
    let again = record.clone().to_stored();
    assert_eq!(again.trail, record.trail);
    assert_eq!(lines(&record), ["1 raised", "3 opened", "22 noted"],);
}

#[test]
fn a_release_by_a_person_is_a_step_and_a_retry_is_none() {
    let record = fold(Record::new(key()), &raised(1)).to_stored();
    let old = record.with_blocked(Blocked::OlderThanBackfill, None, at(2));
    let old = old.to_stored();
    let released = old.clone().released_by_person(at(9)).to_stored();
    assert_eq!(lines(&released), ["1 raised", "2 blocked", "9 released"]);
    // The message may be received twice.
    let twice = released.clone().released_by_person(at(10)).to_stored();
    assert_eq!(twice.trail, released.trail);
    // Reconcile retries what ConnectWise refused.
    assert_eq!(
        lines(&old.released().to_stored()),
        ["1 raised", "2 blocked"]
    );
    // Nothing that waits for a person.
    let unmapped = fold(Record::new(key()), &raised(1)).to_stored();
    let unmapped = unmapped.with_blocked(Blocked::Unmapped, None, at(2));
    let unmapped = unmapped.released_by_person(at(9)).to_stored();
    assert_eq!(lines(&unmapped), ["1 raised", "2 blocked"]);
}
