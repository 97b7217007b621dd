use super::*;
use crate::alert::command::{Command, CommandAction};
use crate::alert::record::{ClosedBy, Op};
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
