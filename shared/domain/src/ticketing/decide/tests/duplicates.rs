//! Duplicate tickets.

use super::*;

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
        Decision::Write(note(NoteContent::Closing {
            only_untouched: false
        }))
    );
}

#[test]
fn a_duplicate_closes_without_notes_if_the_right_is_missing() {
    let mut view = view();
    view.breaker.missing_rights = [rights::TICKETS_ADD.to_owned()].into();
    let record = folded(&[raised(1)]).with_open(open());
    let record = record.with_duplicate(duplicate(1));
    assert_eq!(
        next_in(&record, &view, 13),
        Decision::Write(TicketWrite::Repair(duplicate(1)))
    );
}

#[test]
fn no_duplicate_of_another_epoch_is_written() {
    let elsewhere = folded(&[raised(1)]).with_open(open());
    let elsewhere = elsewhere.with_duplicate(duplicate(2));
    assert_eq!(next(&elsewhere, 13), Decision::Nothing(Idle::UpToDate));
    let stays_elsewhere = OpenTicket { epoch: 2, ..open() };
    let noted = Duplicate {
        noted: true,
        ..duplicate(1)
    };
    let record = folded(&[raised(1)]).with_open(stays_elsewhere);
    let record = record.with_duplicate(noted.clone());
    assert_eq!(
        next(&record, 13),
        Decision::Write(TicketWrite::Repair(noted))
    );
}
