//! More closings at once than can be believed: none is made before a person let them through.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::world::{COMPANY, TENANT, World, event, key, partner, tenant};

const OTHER: &str = "oak-dental";

fn from_now(minutes: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_mins(minutes)
}

async fn raised(world: &mut World, of: &str, count: usize) {
    for n in 0..count {
        let mut raised = event("alert.raised", &format!("e{of}{n}"), &format!("a{n}"), -300);
        raised["data"]["tenant"] = of.into();
        world.post_at(-15, &raised).await;
    }
    world.work().await;
}

async fn listed(world: &mut World, of: &str, id: &str, minutes: i64, count: usize) {
    let active: Vec<String> = (0..count).map(|n| format!("a{n}")).collect();
    let taken_at = from_now(minutes);
    let list = json!({
        "specversion": "1.0", "id": id, "source": "/test", "type": "alerts.snapshot",
        "data": {
            "tenant": of, "snapshot_id": id, "taken_at": taken_at.to_string(), "active": active, "part": 1, "parts": 1,
        }
    });
    world.post_at(minutes, &list).await;
    world.work().await;
}

async fn open(world: &World, of: &str) -> usize {
    let tickets = world.all_tickets().await;
    let scope = key(of, "a0").item_key();
    let scope = format!("tb1-{}", &scope[..16]);
    let of_scope = tickets.iter().filter(|ticket| {
        ticket["closedFlag"] == false
            && ticket["externalXRef"].as_str().unwrap().starts_with(&scope)
    });
    of_scope.count()
}

/// Another customer of the same partner's.
async fn mapped(world: &World, name: &str) {
    let company = domain::settings::Company {
        id: COMPANY,
        name: "Oak".into(),
        epoch: 1,
    };
    let mapping =
        domain::settings::Mapping::default().chosen(Some(company), true, Timestamp::now());
    world
        .config
        .tenants
        .put(&partner(), &tenant(name), &mapping)
        .await
        .unwrap();
}

