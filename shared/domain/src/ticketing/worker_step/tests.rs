use super::*;
use crate::alert::command::{Command, CommandAction};
use crate::alert::event::AlertChange;
use crate::alert::fold::fold;
use crate::alert::record::{Actual, ClosedBy, Op};
use crate::connection::breaker::Breaker;
use crate::connection::view::LiveConnection;
use crate::fixtures::{RETENTION, SETTLE, at, claim, key, open, raised, resolved};
use crate::maintenance::windows::MaintenanceWindows;
use crate::setup::mapping::Mapping;
use crate::setup::settings::Settings;
use crate::ticketing::ticket_index::TicketIndexState;

fn view() -> ConnectionView {
    ConnectionView {
        connection: Some(LiveConnection {
            epoch: 1,
            confirmed_at: None,
            settings: Settings::default(),
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

fn step_at(request: &AlertRequest, stored: &Record, second: i64, has_time: bool) -> WorkerStep {
    let view = view();
    let context = WorkerContext {
        view: &view,
        settle: SETTLE,
        retention: RETENTION,
        has_time,
        now: at(second),
    };
    next_step(request, stored, &context)
}

fn step(request: &AlertRequest, stored: &Record, second: i64) -> WorkerStep {
    step_at(request, stored, second, true)
}

fn event(event: crate::alert::event::Event) -> AlertRequest {
    AlertRequest::Event(Box::new(event))
}

fn look(record: &Record) -> AlertRequest {
    AlertRequest::Command(Box::new(Command {
        key: key(),
        occurrence: record.occurrence,
        ticket_id: record.open().map(|open| open.ticket_id),
        action: CommandAction::Look,
    }))
}

#[test]
fn a_raise_asks_for_a_ticket_with_its_text() {
    let raised = raised(1);
    let WorkerStep::Write { write, text, .. } =
        step(&event(raised.clone()), &Record::new(key()), 2)
    else {
        panic!("no write");
    };
    assert!(matches!(write, TicketWrite::Create(_)));
    assert_eq!(text.as_ref(), raised.payload());
}

#[test]
fn a_message_without_the_text_leaves_the_ticket_to_the_one_that_has_it() {
    let folded = crate::alert::fold::fold(Record::new(key()), &raised(1));
    let awaits = step(&AlertRequest::Reconsider, &folded, 2);
    assert_eq!(awaits, WorkerStep::AwaitText);
}

#[test]
fn a_step_with_calls_needs_time() {
    let request = event(raised(1));
    let late = step_at(&request, &Record::new(key()), 2, false);
    assert_eq!(late, WorkerStep::OutOfTime);
    // What needs no call is stored nevertheless.
    let resolve = step_at(&event(resolved(1)), &Record::new(key()), 2, false);
    assert!(matches!(resolve, WorkerStep::Finish { .. }), "{resolve:?}");
    let record = open(&[raised(1)]);
    let inspect = step_at(&look(&record), &record, 2, false);
    assert!(matches!(inspect, WorkerStep::Finish { .. }), "{inspect:?}");
}

#[test]
fn a_command_to_look_inspects_the_ticket_once() {
    let record = open(&[raised(1)]);
    let request = look(&record);
    let inspect = step(&request, &record, 20);
    assert!(matches!(inspect, WorkerStep::Inspect { .. }), "{inspect:?}");
    assert_eq!(request.once_stored(), &AlertRequest::Reconsider);
    let claimed = record.clone().with_claim(claim(Op::Close, &record));
    let waits = step(&request, &claimed, 20);
    assert!(matches!(waits, WorkerStep::Wait { .. }), "{waits:?}");
}

#[test]
fn the_outcome_of_a_claim_is_looked_up_where_it_can_be() {
    let raised = crate::alert::fold::fold(Record::new(key()), &raised(1));
    let creating = claim(Op::Create, &raised);
    let creating = crate::alert::record::Claim {
        ticket_id: None,
        ..creating
    };
    let searches = step(&AlertRequest::Reconsider, &raised.with_claim(creating), 36);
    assert!(
        matches!(searches, WorkerStep::Search { .. }),
        "{searches:?}"
    );
    let record = open(&[crate::fixtures::raised(1)]);
    let closing = claim(Op::Close, &record);
    let verifies = step(&AlertRequest::Reconsider, &record.with_claim(closing), 36);
    assert!(
        matches!(verifies, WorkerStep::Verify { ticket_id: 77, .. }),
        "{verifies:?}"
    );
}

#[test]
fn a_record_that_reconcile_looks_at_too_early_is_written_again() {
    let record = open(&[raised(1), resolved(2)]).with_closed(77, 1, ClosedBy::Us, at(30));
    let rewrites = |request: &AlertRequest, second| {
        matches!(
            step(request, &record, second),
            WorkerStep::Finish { rewrites: true, .. }
        )
    };
    let ends = 30 + RETENTION.as_secs();
    assert!(rewrites(&AlertRequest::Reconsider, ends - 1));
    assert!(
        !rewrites(&AlertRequest::Release, ends - 1),
        "only reconcile looks by time"
    );
    assert!(!rewrites(&AlertRequest::Reconsider, ends), "it is reduced");
}

/// A repeat with this title.
fn titled(second: i64, title: &str) -> crate::alert::event::Event {
    let mut repeat = raised(second);
    if let AlertChange::Raised(particulars) = &mut repeat.change {
        particulars.payload.title = title.to_owned();
    }
    repeat
}

/// A record whose ticket has a note about its first repeat, at second 20.
fn noted() -> Record {
    let mut record = open(&[titled(0, "Disk is full"), titled(15, "Disk is full")]);
    if let Some(Actual::Open(open)) = &mut record.actual {
        open.last_note_at = Some(at(20));
        open.noted_repeats = 1;
    }
    record
}

#[test]
fn a_title_that_changed_after_a_note_is_noted_when_the_interval_is_over() {
    let due = at(20 + 3600);
    let again = noted();
    let WorkerStep::Finish { record, idle, .. } =
        step(&event(titled(30, "Disk is full")), &again, 31)
    else {
        panic!("the last note is recent");
    };
    assert_eq!(idle, Idle::NotedRecently { until: due });
    assert_eq!(
        record.next_check_at(RETENTION),
        None,
        "the title is the same"
    );
    assert_eq!(record.payload, None);

    let changed = event(titled(40, "Disk is about to fail"));
    let WorkerStep::Finish { record, .. } = step(&changed, &record, 41) else {
        panic!("the last note is recent");
    };
    assert_eq!(record.next_check_at(RETENTION), Some(due));
    // Another repeat does not bring it forward.
    let repeated = event(titled(50, "Disk is about to fail"));
    let WorkerStep::Finish { record, .. } = step(&repeated, &record, 51) else {
        panic!("the last note is recent");
    };
    assert_eq!(record.next_check_at(RETENTION), Some(due));

    let reconsider = AlertRequest::Reconsider;
    let WorkerStep::Write { write, text, .. } = step(&reconsider, &record, 20 + 3600) else {
        panic!("the note is due");
    };
    assert!(matches!(write, TicketWrite::Note { .. }), "{write:?}");
    assert_eq!(text.unwrap().title, "Disk is about to fail");
}

#[test]
fn a_resolved_alert_gets_no_note_about_its_title() {
    let changed = event(titled(30, "Disk is about to fail"));
    let WorkerStep::Finish { record, .. } = step(&changed, &noted(), 31) else {
        panic!("the last note is recent");
    };
    let record = fold(record, &resolved(60));
    assert_eq!(record.next_check_at(RETENTION), None);
    let record = fold(record, &titled(70, "Disk is full"));
    assert_eq!(
        record.next_check_at(RETENTION),
        None,
        "its raise has a note"
    );
}
