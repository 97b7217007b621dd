use super::*;
use crate::alert::event::{AlertChange, Event, Severity};
use crate::alert::fold::fold;
use crate::alert::record::Recheck;
use crate::fixtures::{self, RETENTION, SETTLE, at, claim, key, open, raised, resolved};
use crate::ticketing::manual_change::TicketFields;
use crate::{Kind, TicketRef};

fn found() -> FoundTicket {
    FoundTicket {
        ticket_id: 77,
        ticket_ref: Some(TicketRef::new(&key(), 1)),
        board_id: Some(2),
        company_id: Some(19),
        entered_at: Some(at(10)),
        raised_at: Some(at(1)),
        closed: false,
        closed_at: None,
        merged: false,
        touched: false,
        action: None,
    }
}

fn closed(second: i64) -> FoundTicket {
    FoundTicket {
        closed: true,
        closed_at: Some(at(second)),
        ..found()
    }
}

fn seen(ticket: FoundTicket) -> ObservedTicket {
    ObservedTicket {
        ticket: Some(ticket),
        is_noted: false,
        priority: None,
        ticket_type: None,
    }
}

/// The record after the ticket was looked at, at these seconds, until the claim ends.
fn looked(mut record: Record, claim: &Claim, seen: &ObservedTicket, looks: &[i64]) -> Record {
    record = record.with_claim(claim.clone());
    for second in looks {
        let Some(claim) = record.claim.clone() else {
            break;
        };
        record = apply_observation(record, &claim, seen, SETTLE, at(*second), at(*second));
    }
    record
}

/// Both looks that end a claim start after the settling time.
const ALL_LOOKS: [i64; 4] = [35, 260, 620, 650];

fn ended(record: &Record) -> Option<ClosedBy> {
    match &record.actual {
        Some(Actual::Closed(closed)) => Some(closed.by),
        Some(Actual::Open(_)) | None => None,
    }
}

#[test]
fn repeats_are_noted_once_per_interval() {
    let record = open(&[raised(1), raised(12), raised(13)]);
    let claim = claim(Op::Note(NoteKind::Repeats), &record);
    let after = apply_effect(record, &claim, &WriteEffect::Noted, at(21));
    let open = after.open().unwrap();
    assert_eq!((open.noted_repeats, open.last_note_at), (2, Some(at(21))));
    assert_eq!(after.claim, None);
}

#[test]
fn a_note_contains_the_title_unless_it_changed_after_the_claim() {
    let renamed = |second| {
        let mut event = raised(second);
        if let AlertChange::Raised(particulars) = &mut event.change {
            particulars.payload.title = "Another title".to_owned();
        }
        event
    };
    let due = |record: &Record| record.open().unwrap().title_note_at;
    let record = open(&[raised(1), raised(12), renamed(13)]);
    assert_eq!(due(&record), Some(at(13)));
    let before = claim(Op::Note(NoteKind::Repeats), &open(&[raised(1), raised(12)]));
    let noted = apply_effect(record.clone(), &before, &WriteEffect::Noted, at(21));
    assert_eq!(due(&noted), Some(at(13)));
    let of_all = claim(Op::Note(NoteKind::Repeats), &record);
    let noted = apply_effect(record, &of_all, &WriteEffect::Noted, at(21));
    assert_eq!(due(&noted), None);
}

#[test]
fn a_note_reports_only_repeats_of_its_own_raise() {
    let record = open(&[raised(1), raised(12), raised(13)]);
    let claim = claim(Op::Note(NoteKind::Repeats), &record);
    let record = fold(fold(record, &resolved(22)), &raised(23));
    let open = apply_effect(record, &claim, &WriteEffect::Noted, at(24));
    assert_eq!(open.open().unwrap().noted_repeats, 0);
}

#[test]
fn raises_with_one_time_differ_by_receipt() {
    let of_one_time = |event: Event| Event {
        occurred_at: at(1),
        ..event
    };
    let record = open(&[raised(1), raised(12), raised(13)].map(of_one_time));
    let claim = claim(Op::Note(NoteKind::Repeats), &record);
    let anew = [resolved(22), raised(23)].map(of_one_time);
    let record = anew.iter().fold(record, fold);
    let open = apply_effect(record, &claim, &WriteEffect::Noted, at(24));
    assert_eq!(open.open().unwrap().noted_repeats, 0);
}

