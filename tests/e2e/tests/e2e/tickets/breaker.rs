//! The circuit breaker of a connection: one worker's findings apply to all, and no alert is lost.

use std::time::{Duration, Instant};

use crate::environment::{
    TENANT, TestEnvironment, key, partner, raised_event, raises, reconsider, resolved_event,
};
use domain::Blocked;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Closes the breaker as a probe does, and reconsiders the alerts.
async fn mended(env: &mut TestEnvironment, alerts: usize, minutes: i64) {
    env.close_breaker().await;
    let again: Vec<_> = (0..alerts)
        .map(|n| reconsider(&key(TENANT, &format!("a{n}"))))
        .collect();
    env.worker.handle_until_done(again, minutes, 11).await;
}

#[tokio::test]
async fn a_long_outage_blocks_all_alerts_and_loses_none() {
    let mut env = TestEnvironment::new().await;
    env.process(&raises(0..1), 0).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);

    env.set_fault("outage", true).await;
    let mut messages = env.post_and_take(&raises(1..13)).await;
    // Alert 0 has a ticket and is resolved during the outage. Alert 12 is resolved before it has a ticket.
    messages.extend(env.post_and_take(&[resolved_event("r0", "a0", 9)]).await);
    for minutes in [0, 1, 5] {
        messages = env.worker.handle_at(messages, minutes).await;
        assert_eq!(
            messages.len(),
            13,
            "no message is given up after {minutes} minutes"
        );
    }
    messages = env.worker.handle_at(messages, 17).await;
    assert_eq!(messages.len(), 0);
    for n in 0..13 {
        let alert = format!("a{n}");
        let reason = env.reason(&alert).await;
        assert_eq!(reason, Some(Blocked::ConnectionUnavailable), "{alert}");
    }
    assert_eq!(env.dead_letter_queue.dead_letters().await, []);

    let before = env.connectwise.calls().await.len();
    let late = env.post_and_take(&raises(13..14)).await;
    let resolved = [
        resolved_event("r12", "a12", 9),
        raised_event("e20", "a20", 1),
        resolved_event("r20", "a20", 9),
    ];
    let late = [late, env.post_and_take(&resolved).await].concat();
    assert_eq!(env.worker.handle_at(late, 18).await.len(), 0);
    assert_eq!(
        env.connectwise.calls().await.len(),
        before,
        "no call is made any more"
    );
    let cleared = env.record("a20").await.unwrap();
    assert!(cleared.blocked.is_none() && cleared.actual.is_none());

    env.set_fault("outage", false).await;
    mended(&mut env, 14, 30).await;
    let tickets = env.connectwise.tickets().await;
    let open = tickets
        .iter()
        .filter(|ticket| ticket["closedFlag"] == false);
    assert_eq!(
        (tickets.len(), open.count()),
        (13, 12),
        "a0's ticket is closed, a12 has no ticket"
    );
    for n in 0..14 {
        assert_eq!(env.reason(&format!("a{n}")).await, None);
    }
}

#[tokio::test]
async fn a_search_after_an_outage_unblocks_its_alert() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("outage", true).await;
    let mut messages = env.post_and_take(&raises(0..1)).await;
    for minutes in [0, 17] {
        messages = env.worker.handle_at(messages, minutes).await;
    }
    assert_eq!(env.blocked_keys().await.len(), 1);
    env.set_fault("outage", false).await;
    env.close_breaker().await;
    let again = vec![reconsider(&key(TENANT, "a0"))];
    let again = env.worker.handle_at(again, 20).await;
    assert_eq!(again.len(), 1, "one empty search is not enough");
    assert_eq!(env.blocked_keys().await, []);
    env.worker.handle_until_done(again, 21, 1).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn refused_keys_open_the_breaker_after_a_few_calls() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("keys", "revoked").await;
    let messages = env.post_and_take(&raises(0..30)).await;
    assert_eq!(env.worker.handle_at(messages, 0).await.len(), 0);
    for n in 0..30 {
        let reason = env.reason(&format!("a{n}")).await;
        assert_eq!(reason, Some(Blocked::ConnectionBroken));
    }
    let calls = env.connectwise.calls().await.len();
    assert!(
        calls <= 20,
        "{calls} calls of the first batch, none of the others"
    );
    let breaker = env.breaker().await;
    assert_eq!(breaker.reason(), Some(&Blocked::ConnectionBroken));

    env.set_fault("keys", "ok").await;
    mended(&mut env, 30, 1).await;
    assert_eq!(env.connectwise.tickets().await.len(), 30);
}

