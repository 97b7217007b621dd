//! A connection comes back: everything that waited goes on, at a pace, and nobody was called meanwhile but by the probe.

use std::ops::RangeInclusive;

use domain::Blocked;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::hours::reconsider;
use crate::world::{World, event, partner};

/// More than go on in one minute.
const ALERTS: usize = 320;

fn raises() -> Vec<Value> {
    (0..ALERTS)
        .map(|n| event("alert.raised", &format!("e{n}"), &format!("a{n}"), 0))
        .collect()
}

/// Ticks once a minute from one minute to another, and hands over what is to be decided again, until nothing is blocked.
async fn recovered(world: &mut World, from: i64) -> i64 {
    let (health, reconcile) = (world.health(), world.reconcile());
    let mut waiting = vec![];
    for minutes in from..from + 30 {
        let at = Timestamp::now() + SignedDuration::from_mins(minutes);
        world.try_out(&health, at).await;
        world.tick(&reconcile, at).await;
        let keys = world.reconsidered().await;
        assert!(keys.len() <= 300, "{} in one minute", keys.len());
        waiting.extend(keys.iter().map(reconsider));
        waiting = world.hand_over(waiting, minutes).await;
        let blocked = world.alerts.lists.blocked_keys(&partner()).await.unwrap();
        if blocked.is_empty() && waiting.is_empty() {
            return minutes;
        }
    }
    unreachable!("they do not come back");
}

/// Breaks the connection, waits until all alerts are blocked, ticks, mends it, and sees everything go on.
async fn breaks_and_comes_back(
    broken: Value,
    mended: Value,
    reason: &Blocked,
    expected: RangeInclusive<usize>,
) {
    let mut world = World::new().await;
    world.faults(broken).await;
    let mut messages = world.taken(&raises()).await;
    for minutes in [0, 17] {
        messages = world.hand_over(messages, minutes).await;
        // What this process was asked to wait counts in real time.
        world.tickets = world.another_worker();
    }
    assert_eq!(messages.len(), 0);
    let blocked = world.alerts.lists.blocked_keys(&partner()).await.unwrap();
    assert_eq!(blocked.len(), ALERTS);
    let record = world.record("a7").await.unwrap();
    assert_eq!(&record.blocked.unwrap().reason, reason);

    let before = world.calls().await.len();
    let (health, reconcile) = (world.health(), world.reconcile());
    for second in 0..40 {
        let at = Timestamp::now() + SignedDuration::from_secs(18 * 60 + 15 * second);
        world.try_out(&health, at).await;
        world.tick(&reconcile, at).await;
    }
    let probes = world.calls().await.len() - before;
    assert!(expected.contains(&probes), "{probes} probes in ten minutes");
    assert_eq!(world.reconsidered().await, []);

    let while_broken = world.journal().await.len();
    world.faults(mended).await;
    recovered(&mut world, 30).await;
    assert_eq!(world.all_tickets().await.len(), ALERTS);
    assert_eq!(world.dead_letters().await, []);
    let journal = world.journal().await.split_off(while_broken);
    let asked_to_wait = journal.iter().filter(|call| call["status"] == 429).count();
    assert!(
        asked_to_wait * 100 <= journal.len(),
        "{asked_to_wait} times 429"
    );
}

#[tokio::test]
async fn after_a_long_outage_everything_goes_on_at_a_pace() {
    breaks_and_comes_back(
        json!({ "outage": true }),
        json!({ "outage": false, "rate_limit_per_minute": 1000 }),
        &Blocked::ConnectionUnavailable,
        5..=11,
    )
    .await;
}

#[tokio::test]
async fn after_a_lasting_429_everything_goes_on_at_a_pace() {
    breaks_and_comes_back(
        json!({ "throttle": { "all": true, "retry_after_seconds": 1 } }),
        json!({ "throttle": { "all": false }, "rate_limit_per_minute": 1000 }),
        &Blocked::ConnectionUnavailable,
        1..=11,
    )
    .await;
}

#[tokio::test]
async fn after_refused_keys_everything_goes_on_at_a_pace() {
    breaks_and_comes_back(
        json!({ "keys": "revoked" }),
        json!({ "keys": "ok", "rate_limit_per_minute": 1000 }),
        &Blocked::ConnectionBroken,
        5..=11,
    )
    .await;
}