#[test]
fn a_resolved_note_counts_until_the_next_raise() {
    for op in [Op::Note(NoteKind::Resolved), Op::Note(NoteKind::Closing)] {
        let record = open(&[raised(1), resolved(12)]);
        let claim = claim(op, &record);
        let noted = apply_effect(record.clone(), &claim, &WriteEffect::Noted, at(21));
        let ticket = noted.open().unwrap();
        assert!(ticket.noted_resolved);
        assert_eq!(ticket.last_note_at, Some(at(21)));
        let back = fold(record, &raised(14));
        let noted = apply_effect(back, &claim, &WriteEffect::Noted, at(21));
        assert!(!noted.open().unwrap().noted_resolved, "{op:?}");
    }
}

#[test]
fn a_note_is_found_by_its_mark() {
    for op in [
        Op::Note(NoteKind::Repeats),
        Op::Note(NoteKind::Resolved),
        Op::Note(NoteKind::Closing),
    ] {
        let record = open(&[raised(1), raised(12)]);
        let claim = claim(op, &record);
        let record = fold(record, &resolved(30));
        let seen = ObservedTicket {
            is_noted: true,
            ..seen(found())
        };
        let record = looked(record, &claim, &seen, &ALL_LOOKS[..1]);
        assert_eq!(record.claim, None, "{op:?}");
        let open = record.open().unwrap();
        assert_eq!(open.last_note_at, Some(at(35)), "{op:?}");
        assert_eq!(open.noted_resolved, op != Op::Note(NoteKind::Repeats));
    }
}

#[test]
fn a_write_is_given_up_after_two_empty_lookups() {
    for (op, is_looked_for_again) in [
        (Op::Note(NoteKind::Repeats), false),
        (Op::Note(NoteKind::Resolved), false),
        (Op::Note(NoteKind::Closing), false),
        (Op::Patch, false),
        (Op::Close, true),
        (Op::Repair, false),
    ] {
        let record = open(&[raised(1), resolved(12)]);
        let claim = claim(op, &record);
        let waiting = looked(record.clone(), &claim, &seen(found()), &ALL_LOOKS[..3]);
        assert!(waiting.claim.is_some(), "{op:?}");
        let given_up = looked(record, &claim, &seen(found()), &ALL_LOOKS);
        assert_eq!(given_up.claim, None, "{op:?}");
        assert_eq!(given_up.rechecks.len(), usize::from(is_looked_for_again));
        assert!(given_up.open().is_some(), "{op:?}");
    }
}

#[test]
fn a_persons_change_counts_once_the_write_has_settled() {
    for op in [
        Op::Note(NoteKind::Repeats),
        Op::Note(NoteKind::Resolved),
        Op::Note(NoteKind::Closing),
        Op::Patch,
    ] {
        let record = open(&[raised(1)]);
        let claim = claim(op, &record);
        let waiting = looked(record.clone(), &claim, &seen(closed(30)), &ALL_LOOKS[..3]);
        assert!(
            waiting.claim.is_some() && waiting.open().is_some(),
            "{op:?}"
        );
        let record = looked(record, &claim, &seen(closed(30)), &ALL_LOOKS);
        assert_eq!(ended(&record), Some(ClosedBy::Technician), "{op:?}");
        assert_eq!(record.occurrence, 1, "it never ended");
    }
}

#[test]
fn a_deleted_ticket_ends_the_claim() {
    for op in [Op::Note(NoteKind::Resolved), Op::Patch, Op::Close] {
        let record = open(&[raised(1)]);
        let claim = claim(op, &record);
        let deleted = ObservedTicket {
            ticket: None,
            is_noted: false,
            priority: None,
            ticket_type: None,
        };
        let record = looked(record, &claim, &deleted, &ALL_LOOKS[..1]);
        assert_eq!(ended(&record), Some(ClosedBy::Deleted), "{op:?}");
    }
}

#[test]
fn a_late_close_lets_a_newer_raise_get_a_ticket() {
    let record = open(&[raised(1), resolved(12)]);
    let claim = claim(Op::Close, &record);
    let record = fold(record, &raised(30));
    let record = looked(record, &claim, &seen(closed(34)), &ALL_LOOKS[..1]);
    assert_eq!((ended(&record), record.occurrence), (Some(ClosedBy::Us), 2));
}

