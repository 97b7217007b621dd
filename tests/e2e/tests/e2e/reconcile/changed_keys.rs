//! Alerts that were blocked by something in ConnectWise continue once it exists, and reconcile learns of
//! newer keys.

use crate::environment::{PARTNER, TENANT, TestEnvironment, after, event, key, partner, settings};
use domain::connection::breaker::Breaker;
use domain::{AlertKey, Blocked, TicketTarget};
use jiff::Timestamp;

async fn reason(env: &TestEnvironment, alert: &str) -> Option<Blocked> {
    let record = env.record(alert).await.unwrap();
    record.blocked.map(|blocked| blocked.reason)
}

/// Secrets Manager's version of the stored keys.
async fn stored_version(env: &TestEnvironment) -> String {
    let secrets = aws_sdk_secretsmanager::Client::new(&env.aws);
    let get = secrets.get_secret_value();
    let get = get.secret_id(format!("tb/connection/{PARTNER}"));
    get.send().await.unwrap().version_id.unwrap()
}

async fn breaker(env: &TestEnvironment) -> Breaker {
    env.config.breaker.get(&partner()).await.unwrap()
}

#[tokio::test]
async fn alerts_blocked_by_a_board_continue_when_it_exists() {
    let env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let mut now = Timestamp::now();
    let mut world_of = settings();
    world_of.operations.board = Some(999);
    env.config
        .settings
        .put(&partner(), &world_of)
        .await
        .unwrap();
    let blocked: Vec<AlertKey> = ["disk", "cpu"].map(|alert| key(TENANT, alert)).into();
    let mut env = env;
    for kind in ["disk", "cpu"] {
        let mut raised = event("alert.raised", "e1", kind, 0);
        raised["data"]["kind"] = kind.into();
        env.source.post(&raised).await;
    }
    env.worker.work().await;
    let deleted = Some(Blocked::TargetGone(TicketTarget::Board));
    assert_eq!(reason(&env, "disk").await, deleted);
    let before = env.connectwise.calls().await.len();
    env.schedule.make_due(now).await;
    assert_eq!(env.schedule.tick(&reconcile, now).await.totals.released, 0);
    assert_eq!(
        env.connectwise.calls().await[before..],
        ["GET /service/boards"],
        "one call for both"
    );
    env.config
        .settings
        .put(&partner(), &settings())
        .await
        .unwrap();
    now = after(now, 61);
    env.schedule.make_due(now).await;
    env.schedule.tick(&reconcile, now).await;
    let mut keys = env.queue.take_reconsidered().await;
    keys.sort();
    let mut expected = blocked;
    expected.sort();
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn reconcile_learns_of_silently_replaced_keys() {
    let mut env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let old = stored_version(&env).await;
    env.config
        .breaker
        .keys_stored(&partner(), &old)
        .await
        .unwrap();
    // Set-up dies right after it stores new keys, which ConnectWise refuses.
    env.put_keys("another").await;
    env.source.post(&event("alert.raised", "e1", "a1", 0)).await;
    env.worker.work().await;
    assert_eq!(reason(&env, "a1").await, Some(Blocked::ConnectionBroken));
    assert_eq!(breaker(&env,).await.open, None);

    let now = Timestamp::now();
    env.schedule.make_due(now).await;
    assert_eq!(env.schedule.tick(&reconcile, now).await.totals.released, 1);
    let stored = Some(stored_version(&env).await);
    assert_eq!(breaker(&env,).await.key_version, stored);
    env.worker.work().await;
    assert!(breaker(&env,).await.open.is_some(), "the breaker is open");
    env.schedule.make_due(after(now, 60)).await;
    let tick = env.schedule.tick(&reconcile, after(now, 60)).await;
    assert_eq!(tick.totals.released, 0);
}

#[tokio::test]
async fn cached_old_keys_do_not_replace_the_newest_version() {
    let env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let tick = async |second| {
        let now = after(Timestamp::now(), second);
        env.schedule.make_due(now).await;
        assert_eq!(env.schedule.tick(&reconcile, now).await.completed, 1);
    };
    let old = stored_version(&env).await;
    env.config
        .breaker
        .keys_stored(&partner(), &old)
        .await
        .unwrap();
    tick(0).await;
    env.put_keys("another").await;
    let new = stored_version(&env).await;
    env.config
        .breaker
        .keys_stored(&partner(), &new)
        .await
        .unwrap();
    let before = breaker(&env).await;
    tick(60).await;
    assert_eq!(breaker(&env,).await, before);
}
