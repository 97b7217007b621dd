//! A connection recovers: all blocked alerts continue at a limited rate. Until then only probes call
//! ConnectWise.

use std::ops::RangeInclusive;

use crate::environment::{TestEnvironment, raises, reconsider};
use domain::Blocked;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// More alerts than are released in one minute.
const ALERTS: usize = 320;

/// Ticks once a minute and hands over the released alerts, until none is blocked.
async fn recovered(env: &mut TestEnvironment, from: i64) -> i64 {
    let (health, reconcile) = (env.health(), env.reconcile());
    let mut waiting = vec![];
    for minutes in from..from + 30 {
        let at = Timestamp::now() + SignedDuration::from_mins(minutes);
        env.schedule.tick_health(&health, at).await;
        env.schedule.tick(&reconcile, at).await;
        let keys = env.queue.take_reconsidered().await;
        assert!(keys.len() <= 300, "{} in one minute", keys.len());
        waiting.extend(keys.iter().map(reconsider));
        waiting = env.worker.handle_at(waiting, minutes).await;
        let blocked = env.blocked_keys().await;
        if blocked.is_empty() && waiting.is_empty() {
            return minutes;
        }
    }
    unreachable!("they do not come back");
}

/// Breaks the connection until all alerts are blocked, repairs it, and checks that all continue.
async fn breaks_and_comes_back(
    broken: Value,
    mended: Value,
    reason: &Blocked,
    expected: RangeInclusive<usize>,
) {
    let mut env = TestEnvironment::new().await;
    env.connectwise.set_faults(broken).await;
    let mut messages = env.post_and_take(&raises(0..ALERTS)).await;
    for minutes in [0, 17] {
        messages = env.worker.handle_at(messages, minutes).await;
        // A pause that this process was given counts in real time.
        env.worker.app = env.new_tickets_app();
    }
    assert_eq!(messages.len(), 0);
    let blocked = env.blocked_keys().await;
    assert_eq!(blocked.len(), ALERTS);
    let record = env.record("a7").await.unwrap();
    assert_eq!(&record.blocked.unwrap().reason, reason);

    let before = env.connectwise.calls().await.len();
    let (health, reconcile) = (env.health(), env.reconcile());
    for second in 0..40 {
        let at = Timestamp::now() + SignedDuration::from_secs(18 * 60 + 15 * second);
        env.schedule.tick_health(&health, at).await;
        env.schedule.tick(&reconcile, at).await;
    }
    let probes = env.connectwise.calls().await.len() - before;
    assert!(expected.contains(&probes), "{probes} probes in ten minutes");
    assert_eq!(env.queue.take_reconsidered().await, []);

    let while_broken = env.connectwise.journal().await.len();
    env.connectwise.set_faults(mended).await;
    recovered(&mut env, 30).await;
    assert_eq!(env.connectwise.tickets().await.len(), ALERTS);
    assert_eq!(env.dead_letter_queue.dead_letters().await, []);
    let journal = env.connectwise.journal().await.split_off(while_broken);
    let asked_to_wait = journal.iter().filter(|call| call["status"] == 429).count();
    assert!(
        asked_to_wait * 100 <= journal.len(),
        "{asked_to_wait} times 429"
    );
}

#[tokio::test]
async fn alerts_are_paced_after_a_long_outage() {
    breaks_and_comes_back(
        json!({ "outage": true }),
        json!({ "outage": false, "rate_limit_per_minute": 1000 }),
        &Blocked::ConnectionUnavailable,
        5..=11,
    )
    .await;
}

#[tokio::test]
async fn alerts_are_paced_after_a_lasting_429() {
    breaks_and_comes_back(
        json!({ "throttle": { "all": true, "retry_after_seconds": 1 } }),
        json!({ "throttle": { "all": false }, "rate_limit_per_minute": 1000 }),
        &Blocked::ConnectionUnavailable,
        1..=11,
    )
    .await;
}

#[tokio::test]
async fn alerts_are_paced_after_refused_keys() {
    breaks_and_comes_back(
        json!({ "keys": "revoked" }),
        json!({ "keys": "ok", "rate_limit_per_minute": 1000 }),
        &Blocked::ConnectionBroken,
        5..=11,
    )
    .await;
}
