mod actions;
mod blocked;
mod duplicates;
mod links;
mod recurrence;
mod uncertain;

use super::*;
use crate::alert::blocked::{BlockedSince, CallRefusal};
use crate::alert::event::{AlertChange, Event, Particulars, Severity};
use crate::alert::fold::fold;
use crate::alert::key::TicketRef;
use crate::alert::kind::Category;
use crate::alert::record::{NoteKind, OpenTicket, TicketEnd};
use crate::connection::breaker::Breaker;
use crate::fixtures::{
    self, RETENTION, SETTLE, at, duplicate, event, key, new_claim, raised, resolved,
};
use crate::maintenance::windows::MaintenanceWindows;
use crate::setup::assignment::Assignee;
use crate::setup::mapping::Mapping;
use crate::setup::settings::{OnResolve, Settings, TicketType};
use crate::ticketing::manual_change::ManualChange;
use crate::ticketing::write_effect::{WriteEffect, apply_effect};
use crate::{ClaimId, Kind};

fn particulars(severity: Severity, category: Category) -> Particulars {
    Particulars {
        severity,
        category,
        ..fixtures::particulars()
    }
}

fn worse(second: i64) -> Event {
    event(
        second,
        AlertChange::Updated(particulars(Severity::Critical, Category::Operations)),
    )
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
        maintenance: MaintenanceWindows::default(),
        admission: None,
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
        kind: None,
        last_note_at: None,
        noted_repeats: 0,
        noted_resolved: false,
        owes_reopened_note: false,
        title_note_at: None,
        ticket_ref: None,
        made: None,
        manual_change: None,
        action: None,
        link_at: None,
    }
}

fn claim(op: Op) -> Claim {
    new_claim(op, TicketRef::new(&key(), 1), at(0))
}

/// The open ticket with a note that its alert is resolved.
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
    next_in(record, &view(), now)
}

fn next_in(record: &Record, view: &ConnectionView, now: i64) -> Decision {
    decide(record, view, SETTLE, at(now))
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
fn a_new_ticket_gets_the_team_and_the_owner_that_are_chosen_for_its_alert() {
    let record = folded(&[raised(1)]);
    let mut view = view();
    let settings = &mut view.connection.as_mut().unwrap().settings;
    settings.operations.assignment.all = Assignee {
        team: Some(41),
        owner: Some(151),
    };
    let assignee = |view: &ConnectionView| {
        let Decision::Write(TicketWrite::Create(create)) = next_in(&record, view, 2) else {
            panic!()
        };
        create.assignee
    };
    let of_board = assignee(&view);
    assert_eq!((of_board.team, of_board.owner), (Some(41), Some(151)));
    let mapping = view.mapping.as_mut().unwrap();
    mapping.assignment.owner = Some(152);
    let of_tenant = assignee(&view);
    assert_eq!((of_tenant.team, of_tenant.owner), (Some(41), Some(152)));
}

#[test]
fn an_alert_resolved_before_its_ticket_makes_none() {
    for events in [[raised(1), resolved(2)], [resolved(2), raised(1)]] {
        assert_eq!(next(&folded(&events), 3), Decision::Nothing(Idle::Cleared));
    }
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
    assert_eq!(
        next(&record, 17),
        Decision::Nothing(Idle::NotedRecently {
            until: at(13 + 3600)
        })
    );
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
            priority: 1,
            only_untouched: false,
        })
    );
}

#[test]
fn a_resolve_closes_operations_and_notes_cyber_alerts() {
    let record = fold(folded(&[raised(1)]).with_open(open()), &resolved(12));
    assert_eq!(
        next(&record, 13),
        Decision::Write(note(NoteContent::Closing {
            only_untouched: false
        }))
    );
    assert_eq!(
        next(&record.with_open(noted()), 13),
        Decision::Write(TicketWrite::Close {
            ticket_id: 77,
            only_untouched: false
        }),
        "the note comes first: one on a closed ticket may reopen it"
    );
    let cyber = event(
        1,
        AlertChange::Raised(particulars(Severity::High, Category::CyberAlerts)),
    );
    let record = fold(folded(&[cyber]).with_open(open()), &resolved(12));
    assert_eq!(
        next(&record, 13),
        Decision::Write(note(NoteContent::Resolved { change: None }))
    );
}

