//! Alerts that were blocked by something in ConnectWise continue once it exists, and reconcile learns of
//! newer keys.

use crate::environment::{
    PARTNER, TENANT, TestEnvironment, after, key, partner, raised_event, settings,
};
use domain::{AlertKey, Blocked, TicketTarget};
use jiff::Timestamp;

/// Secrets Manager's version of the stored keys.
async fn stored_version(env: &TestEnvironment) -> String {
    let secrets = aws_sdk_secretsmanager::Client::new(&env.aws);
    let get = secrets.get_secret_value();
    let get = get.secret_id(format!("tb/connection/{PARTNER}"));
    get.send().await.unwrap().version_id.unwrap()
}

#[tokio::test]
async fn alerts_blocked_by_a_board_continue_when_it_exists() {
    let mut env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let mut now = Timestamp::now();
    let mut without_board = settings();
    without_board.operations.board = Some(999);
    env.put_settings(&without_board).await;
    let blocked: Vec<AlertKey> = ["disk", "cpu"].map(|alert| key(TENANT, alert)).into();
    for kind in ["disk", "cpu"] {
        let mut raised = raised_event("e1", kind, 0);
        raised["data"]["kind"] = kind.into();
        env.source.post(&raised).await;
    }
    env.worker.work().await;
    let deleted = Some(Blocked::TargetMissing(TicketTarget::Board));
    assert_eq!(env.reason("disk").await, deleted);
    let before = env.connectwise.calls().await.len();
    assert_eq!(env.schedule.run(&reconcile, now).await.totals.released, 0);
    let calls = env.connectwise.calls().await.split_off(before);
    let about_boards = calls.iter().filter(|call| !call.contains("/callbacks"));
    let about_boards: Vec<_> = about_boards.collect();
    assert_eq!(about_boards, ["GET /service/boards"], "one call for both");
    env.put_settings(&settings()).await;
    now = after(now, 61);
    env.schedule.run(&reconcile, now).await;
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
    let stored = env.config.breaker.keys_stored(&partner(), &old).await;
    stored.unwrap();
    // Set-up dies right after it stores new keys, which ConnectWise refuses.
    env.put_keys("another").await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(env.reason("a1").await, Some(Blocked::ConnectionBroken));
    assert_eq!(env.breaker().await.open, None);

    let now = Timestamp::now();
    assert_eq!(env.schedule.run(&reconcile, now).await.totals.released, 1);
    let stored = Some(stored_version(&env).await);
    assert_eq!(env.breaker().await.key_version, stored);
    env.worker.work().await;
    assert!(env.breaker().await.open.is_some(), "the breaker is open");
    let tick = env.schedule.run(&reconcile, after(now, 60)).await;
    assert_eq!(tick.totals.released, 0);
}

#[tokio::test]
async fn cached_old_keys_do_not_replace_the_newest_version() {
    let env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let tick = async |second| {
        let now = after(Timestamp::now(), second);
        assert_eq!(env.schedule.run(&reconcile, now).await.completed, 1);
    };
    let old = stored_version(&env).await;
    let stored = env.config.breaker.keys_stored(&partner(), &old).await;
    stored.unwrap();
    tick(0).await;
    env.put_keys("another").await;
    let new = stored_version(&env).await;
    let stored = env.config.breaker.keys_stored(&partner(), &new).await;
    stored.unwrap();
    let before = env.breaker().await;
    tick(60).await;
    assert_eq!(env.breaker().await, before);
}
