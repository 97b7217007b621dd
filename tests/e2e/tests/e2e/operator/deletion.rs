//! What is deleted is in no table any more, what belongs to others stays, and no alert
//! gets a second ticket.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::SourceId;
use domain::outgoing::cloud_event::OutgoingCloudEvent;
use domain::setup::mapping::Mapping;
use domain::wire::message::QuarantineEntry;
use jiff::Timestamp;
use serde_json::json;
use store::{DeletionScope, DeletionStore, Delivery, DeliveryState, StoredData, TableNames};

use crate::environment::{SOURCE, TENANT, TestEnvironment, key, partner, raised_event, tenant};

/// The name of `TENANT` in its events.
const NAME: &str = "Acme Dental";
const TABLES: [&str; 4] = ["alerts", "config", "access", "deliveries"];

fn deletion(env: &TestEnvironment) -> DeletionStore {
    let [alerts, config, access, deliveries] = TABLES.map(str::to_owned);
    let tables = TableNames {
        alerts,
        config,
        access,
        deliveries,
    };
    DeletionStore::new(&env.aws, tables)
}

async fn delete(env: &TestEnvironment, scope: DeletionScope) -> StoredData {
    let store = deletion(env);
    let found = store.find(&partner(), &scope, |_| {}).await.unwrap();
    store.delete(&partner(), &found, || {}).await.unwrap();
    let left = store.find(&partner(), &scope, |_| {}).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    found
}

/// All items of a table, as text.
async fn items(env: &TestEnvironment, table: &str) -> Vec<String> {
    let scan = aws_sdk_dynamodb::Client::new(&env.aws)
        .scan()
        .table_name(table);
    let items = scan.send().await.unwrap().items.unwrap_or_default();
    items.iter().map(|item| format!("{item:?}")).collect()
}

/// An event of another tenant.
fn of_other_tenant(id: &str, alert: &str) -> serde_json::Value {
    let mut event = raised_event(id, alert, 0);
    event["data"]["tenant"] = json!("harbor-law");
    event["data"]["tenant_name"] = json!("Harbor Law");
    event
}

async fn quarantine(env: &TestEnvironment, body: &str) {
    let entry = QuarantineEntry {
        partner: partner(),
        source: SourceId::parse(SOURCE).unwrap(),
        received_at: Timestamp::now(),
        sent_at: Timestamp::now(),
        indexes: vec![],
        field: "kind".into(),
        problem: "nothing there".into(),
        body: STANDARD.encode(body),
    };
    env.config.quarantine.add(&entry).await.unwrap();
}