/// Another one can be closed by a person while Ticketbridge's close is pending.
#[test]
fn a_close_can_be_late_only_until_it_has_settled() {
    for (looks, may_come) in [(1, true), (2, true), (3, false)] {
        let record = open(&[raised(1), resolved(12)]);
        let claim = claim(Op::Close, &record);
        let (last, before) = ALL_LOOKS[..looks].split_last().unwrap();
        let record = looked(record, &claim, &seen(found()), before);
        let claim = record.claim.clone().unwrap();
        let record = apply_observation(
            record,
            &claim,
            &seen(closed(34)),
            SETTLE,
            at(*last),
            at(*last),
        );
        assert_eq!(ended(&record), Some(ClosedBy::Us));
        assert_eq!(record.rechecks.len(), usize::from(may_come), "{looks}");
    }
}

#[test]
fn a_given_up_close_that_takes_effect_was_ticketbridges() {
    let record = open(&[raised(1), resolved(12)]);
    let claim = claim(Op::Close, &record);
    let again = raised(30);
    let record = fold(record, &again);
    let record = looked(record, &claim, &seen(found()), &ALL_LOOKS);
    let record = record.with_nothing_to_do(Some(&again));
    assert_eq!(
        record.payload.as_ref(),
        again.payload(),
        "the next ticket needs it"
    );
    let [recheck] = record.rechecks.to_vec().try_into().unwrap();
    assert_eq!(
        (recheck.op, record.next_check_at(RETENTION)),
        (Op::Close, Some(recheck.at))
    );

    let technician = closed(5000).ended(&recheck.ticket_ref, 19).unwrap();
    let looked_at = record.clone().with_closed(77, 1, technician, at(5010));
    let searched =
        crate::ticketing::adopt::apply_recheck(record.clone(), &recheck, &[closed(5000)], at(5010));
    for record in [looked_at, searched] {
        assert_eq!((ended(&record), record.occurrence), (Some(ClosedBy::Us), 2));
        assert_eq!(record.rechecks, []);
        assert_eq!(record.text(None), again.payload());
    }
    let still = crate::ticketing::adopt::apply_recheck(record, &recheck, &[found()], at(5010));
    assert!(still.open().is_some() && still.rechecks[0].last);
}

#[test]
fn a_late_close_is_searched_only_while_the_ticket_is_open() {
    let record = open(&[raised(1), resolved(12)]);
    let claim = claim(Op::Close, &record);
    let record = looked(record, &claim, &seen(closed(30)), &[35]);
    assert_eq!(ended(&record), Some(ClosedBy::Us));
    let counts = |record: &Record| (record.rechecks.len(), record.pending_rechecks().count());
    assert_eq!(counts(&record), (1, 0));
    let reopened = OpenTicket::new(77, Some(2), &claim, at(40));
    assert_eq!(counts(&record.clone().with_open(reopened)), (1, 1));
    let next_at = |second| {
        let claim = Claim {
            began_at: at(second),
            ..claim.clone()
        };
        counts(&record.clone().with_claim(claim))
    };
    assert_eq!(next_at(619), (1, 0));
    assert_eq!(next_at(620), (0, 0), "it has settled");
}

#[test]
fn without_a_pending_close_a_technician_closed_the_ticket() {
    let record = open(&[raised(1)]);
    let technician = closed(50).ended(&record.occurrence_ref(), 19).unwrap();
    let record = record.with_closed(77, 1, technician, at(60));
    assert_eq!(
        (ended(&record), record.occurrence),
        (Some(ClosedBy::Technician), 1)
    );
}

/// The source has resolved and raised it again since. That raise is newer than the technician's
/// close.
#[test]
fn only_a_raise_after_a_technicians_close_gets_a_ticket() {
    for (closed_at, occurrence) in [(25, 2), (35, 1)] {
        let record = open(&[raised(1), resolved(20), raised(30)]);
        let technician = closed(closed_at)
            .ended(&record.occurrence_ref(), 19)
            .unwrap();
        let record = record.with_closed(77, 1, technician, at(60));
        assert_eq!(record.occurrence, occurrence, "closed at {closed_at}");
    }
}

#[test]
fn a_slow_connectwise_clock_makes_no_raise_look_new() {
    let behind = |second: i64| at(second - 7200);
    let found = FoundTicket {
        entered_at: Some(behind(10)),
        closed: true,
        closed_at: Some(behind(500)),
        ..found()
    };
    let record = open(&[raised(1), raised(400)]);
    let technician = found.ended(&record.occurrence_ref(), 19).unwrap();
    assert!(technician.at >= Some(at(400)));
    assert_eq!(record.with_closed(77, 1, technician, at(600)).occurrence, 1);
}

#[test]
fn a_patch_took_effect_if_the_ticket_has_the_priority() {
    let record = with_ticket(|ticket| ticket.severity = Severity::Low);
    let claim = claim(Op::Patch, &record);
    let seen = ObservedTicket {
        priority: Some(1),
        ..seen(found())
    };
    let record = looked(record, &claim, &seen, &ALL_LOOKS[..1]);
    assert_eq!(record.open().unwrap().severity, Severity::High);
}

