//! What waited for something in ConnectWise goes on once it is there, and newer keys are known.

use domain::breaker::Breaker;
use domain::{AlertKey, Blocked, Target};
use jiff::Timestamp;

use crate::ticks::after;
use crate::world::{PARTNER, TENANT, World, event, key, partner, settings};

async fn reason(world: &World, alert: &str) -> Option<Blocked> {
    let record = world.record(alert).await.unwrap();
    record.blocked.map(|blocked| blocked.reason)
}

impl World {
    /// Secrets Manager's name for the keys that are stored.
    async fn stored_version(&self) -> String {
        let secrets = aws_sdk_secretsmanager::Client::new(&self.aws);
        let get = secrets.get_secret_value();
        let get = get.secret_id(format!("tb/connection/{PARTNER}"));
        get.send().await.unwrap().version_id.unwrap()
    }

    async fn breaker(&self) -> Breaker {
        self.config.breaker.get(&partner()).await.unwrap()
    }
}

#[tokio::test]
async fn what_waits_for_a_board_goes_on_when_the_board_is_there() {
    let world = World::new().await;
    let reconcile = world.reconcile();
    let mut now = Timestamp::now();
    let mut world_of = settings();
    world_of.operations.board = Some(999);
    world
        .config
        .settings
        .put(&partner(), &world_of)
        .await
        .unwrap();
    let blocked: Vec<AlertKey> = ["disk", "cpu"].map(|alert| key(TENANT, alert)).into();
    let mut world = world;
    for kind in ["disk", "cpu"] {
        let mut raised = event("alert.raised", "e1", kind, 0);
        raised["data"]["kind"] = kind.into();
        world.post(&raised).await;
    }
    world.work().await;
    let gone = Some(Blocked::TargetGone(Target::Board));
    assert_eq!(reason(&world, "disk").await, gone);
    let before = world.calls().await.len();
    world.make_due(now).await;
    assert_eq!(world.tick(&reconcile, now).await.totals.released, 0);
    assert_eq!(
        world.calls().await[before..],
        ["GET /service/boards"],
        "asked once for both"
    );
    world
        .config
        .settings
        .put(&partner(), &settings())
        .await
        .unwrap();
    now = after(now, 61);
    world.make_due(now).await;
    world.tick(&reconcile, now).await;
    let mut keys = world.reconsidered().await;
    keys.sort();
    let mut expected = blocked;
    expected.sort();
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn keys_that_were_stored_without_a_word_are_known_after_a_run() {
    let mut world = World::new().await;
    let reconcile = world.reconcile();
    let old = world.stored_version().await;
    world
        .config
        .breaker
        .keys_stored(&partner(), &old)
        .await
        .unwrap();
    // Set-up dies right after it stored other keys. ConnectWise refuses them.
    world.put_keys("another").await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    assert_eq!(reason(&world, "a1").await, Some(Blocked::ConnectionBroken));
    assert_eq!(world.breaker().await.open, None);

    let now = Timestamp::now();
    world.make_due(now).await;
    assert_eq!(world.tick(&reconcile, now).await.totals.released, 1);
    let stored = Some(world.stored_version().await);
    assert_eq!(world.breaker().await.key_version, stored);
    world.work().await;
    assert!(world.breaker().await.open.is_some(), "and nobody calls");
    world.make_due(after(now, 60)).await;
    let tick = world.tick(&reconcile, after(now, 60)).await;
    assert_eq!(tick.totals.released, 0);
}

#[tokio::test]
async fn whoever_remembers_older_keys_does_not_take_them_for_the_newest() {
    let world = World::new().await;
    let reconcile = world.reconcile();
    let tick = async |second| {
        let now = after(Timestamp::now(), second);
        world.make_due(now).await;
        assert_eq!(world.tick(&reconcile, now).await.completed, 1);
    };
    let old = world.stored_version().await;
    world
        .config
        .breaker
        .keys_stored(&partner(), &old)
        .await
        .unwrap();
    tick(0).await;
    world.put_keys("another").await;
    let new = world.stored_version().await;
    world
        .config
        .breaker
        .keys_stored(&partner(), &new)
        .await
        .unwrap();
    let before = world.breaker().await;
    tick(60).await;
    assert_eq!(world.breaker().await, before);
}
