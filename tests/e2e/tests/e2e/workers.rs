//! Workers that race, die in the middle, or run out of time.

use std::time::Duration;

use serde_json::json;

use crate::world::{World, event};

fn posts(calls: &[String]) -> usize {
    calls
        .iter()
        .filter(|call| *call == "POST /service/tickets")
        .count()
}

#[tokio::test]
async fn two_workers_with_the_same_message_make_one_ticket() {
    let mut world = World::new().await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    let (message, _) = world.receive().await;
    let other = world.another_worker();
    world.faults(json!({ "latency_ms": 200 })).await;
    let (first, second) = (world.invocation(60), world.invocation(60));
    let (first, second) = tokio::join!(
        world.tickets.handle(message.clone(), &first),
        other.handle(message, &second),
    );
    let failures = first.batch_item_failures.len() + second.batch_item_failures.len();
    assert_eq!(failures, 1, "the loser's message comes back");
    assert_eq!(
        (posts(&world.calls().await), world.all_tickets().await.len()),
        (1, 1)
    );
}

#[tokio::test]
async fn a_worker_that_dies_during_its_call_leaves_a_claim_that_is_searched_for() {
    let mut world = World::new().await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    let (message, messages) = world.receive().await;
    // ConnectWise says nothing, and makes the ticket after two seconds.
    let silent = json!({
        "late_commit": { "rate": 1.0, "seconds": 2 },
        "variants": { "late_commit_answer": "timeout" },
    });
    world.faults(silent).await;
    // Its claim runs for 14 s.
    let invocation = world.invocation(9);
    let died = tokio::time::timeout(
        Duration::from_secs(1),
        world.tickets.handle(message, &invocation),
    );
    assert!(died.await.is_err(), "it was to die in the middle");
    assert!(world.record("a1").await.unwrap().claim.is_some());
    world
        .faults(json!({ "late_commit": { "rate": 0.0 } }))
        .await;
    world.show_again(&messages).await;
    world.work().await;
    let tickets = world.all_tickets().await.len();
    assert_eq!((tickets, posts(&world.calls().await)), (1, 1));
    let record = world.record("a1").await.unwrap();
    assert!(
        record.open().is_some() && record.claim.is_none(),
        "{record:?}"
    );
}

#[tokio::test]
async fn what_there_is_no_time_for_comes_back() {
    let mut world = World::new().await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    let (message, messages) = world.receive().await;
    let invocation = world.invocation(2);
    let answer = world.tickets.handle(message, &invocation).await;
    assert_eq!(answer.batch_item_failures.len(), 1);
    assert_eq!(posts(&world.calls().await), 0);
    world.show_again(&messages).await;
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
}
