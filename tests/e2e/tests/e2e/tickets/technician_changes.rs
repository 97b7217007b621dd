//! People and ConnectWise's workflow rules change tickets that `tickets` writes to.

use domain::alert::record::{Actual, ClosedBy, Record};
use domain::{Blocked, TicketTarget};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::environment::{TestEnvironment, event, resolved_event};
use crate::reconcile::closing::run_reconcile;
use crate::reconcile::drift::names;
use crate::reconcile::drift::raise_alerts;

/// Another company of the seed.
const OTHER_COMPANY: u64 = 302;

/// Resolves an alert and returns its record.
async fn resolve(env: &mut TestEnvironment, alert: &str) -> Record {
    env.deliver(&resolved_event("over", alert, 0)).await;
    env.record(alert).await.unwrap()
}

/// The number of the only ticket's notes that contain these words.
async fn count_notes_with(env: &TestEnvironment, words: &str) -> usize {
    let ticket = env.connectwise.tickets().await.remove(0);
    let notes = env.connectwise.notes(&ticket).await;
    let has = |note: &&Value| note["text"].as_str().unwrap().contains(words);
    notes.iter().filter(has).count()
}

async fn is_ticket_open(env: &TestEnvironment) -> bool {
    env.connectwise.tickets().await[0]["closedFlag"] == false
}

fn is_closed_by_us(record: &Record) -> bool {
    matches!(&record.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Us)
}

/// The note is written before the close, so that no workflow reopens the ticket.
#[tokio::test]
async fn a_ticket_reopened_by_a_workflow_is_closed_again() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(1)).await;
    let workflow = json!([{ "after": "note", "do": "reopen" }]);
    env.set_fault("workflows", workflow).await;
    let record = resolve(&mut env, "a0").await;
    assert!(is_closed_by_us(&record), "{record:?}");
    assert!(!is_ticket_open(&env).await);
    assert_eq!(
        count_notes_with(&env, "Ticketbridge closes this ticket").await,
        1
    );
}

/// The answer says "closed"; a second read shows what the workflow did.
#[tokio::test]
async fn a_close_undone_by_a_workflow_does_not_count() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(1)).await;
    let workflow = json!([{ "after": "close", "do": "reopen" }]);
    env.set_fault("workflows", workflow).await;
    let record = resolve(&mut env, "a0").await;
    assert!(is_ticket_open(&env).await);
    assert!(record.open().is_some(), "{record:?}");
    let reason = record.blocked.map(|blocked| blocked.reason);
    assert_eq!(reason, Some(Blocked::TargetMissing(TicketTarget::Status)));

    env.set_fault("workflows", json!([])).await;
    // The refusal is recorded, and then retried.
    for minutes in [1, 7] {
        run_reconcile(&mut env, minutes).await;
    }
    let record = env.record("a0").await.unwrap();
    assert!(is_closed_by_us(&record), "{record:?}");
    assert!(!is_ticket_open(&env).await);
    assert_eq!(
        count_notes_with(&env, "Ticketbridge closes this ticket").await,
        1
    );
}

#[tokio::test]
async fn tickets_that_a_person_took_over_are_not_written() {
    for (action, by) in [
        (json!("close"), ClosedBy::Technician),
        (json!("delete"), ClosedBy::Deleted),
        (json!({ "move_to_company": OTHER_COMPANY }), ClosedBy::Moved),
        (json!({ "reference": "INC-7" }), ClosedBy::Moved),
    ] {
        for (change, severity) in [
            ("alert.raised", "medium"),
            ("alert.updated", "critical"),
            ("alert.resolved", "medium"),
        ] {
            let mut env = TestEnvironment::new().await;
            let ticket = raise_alerts(&mut env, &names(1)).await[0];
            env.connectwise.act_on_ticket(ticket, &action).await;
            let before = env.connectwise.calls().await.len();
            let mut event = event(change, "next", "a0", 0);
            event["data"]["severity"] = severity.into();
            env.deliver(&event).await;
            let calls = env.connectwise.calls().await.split_off(before);
            let what = format!("{action}, {change}: {calls:?}");
            assert!(calls.iter().all(|call| call.starts_with("GET ")), "{what}");
            let record = env.record("a0").await.unwrap();
            let ended = match &record.actual {
                Some(Actual::Closed(closed)) => Some(closed.by),
                Some(Actual::Open(_)) | None => None,
            };
            assert_eq!(ended, Some(by), "{what}");
        }
    }
}

/// A write that is cut off has an unknown outcome for minutes.
#[tokio::test]
async fn a_write_starts_only_with_time_for_its_answer() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(1)).await;
    let raised = event("alert.updated", "more", "a0", 0);
    let messages = env.post_and_take(&[raised]).await;
    // Calls end two seconds before the invocation, which leaves half a second for the write.
    let slow =
        json!([{ "when": { "operations": ["read"] }, "then": { "slow": { "seconds": 5.5 } } }]);
    env.set_fault("rules", slow).await;
    let before = env.connectwise.calls().await.len();
    let invocation = env.worker.invocation_at(Timestamp::now(), 8);
    let back = env.worker.handle_batch(&messages, &invocation).await;
    assert_eq!(back.len(), 1);
    let calls = env.connectwise.calls().await.split_off(before);
    assert!(
        calls.iter().all(|call| call.starts_with("GET ")),
        "{calls:?}"
    );
    let record = env.record("a0").await.unwrap();
    assert_eq!((&record.claim, &record.blocked), (&None, &None));

    env.set_fault("rules", json!([])).await;
    env.worker.handle_until_done(back, 0, 1).await;
    assert_eq!(count_notes_with(&env, "repeated once").await, 1);
}
