use std::collections::BTreeSet;

use super::*;
use crate::alert::record::{Op, OpenTicket};
use crate::fixtures::{at, key, new_claim};
use crate::setup::settings::BoardTarget;
use crate::ticketing::manual_change::field_hash;
use crate::{ClaimId, TicketRef};

const OWN: &str = "ticketbridge";

fn fields() -> TicketFields {
    TicketFields {
        board: Some(2),
        status: Some(21),
        priority: Some(3),
        kind_type: Some(9),
        summary: field_hash(&["Disk full"]),
        details: field_hash(&["0", "Medium", "Medium", ""]),
        ..TicketFields::default()
    }
}

fn open(made: Option<TicketFields>) -> OpenTicket {
    let claim = new_claim(Op::Create, TicketRef::new(&key(), 1), at(0));
    OpenTicket {
        made: made.map(Box::new),
        ..OpenTicket::new(77, Some(2), &claim, at(1))
    }
}

fn target() -> BoardTarget {
    BoardTarget {
        board: Some(2),
        start_status: Some(20),
        ..BoardTarget::default()
    }
}

fn activity() -> TicketActivity {
    TicketActivity {
        fields: fields(),
        entered_by: Some(OWN.into()),
        updated_by: Some("zAdmin".into()),
        ..TicketActivity::default()
    }
}

fn note(text: &str) -> TicketEntry {
    TicketEntry {
        is_note: true,
        text: text.into(),
        member: None,
        is_of_contact: false,
    }
}

fn own_notes() -> Vec<TicketEntry> {
    use crate::alert::record::{Claim, NoteKind};
    use crate::ticketing::note_mark::{NoteAudience, note_mark, opening};
    let claim = Claim {
        id: ClaimId::parse("c-9").unwrap(),
        ..new_claim(Op::Patch, TicketRef::new(&key(), 1), at(5))
    };
    let mut notes = vec![note(
        "Tenant: contoso\nSeverity: high\nRaised: 2026-11-22 07:30:00 UTC",
    )];
    for kind in NoteKind::ALL {
        for audience in [NoteAudience::Technicians, NoteAudience::Customers] {
            let mark = note_mark(kind, &claim, audience);
            notes.push(note(&format!("{} and so on.\n{mark}", opening(kind))));
            // Some sites replace line breaks.
            notes.push(note(&format!("{} and so on. {mark}", opening(kind))));
        }
    }
    notes.push(TicketEntry {
        member: Some("TicketBridge".into()),
        ..note("A text that a site changed")
    });
    notes
}

#[test]
fn ticketbridges_own_notes_are_no_work_of_a_person() {
    for own in own_notes() {
        let change = change_by_person(&activity(), std::slice::from_ref(&own));
        assert_eq!(change, None, "{own:?}");
    }
}

#[test]
fn what_only_a_person_does_counts_as_a_persons() {
    let entry = |entry: TicketEntry| (activity(), vec![entry]);
    let flag = |set: fn(&mut TicketActivity)| {
        let mut seen = activity();
        set(&mut seen);
        (seen, own_notes())
    };
    let quoted = "The alert is resolved: it was. [tb closing c-9]\n\nThanks, I will look.";
    for ((seen, entries), expected) in [
        (entry(note("Called the customer.")), ManualChange::Note),
        (entry(note("")), ManualChange::Note),
        (entry(note(quoted)), ManualChange::Note),
        (
            entry(TicketEntry {
                member: Some("jdoe".into()),
                ..own_notes()[3].clone()
            }),
            ManualChange::Note,
        ),
        (
            entry(TicketEntry {
                is_of_contact: true,
                ..note("It works again")
            }),
            ManualChange::CustomerReply,
        ),
        (
            entry(TicketEntry {
                is_note: false,
                ..own_notes()[1].clone()
            }),
            ManualChange::TimeEntry,
        ),
        (flag(|seen| seen.has_hours = true), ManualChange::TimeEntry),
        (
            flag(|seen| seen.is_customer_updated = true),
            ManualChange::CustomerReply,
        ),
        (
            flag(|seen| seen.has_children = true),
            ManualChange::Children,
        ),
        (flag(|seen| seen.has_parent = true), ManualChange::Parent),
        (flag(|seen| seen.has_merged = true), ManualChange::Merge),
    ] {
        assert_eq!(change_by_person(&seen, &entries), Some(expected));
    }
}

