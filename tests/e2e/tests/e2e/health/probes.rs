//! Health probes broken connections, and their alerts continue once a probe succeeds. A probe of a
//! healthy connection checks only what the partner's settings use.

use std::collections::BTreeSet;

use crate::environment::{TestEnvironment, after, partner, raised_event};
use domain::Blocked;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Blocks one alert by refused keys.
async fn broken(env: &mut TestEnvironment) {
    env.set_fault("keys", "revoked").await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(env.reason("a1").await, Some(Blocked::ConnectionBroken));
    assert!(is_open(env).await);
}

async fn is_open(env: &TestEnvironment) -> bool {
    let breaker = env.breaker().await;
    breaker.open.is_some()
}

#[tokio::test]
async fn an_open_breaker_is_probed_after_a_minute() {
    let mut env = TestEnvironment::new().await;
    broken(&mut env).await;
    env.set_fault("keys", "ok").await;
    // The breaker opened at some time during the test.
    let soon = after(Timestamp::now(), 61);
    env.schedule.tick_health(&env.health(), soon).await;
    assert!(!is_open(&env).await);
    let reconcile = env.reconcile();
    assert_eq!(
        env.schedule
            .count_released(&reconcile, after(soon, 60))
            .await,
        1
    );
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn alerts_continue_when_a_probe_succeeds() {
    let mut env = TestEnvironment::new().await;
    broken(&mut env).await;
    let (health, reconcile) = (env.health(), env.reconcile());
    let now = Timestamp::now();
    env.schedule.make_health_due(now).await;
    for minute in 0..3 {
        let before = env.connectwise.calls().await.len();
        let at = after(now, minute * 60 + minute);
        assert_eq!(env.schedule.tick_health(&health, at).await.completed, 1);
        assert_eq!(
            env.connectwise.calls().await.len(),
            before + 1,
            "one call in each run"
        );
        let between = after(at, 30);
        assert_eq!(env.schedule.tick_health(&health, between).await.due, 0);
        assert_eq!(env.schedule.count_released(&reconcile, between).await, 0);
        assert_eq!(
            env.connectwise.calls().await.len(),
            before + 1,
            "only the probe calls"
        );
    }
    env.set_fault("keys", "ok").await;
    env.schedule.tick_health(&health, after(now, 190)).await;
    assert!(!is_open(&env).await);
    assert_eq!(
        env.schedule
            .count_released(&reconcile, after(now, 250))
            .await,
        1
    );
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn a_probe_detects_refused_keys_without_traffic() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("keys", "revoked").await;
    let now = Timestamp::now();
    env.schedule.make_health_due(now).await;
    env.schedule.tick_health(&env.health(), now).await;
    assert!(is_open(&env).await);
    let calls = env.connectwise.calls().await.len();
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(env.reason("a1").await, Some(Blocked::ConnectionBroken));
    assert_eq!(env.connectwise.calls().await.len(), calls);
}

#[tokio::test]
async fn a_probe_reads_replaced_keys_again() {
    let mut env = TestEnvironment::new().await;
    env.put_keys("wrong").await;
    let health = env.health();
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(env.reason("a1").await, Some(Blocked::ConnectionBroken));
    let now = Timestamp::now();
    env.run_health(&health, now).await;
    assert!(is_open(&env).await);
    env.put_keys("tbPrivateKey01").await;
    env.schedule.tick_health(&health, after(now, 61)).await;
    assert!(!is_open(&env).await);
}

#[tokio::test]
async fn a_probe_respects_retry_after() {
    let mut env = TestEnvironment::new().await;
    broken(&mut env).await;
    let now = Timestamp::now();
    let until = after(now, 600);
    env.config.breaker.pause(&partner(), until).await.unwrap();
    let before = env.connectwise.calls().await.len();
    env.schedule.make_health_due(now).await;
    let health = env.health();
    assert_eq!(env.schedule.tick_health(&health, now).await.completed, 1);
    assert_eq!(env.connectwise.calls().await.len(), before);
    assert_eq!(
        env.schedule.tick_health(&health, after(now, 590)).await.due,
        0
    );
    env.schedule.tick_health(&health, after(now, 602)).await;
    assert_eq!(env.connectwise.calls().await.len(), before + 1);
}

#[tokio::test]
async fn alerts_blocked_by_a_right_continue_when_it_is_granted() {
    let mut env = TestEnvironment::new().await;
    let (health, reconcile) = (env.health(), env.reconcile());
    let right = "service_tickets.add";
    env.set_fault("missing_rights", [right]).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let missing = Some(Blocked::MissingRight(right.into()));
    assert_eq!(env.reason("a1").await, missing);
    let now = Timestamp::now();
    env.run_health(&health, now).await;
    assert_eq!(env.schedule.run(&reconcile, now).await.totals.released, 0);
    env.set_fault("missing_rights", json!([])).await;
    let soon = after(now, 61);
    env.schedule.tick_health(&health, soon).await;
    assert_eq!(
        env.schedule
            .count_released(&reconcile, after(soon, 60))
            .await,
        1
    );
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn an_unreadable_right_is_tried_every_15_minutes() {
    let mut env = TestEnvironment::new().await;
    let (health, reconcile) = (env.health(), env.reconcile());
    let blind = json!({ "missing_rights": ["service_tickets.add"], "variants": { "my_security": "refused" } });
    env.connectwise.set_faults(blind).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let now = Timestamp::now();
    let mut released = vec![];
    for minute in [0, 1, 14, 16, 17] {
        let at = after(now, minute * 60);
        env.run_health(&health, at).await;
        env.schedule.make_due(at).await;
        released.push(env.schedule.count_released(&reconcile, at).await);
        env.worker.work().await;
    }
    assert_eq!(released, [1, 0, 0, 1, 0]);
}

/// One second after the seeded partner's own time in its 15-minute period, so that its next time is
/// far away.
fn just_after_its_own_time() -> Timestamp {
    let period = 15 * 60 * 1000;
    let phase = (i64::from(store::spread(&partner())) + period / 2) % period;
    let now = Timestamp::now().as_millisecond();
    let next = now + period - (now - phase).rem_euclid(period);
    Timestamp::from_millisecond(next + 1000).unwrap()
}

#[tokio::test]
async fn a_healthy_probe_makes_at_most_six_calls() {
    let env = TestEnvironment::new().await;
    let health = env.health();
    let now = just_after_its_own_time();
    let mut seen = BTreeSet::new();
    for probe in 0..4 {
        let before = env.connectwise.calls().await.len();
        let at = after(now, probe * 15 * 60);
        let tick = env.run_health(&health, at).await;
        assert_eq!((tick.completed, tick.totals.mails), (1, 0));
        let calls = env.connectwise.calls().await.split_off(before);
        assert_eq!(calls.len(), 6, "{calls:?}");
        seen.extend(calls);
        let soon = env.schedule.tick_health(&health, after(at, 61)).await;
        assert_eq!(soon.due, 0, "not every minute");
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [
            "GET /company/companies",
            "GET /company/companies/statuses",
            "GET /service/boards",
            "GET /service/boards/22/statuses",
            "GET /service/boards/22/types",
            "GET /service/boards/23/statuses",
            "GET /service/boards/23/types",
            "GET /service/priorities",
            "GET /system/mySecurity",
        ]
    );
    let journal = env.connectwise.journal().await;
    let companies = |call: &&Value| {
        call["path"]
            .as_str()
            .unwrap()
            .ends_with("/company/companies")
    };
    let asked = journal.iter().find(companies).unwrap()["query"].to_string();
    assert!(asked.contains("301") && !asked.contains("308"), "{asked}");
}
