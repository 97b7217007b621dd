//! Implausibly many closings at once are held until a person approves them.

use crate::environment::{COMPANY, TENANT, TestEnvironment, key, raised_event, tenant};
use crate::reconcile::closing::run_reconcile;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

const OTHER: &str = "oak-dental";

fn from_now(minutes: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_mins(minutes)
}

async fn raised(env: &mut TestEnvironment, of: &str, count: usize) {
    for n in 0..count {
        let mut raised = raised_event(&format!("e{of}{n}"), &format!("a{n}"), -300);
        raised["data"]["tenant"] = of.into();
        env.source.post_at(-15, &raised).await;
    }
    env.worker.work().await;
}

async fn listed(env: &mut TestEnvironment, of: &str, id: &str, minutes: i64, count: usize) {
    let active: Vec<String> = (0..count).map(|n| format!("a{n}")).collect();
    let taken_at = from_now(minutes);
    let list = json!({
        "specversion": "1.0", "id": id, "source": "/test", "type": "alerts.snapshot",
        "data": {
            "tenant": of, "snapshot_id": id, "taken_at": taken_at.to_string(), "active": active, "part": 1, "parts": 1,
        }
    });
    env.source.post_at(minutes, &list).await;
    env.worker.work().await;
}

async fn open(env: &TestEnvironment, of: &str) -> usize {
    let tickets = env.connectwise.tickets().await;
    let scope = key(of, "a0").item_key();
    let scope = format!("tb1-{}", &scope[..16]);
    let of_scope = tickets.iter().filter(|ticket| {
        ticket["closedFlag"] == false
            && ticket["externalXRef"].as_str().unwrap().starts_with(&scope)
    });
    of_scope.count()
}

/// A second tenant of the partner.
async fn mapped(env: &TestEnvironment, name: &str) {
    let company = domain::setup::mapping::ChosenCompany {
        id: COMPANY,
        name: "Oak".into(),
        epoch: 1,
    };
    let mapping = domain::setup::mapping::Mapping::default().with_choice(
        Some(company),
        true,
        Timestamp::now(),
    );
    env.put_mapping(name, &mapping).await;
}

#[tokio::test]
async fn too_many_closings_are_held_until_approved() {
    let mut env = TestEnvironment::new().await;
    mapped(&env, OTHER).await;
    raised(&mut env, TENANT, 30).await;
    raised(&mut env, OTHER, 3).await;
    listed(&mut env, TENANT, "s1", 0, 8).await;
    listed(&mut env, OTHER, "s1", 0, 1).await;
    assert_eq!(
        run_reconcile(&mut env, 1).await,
        2,
        "the other tenant's closings"
    );
    assert_eq!(open(&env, TENANT).await, 30);
    assert_eq!(open(&env, OTHER).await, 1);
    let held = env.held_closings().await;
    let held = &held[&tenant(TENANT)];
    assert_eq!((held.closings, held.open, held.notified_at), (22, 30, None));

    // Repeated snapshots make one hold.
    assert_eq!(run_reconcile(&mut env, 17).await, 0);
    let again = env.held_closings().await;
    assert_eq!(again[&tenant(TENANT)].since, held.since);
    let state = env.config.monitoring.read().await.unwrap().state;
    let count = state.closings_held.map(|held| held.count);
    assert_eq!(count, Some(1), "the operator is notified once");

    // An approval of another set of closings is refused.
    let (since, digest) = (held.since, held.digest.clone());
    assert!(!env.approve(("", since)).await);
    assert!(!env.approve(("another", since)).await);
    assert_eq!(run_reconcile(&mut env, 34).await, 0);
    assert!(env.approve((&digest, since)).await);
    assert_eq!(run_reconcile(&mut env, 51).await, 22);
    assert_eq!(open(&env, TENANT).await, 8);
    // The approval is used up, and does not apply to later closings.
    assert_eq!(run_reconcile(&mut env, 68).await, 0);
    assert!(env.held_closings().await.is_empty());
}

#[tokio::test]
async fn closings_beyond_the_approved_ones_are_held_again() {
    let mut env = TestEnvironment::new().await;
    raised(&mut env, TENANT, 30).await;
    listed(&mut env, TENANT, "s1", 0, 8).await;
    assert_eq!(run_reconcile(&mut env, 1).await, 0);
    let shown = env.held_closings().await[&tenant(TENANT)].clone();
    assert!(env.approve((&shown.digest, shown.since)).await);
    listed(&mut env, TENANT, "s2", 1, 2).await;
    assert_eq!(run_reconcile(&mut env, 17).await, 0);
    assert_eq!(open(&env, TENANT).await, 30);
    let held = env.held_closings().await;
    let held = &held[&tenant(TENANT)];
    assert_eq!((held.closings, held.approved), (28, None));
}

#[tokio::test]
async fn a_hold_ends_with_a_complete_snapshot() {
    let mut env = TestEnvironment::new().await;
    raised(&mut env, TENANT, 30).await;
    listed(&mut env, TENANT, "s1", 0, 8).await;
    assert_eq!(run_reconcile(&mut env, 1).await, 0);
    listed(&mut env, TENANT, "s2", 1, 0).await;
    assert_eq!(run_reconcile(&mut env, 17).await, 0);
    assert_eq!(env.held_closings().await.len(), 1);
    listed(&mut env, TENANT, "s3", 2, 29).await;
    assert_eq!(run_reconcile(&mut env, 33).await, 1);
    assert!(env.held_closings().await.is_empty());
    assert_eq!(open(&env, TENANT).await, 29);
}

/// A source that omits a few more alerts each time, so that no single snapshot exceeds the limit.
#[tokio::test]
async fn a_source_that_loses_alerts_step_by_step_is_held() {
    let mut env = TestEnvironment::new().await;
    raised(&mut env, TENANT, 60).await;
    listed(&mut env, TENANT, "s1", 0, 43).await;
    assert_eq!(run_reconcile(&mut env, 1).await, 17);
    assert_eq!(open(&env, TENANT).await, 43);
    listed(&mut env, TENANT, "s2", 2, 26).await;
    assert_eq!(run_reconcile(&mut env, 17).await, 0);
    assert_eq!(open(&env, TENANT).await, 43);
    let held = env.held_closings().await;
    let held = &held[&tenant(TENANT)];
    assert_eq!((held.closings, held.open), (17, 43));

    // Approved closings are done, and do not count against later closings of that day.
    assert!(env.approve((&held.digest, held.since)).await);
    assert_eq!(run_reconcile(&mut env, 34).await, 17);
    assert_eq!(run_reconcile(&mut env, 51).await, 0);
    assert!(env.held_closings().await.is_empty());
    listed(&mut env, TENANT, "s3", 52, 20).await;
    assert_eq!(run_reconcile(&mut env, 68).await, 6);
    // The remaining closings are held again.
    listed(&mut env, TENANT, "s4", 69, 3).await;
    assert_eq!(run_reconcile(&mut env, 85).await, 0);
    assert_eq!(open(&env, TENANT).await, 20);
}
