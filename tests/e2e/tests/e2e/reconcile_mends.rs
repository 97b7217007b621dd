//! A connection that nobody calls any more is tried, and what waited for it goes on once it answers.

use domain::breaker::Breaker;
use domain::{AlertKey, Blocked, Target};
use jiff::Timestamp;
use serde_json::json;

use crate::ticks::after;
use crate::world::{PARTNER, TENANT, World, event, key, partner, settings};

async fn reason(world: &World, alert: &str) -> Option<Blocked> {
    let record = world.record(alert).await.unwrap();
    record.blocked.map(|blocked| blocked.reason)
}

/// Has one alert blocked by keys that are refused.
async fn broken(world: &mut World) {
    world.faults(json!({ "keys": "revoked" })).await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    assert_eq!(reason(world, "a1").await, Some(Blocked::ConnectionBroken));
    let breaker = world.config.breaker(&partner()).await.unwrap();
    assert!(breaker.open.is_some());
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
        self.config.breaker(&partner()).await.unwrap()
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_a_minute_later_without_being_asked_for() {
    let mut world = World::new().await;
    broken(&mut world).await;
    world.faults(json!({ "keys": "ok" })).await;
    // Whatever the test took: the breaker opened in it.
    let soon = after(Timestamp::now(), 61);
    assert_eq!(world.tick(&world.reconcile(), soon).await.released, 1);
}

#[tokio::test]
async fn a_broken_connection_is_tried_once_a_minute_and_its_alerts_go_on_when_it_is_mended() {
    let mut world = World::new().await;
    broken(&mut world).await;
    let reconcile = world.reconcile();
    let now = Timestamp::now();
    world.make_due(now).await;
    for minute in 0..3 {
        let before = world.calls().await.len();
        let tick = world
            .tick(&reconcile, after(now, minute * 60 + minute))
            .await;
        assert_eq!((tick.done, tick.released), (1, 0));
        assert_eq!(world.calls().await.len(), before + 1, "one probe a run");
        let between = world
            .tick(&reconcile, after(now, minute * 60 + minute + 30))
            .await;
        assert_eq!(between.due, 0);
    }
    world.faults(json!({ "keys": "ok" })).await;
    let mended = world.tick(&reconcile, after(now, 190)).await;
    assert_eq!(mended.released, 1, "in the very run that sees it");
    let breaker = world.config.breaker(&partner()).await.unwrap();
    assert!(breaker.open.is_none());
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
}

#[tokio::test]
async fn keys_that_were_replaced_are_read_afresh_for_the_probe() {
    let mut world = World::new().await;
    world.put_keys("wrong").await;
    let reconcile = world.reconcile();
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    assert_eq!(reason(&world, "a1").await, Some(Blocked::ConnectionBroken));
    let now = Timestamp::now();
    world.make_due(now).await;
    assert_eq!(world.tick(&reconcile, now).await.released, 0);
    world.put_keys("tbPrivateKey01").await;
    assert_eq!(world.tick(&reconcile, after(now, 61)).await.released, 1);
}

#[tokio::test]
async fn a_pause_that_connectwise_asked_for_holds_for_the_probe_too() {
    let mut world = World::new().await;
    broken(&mut world).await;
    let now = Timestamp::now();
    world
        .config
        .pause(&partner(), after(now, 600))
        .await
        .unwrap();
    let before = world.calls().await.len();
    world.make_due(now).await;
    let tick = world.tick(&world.reconcile(), now).await;
    assert_eq!((tick.done, tick.released), (1, 0));
    assert_eq!(world.calls().await.len(), before);
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
        .put_settings(&partner(), &world_of)
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
    assert_eq!(world.tick(&reconcile, now).await.released, 0);
    assert_eq!(
        world.calls().await[before..],
        ["GET /service/boards"],
        "asked once for both"
    );
    world
        .config
        .put_settings(&partner(), &settings())
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
async fn what_waits_for_a_right_goes_on_when_the_api_member_has_it() {
    let mut world = World::new().await;
    let reconcile = world.reconcile();
    let right = "service_tickets.add";
    world.faults(json!({ "missing_rights": [right] })).await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    let missing = Some(Blocked::MissingRight(right.into()));
    assert_eq!(reason(&world, "a1").await, missing);
    let now = Timestamp::now();
    world.make_due(now).await;
    assert_eq!(world.tick(&reconcile, now).await.released, 0);
    world.faults(json!({ "missing_rights": [] })).await;
    world.make_due(after(now, 1)).await;
    assert_eq!(world.tick(&reconcile, after(now, 1)).await.released, 1);
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
}

#[tokio::test]
async fn a_right_that_the_api_member_cannot_see_is_tried_once_in_a_quarter_of_an_hour() {
    let mut world = World::new().await;
    let reconcile = world.reconcile();
    let blind = json!({ "missing_rights": ["service_tickets.add"], "variants": { "my_security": "refused" } });
    world.faults(blind).await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    let now = Timestamp::now();
    let mut released = vec![];
    for minute in [0, 1, 14, 16, 17] {
        let at = after(now, minute * 60);
        world.make_due(at).await;
        released.push(world.tick(&reconcile, at).await.released);
        world.work().await;
    }
    assert_eq!(released, [1, 0, 0, 1, 0]);
}

#[tokio::test]
async fn keys_that_were_stored_without_a_word_are_known_after_a_run() {
    let mut world = World::new().await;
    let reconcile = world.reconcile();
    let old = world.stored_version().await;
    world.config.keys_stored(&partner(), &old).await.unwrap();
    // Set-up dies right after it stored other keys. ConnectWise refuses them.
    world.put_keys("another").await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    assert_eq!(reason(&world, "a1").await, Some(Blocked::ConnectionBroken));
    assert_eq!(world.breaker().await.open, None);

    let now = Timestamp::now();
    world.make_due(now).await;
    assert_eq!(world.tick(&reconcile, now).await.released, 1);
    let stored = Some(world.stored_version().await);
    assert_eq!(world.breaker().await.key_version, stored);
    world.work().await;
    assert!(world.breaker().await.open.is_some(), "and nobody calls");
    world.make_due(after(now, 60)).await;
    let tick = world.tick(&reconcile, after(now, 60)).await;
    assert_eq!(tick.released, 0);
}

#[tokio::test]
async fn whoever_remembers_older_keys_does_not_take_them_for_the_newest() {
    let world = World::new().await;
    let reconcile = world.reconcile();
    let tick = async |second| {
        let now = after(Timestamp::now(), second);
        world.make_due(now).await;
        assert_eq!(world.tick(&reconcile, now).await.done, 1);
    };
    let old = world.stored_version().await;
    world.config.keys_stored(&partner(), &old).await.unwrap();
    tick(0).await;
    world.put_keys("another").await;
    let new = world.stored_version().await;
    world.config.keys_stored(&partner(), &new).await.unwrap();
    let before = world.breaker().await;
    tick(60).await;
    assert_eq!(world.breaker().await, before);
}
