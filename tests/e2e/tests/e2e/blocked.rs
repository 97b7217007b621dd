//! Alerts that cannot become tickets yet: they wait in the table with their reason, and cost no call.

use domain::Blocked;
use domain::settings::Mapping;
use serde_json::json;

use crate::world::{COMPANY, DISABLED, World, event, key, partner, tenant};

#[tokio::test]
async fn an_alert_of_an_unmapped_or_disabled_tenant_waits_and_is_listed() {
    let mut world = World::new().await;
    for (tenant, kind) in [("nobody", "disk"), (DISABLED, "disk"), (DISABLED, "memory")] {
        let mut raised = event("alert.raised", "e1", &format!("{tenant}-{kind}"), 0);
        raised["data"]["tenant"] = tenant.into();
        raised["data"]["kind"] = kind.into();
        world.post(&raised).await;
    }
    world.work().await;
    let reason = async |world: &World, tenant: &str, alert: &str| {
        let record = world.record_of(tenant, alert).await.unwrap();
        assert!(record.payload.is_some(), "the text waits with the alert");
        record.blocked.unwrap().reason
    };
    assert_eq!(
        reason(&world, "nobody", "nobody-disk").await,
        Blocked::Unmapped
    );
    assert_eq!(
        reason(&world, DISABLED, "grove-legal-disk").await,
        Blocked::TenantDisabled
    );
    assert_eq!(
        reason(&world, DISABLED, "grove-legal-memory").await,
        Blocked::KindDisabled
    );
    assert_eq!(
        world
            .alerts
            .lists
            .blocked_keys(&partner())
            .await
            .unwrap()
            .len(),
        3
    );
    let seen = world
        .config
        .tenants
        .get(&partner(), &tenant("nobody"))
        .await
        .unwrap()
        .value
        .unwrap();
    assert_eq!(
        seen,
        Mapping {
            name: Some("Acme Dental".into()),
            ..Mapping::default()
        }
    );
    world.has_no_ticket_and_called_nobody().await;
}

#[tokio::test]
async fn a_blocked_alert_becomes_a_ticket_once_it_is_reconsidered() {
    let mut world = World::new().await;
    let mut raised = event("alert.raised", "e1", "a1", 0);
    raised["data"]["tenant"] = "nobody".into();
    world.post(&raised).await;
    world.work().await;
    let mapped = Mapping {
        company: Some(COMPANY),
        enabled: true,
        ..Mapping::default()
    };
    world
        .config
        .tenants
        .put(&partner(), &tenant("nobody"), &mapped)
        .await
        .unwrap();
    let reconsider = domain::message::Message::Reconsider(key("nobody", "a1"));
    for _ in 0..2 {
        world.enqueue(&reconsider.to_json()).await;
        world.work().await;
    }
    let tickets = world.all_tickets().await;
    assert_eq!(tickets.len(), 1);
    assert_eq!(tickets[0]["summary"], "Disk C: of web-1 is full");
    let record = world.record_of("nobody", "a1").await.unwrap();
    assert_eq!((record.blocked, record.payload), (None, None));
    assert!(
        world
            .alerts
            .lists
            .blocked_keys(&partner())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn an_alert_raised_and_resolved_while_blocked_costs_no_call() {
    let mut world = World::new().await;
    for (kind, second) in [("alert.raised", 0), ("alert.resolved", 5)] {
        let mut event = event(kind, "e", "a1", second);
        event["data"]["tenant"] = DISABLED.into();
        world.post(&event).await;
        world.work().await;
    }
    let record = world.record_of(DISABLED, "a1").await.unwrap();
    assert_eq!(
        (record.blocked, record.payload, record.actual),
        (None, None, None)
    );
    assert!(world.calls().await.is_empty());
}

#[tokio::test]
async fn a_poison_message_is_parked_with_its_reason_and_its_batch_mates_become_tickets() {
    let mut world = World::new().await;
    world.enqueue("this is no message of ours").await;
    world.enqueue(r#"{"v":9,"type":"event","body":{}}"#).await;
    world
        .enqueue(&json!({ "v": 1, "type": "event", "body": { "key": {} } }).to_string())
        .await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 3, "{letters:?}");
    let reason_of = |start: &str| {
        letters
            .iter()
            .find(|(body, _)| body.starts_with(start))
            .unwrap()
            .1
            .clone()
    };
    assert!(
        reason_of("this").starts_with("not a message of ours: expected ident"),
        "{letters:?}"
    );
    assert!(
        reason_of(r#"{"v":9"#).starts_with("envelope version 9 is not known here"),
        "{letters:?}"
    );
    assert!(
        reason_of(r#"{"body""#).contains("missing field `partner`"),
        "{letters:?}"
    );
}

#[tokio::test]
async fn a_snapshot_part_is_kept_for_reconcile() {
    let mut world = World::new().await;
    let snapshot = json!({
        "specversion": "1.0", "id": "e1", "source": "/test", "type": "alerts.snapshot",
        "data": { "tenant": "acme-dental", "snapshot_id": "s1", "taken_at": "2026-11-22T07:00:00Z", "active": ["a1", "a2"], "part": 1, "parts": 1 }
    });
    world.post(&snapshot).await;
    world.post(&snapshot).await;
    world.work().await;
    let table = aws_sdk_dynamodb::Client::new(&world.aws);
    let items = table
        .scan()
        .table_name("alerts")
        .send()
        .await
        .unwrap()
        .items
        .unwrap_or_default();
    let items: Vec<_> = items
        .iter()
        .filter(|item| item.contains_key("snapshot_id"))
        .collect();
    assert_eq!(items.len(), 1, "the same part twice is one item");
    assert_eq!(items[0]["active"].as_l().unwrap().len(), 2);
    assert!(
        items[0]["state_of"]
            .as_s()
            .unwrap()
            .starts_with("northwind#snapshot#")
    );
    assert_eq!(world.waiting(&world.dead_letter_queue_url).await, 0);
}
