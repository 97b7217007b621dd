//! The ticket about an inactive source: made once, whatever is repeated, and closed with the next
//! message of the source.

use domain::monitoring::health::Health;
use domain::monitoring::source_alert::{self, SourceAlerts};
use domain::setup::mapping::Mapping;
use serde_json::{Value, json};

use crate::environment::{COMPANY, partner};
use crate::health::source_test::SourceTest;

const TITLE: &str = "No alerts from Scanner since ";

/// An environment with a source that makes a ticket once it was quiet for two days. The tenant of the
/// ticket is mapped.
async fn source_with_ticket() -> SourceTest {
    let source = unmapped_source_with_ticket().await;
    map_tenant(&source).await;
    source
}

async fn unmapped_source_with_ticket() -> SourceTest {
    let rules = json!({ "inactive_after_hours": 48, "inactive_ticket": true });
    SourceTest::new(rules).await
}

/// Maps the tenant, which is listed since the ticket was switched on.
async fn map_tenant(source: &SourceTest) {
    let tenants = &source.test.env.config.tenants;
    let (partner, id) = (partner(), source_alert::tenant().unwrap());
    let listed = tenants.get(&partner, &id).await.unwrap();
    let mapping = listed.value.unwrap();
    assert_eq!(mapping.name.as_deref(), Some(source_alert::TENANT_NAME));
    let mapping = Mapping {
        company: Some(COMPANY),
        enabled: true,
        ..mapping
    };
    let saved = tenants.save(&partner, &id, &mapping, listed.version).await;
    assert!(matches!(saved, Ok(store::SaveOutcome::Saved { .. })));
}

/// Whether each ticket about the source is closed.
async fn tickets(source: &SourceTest) -> Vec<bool> {
    let tickets = source.test.env.connectwise.tickets().await;
    let summary = |ticket: &&Value| ticket["summary"].as_str().unwrap().contains(TITLE);
    let about = tickets.iter().filter(summary);
    about.map(|ticket| ticket["closedFlag"] == true).collect()
}

#[tokio::test]
async fn an_inactive_source_has_one_ticket_until_its_next_message() {
    let mut source = source_with_ticket().await;
    source.post("a1").await;
    source.wait_hours(47).await;
    assert_eq!(tickets(&source).await, [false; 0]);
    source.wait_hours(2).await;
    assert_eq!(tickets(&source).await, [false]);
    source.test.minutes(40).await;
    source.wait_hours(24).await;
    assert_eq!(tickets(&source).await, [false]);

    source.post("a2").await;
    source.test.minutes(20).await;
    assert_eq!(tickets(&source).await, [true]);
    // The next time is a ticket of its own, which is closed when it is no longer needed.
    source.wait_hours(49).await;
    assert_eq!(tickets(&source).await, [true, false]);
    source.change(&json!({ "inactive_ticket": false })).await;
    source.test.minutes(20).await;
    assert_eq!(tickets(&source).await, [true, true]);
    source.wait_hours(100).await;
    assert_eq!(tickets(&source).await, [true, true]);
}

/// Stores these alerts as a run does that dies between the queue and the record of it, and runs
/// again.
async fn rerun_unsent(source: &mut SourceTest, mut alerts: SourceAlerts) {
    for alert in alerts.values_mut() {
        alert.sent = false;
    }
    let health = &source.test.env.config.health;
    let kept = health.get(&partner()).await.unwrap();
    let died = Health {
        source_alerts: alerts,
        ..kept.value.clone()
    };
    health.save(&partner(), &kept, died).await.unwrap().unwrap();
    source.test.make_due().await;
    source.test.minutes(2).await;
}

#[tokio::test]
async fn a_run_that_dies_after_it_sent_an_event_has_no_second_effect() {
    let mut source = source_with_ticket().await;
    source.post("a1").await;
    source.wait_hours(49).await;
    assert_eq!(tickets(&source).await, [false]);
    let mut alerts = stored_alerts(&source).await;
    assert_eq!(alerts.len(), 1);
    rerun_unsent(&mut source, alerts.clone()).await;
    assert_eq!(tickets(&source).await, [false]);
    assert!(
        stored_alerts(&source)
            .await
            .values()
            .all(|alert| alert.sent)
    );

    source.post("a2").await;
    let resolved_at = source.now();
    source.test.minutes(20).await;
    assert_eq!(tickets(&source).await, [true]);
    assert!(stored_alerts(&source).await.is_empty());
    for alert in alerts.values_mut() {
        alert.resolved_at = Some(resolved_at);
    }
    rerun_unsent(&mut source, alerts).await;
    assert_eq!(tickets(&source).await, [true]);
    assert!(stored_alerts(&source).await.is_empty());
}

async fn stored_alerts(source: &SourceTest) -> SourceAlerts {
    let health = &source.test.env.config.health;
    let stored = health.get(&partner()).await.unwrap();
    stored.value.source_alerts
}

#[tokio::test]
async fn a_ticket_waits_until_its_tenant_is_mapped() {
    let mut source = unmapped_source_with_ticket().await;
    source.post("a1").await;
    source.wait_hours(49).await;
    assert_eq!(tickets(&source).await, [false; 0]);
    assert_eq!(source.test.blocked().await, 1);
    map_tenant(&source).await;
    source.test.minutes(20).await;
    assert_eq!(tickets(&source).await, [false]);
    // It is no message of the source.
    assert_eq!(
        source.overview().await["live"]["inactive"][0]["name"],
        "Scanner"
    );
}

#[tokio::test]
async fn without_the_choice_an_inactive_source_makes_no_ticket() {
    let mut source = SourceTest::new(json!({ "inactive_after_hours": 48 })).await;
    source.wait_hours(100).await;
    assert_eq!(source.subjects().await.len(), 1);
    assert_eq!(tickets(&source).await, [false; 0]);
    let tenants = &source.test.env.config.tenants;
    let id = source_alert::tenant().unwrap();
    let listed = tenants.get(&partner(), &id).await.unwrap();
    assert_eq!(listed.value, None);
}
