//! A connection that nobody calls any more is tried, and what waited for it goes on once it answers; what is tried is what is needed.

use std::collections::BTreeSet;

use domain::Blocked;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ticks::after;
use crate::world::{World, event, partner};

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
    assert!(is_open(world).await);
}

async fn is_open(world: &World) -> bool {
    let breaker = world.config.breaker.get(&partner()).await.unwrap();
    breaker.open.is_some()
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_a_minute_later_without_being_asked_for() {
    let mut world = World::new().await;
    broken(&mut world).await;
    world.faults(json!({ "keys": "ok" })).await;
    // Whatever the test took: the breaker opened in it.
    let soon = after(Timestamp::now(), 61);
    world.try_out(&world.health(), soon).await;
    assert!(!is_open(&world).await);
    let reconcile = world.reconcile();
    assert_eq!(
        world
            .tick(&reconcile, after(soon, 60))
            .await
            .totals
            .released,
        1
    );
}

#[tokio::test]
async fn a_broken_connection_is_tried_once_a_minute_and_its_alerts_go_on_when_it_is_mended() {
    let mut world = World::new().await;
    broken(&mut world).await;
    let (health, reconcile) = (world.health(), world.reconcile());
    let now = Timestamp::now();
    world.make_health_due(now).await;
    for minute in 0..3 {
        let before = world.calls().await.len();
        let at = after(now, minute * 60 + minute);
        assert_eq!(world.try_out(&health, at).await.completed, 1);
        assert_eq!(world.calls().await.len(), before + 1, "one call a run");
        let between = after(at, 30);
        assert_eq!(world.try_out(&health, between).await.due, 0);
        assert_eq!(world.tick(&reconcile, between).await.totals.released, 0);
        assert_eq!(world.calls().await.len(), before + 1, "nobody else calls");
    }
    world.faults(json!({ "keys": "ok" })).await;
    world.try_out(&health, after(now, 190)).await;
    assert!(!is_open(&world).await);
    assert_eq!(
        world
            .tick(&reconcile, after(now, 250))
            .await
            .totals
            .released,
        1
    );
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
}

#[tokio::test]
async fn keys_that_are_refused_while_nothing_happens_stop_all_calls_before_an_alert_meets_them() {
    let mut world = World::new().await;
    world.faults(json!({ "keys": "revoked" })).await;
    let now = Timestamp::now();
    world.make_health_due(now).await;
    world.try_out(&world.health(), now).await;
    assert!(is_open(&world).await);
    let calls = world.calls().await.len();
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    assert_eq!(reason(&world, "a1").await, Some(Blocked::ConnectionBroken));
    assert_eq!(world.calls().await.len(), calls);
}

#[tokio::test]
async fn keys_that_were_replaced_are_read_afresh_for_the_probe() {
    let mut world = World::new().await;
    world.put_keys("wrong").await;
    let health = world.health();
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    assert_eq!(reason(&world, "a1").await, Some(Blocked::ConnectionBroken));
    let now = Timestamp::now();
    world.make_health_due(now).await;
    world.try_out(&health, now).await;
    assert!(is_open(&world).await);
    world.put_keys("tbPrivateKey01").await;
    world.try_out(&health, after(now, 61)).await;
    assert!(!is_open(&world).await);
}

#[tokio::test]
async fn a_pause_that_connectwise_asked_for_holds_for_the_probe_too() {
    let mut world = World::new().await;
    broken(&mut world).await;
    let now = Timestamp::now();
    let until = after(now, 600);
    world.config.breaker.pause(&partner(), until).await.unwrap();
    let before = world.calls().await.len();
    world.make_health_due(now).await;
    let health = world.health();
    assert_eq!(world.try_out(&health, now).await.completed, 1);
    assert_eq!(world.calls().await.len(), before);
    assert_eq!(world.try_out(&health, after(now, 590)).await.due, 0);
    world.try_out(&health, after(now, 602)).await;
    assert_eq!(world.calls().await.len(), before + 1);
}

#[tokio::test]
async fn what_waits_for_a_right_goes_on_when_the_api_member_has_it() {
    let mut world = World::new().await;
    let (health, reconcile) = (world.health(), world.reconcile());
    let right = "service_tickets.add";
    world.faults(json!({ "missing_rights": [right] })).await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    let missing = Some(Blocked::MissingRight(right.into()));
    assert_eq!(reason(&world, "a1").await, missing);
    let now = Timestamp::now();
    world.make_health_due(now).await;
    world.try_out(&health, now).await;
    world.make_due(now).await;
    assert_eq!(world.tick(&reconcile, now).await.totals.released, 0);
    world.faults(json!({ "missing_rights": [] })).await;
    let soon = after(now, 61);
    world.try_out(&health, soon).await;
    assert_eq!(
        world
            .tick(&reconcile, after(soon, 60))
            .await
            .totals
            .released,
        1
    );
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
}

#[tokio::test]
async fn a_right_that_the_api_member_cannot_see_is_tried_once_in_a_quarter_of_an_hour() {
    let mut world = World::new().await;
    let (health, reconcile) = (world.health(), world.reconcile());
    let blind = json!({ "missing_rights": ["service_tickets.add"], "variants": { "my_security": "refused" } });
    world.faults(blind).await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    let now = Timestamp::now();
    let mut released = vec![];
    for minute in [0, 1, 14, 16, 17] {
        let at = after(now, minute * 60);
        world.make_health_due(at).await;
        world.try_out(&health, at).await;
        world.make_due(at).await;
        released.push(world.tick(&reconcile, at).await.totals.released);
        world.work().await;
    }
    assert_eq!(released, [1, 0, 0, 1, 0]);
}

/// A second after a time of the seeded partner's own, which comes once in each quarter of an hour: the next one is not a minute away.
fn just_after_its_own_time() -> Timestamp {
    let period = 15 * 60 * 1000;
    let phase = (i64::from(store::spread(&partner())) + period / 2) % period;
    let now = Timestamp::now().as_millisecond();
    let next = now + period - (now - phase).rem_euclid(period);
    Timestamp::from_millisecond(next + 1000).unwrap()
}

#[tokio::test]
async fn a_connection_that_is_well_costs_six_calls_at_most_and_all_is_looked_at_within_four_probes()
{
    let world = World::new().await;
    let health = world.health();
    let now = just_after_its_own_time();
    let mut seen = BTreeSet::new();
    for probe in 0..4 {
        let before = world.calls().await.len();
        let at = after(now, probe * 15 * 60);
        world.make_health_due(at).await;
        let tick = world.try_out(&health, at).await;
        assert_eq!((tick.completed, tick.totals.mails), (1, 0));
        let calls = world.calls().await.split_off(before);
        assert_eq!(calls.len(), 6, "{calls:?}");
        seen.extend(calls);
        let soon = world.try_out(&health, after(at, 61)).await;
        assert_eq!(soon.due, 0, "not each minute");
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
    let journal = world.journal().await;
    let companies = |call: &&Value| {
        call["path"]
            .as_str()
            .unwrap()
            .ends_with("/company/companies")
    };
    let asked = journal.iter().find(companies).unwrap()["query"].to_string();
    assert!(asked.contains("301") && !asked.contains("308"), "{asked}");
}