#[tokio::test]
async fn a_deleted_tenant_is_in_no_table_and_gets_no_second_ticket() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    let mapping = Mapping {
        name: Some(NAME.into()),
        ..env.mapping(TENANT).await
    };
    env.put_mapping(TENANT, &mapping).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&raised_event("e2", "a2", 0)).await;
    env.deliver(&of_other_tenant("e3", "a1")).await;
    let snapshot = json!({
        "specversion": "1.0", "id": "s1", "source": "/test", "type": "alerts.snapshot",
        "data": { "tenant": TENANT, "snapshot_id": "s1", "taken_at": Timestamp::now().to_string(), "active": ["a1", "a2"], "part": 1, "parts": 1 }
    });
    env.deliver(&snapshot).await;
    quarantine(&env, r#"{"client": "ACME dental"}"#).await;
    quarantine(&env, r#"{"client": "Harbor Law"}"#).await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 2);
    webhook.work().await;
    assert_eq!(webhook.receiver.confirmed().len(), 3);

    env.begin_rebuilding().await;
    let found = delete(&env, DeletionScope::Tenant(tenant(TENANT))).await;
    assert_eq!((found.records.len(), found.snapshots.len()), (2, 1));
    // An event and a queue of each alert.
    assert_eq!(found.deliveries.len(), 4);
    let named: Vec<_> = found.open_tickets.iter().copied().collect();
    let open: Vec<_> = tickets
        .iter()
        .map(|ticket| ticket["id"].as_u64().unwrap())
        .collect();
    assert_eq!(named, open);
    for table in TABLES {
        for item in items(&env, table).await {
            let text = item.to_lowercase();
            let body = STANDARD.encode(r#"{"client": "ACME dental"}"#);
            let is_named = text.contains(TENANT) || text.contains(&NAME.to_lowercase());
            let alerts = ["a1", "a2"].map(|alert| key(TENANT, alert).item_key());
            let is_named = is_named || alerts.iter().any(|alert| text.contains(alert));
            assert!(!is_named && !item.contains(&body), "{table}: {item}");
        }
    }
    assert_eq!(
        env.connectwise.tickets().await,
        tickets,
        "tickets stay as they are"
    );
    // The other tenant's alert waits for its mapping, as before.
    assert!(env.record_of("harbor-law", "a1").await.is_some());
    assert_eq!(webhook.log(DeliveryState::Delivered).await.len(), 1);
    assert_eq!(items(&env, "deliveries").await.len(), 2);
    let waiting = env.config.quarantine.waiting(&partner(), None).await;
    assert_eq!(waiting.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn a_queued_event_that_is_stored_after_the_deletion_is_found_by_a_repetition() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let scope = DeletionScope::Tenant(tenant(TENANT));
    let found = delete(&env, scope.clone()).await;
    assert!(found.deliveries.is_empty(), "{found:?}");

    webhook.work().await;
    assert_eq!(items(&env, "deliveries").await.len(), 2);
    let found = delete(&env, scope).await;
    assert_eq!((found.deliveries.len(), found.count()), (2, 2));
    assert!(items(&env, "deliveries").await.is_empty());
}

#[tokio::test]
async fn a_deletion_that_was_interrupted_is_completed_by_a_repetition() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    // A record of another tenant names the source.
    env.deliver(&of_other_tenant("e2", "a1")).await;
    webhook.work().await;
    let scope = DeletionScope::Tenant(tenant(TENANT));
    let store = deletion(&env);
    let all = store.find(&partner(), &scope, |_| {}).await.unwrap();
    // The queue of the alert is left. Its row names neither the alert nor the tenant.
    let (first, left) = all.deliveries.split_at(1);
    assert_eq!(left[0].1, "queue");
    let deleted = StoredData {
        deliveries: first.to_vec(),
        ..all.clone()
    };
    store.delete(&partner(), &deleted, || {}).await.unwrap();
    let found = delete(&env, scope).await;
    assert_eq!((&found.deliveries[..], found.count()), (left, 1));
}

#[tokio::test]
async fn the_receiver_of_a_deleted_source_and_its_test_deliveries_are_deleted() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    webhook.receiver.answer_always(Some(503));
    webhook.work().await;
    let source = SourceId::parse(SOURCE).unwrap();
    let now = Timestamp::now();
    let ping = Delivery::new(&source, None, &OutgoingCloudEvent::ping(&source, now), now);
    webhook.table.add(&ping).await.unwrap();
    let scheduled = webhook.table.schedule(&source, ping.queue(), now).await;
    scheduled.unwrap();
    let other = SourceId::parse("src_zzzzzzzzzzzzzzzzzzzzzzzzzz").unwrap();
    let scheduled = webhook.table.schedule(&other, "other", now).await;
    scheduled.unwrap();

    let found = delete(&env, DeletionScope::Source(source.clone())).await;
    assert_eq!(found.deliveries.len(), 2);
    let store = deletion(&env);
    let rows = store.find_source_rows(&source).await.unwrap();
    let kinds: Vec<_> = rows.iter().map(|(_, sk)| sk.as_str()).collect();
    assert_eq!(kinds.len(), 3);
    assert!(
        kinds.contains(&"queue") && kinds.contains(&"receiver"),
        "{kinds:?}"
    );
    store.delete_source_rows(&rows).await.unwrap();
    let left = items(&env, "deliveries").await;
    assert_eq!(left.len(), 2, "those of the other source: {left:?}");
    assert!(!left.iter().any(|item| item.contains(SOURCE)), "{left:?}");
}

#[tokio::test]
async fn an_alert_that_comes_again_after_its_deletion_keeps_its_ticket() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&raised_event("e2", "a2", 0)).await;
    webhook.work().await;
    env.begin_rebuilding().await;
    let found = delete(&env, DeletionScope::Alert(key(TENANT, "a1"))).await;
    assert_eq!((found.records.len(), found.deliveries.len()), (1, 2));
    let log = webhook.log(DeliveryState::Delivered).await;
    let left: Vec<_> = log.into_iter().filter_map(|of| of.key).collect();
    assert_eq!(left, [key(TENANT, "a2")]);
    assert!(env.record("a1").await.is_none() && env.record("a2").await.is_some());

    // Its source did not know, and sends it again.
    env.deliver(&raised_event("e3", "a1", 60)).await;
    webhook.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 2);
    let record = env.record("a1").await.unwrap();
    assert_eq!(
        found.open_tickets.first().copied(),
        record.open().map(|open| open.ticket_id)
    );
}

#[tokio::test]
async fn a_deleted_source_takes_its_own_items_only() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    quarantine(&env, "{}").await;
    let other = SourceId::parse("src_zzzzzzzzzzzzzzzzzzzzzzzzzz").unwrap();
    let store = deletion(&env);
    let nothing = store
        .find(&partner(), &DeletionScope::Source(other), |_| {})
        .await;
    assert!(nothing.unwrap().is_empty());

    let found = delete(
        &env,
        DeletionScope::Source(SourceId::parse(SOURCE).unwrap()),
    )
    .await;
    assert_eq!(found.records.len(), 1);
    assert!(
        env.connection().await.confirmed,
        "the partner stays connected"
    );
    assert!(env.mapping(TENANT).await.enabled);
}

#[tokio::test]
async fn a_deleted_partner_is_in_no_table() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&of_other_tenant("e2", "a1")).await;
    webhook.work().await;
    env.set_contact("it@northwind.example").await;
    // Reconcile has queued commands.
    env.queue.allow_leftovers();
    // A record that was imported has no key.
    env.database.delete_record("a1").await;
    env.begin_rebuilding().await;
    let at = Timestamp::now();
    env.schedule.make_due(at).await;
    env.schedule.tick(&env.reconcile(), at).await;

    let found = delete(&env, DeletionScope::Partner).await;
    assert_eq!((found.records.len(), found.deliveries.len()), (2, 4));
    assert!(found.has_ticket_index);
    assert!(items(&env, "deliveries").await.is_empty());
    let store = deletion(&env);
    store.unlist_partner(&partner()).await.unwrap();
    for table in TABLES {
        for item in items(&env, table).await {
            // The operator's list of sources is for the command that deletes them.
            let is_source = item.contains("\"source#");
            assert!(is_source || !item.contains("northwind"), "{table}: {item}");
        }
    }
}
