//! Long waits: the alert is blocked in the table, and no message becomes a dead letter by waiting.

use crate::environment::{TestEnvironment, raises, reconsider};
use aws_lambda_events::sqs::SqsMessage;
use domain::Blocked;
use jiff::{SignedDuration, Timestamp};
use scheduled::Driver;
use serde_json::json;

fn minute(minutes: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_mins(minutes)
}

/// The message as SQS delivers it for the given time.
fn received(mut message: SqsMessage, times: u32) -> SqsMessage {
    let name = "ApproximateReceiveCount".to_owned();
    message.attributes.insert(name, times.to_string());
    message
}

async fn all_are(env: &TestEnvironment, count: usize, reason: &Blocked) {
    for n in 0..count {
        let record = env.record(&format!("a{n}")).await.unwrap();
        let blocked = record.blocked.map(|blocked| blocked.reason);
        assert_eq!(blocked.as_ref(), Some(reason), "a{n}");
        assert!(record.payload.is_some(), "the record keeps the text");
    }
}

/// One tick of reconcile. Returns messages for the alerts that it releases.
async fn released(
    env: &TestEnvironment,
    reconcile: &Driver<reconcile::ReconcileJob>,
    minutes: i64,
) -> Vec<SqsMessage> {
    env.schedule.tick(reconcile, minute(minutes)).await;
    let keys = env.queue.take_reconsidered().await;
    keys.iter().map(reconsider).collect()
}

#[tokio::test]
async fn a_long_pause_blocks_alerts_until_it_ends() {
    for header in ["seconds", "date"] {
        let mut env = TestEnvironment::new().await;
        let throttled = json!({ "all": true, "retry_after_seconds": 1800 });
        env.connectwise
            .set_faults(json!({ "throttle": throttled, "variants": { "retry_after": header } }))
            .await;
        let messages = env.post_and_take(&raises(0..13)).await;
        assert_eq!(env.worker.handle_at(messages, 0).await.len(), 0, "{header}");
        all_are(&env, 13, &Blocked::Throttled).await;
        let calls = env.connectwise.calls().await.len();
        assert!(calls <= 4, "{calls}");

        let reconcile = env.reconcile();
        assert_eq!(released(&env, &reconcile, 20).await.len(), 0);
        env.set_fault("throttle", json!({ "all": false })).await;
        env.worker.app = env.new_tickets_app();
        let messages = released(&env, &reconcile, 31).await;
        assert_eq!(messages.len(), 13, "a run is due when the pause ends");
        env.worker.handle_until_done(messages, 31, 1).await;
        assert_eq!(env.connectwise.tickets().await.len(), 13);
        assert_eq!(env.dead_letter_queue.dead_letters().await, []);
    }
}

#[tokio::test]
async fn a_lasting_429_opens_the_breaker_before_30_receives() {
    for seconds in [1, 30, 60] {
        let mut env = TestEnvironment::new().await;
        let throttled = json!({ "all": true, "retry_after_seconds": seconds });
        env.set_fault("throttle", throttled).await;
        let mut messages = env.post_and_take(&raises(0..20)).await;
        for minutes in 0..15 {
            messages = env.worker.handle_at(messages, minutes).await;
            assert_eq!(messages.len(), 20, "{seconds} {minutes}");
            env.worker.app = env.new_tickets_app();
        }
        assert_eq!(env.worker.handle_at(messages, 18).await.len(), 0);
        all_are(&env, 20, &Blocked::ConnectionUnavailable).await;
        assert_eq!(env.dead_letter_queue.dead_letters().await, []);
        let calls = env.connectwise.calls().await.len();
        assert!(calls <= 60, "{calls} calls in 18 minutes");
    }
}

#[tokio::test]
async fn lasting_unreadable_answers_are_an_outage() {
    let mut env = TestEnvironment::new().await;
    let page = json!({ "answer": { "status": 200, "body": "page" } });
    env.connectwise
        .set_faults(json!({ "rules": [{ "then": page }] }))
        .await;
    let mut messages = env.post_and_take(&raises(0..5)).await;
    for minutes in [0, 2, 6, 10] {
        messages = env.worker.handle_at(messages, minutes).await;
        assert_eq!(messages.len(), 5, "{minutes}");
    }
    assert_eq!(env.worker.handle_at(messages, 17).await.len(), 0);
    all_are(&env, 5, &Blocked::ConnectionUnavailable).await;
}

#[tokio::test]
async fn a_message_received_30_times_is_blocked_and_retried() {
    let mut env = TestEnvironment::new().await;
    let in_use = json!({ "answer": { "status": 409, "body": "json" } });
    let rule = json!({ "when": { "operations": ["create"] }, "then": in_use });
    env.set_fault("rules", [rule]).await;
    let message = env.post_and_take(&raises(0..1)).await.remove(0);
    for (times, comes_back) in [(1, 1), (29, 1), (30, 0)] {
        let back = env
            .worker
            .handle_at(vec![received(message.clone(), times)], 0)
            .await;
        assert_eq!(back.len(), comes_back, "{times}");
    }
    all_are(&env, 1, &Blocked::Deferred).await;
    let reconcile = env.reconcile();
    env.set_fault("rules", json!([])).await;
    let again = released(&env, &reconcile, 31).await;
    assert_eq!(again.len(), 1);
    env.worker.handle_until_done(again, 31, 1).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn an_alert_claimed_for_long_is_blocked_and_retried() {
    let mut env = TestEnvironment::new().await;
    let page = json!({ "answer": { "status": 500, "body": "page" } });
    let rule = json!({ "when": { "operations": ["create"] }, "then": page });
    env.set_fault("rules", [rule]).await;
    let message = env.post_and_take(&raises(0..1)).await.remove(0);
    assert_eq!(
        env.worker.handle_at(vec![message.clone()], 0).await.len(),
        1
    );
    // The create is uncertain: the alert waits for its next search.
    let back = env.worker.handle_at(vec![received(message, 30)], 0).await;
    assert_eq!(back.len(), 0);
    let record = env.record("a0").await.unwrap();
    assert!(record.claim.is_some(), "a possible ticket is not forgotten");
    let reason = record.blocked.map(|blocked| blocked.reason);
    assert_eq!(reason, Some(Blocked::Deferred));
    env.set_fault("rules", json!([])).await;
    let reconcile = env.reconcile();
    let again = released(&env, &reconcile, 31).await;
    env.worker.handle_until_done(again, 31, 1).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}
