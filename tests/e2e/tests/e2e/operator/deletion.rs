//! What is deleted is gone from all tables, nothing of another tenant or partner is, and no alert
//! gets a second ticket.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::SourceId;
use domain::setup::mapping::Mapping;
use domain::wire::message::QuarantineEntry;
use jiff::Timestamp;
use serde_json::json;
use store::{DeletionScope, DeletionStore, StoredData};

use crate::environment::{SOURCE, TENANT, TestEnvironment, key, partner, raised_event, tenant};

/// The name of `TENANT` in its events.
const NAME: &str = "Acme Dental";

fn deletion(env: &TestEnvironment) -> DeletionStore {
    let [alerts, config, access] = ["alerts", "config", "access"].map(str::to_owned);
    DeletionStore::new(&env.aws, alerts, config, access)
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

    env.begin_rebuilding().await;
    let found = delete(&env, DeletionScope::Tenant(tenant(TENANT))).await;
    assert_eq!((found.records.len(), found.snapshots.len()), (2, 1));
    let named: Vec<_> = found.open_tickets.iter().copied().collect();
    let open: Vec<_> = tickets
        .iter()
        .map(|ticket| ticket["id"].as_u64().unwrap())
        .collect();
    assert_eq!(named, open);
    for table in ["alerts", "config", "access"] {
        for item in items(&env, table).await {
            let text = item.to_lowercase();
            let body = STANDARD.encode(r#"{"client": "ACME dental"}"#);
            let is_named = text.contains(TENANT) || text.contains(&NAME.to_lowercase());
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
    let waiting = env.config.quarantine.waiting(&partner(), None).await;
    assert_eq!(waiting.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn an_alert_that_comes_again_after_its_deletion_keeps_its_ticket() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&raised_event("e2", "a2", 0)).await;
    env.begin_rebuilding().await;
    let found = delete(&env, DeletionScope::Alert(key(TENANT, "a1"))).await;
    assert_eq!(found.records.len(), 1);
    assert!(env.record("a1").await.is_none() && env.record("a2").await.is_some());

    // Its source did not know, and sends it again.
    env.deliver(&raised_event("e3", "a1", 60)).await;
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
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&of_other_tenant("e2", "a1")).await;
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
    assert_eq!(found.records.len(), 2);
    assert!(found.has_ticket_index);
    let store = deletion(&env);
    store.unlist_partner(&partner()).await.unwrap();
    for table in ["alerts", "config", "access"] {
        for item in items(&env, table).await {
            // The operator's list of sources is for the command that deletes them.
            let is_source = item.contains("\"source#");
            assert!(is_source || !item.contains("northwind"), "{table}: {item}");
        }
    }
}
