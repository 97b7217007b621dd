//! What waits long waits in the table: no message is dead-lettered for waiting.

use aws_lambda_events::sqs::SqsMessage;
use domain::Blocked;
use jiff::{SignedDuration, Timestamp};
use scheduled::Driver;
use serde_json::{Value, json};

use crate::hours::reconsider;
use crate::world::{World, event};

fn raises(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| event("alert.raised", &format!("e{n}"), &format!("a{n}"), 0))
        .collect()
}

fn minute(minutes: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_mins(minutes)
}

/// The message as it is at its so-and-so-manieth receipt.
fn received(mut message: SqsMessage, times: u32) -> SqsMessage {
    let name = "ApproximateReceiveCount".to_owned();
    message.attributes.insert(name, times.to_string());
    message
}

async fn all_are(world: &World, count: usize, reason: &Blocked) {
    for n in 0..count {
        let record = world.record(&format!("a{n}")).await.unwrap();
        let blocked = record.blocked.map(|blocked| blocked.reason);
        assert_eq!(blocked.as_ref(), Some(reason), "a{n}");
        assert!(record.payload.is_some(), "the text waits with the alert");
    }
}

/// One tick of reconcile, and what it asks to be decided again.
async fn released(
    world: &World,
    reconcile: &Driver<reconcile::ReconcileJob>,
    minutes: i64,
) -> Vec<SqsMessage> {
    world.tick(reconcile, minute(minutes)).await;
    let keys = world.reconsidered().await;
    keys.iter().map(reconsider).collect()
}

#[tokio::test]
async fn a_long_pause_is_waited_for_in_the_table_and_everything_goes_on_when_it_is_over() {
    for header in ["seconds", "date"] {
        let mut world = World::new().await;
        let throttled = json!({ "all": true, "retry_after_seconds": 1800 });
        world
            .faults(json!({ "throttle": throttled, "variants": { "retry_after": header } }))
            .await;
        let messages = world.taken(&raises(13)).await;
        assert_eq!(world.hand_over(messages, 0).await.len(), 0, "{header}");
        all_are(&world, 13, &Blocked::Throttled).await;
        let calls = world.calls().await.len();
        assert!(calls <= 4, "{calls}");

        let reconcile = world.reconcile();
        assert_eq!(released(&world, &reconcile, 20).await.len(), 0);
        world.faults(json!({ "throttle": { "all": false } })).await;
        world.tickets = world.another_worker();
        let messages = released(&world, &reconcile, 31).await;
        assert_eq!(
            messages.len(),
            13,
            "a run comes as soon as the pause is over"
        );
        world.until_done(messages, 31, 1).await;
        assert_eq!(world.all_tickets().await.len(), 13);
        assert_eq!(world.dead_letters().await, []);
    }
}

#[tokio::test]
async fn a_lasting_429_is_an_outage_before_any_message_is_received_thirty_times() {
    for seconds in [1, 30, 60] {
        let mut world = World::new().await;
        let throttled = json!({ "all": true, "retry_after_seconds": seconds });
        world.faults(json!({ "throttle": throttled })).await;
        let mut messages = world.taken(&raises(20)).await;
        for minutes in 0..15 {
            messages = world.hand_over(messages, minutes).await;
            assert_eq!(messages.len(), 20, "{seconds} {minutes}");
            world.tickets = world.another_worker();
        }
        assert_eq!(world.hand_over(messages, 18).await.len(), 0);
        all_are(&world, 20, &Blocked::ConnectionUnavailable).await;
        assert_eq!(world.dead_letters().await, []);
        let calls = world.calls().await.len();
        assert!(calls <= 60, "{calls} calls in 18 minutes");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_for_long_is_an_outage() {
    let mut world = World::new().await;
    let page = json!({ "answer": { "status": 200, "body": "page" } });
    world.faults(json!({ "rules": [{ "then": page }] })).await;
    let mut messages = world.taken(&raises(5)).await;
    for minutes in [0, 2, 6, 10] {
        messages = world.hand_over(messages, minutes).await;
        assert_eq!(messages.len(), 5, "{minutes}");
    }
    assert_eq!(world.hand_over(messages, 17).await.len(), 0);
    all_are(&world, 5, &Blocked::ConnectionUnavailable).await;
}

#[tokio::test]
async fn a_message_that_came_back_thirty_times_waits_in_the_table_and_is_tried_again() {
    let mut world = World::new().await;
    let in_use = json!({ "answer": { "status": 409, "body": "json" } });
    let rule = json!({ "when": { "operations": ["create"] }, "then": in_use });
    world.faults(json!({ "rules": [rule] })).await;
    let message = world.taken(&raises(1)).await.remove(0);
    for (times, comes_back) in [(1, 1), (29, 1), (30, 0)] {
        let back = world
            .hand_over(vec![received(message.clone(), times)], 0)
            .await;
        assert_eq!(back.len(), comes_back, "{times}");
    }
    all_are(&world, 1, &Blocked::Deferred).await;
    let reconcile = world.reconcile();
    world.faults(json!({ "rules": [] })).await;
    let again = released(&world, &reconcile, 31).await;
    assert_eq!(again.len(), 1);
    world.until_done(again, 31, 1).await;
    assert_eq!(world.all_tickets().await.len(), 1);
}

#[tokio::test]
async fn an_alert_whose_claim_is_held_by_another_for_long_waits_in_the_table() {
    let mut world = World::new().await;
    let page = json!({ "answer": { "status": 500, "body": "page" } });
    let rule = json!({ "when": { "operations": ["create"] }, "then": page });
    world.faults(json!({ "rules": [rule] })).await;
    let message = world.taken(&raises(1)).await.remove(0);
    assert_eq!(world.hand_over(vec![message.clone()], 0).await.len(), 1);
    // Uncertain: it waits for its next search.
    let back = world.hand_over(vec![received(message, 30)], 0).await;
    assert_eq!(back.len(), 0);
    let record = world.record("a0").await.unwrap();
    assert!(
        record.claim.is_some(),
        "what may have been made is not forgotten"
    );
    let reason = record.blocked.map(|blocked| blocked.reason);
    assert_eq!(reason, Some(Blocked::Deferred));
    world.faults(json!({ "rules": [] })).await;
    let reconcile = world.reconcile();
    let again = released(&world, &reconcile, 31).await;
    world.until_done(again, 31, 1).await;
    assert_eq!(world.all_tickets().await.len(), 1);
}