fn again() -> Record {
    let ended = open(&[raised(1), resolved(12)]);
    let closed = ended.with_closed(77, 1, ClosedBy::Us, at(15));
    fold(closed, &raised(18))
}

#[test]
fn a_reopened_ticket_still_needs_its_note() {
    let record = again();
    let claim = Claim {
        ticket_ref: TicketRef::new(&key(), 1),
        ..claim(Op::Reopen, &record)
    };
    let waiting = looked(record.clone(), &claim, &seen(closed(15)), &ALL_LOOKS[..3]);
    assert!(waiting.claim.is_some());
    let reopened = looked(record.clone(), &claim, &seen(found()), &ALL_LOOKS[..1]);
    let open = reopened.open().unwrap();
    assert!(open.owes_reopened_note);
    assert_eq!(reopened.ticket_ref(), TicketRef::new(&key(), 1));
    let noted = apply_effect(
        reopened,
        &Claim {
            op: Op::Note(NoteKind::Reopened),
            ..claim.clone()
        },
        &WriteEffect::Noted,
        at(40),
    );
    assert!(!noted.open().unwrap().owes_reopened_note);
}

#[test]
fn a_given_up_reopening_that_takes_effect_is_recorded() {
    let record = again();
    let claim = Claim {
        ticket_ref: TicketRef::new(&key(), 1),
        ..claim(Op::Reopen, &record)
    };
    let given_up = looked(record, &claim, &seen(closed(15)), &ALL_LOOKS);
    let [recheck]: [Recheck; 1] = given_up.rechecks.to_vec().try_into().unwrap();
    assert_eq!(recheck.op, Op::Reopen);
    assert_eq!(ended(&given_up), ended(&again()), "as before");
    let still =
        crate::ticketing::adopt::apply_recheck(given_up.clone(), &recheck, &[closed(15)], at(5000));
    assert!(still.open().is_none() && still.rechecks[0].last);
    let other = FoundTicket {
        ticket_id: 78,
        ..found()
    };
    let copied =
        crate::ticketing::adopt::apply_recheck(given_up.clone(), &recheck, &[other], at(5000));
    assert!(copied.open().is_none(), "a person's copy with its token");
    let late = crate::ticketing::adopt::apply_recheck(given_up, &recheck, &[found()], at(5000));
    assert_eq!(late.open().unwrap().ticket_id, 77);
    assert_eq!(late.ticket_ref(), TicketRef::new(&key(), 1));
    assert!(late.open().unwrap().owes_reopened_note);
}

#[test]
fn a_ticket_that_cannot_be_reopened_stays_closed() {
    let record = again();
    let claim = claim(Op::Reopen, &record);
    let moved = WriteEffect::Ended(TicketEnd::from(ClosedBy::Moved));
    let record = apply_effect(record, &claim, &moved, at(30));
    assert_eq!(ended(&record), Some(ClosedBy::Moved));
}

#[test]
fn of_two_duplicates_each_is_noted_named_and_closed() {
    let duplicate = |ticket_id| Duplicate {
        ticket_id,
        ticket_ref: TicketRef::new(&key(), 1),
        company_id: 19,
        epoch: 1,
        noted: false,
        noted_on_kept: false,
    };
    let mut record = open(&[raised(1)]);
    record = record
        .with_duplicate(duplicate(78))
        .with_duplicate(duplicate(79));
    let of = |op, ticket_id, record: &Record| Claim {
        ticket_id: Some(ticket_id),
        ..claim(op, record)
    };
    let flags = |record: &Record| {
        let flags = record.duplicates.iter();
        let flags = flags.map(|it| (it.ticket_id, it.noted, it.noted_on_kept));
        flags.collect::<Vec<_>>()
    };
    let noted = of(Op::Note(NoteKind::Duplicate), 78, &record);
    record = apply_effect(record, &noted, &WriteEffect::Noted, at(20));
    assert_eq!(flags(&record), [(78, true, false), (79, false, false)]);
    let named = of(Op::Note(NoteKind::Kept), 77, &record);
    record = apply_effect(record, &named, &WriteEffect::Noted, at(21));
    assert_eq!(flags(&record), [(78, true, true), (79, false, false)]);
    let closed = of(Op::Repair, 78, &record);
    record = apply_effect(record, &closed, &WriteEffect::Repaired, at(22));
    assert_eq!(flags(&record), [(79, false, false)]);
    let noted = of(Op::Note(NoteKind::Duplicate), 79, &record);
    let by_person = WriteEffect::Ended(TicketEnd::from(ClosedBy::Technician));
    record = apply_effect(record, &noted, &by_person, at(23));
    assert_eq!(flags(&record), [], "a person was faster");
    assert!(record.open().is_some());
}