#[test]
fn each_field_that_differs_is_a_change() {
    type Set = fn(&mut TicketFields);
    let changes: [(Set, ManualChange); 14] = [
        (|seen| seen.board = Some(3), ManualChange::Board),
        (|seen| seen.status = Some(22), ManualChange::Status),
        (|seen| seen.status = None, ManualChange::Status),
        (|seen| seen.owner = Some(5), ManualChange::Owner),
        (
            |seen| seen.resources = Some("jdoe".into()),
            ManualChange::Resources,
        ),
        (|seen| seen.team = Some(5), ManualChange::Team),
        (|seen| seen.priority = Some(1), ManualChange::Priority),
        (|seen| seen.priority = None, ManualChange::Priority),
        (|seen| seen.kind_type = None, ManualChange::Type),
        (|seen| seen.subtype = Some(4), ManualChange::Type),
        (|seen| seen.item = Some(4), ManualChange::Type),
        (
            |seen| seen.summary = field_hash(&["Disk"]),
            ManualChange::Summary,
        ),
        (
            |seen| seen.details = field_hash(&["7"]),
            ManualChange::Details,
        ),
        (
            |seen| (seen.board, seen.status) = (Some(3), Some(20)),
            ManualChange::Board,
        ),
    ];
    for (set, expected) in changes {
        let mut seen = fields();
        set(&mut seen);
        let change = changed_field(&open(Some(fields())), &target(), &seen);
        assert_eq!(change, Some(expected), "{seen:?}");
    }
}

#[test]
fn a_ticket_as_it_was_made_is_not_changed() {
    fn is_changed(made: Option<TicketFields>, seen: &TicketFields) -> bool {
        changed_field(&open(made), &target(), seen).is_some()
    }
    assert!(!is_changed(Some(fields()), &fields()));
    // The configured start status is not a person's choice.
    let started = TicketFields {
        status: Some(20),
        ..fields()
    };
    assert!(!is_changed(Some(fields()), &started));
    // A rule assigned it before the answer to its creation.
    let assigned = TicketFields {
        owner: Some(5),
        resources: Some("jdoe".into()),
        ..fields()
    };
    assert!(!is_changed(Some(assigned.clone()), &assigned));
    // Without that answer, only the usual values of a new ticket are known.
    assert!(!is_changed(None, &started));
    assert!(is_changed(None, &fields()), "another status");
    let with = |set: fn(&mut TicketFields)| {
        let mut seen = started.clone();
        set(&mut seen);
        seen
    };
    assert!(is_changed(None, &with(|seen| seen.owner = Some(5))));
    assert!(is_changed(
        None,
        &with(|seen| seen.resources = Some("jdoe".into()))
    ));
    assert!(is_changed(None, &with(|seen| seen.board = Some(3))));
}

#[test]
fn a_field_that_differs_is_a_persons_change_if_a_person_wrote_last() {
    let find = |seen: &TicketActivity| {
        find_manual_change(&open(Some(fields())), &target(), seen, &own_notes())
    };
    assert_eq!(find(&activity()), Finding::Untouched);
    let mut seen = activity();
    seen.fields.owner = Some(5);
    assert_eq!(find(&seen), Finding::Differs(ManualChange::Owner));
    seen.updated_by = Some("TicketBridge".into());
    assert_eq!(find(&seen), Finding::Differs(ManualChange::Owner));
    seen.updated_by = Some("jdoe".into());
    assert_eq!(find(&seen), Finding::Changed(ManualChange::Owner));
    seen.fields.owner = None;
    assert_eq!(find(&seen), Finding::Changed(ManualChange::Other));
    seen.has_hours = true;
    assert_eq!(find(&seen), Finding::Changed(ManualChange::TimeEntry));
}

#[test]
fn the_audit_trail_decides_whether_a_rule_made_a_change() {
    let is_rule = |authors: &[&str]| is_without_person(authors.iter().copied(), &activity());
    assert!(is_rule(&["TicketBridge", "zAdmin"]));
    assert!(is_rule(&[OWN]));
    assert!(!is_rule(&[OWN, "jdoe", "zAdmin"]));
    assert!(!is_rule(&["zAdmin", ""]), "an entry without an author");
    assert!(!is_rule(&[]), "an empty trail shows nothing");
    let unknown = TicketActivity {
        entered_by: None,
        ..activity()
    };
    assert!(!is_without_person([OWN], &unknown));
}

#[test]
fn each_change_has_words_of_its_own() {
    let changes = [
        ManualChange::Note,
        ManualChange::TimeEntry,
        ManualChange::CustomerReply,
        ManualChange::Children,
        ManualChange::Parent,
        ManualChange::Merge,
        ManualChange::Board,
        ManualChange::Status,
        ManualChange::Owner,
        ManualChange::Resources,
        ManualChange::Team,
        ManualChange::Priority,
        ManualChange::Type,
        ManualChange::Summary,
        ManualChange::Details,
        ManualChange::Other,
        ManualChange::Unknown,
    ];
    let words: BTreeSet<&str> = changes.iter().map(|change| change.words()).collect();
    assert_eq!(words.len(), changes.len());
    assert_eq!(
        ManualChange::Merge.words(),
        "another ticket was merged into it"
    );
}