#[tokio::test]
async fn a_refusal_of_replaced_keys_does_not_open_the_breaker() {
    let env = TestEnvironment::new().await;
    let (config, partner) = (&env.config, partner());
    env.database.set_key_version("v2").await;
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
async fn each_write_that_succeeds_ends_the_count_of_failures() {
    let mut env = TestEnvironment::new().await;
    let mut repeat = raised_event("e2", "a1", 1);
    repeat["data"]["severity"] = json!("critical");
    let writes = [
        ("a new ticket", raised_event("e1", "a1", 0)),
        ("another priority", repeat),
        ("a close", resolved_event("e3", "a1", 2)),
    ];
    for (what, event) in writes {
        let store = &env.config.breaker;
        let failing = store.record_failure(&partner(), Timestamp::now()).await;
        assert!(failing.unwrap().failing_since.is_some());
        let before = env.connectwise.calls().await.len();
        env.deliver(&event).await;
        assert!(env.connectwise.calls().await.len() > before, "{what}");
        let breaker = env.config.breaker.get(&partner()).await.unwrap();
        assert_eq!(breaker.failing_since, None, "{what}");
    }
}

#[tokio::test]
async fn a_retry_after_holds_for_all_workers() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("rate_limit_per_minute", 1).await;
    let messages = env.post_and_take(&raises(0..12)).await;
    let back = env.worker.handle_at(messages, 0).await;
    assert!(back.len() >= 11, "{}", back.len());
    env.set_fault("rate_limit_per_minute", 0).await;
    let before = env.connectwise.calls().await.len();
    let other = env.new_tickets_app();
    env.worker.app = other;
    let back = env.worker.handle_at(back, 0).await;
    assert!(back.len() >= 11);
    assert_eq!(
        env.connectwise.calls().await.len(),
        before,
        "no call before the pause ends"
    );
    env.worker.handle_until_done(back, 2, 11).await;
    assert_eq!(env.connectwise.tickets().await.len(), 12);
}

#[tokio::test]
async fn a_pause_is_never_shortened() {
    let env = TestEnvironment::new().await;
    let now = Timestamp::now();
    for (seconds, expected) in [(30, 30), (10, 30), (60, 60)] {
        let until = now + SignedDuration::from_secs(seconds);
        env.config.breaker.pause(&partner(), until).await.unwrap();
        let breaker = env.breaker().await;
        let left = breaker.pause(now).unwrap().duration_since(now).as_secs();
        assert!((expected..=expected + 1).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn five_timeouts_in_a_row_open_the_breaker() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("latency_ms", 20_000).await;
    let messages = env.post_and_take(&raises(0..8)).await;
    for batch in messages.chunks(4) {
        // Each call times out at the end of an invocation that has one second for it.
        let invocation = env.worker.invocation_at(Timestamp::now(), 3);
        let back = env.worker.handle_batch(batch, &invocation).await;
        assert_eq!(back.len(), 4);
    }
    let breaker = env.breaker().await;
    assert!(breaker.pause(Timestamp::now()).is_some(), "{breaker:?}");
    let begun = Instant::now();
    let late = env.post_and_take(&raises(8..9)).await;
    assert_eq!(env.worker.handle_at(late, 0).await.len(), 1);
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "no message waits for it"
    );
}

#[tokio::test]
async fn a_missing_right_blocks_only_the_calls_that_need_it() {
    let mut env = TestEnvironment::new().await;
    env.process(&raises(0..1), 0).await;
    env.set_fault("missing_rights", ["service_tickets.add"])
        .await;
    let messages = env.post_and_take(&raises(1..25)).await;
    assert_eq!(env.worker.handle_at(messages, 0).await.len(), 0);
    let posts = env.connectwise.calls().await;
    let posts = posts
        .iter()
        .filter(|call| call.starts_with("POST /service/tickets"));
    assert!(posts.count() <= 12, "only the first batch calls");
    let missing = Blocked::MissingRight("service_tickets.add".into());
    assert_eq!(env.reason("a24").await, Some(missing));
    env.set_fault("missing_rights", json!([])).await;
    env.process(&[resolved_event("r0", "a0", 9)], 0).await;
    let record = env.record("a0").await.unwrap();
    assert!(record.open().is_none(), "{record:?}");
}

#[tokio::test]
async fn an_unreadable_breaker_stops_no_worker() {
    let mut env = TestEnvironment::new().await;
    env.database.corrupt_breaker().await;
    let messages = env.post_and_take(&raises(0..5)).await;
    assert_eq!(env.worker.handle_at(messages, 0).await.len(), 0);
    assert_eq!(env.connectwise.tickets().await.len(), 5);
}

#[tokio::test]
async fn scattered_failures_are_no_outage() {
    let mut env = TestEnvironment::new().await;
    let mut messages = env.post_and_take(&raises(0..3)).await;
    let last = messages.pop().unwrap();
    env.set_fault("error_rate", 1.0).await;
    let back = env.worker.handle_at(messages, 0).await;
    env.set_fault("error_rate", 0.0).await;
    env.worker.handle_until_done(back, 11, 1).await;
    let breaker = env.breaker().await;
    assert_eq!(breaker.failing_since, None, "the connection works again");
    env.set_fault("error_rate", 1.0).await;
    assert_eq!(env.worker.handle_at(vec![last], 40).await.len(), 1);
    assert_eq!(env.reason("a2").await, None);
}