/// Ticket 77 of an alert that is active, as it was changed.
fn with_ticket(change: impl FnOnce(&mut OpenTicket)) -> Record {
    let record = open(&[raised(1)]);
    let mut ticket = record.open().unwrap().clone();
    change(&mut ticket);
    record.with_open(ticket)
}

#[test]
fn a_ticket_that_is_left_open_owes_the_note_that_says_why() {
    let record = fold(
        with_ticket(|ticket| ticket.noted_resolved = true),
        &resolved(12),
    );
    for op in [Op::Note(NoteKind::Closing), Op::Close] {
        let claim = claim(op, &record);
        let left = WriteEffect::LeftOpen(ManualChange::TimeEntry);
        let record = record.clone().with_claim(claim.clone());
        let record = apply_effect(record, &claim, &left, at(20));
        let open = record.open().unwrap();
        assert_eq!(open.manual_change, Some(ManualChange::TimeEntry));
        assert!(!open.noted_resolved);
        assert_eq!(record.claim, None);
    }
}

#[test]
fn a_priority_that_ticketbridge_set_is_no_change_by_a_person() {
    let made = TicketFields {
        priority: Some(3),
        ..TicketFields::default()
    };
    let record = with_ticket(|ticket| ticket.made = Some(Box::new(made)));
    let claim = claim(Op::Patch, &record);
    let record = record.with_claim(claim.clone());
    let done = WriteEffect::Patched { priority: 1 };
    let record = apply_effect(record, &claim, &done, at(20));
    let made = record.open().unwrap().made.as_ref().unwrap();
    assert_eq!(made.priority, Some(1));
}

#[test]
fn a_type_that_ticketbridge_set_is_that_of_the_kind() {
    let (cpu, disk) = (Kind::parse("cpu").unwrap(), Kind::parse("disk").unwrap());
    let record = with_ticket(|ticket| {
        ticket.kind = Some(cpu);
        ticket.made = Some(Box::default());
    });
    let claim = Claim {
        kind: Some(disk.clone()),
        ..claim(Op::SetType, &record)
    };
    let set = WriteEffect::TypeSet(TicketType {
        kind_type: 5,
        subtype: Some(6),
        item: Some(7),
    });
    let record = apply_effect(record, &claim, &set, at(20));
    let open = record.open().unwrap();
    assert_eq!(open.kind, Some(disk));
    let made = open.made.as_ref().unwrap();
    let types = (made.kind_type, made.subtype, made.item);
    assert_eq!(types, (Some(5), Some(6), Some(7)));
}

#[test]
fn each_note_of_an_open_ticket_is_dated() {
    for kind in [
        NoteKind::Repeats,
        NoteKind::Resolved,
        NoteKind::Closing,
        NoteKind::Answer,
        NoteKind::Reopened,
    ] {
        let record = open(&[raised(1)]);
        let claim = claim(Op::Note(kind), &record);
        let noted = apply_effect(record, &claim, &WriteEffect::Noted, at(40));
        let dated = noted.open().unwrap().last_note_at;
        assert_eq!(dated, Some(at(40)), "{kind:?}");
    }
}

#[test]
fn the_note_about_a_reopening_reports_the_repeats_before_it() {
    let record = fold(again(), &raised(25));
    let claim = claim(Op::Reopen, &record);
    let done = WriteEffect::Reopened { board_id: Some(2) };
    let record = apply_effect(record, &claim, &done, at(30));
    assert_eq!(record.open().unwrap().noted_repeats, 1);
}

#[test]
fn a_duplicate_that_is_found_closed_needs_nothing_more() {
    let record = open(&[raised(1)]).with_duplicate(fixtures::duplicate(1));
    let claim = Claim {
        ticket_id: Some(78),
        ..claim(Op::Repair, &record)
    };
    let still = looked(record.clone(), &claim, &seen(found()), &ALL_LOOKS[..1]);
    assert_eq!(still.duplicates.len(), 1);
    let closed = looked(record, &claim, &seen(closed(30)), &ALL_LOOKS[..1]);
    assert_eq!((closed.duplicates, closed.claim), (vec![], None));
}
