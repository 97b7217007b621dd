//! Workers that race, die in the middle, or run out of time.

use std::time::Duration;

use crate::environment::{TestEnvironment, event};
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
    env.source.post(&event("alert.raised", "e1", "a1", 0)).await;
    let (message, _) = env.queue.receive().await;
    let other = env.new_tickets_app();
    env.connectwise
        .set_faults(json!({ "latency_ms": 200 }))
        .await;
    let (first, second) = (env.worker.invocation(60), env.worker.invocation(60));
    let (first, second) = tokio::join!(
        env.worker.app.handle(message.clone(), &first),
        other.handle(message, &second),
    );
    let failures = first.batch_item_failures.len() + second.batch_item_failures.len();
    assert_eq!(failures, 1, "the loser's message comes back");
    assert_eq!(
        (
            posts(&env.connectwise.calls().await),
            env.connectwise.tickets().await.len()
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_worker_that_dies_during_its_call_leaves_a_claim_that_is_searched_for() {
    let mut env = TestEnvironment::new().await;
    env.source.post(&event("alert.raised", "e1", "a1", 0)).await;
    let (message, messages) = env.queue.receive().await;
    // ConnectWise says nothing, and makes the ticket after two seconds.
    let silent = json!({
        "late_commit": { "rate": 1.0, "seconds": 2 },
        "variants": { "late_commit_answer": "timeout" },
    });
    env.connectwise.set_faults(silent).await;
    // Its claim runs for 14 s.
    let invocation = env.worker.invocation(9);
    let died = tokio::time::timeout(
        Duration::from_secs(1),
        env.worker.app.handle(message, &invocation),
    );
    assert!(died.await.is_err(), "it was to die in the middle");
    assert!(env.record("a1").await.unwrap().claim.is_some());
    env.connectwise
        .set_faults(json!({ "late_commit": { "rate": 0.0 } }))
        .await;
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
async fn what_there_is_no_time_for_comes_back() {
    let mut env = TestEnvironment::new().await;
    env.source.post(&event("alert.raised", "e1", "a1", 0)).await;
    let (message, messages) = env.queue.receive().await;
    let invocation = env.worker.invocation(2);
    let answer = env.worker.app.handle(message, &invocation).await;
    assert_eq!(answer.batch_item_failures.len(), 1);
    assert_eq!(posts(&env.connectwise.calls().await), 0);
    env.queue.make_visible(&messages).await;
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}
