//! Tickets in other hands: people and ConnectWise's workflow rules change what we write to.

use domain::record::{Actual, ClosedBy, Record};
use domain::{Blocked, Target};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::environment::{TestEnvironment, event};
use crate::reconcile::closing::run_reconcile;
use crate::reconcile::drift::names;
use crate::reconcile::drift::raise_alerts;

/// Another company of the simulator.
const OTHER_COMPANY: u64 = 302;

/// The record of the alert after its resolve was handed over.
async fn resolve(env: &mut TestEnvironment, alert: &str) -> Record {
    env.source
        .post(&event("alert.resolved", "over", alert, 0))
        .await;
    env.worker.work().await;
    env.record(alert).await.unwrap()
}

/// How many notes of the only ticket contain these words.
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

/// The note is written before the close, so that nothing reopens the ticket.
#[tokio::test]
async fn a_workflow_that_reopens_a_ticket_for_its_note_leaves_it_closed() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(1)).await;
    let workflow = json!([{ "after": "note", "do": "reopen" }]);
    env.connectwise
        .set_faults(json!({ "workflows": workflow }))
        .await;
    let record = resolve(&mut env, "a0").await;
    assert!(is_closed_by_us(&record), "{record:?}");
    assert!(!is_ticket_open(&env,).await);
    assert_eq!(
        count_notes_with(&env, "Ticketbridge closes this ticket").await,
        1
    );
}

/// The answer says "closed", and another look says what became of it.
#[tokio::test]
async fn a_close_that_a_workflow_takes_back_is_no_close() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(1)).await;
    let workflow = json!([{ "after": "close", "do": "reopen" }]);
    env.connectwise
        .set_faults(json!({ "workflows": workflow }))
        .await;
    let record = resolve(&mut env, "a0").await;
    assert!(is_ticket_open(&env,).await);
    assert!(record.open().is_some(), "{record:?}");
    let reason = record.blocked.map(|blocked| blocked.reason);
    assert_eq!(reason, Some(Blocked::TargetGone(Target::Status)));

    env.connectwise.set_faults(json!({ "workflows": [] })).await;
    // The refusal is seen, and then retried.
    for minutes in [1, 7] {
        run_reconcile(&mut env, minutes).await;
    }
    let record = env.record("a0").await.unwrap();
    assert!(is_closed_by_us(&record), "{record:?}");
    assert!(!is_ticket_open(&env,).await);
    assert_eq!(
        count_notes_with(&env, "Ticketbridge closes this ticket").await,
        1
    );
}

#[tokio::test]
async fn nothing_is_written_to_a_ticket_that_a_person_ended_or_gave_to_other_use() {
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
            env.source.post(&event).await;
            env.worker.work().await;
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

/// What is cut off is of unknown outcome for minutes.
#[tokio::test]
async fn a_write_begins_only_with_time_for_its_answer() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(1)).await;
    let raised = event("alert.updated", "more", "a0", 0);
    let messages = env.post_and_take(&[raised]).await;
    // Calls end two seconds before the invocation does, so that half a second is left for the write.
    let slow =
        json!([{ "when": { "operations": ["read"] }, "then": { "slow": { "seconds": 5.5 } } }]);
    env.connectwise.set_faults(json!({ "rules": slow })).await;
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

    env.connectwise.set_faults(json!({ "rules": [] })).await;
    env.worker.handle_until_done(back, 0, 1).await;
    assert_eq!(count_notes_with(&env, "repeated once").await, 1);
}