#[tokio::test]
async fn too_many_at_once_are_stopped_until_a_person_lets_them_through() {
    let mut world = World::new().await;
    mapped(&world, OTHER).await;
    raised(&mut world, TENANT, 30).await;
    raised(&mut world, OTHER, 3).await;
    listed(&mut world, TENANT, "s1", 0, 8).await;
    listed(&mut world, OTHER, "s1", 0, 1).await;
    assert_eq!(world.reconciled(1).await, 2, "the other tenant's");
    assert_eq!(open(&world, TENANT).await, 30);
    assert_eq!(open(&world, OTHER).await, 1);
    let held = world
        .config
        .closing_holds
        .get_held(&partner())
        .await
        .unwrap();
    let held = &held[&tenant(TENANT)];
    assert_eq!((held.closings, held.open, held.notified_at), (22, 30, None));

    // Again and again, it is one stop.
    assert_eq!(world.reconciled(17).await, 0);
    let again = world
        .config
        .closing_holds
        .get_held(&partner())
        .await
        .unwrap();
    assert_eq!(again[&tenant(TENANT)].since, held.since);
    let state = world.config.monitoring.read().await.unwrap().state;
    let told = state.closings_held.map(|held| held.count);
    assert_eq!(told, Some(1), "the operator hears of it once");

    // A person who saw fewer has to look again.
    let (since, digest) = (held.since, held.digest.clone());
    let approved = async |world: &World, digest: &str| {
        let config = &world.config;
        config
            .closing_holds
            .approve(
                &partner(),
                &tenant(TENANT),
                (digest, since),
                Timestamp::now(),
            )
            .await
            .unwrap()
    };
    assert!(!approved(&world, "").await);
    assert!(!approved(&world, "another").await);
    assert_eq!(world.reconciled(34).await, 0);
    assert!(approved(&world, &digest).await);
    assert_eq!(world.reconciled(51).await, 22);
    assert_eq!(open(&world, TENANT).await, 8);
    // It is over, and does not hold for the next time.
    assert_eq!(world.reconciled(68).await, 0);
    assert!(
        world
            .config
            .closing_holds
            .get_held(&partner())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn more_than_a_person_let_through_are_stopped_again() {
    let mut world = World::new().await;
    raised(&mut world, TENANT, 30).await;
    listed(&mut world, TENANT, "s1", 0, 8).await;
    assert_eq!(world.reconciled(1).await, 0);
    let config = &world.config;
    let (partner, tenant) = (partner(), tenant(TENANT));
    let shown = config.closing_holds.get_held(&partner).await.unwrap()[&tenant].clone();
    let shown = (shown.digest.as_str(), shown.since);
    let approved = config
        .closing_holds
        .approve(&partner, &tenant, shown, Timestamp::now());
    assert!(approved.await.unwrap());
    listed(&mut world, TENANT, "s2", 1, 2).await;
    assert_eq!(world.reconciled(17).await, 0);
    assert_eq!(open(&world, TENANT).await, 30);
    let held = world.config.closing_holds.get_held(&partner).await.unwrap();
    let held = &held[&tenant];
    assert_eq!((held.closings, held.approved), (28, None));
}

#[tokio::test]
async fn a_stop_is_over_when_the_list_is_whole_again_and_not_while_it_proves_nothing() {
    let mut world = World::new().await;
    raised(&mut world, TENANT, 30).await;
    listed(&mut world, TENANT, "s1", 0, 8).await;
    assert_eq!(world.reconciled(1).await, 0);
    listed(&mut world, TENANT, "s2", 1, 0).await;
    assert_eq!(world.reconciled(17).await, 0);
    assert_eq!(
        world
            .config
            .closing_holds
            .get_held(&partner())
            .await
            .unwrap()
            .len(),
        1
    );
    listed(&mut world, TENANT, "s3", 2, 29).await;
    assert_eq!(world.reconciled(33).await, 1);
    assert!(
        world
            .config
            .closing_holds
            .get_held(&partner())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(open(&world, TENANT).await, 29);
}

/// A source that forgets a few more alerts each time: no snapshot alone takes too many.
#[tokio::test]
async fn a_source_that_loses_a_few_more_with_each_snapshot_is_stopped() {
    let mut world = World::new().await;
    raised(&mut world, TENANT, 60).await;
    listed(&mut world, TENANT, "s1", 0, 43).await;
    assert_eq!(world.reconciled(1).await, 17);
    assert_eq!(open(&world, TENANT).await, 43);
    listed(&mut world, TENANT, "s2", 2, 26).await;
    assert_eq!(world.reconciled(17).await, 0);
    assert_eq!(open(&world, TENANT).await, 43);
    let held = world
        .config
        .closing_holds
        .get_held(&partner())
        .await
        .unwrap();
    let held = &held[&tenant(TENANT)];
    assert_eq!((held.closings, held.open), (17, 43));

    // What a person lets through is done, and does not count for what comes later that day.
    let config = &world.config;
    let (partner, tenant) = (partner(), tenant(TENANT));
    let shown = (held.digest.as_str(), held.since);
    let approved = config
        .closing_holds
        .approve(&partner, &tenant, shown, Timestamp::now());
    assert!(approved.await.unwrap());
    assert_eq!(world.reconciled(34).await, 17);
    assert_eq!(world.reconciled(51).await, 0);
    assert!(
        world
            .config
            .closing_holds
            .get_held(&partner)
            .await
            .unwrap()
            .is_empty()
    );
    listed(&mut world, TENANT, "s3", 52, 20).await;
    assert_eq!(world.reconciled(68).await, 6);
    // But it is not a way to lose the rest.
    listed(&mut world, TENANT, "s4", 69, 3).await;
    assert_eq!(world.reconciled(85).await, 0);
    assert_eq!(open(&world, TENANT).await, 20);
}
