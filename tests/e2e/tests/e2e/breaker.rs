//! A connection in trouble: what one worker learns holds for all, and nothing is lost meanwhile.

use std::time::{Duration, Instant};

use domain::Blocked;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::hours::reconsider;
use crate::world::{TENANT, World, event, key, partner};

fn raises(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| event("alert.raised", &format!("e{n}"), &format!("a{n}"), 0))
        .collect()
}

async fn reason(world: &World, alert: &str) -> Option<Blocked> {
    let record = world.record(alert).await.unwrap();
    record.blocked.map(|blocked| blocked.reason)
}

/// Closes the breaker as a probe does, and has the alerts decided again.
async fn mended(world: &mut World, alerts: usize, minutes: i64) {
    let breaker = world.config.breaker.get(&partner()).await.unwrap();
    let generation = breaker.generation;
    let closed = world.config.breaker.close(&partner(), generation).await;
    assert!(closed.unwrap());
    let again: Vec<_> = (0..alerts)
        .map(|n| reconsider(&key(TENANT, &format!("a{n}"))))
        .collect();
    world.until_done(again, minutes, 11).await;
}

#[tokio::test]
async fn an_outage_longer_than_the_back_off_blocks_everything_and_loses_nothing() {
    let mut world = World::new().await;
    let open = world.taken(&raises(1)).await;
    world.until_done(open, 0, 1).await;
    assert_eq!(world.all_tickets().await.len(), 1);

    world.faults(json!({ "outage": true })).await;
    let mut messages = world.taken(&raises(13)[1..]).await;
    // Alert 0 has its ticket, and is resolved during the outage; alert 12 before anything could be made of it.
    messages.extend(world.taken(&[event("alert.resolved", "r0", "a0", 9)]).await);
    for minutes in [0, 1, 5] {
        messages = world.hand_over(messages, minutes).await;
        assert_eq!(
            messages.len(),
            13,
            "nothing is given up after {minutes} minutes"
        );
    }
    messages = world.hand_over(messages, 17).await;
    assert_eq!(messages.len(), 0);
    for n in 0..13 {
        let alert = format!("a{n}");
        let reason = reason(&world, &alert).await;
        assert_eq!(reason, Some(Blocked::ConnectionUnavailable), "{alert}");
    }
    assert_eq!(world.dead_letters().await, []);

    let before = world.calls().await.len();
    let late = world.taken(&raises(14)[13..]).await;
    let resolved = [
        event("alert.resolved", "r12", "a12", 9),
        event("alert.raised", "e20", "a20", 1),
        event("alert.resolved", "r20", "a20", 9),
    ];
    let late = [late, world.taken(&resolved).await].concat();
    assert_eq!(world.hand_over(late, 18).await.len(), 0);
    assert_eq!(world.calls().await.len(), before, "nobody calls any more");
    let cleared = world.record("a20").await.unwrap();
    assert!(cleared.blocked.is_none() && cleared.actual.is_none());

    world.faults(json!({ "outage": false })).await;
    mended(&mut world, 14, 30).await;
    let tickets = world.all_tickets().await;
    let open = tickets
        .iter()
        .filter(|ticket| ticket["closedFlag"] == false);
    assert_eq!(
        (tickets.len(), open.count()),
        (13, 12),
        "a0 is closed, a12 has none"
    );
    for n in 0..14 {
        assert_eq!(reason(&world, &format!("a{n}")).await, None);
    }
}

#[tokio::test]
async fn what_is_searched_for_again_after_an_outage_is_not_listed_as_blocked() {
    let mut world = World::new().await;
    world.faults(json!({ "outage": true })).await;
    let mut messages = world.taken(&raises(1)).await;
    for minutes in [0, 17] {
        messages = world.hand_over(messages, minutes).await;
    }
    assert_eq!(
        world
            .alerts
            .lists
            .blocked_keys(&partner())
            .await
            .unwrap()
            .len(),
        1
    );
    world.faults(json!({ "outage": false })).await;
    let generation = world
        .config
        .breaker
        .get(&partner())
        .await
        .unwrap()
        .generation;
    let closed = world.config.breaker.close(&partner(), generation).await;
    assert!(closed.unwrap());
    let again = vec![reconsider(&key(TENANT, "a0"))];
    let again = world.hand_over(again, 20).await;
    assert_eq!(again.len(), 1, "one empty search is none");
    assert_eq!(
        world.alerts.lists.blocked_keys(&partner()).await.unwrap(),
        []
    );
    world.until_done(again, 21, 1).await;
    assert_eq!(world.all_tickets().await.len(), 1);
}

#[tokio::test]
async fn refused_keys_are_tried_a_few_times_and_no_more() {
    let mut world = World::new().await;
    world.faults(json!({ "keys": "revoked" })).await;
    let messages = world.taken(&raises(30)).await;
    assert_eq!(world.hand_over(messages, 0).await.len(), 0);
    for n in 0..30 {
        let reason = reason(&world, &format!("a{n}")).await;
        assert_eq!(reason, Some(Blocked::ConnectionBroken));
    }
    let calls = world.calls().await.len();
    assert!(
        calls <= 20,
        "{calls} calls of the first batch, none of the others"
    );
    let breaker = world.config.breaker.get(&partner()).await.unwrap();
    assert_eq!(breaker.reason(), Some(&Blocked::ConnectionBroken));

    world.faults(json!({ "keys": "ok" })).await;
    mended(&mut world, 30, 1).await;
    assert_eq!(world.all_tickets().await.len(), 30);
}