#[test]
fn a_ticket_that_a_person_worked_on_is_noted_once_and_stays_open() {
    let mut view = view();
    let settings = &mut view.connection.as_mut().unwrap().settings;
    settings.operations.on_resolve = OnResolve::CloseUntouched;
    let only_untouched = true;
    let record = fold(folded(&[raised(1)]).with_open(open()), &resolved(12));
    let closing = note(NoteContent::Closing { only_untouched });
    assert_eq!(next_in(&record, &view, 13), Decision::Write(closing));
    let close = TicketWrite::Close {
        ticket_id: 77,
        only_untouched,
    };
    let noted = record.clone().with_open(noted());
    assert_eq!(next_in(&noted, &view, 13), Decision::Write(close));

    let change = Some(ManualChange::Owner);
    let left = note(NoteContent::Resolved { change });
    let worked = |open: OpenTicket| OpenTicket {
        manual_change: change,
        ..open
    };
    let changed = record.clone().with_open(worked(open()));
    assert_eq!(next_in(&changed, &view, 13), Decision::Write(left));
    let done = record.clone().with_open(worked(self::noted()));
    let idle = Decision::Nothing(Idle::UpToDate);
    assert_eq!(next_in(&done, &view, 13), idle);
    // Raised again, it is looked at again by a person, and no priority is lowered.
    let again = fold(done, &raised(20));
    assert!(!matches!(
        next_in(&again, &view, 21),
        Decision::Write(TicketWrite::Patch { .. } | TicketWrite::Close { .. })
    ));
}

#[test]
fn a_lower_severity_lowers_the_priority_only_where_the_partner_wants_it() {
    let next = |lowers, severity, manual_change| {
        let mut view = view();
        let settings = &mut view.connection.as_mut().unwrap().settings;
        settings.lowers_priority = lowers;
        settings.priorities = [(Severity::Critical, 1), (Severity::Medium, 3)].into();
        let open = OpenTicket {
            severity,
            manual_change,
            ..open()
        };
        let record = folded(&[raised(1)]).with_open(open);
        next_in(&record, &view, 13)
    };
    let patch = Decision::Write(TicketWrite::Patch {
        ticket_id: 77,
        severity: Severity::Medium,
        priority: 3,
        only_untouched: true,
    });
    let idle = Decision::Nothing(Idle::UpToDate);
    let critical = Severity::Critical;
    assert_eq!(next(true, critical, None), patch);
    assert_eq!(next(false, critical, None), idle);
    assert_eq!(next(true, critical, Some(ManualChange::Status)), idle);
    assert_eq!(next(true, Severity::Medium, None), idle, "it has it");
}

#[test]
fn the_type_follows_the_kind_on_the_same_board() {
    let kind = |name: &str| Kind::parse(name).unwrap();
    let next = |had: Option<&'static str>, board_id, manual_change| {
        let mut view = view();
        let settings = &mut view.connection.as_mut().unwrap().settings;
        settings.operations.types = [(kind("disk"), 5), (kind("cpu"), 6), (kind("ram"), 5)].into();
        let open = OpenTicket {
            kind: had.map(kind),
            board_id,
            manual_change,
            ..open()
        };
        let record = folded(&[raised(1)]).with_open(open);
        next_in(&record, &view, 13)
    };
    let board = view().connection.unwrap().settings.operations.board;
    let set = Decision::Write(TicketWrite::SetType {
        ticket_id: 77,
        ticket_type: TicketType {
            kind_type: 5,
            subtype: None,
            item: None,
        },
    });
    assert_eq!(next(Some("cpu"), board, None), set);
    // Its type is that of the kind, or the same, or unknown; or it is on another board.
    for (had, board_id, change) in [
        (Some("disk"), board, None),
        (Some("ram"), board, None),
        (None, board, None),
        (Some("cpu"), Some(99), None),
        (Some("cpu"), board, Some(ManualChange::Note)),
    ] {
        let idle = Decision::Nothing(Idle::UpToDate);
        assert_eq!(
            next(had, board_id, change),
            idle,
            "{had:?} {board_id:?} {change:?}"
        );
    }
}

#[test]
fn an_open_ticket_closes_even_if_its_tenant_is_disabled() {
    let record = fold(folded(&[raised(1)]).with_open(noted()), &resolved(12));
    let view = ConnectionView {
        mapping: None,
        ..view()
    };
    assert_eq!(
        next_in(&record, &view, 13),
        Decision::Write(TicketWrite::Close {
            ticket_id: 77,
            only_untouched: false
        })
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
            next_in(&record, &view, 5000),
            Decision::Wait { until },
            "the connection is read again"
        );
    }
}

#[test]
fn an_update_that_overtakes_a_raise_does_not_hide_it() {
    let ended = folded(&[raised(1), resolved(2)]);
    let updated = fold(ended.clone(), &worse(6));
    assert_eq!(
        updated.desired, ended.desired,
        "an update of a resolved alert changes nothing"
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
