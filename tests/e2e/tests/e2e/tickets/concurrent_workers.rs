//! Workers that race, die in the middle of a call, or run out of time.

use std::time::Duration;

use crate::environment::{TestEnvironment, raised_event};
use serde_json::json;

fn posts(calls: &[String]) -> usize {
    calls
        .iter()
        .filter(|call| *call == "POST /service/tickets")
        .count()
}

#[tokio::test]
async fn two_workers_with_the_same_message_make_one_ticket() {
    let mut env = TestEnvironment::new().await;
    env.source.post(&raised_event("e1", "a1", 0)).await;
    let (message, _) = env.queue.receive().await;
    let other = env.new_tickets_app();
    env.set_fault("latency_ms", 200).await;
    let (first, second) = (env.worker.invocation(60), env.worker.invocation(60));
    let (first, second) = tokio::join!(
        env.worker.app.handle(message.clone(), &first),
        other.handle(message, &second),
    );
    let failures = first.batch_item_failures.len() + second.batch_item_failures.len();
    assert_eq!(failures, 1, "the other worker's message is returned");
    assert_eq!(
        (
            posts(&env.connectwise.calls().await),
            env.connectwise.tickets().await.len()
        ),
        (1, 1)
    );
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn the_claim_of_a_dead_worker_leads_to_a_search() {
    let mut env = TestEnvironment::new().await;
    env.source.post(&raised_event("e1", "a1", 0)).await;
    let (message, messages) = env.queue.receive().await;
    // ConnectWise does not answer, and creates the ticket after two seconds.
    let silent = json!({
        "late_commit": { "rate": 1.0, "seconds": 2 },
        "variants": { "late_commit_answer": "timeout" },
    });
    env.connectwise.set_faults(silent).await;
    // Its claim lasts 14 s.
    let invocation = env.worker.invocation(9);
    let died = tokio::time::timeout(
        Duration::from_secs(1),
        env.worker.app.handle(message, &invocation),
    );
    assert!(died.await.is_err(), "the worker did not die in the call");
    assert!(env.record("a1").await.unwrap().claim.is_some());
    env.set_fault("late_commit", json!({ "rate": 0.0 })).await;
    env.queue.make_visible(&messages).await;
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await.len();
    assert_eq!((tickets, posts(&env.connectwise.calls().await)), (1, 1));
    let record = env.record("a1").await.unwrap();
    assert!(
        record.open().is_some() && record.claim.is_none(),
        "{record:?}"
    );
}

#[tokio::test]
async fn messages_beyond_the_deadline_are_returned() {
    let mut env = TestEnvironment::new().await;
    env.source.post(&raised_event("e1", "a1", 0)).await;
    let (message, messages) = env.queue.receive().await;
    let invocation = env.worker.invocation(2);
    let answer = env.worker.app.handle(message, &invocation).await;
    assert_eq!(answer.batch_item_failures.len(), 1);
    assert_eq!(posts(&env.connectwise.calls().await), 0);
    env.queue.make_visible(&messages).await;
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}