#[tokio::test]
async fn a_refusal_of_keys_that_were_replaced_meanwhile_opens_nothing() {
    let world = World::new().await;
    let (config, partner) = (&world.config, partner());
    world.set_key_version("v2").await;
    for (version, opens) in [("v1", false), ("v2", true)] {
        let broken = Blocked::ConnectionBroken;
        let opened = config
            .breaker
            .open(&partner, broken, Some(version), Timestamp::now());
        assert_eq!(opened.await.unwrap(), opens, "{version}");
    }
    let generation = config.breaker.get(&partner).await.unwrap().generation;
    for (generation, closes) in [(generation - 1, false), (generation, true)] {
        let closed = config.breaker.close(&partner, generation).await;
        assert_eq!(closed.unwrap(), closes, "a probe closes what it probed");
    }
}

#[tokio::test]
async fn what_connectwise_asks_one_worker_to_wait_all_workers_wait() {
    let mut world = World::new().await;
    world.faults(json!({ "rate_limit_per_minute": 1 })).await;
    let messages = world.taken(&raises(12)).await;
    let back = world.hand_over(messages, 0).await;
    assert!(back.len() >= 11, "{}", back.len());
    world.faults(json!({ "rate_limit_per_minute": 0 })).await;
    let before = world.calls().await.len();
    let other = world.another_worker();
    world.tickets = other;
    let back = world.hand_over(back, 0).await;
    assert!(back.len() >= 11);
    assert_eq!(world.calls().await.len(), before, "none before its time");
    world.until_done(back, 2, 11).await;
    assert_eq!(world.all_tickets().await.len(), 12);
}

#[tokio::test]
async fn a_pause_only_grows() {
    let world = World::new().await;
    let now = Timestamp::now();
    for (seconds, expected) in [(30, 30), (10, 30), (60, 60)] {
        let until = now + SignedDuration::from_secs(seconds);
        world.config.breaker.pause(&partner(), until).await.unwrap();
        let breaker = world.config.breaker.get(&partner()).await.unwrap();
        let left = breaker.pause(now).unwrap().duration_since(now).as_secs();
        assert!((expected..=expected + 1).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn five_time_outs_in_a_row_leave_connectwise_alone_for_a_minute() {
    let mut world = World::new().await;
    world.faults(json!({ "latency_ms": 20_000 })).await;
    let messages = world.taken(&raises(8)).await;
    for batch in messages.chunks(4) {
        // Each call runs into the end of an invocation that has a second for it.
        let invocation = world.invocation_at(Timestamp::now(), 3);
        let back = world.hand_batch(batch, &invocation).await;
        assert_eq!(back.len(), 4);
    }
    let breaker = world.config.breaker.get(&partner()).await.unwrap();
    assert!(breaker.pause(Timestamp::now()).is_some(), "{breaker:?}");
    let begun = Instant::now();
    let late = world.taken(&raises(9)[8..]).await;
    assert_eq!(world.hand_over(late, 0).await.len(), 1);
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "nobody waits for it"
    );
}

#[tokio::test]
async fn a_missing_right_blocks_only_what_needs_it() {
    let mut world = World::new().await;
    let made = world.taken(&raises(1)).await;
    world.until_done(made, 0, 1).await;
    world
        .faults(json!({ "missing_rights": ["service_tickets.add"] }))
        .await;
    let messages = world.taken(&raises(25)[1..]).await;
    assert_eq!(world.hand_over(messages, 0).await.len(), 0);
    let posts = world.calls().await;
    let posts = posts
        .iter()
        .filter(|call| call.starts_with("POST /service/tickets"));
    assert!(posts.count() <= 12, "the first batch, and none after it");
    let missing = Blocked::MissingRight("service_tickets.add".into());
    assert_eq!(reason(&world, "a24").await, Some(missing));
    world.faults(json!({ "missing_rights": [] })).await;
    let resolved = world.taken(&[event("alert.resolved", "r0", "a0", 9)]).await;
    world.until_done(resolved, 0, 1).await;
    let record = world.record("a0").await.unwrap();
    assert!(record.open().is_none(), "{record:?}");
}

#[tokio::test]
async fn an_unreadable_breaker_makes_workers_careful_and_stops_none() {
    let mut world = World::new().await;
    world.spoil_breaker().await;
    let messages = world.taken(&raises(5)).await;
    assert_eq!(world.hand_over(messages, 0).await.len(), 0);
    assert_eq!(world.all_tickets().await.len(), 5);
}

#[tokio::test]
async fn failures_far_apart_with_successes_between_are_no_outage() {
    let mut world = World::new().await;
    let mut messages = world.taken(&raises(3)).await;
    let last = messages.pop().unwrap();
    world.faults(json!({ "error_rate": 1.0 })).await;
    let back = world.hand_over(messages, 0).await;
    world.faults(json!({ "error_rate": 0.0 })).await;
    world.until_done(back, 11, 1).await;
    let breaker = world.config.breaker.get(&partner()).await.unwrap();
    assert_eq!(breaker.failing_since, None, "it works again");
    world.faults(json!({ "error_rate": 1.0 })).await;
    assert_eq!(world.hand_over(vec![last], 40).await.len(), 1);
    assert_eq!(reason(&world, "a2").await, None);
}
