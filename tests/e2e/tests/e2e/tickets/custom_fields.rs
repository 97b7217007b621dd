//! ConnectWise's custom fields of new tickets.

use domain::Blocked;
use domain::setup::custom_fields::{CustomField, FieldType, ValueSource};
use domain::setup::settings::Settings;
use serde_json::{Value, json};

use crate::environment::{TestEnvironment, raised_event, settings};
use crate::reconcile::closing::run_reconcile;

/// Fields of the seed.
const DEVICE: u64 = 1;
const SEVERITY: u64 = 2;
const COST_CENTER: u64 = 5;

fn field(id: u64, value: ValueSource, text: Option<&str>) -> CustomField {
    CustomField {
        id,
        caption: format!("Field {id}"),
        field_type: FieldType::Text,
        value,
        text: text.map(ToOwned::to_owned),
        options: vec![],
    }
}

/// The seeded settings with these fields on the board for operations.
fn with_fields(fields: &[CustomField]) -> Settings {
    let mut settings = settings();
    settings.operations.custom_fields = fields.to_vec();
    settings
}

/// The custom fields of an alert's ticket, each with its id and value.
async fn fields_of(env: &TestEnvironment, alert: &str) -> Vec<(u64, Value)> {
    let ticket = env.find_ticket(alert, 1).await.unwrap();
    let fields = ticket["customFields"].as_array().unwrap().iter();
    let fields = fields.map(|field| (field["id"].as_u64().unwrap(), field["value"].clone()));
    fields.collect()
}

fn assert_refused(reason: Option<&Blocked>, words: &str) {
    let Some(Blocked::Rejected(said)) = reason else {
        unreachable!("{reason:?}");
    };
    assert!(said.starts_with(words), "{said}");
}

/// Makes the field a required one on all boards.
async fn require(env: &TestEnvironment, field: u64) {
    let path = format!("/system/userDefinedFields/{field}");
    env.patch(&path, "locationIds", json!([])).await;
    env.patch(&path, "businessUnitIds", json!([])).await;
}

#[tokio::test]
async fn custom_fields_are_part_of_the_one_call_that_creates_the_ticket() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&with_fields(&[
        field(DEVICE, ValueSource::Device, None),
        field(COST_CENTER, ValueSource::User, Some("none")),
    ]))
    .await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let expected = [(DEVICE, json!("web-1")), (COST_CENTER, json!("none"))];
    assert_eq!(fields_of(&env, "a1").await, expected);
    let before = env.connectwise.calls().await.len();
    let mut bare = raised_event("e2", "a2", 0);
    bare["data"]["device"] = Value::Null;
    bare["data"]["user"] = json!("jane");
    env.deliver(&bare).await;
    let calls = env.connectwise.calls().await.split_off(before);
    assert_eq!(calls, ["POST /service/tickets"]);
    assert_eq!(fields_of(&env, "a2").await, [(COST_CENTER, json!("jane"))]);
    // The other board has no custom fields.
    let mut other = raised_event("e3", "a3", 0);
    other["data"]["kind"] = json!("ransomware_encryption");
    env.deliver(&other).await;
    assert_eq!(fields_of(&env, "a3").await, []);
}

#[tokio::test]
async fn an_alert_waits_until_a_required_field_is_chosen() {
    let mut env = TestEnvironment::new().await;
    require(&env, COST_CENTER).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_refused(
        env.reason("a1").await.as_ref(),
        "The Cost center field is required.",
    );
    assert_eq!(env.connectwise.tickets().await.len(), 0);
    run_reconcile(&mut env, 1).await;

    let mut browser = env.setup.signed_in().await;
    let version = browser.get_json("tickets").await.json()["version"].clone();
    let form = json!({
        "operations": {
            "on_resolve": "close", "reopen_days": 0, "start_status": 221, "closing_status": 224,
            "field_values": { "f5": "fixed" }, "field_texts": { "f5": "4711" },
        },
        "cyber_alerts": { "on_resolve": "note", "reopen_days": 0, "start_status": 231, "closing_status": 234 },
        "on": ["disk"],
        "note_interval_minutes": 60,
        "version": version,
    });
    browser.submit("tickets", &form, 200).await;
    run_reconcile(&mut env, 60).await;
    assert_eq!(env.reason("a1").await, None);
    assert_eq!(fields_of(&env, "a1").await, [(COST_CENTER, json!("4711"))]);
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn a_deleted_option_blocks_the_ticket_with_connectwises_words() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&with_fields(&[field(
        SEVERITY,
        ValueSource::Fixed,
        Some("High"),
    )]))
    .await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(fields_of(&env, "a1").await, [(SEVERITY, json!("High"))]);
    let low = json!([{ "id": 1, "optionValue": "Low", "sortOrder": 1 }]);
    env.patch("/system/userDefinedFields/2", "options", low)
        .await;
    env.deliver(&raised_event("e2", "a2", 0)).await;
    let words = "The value of Alert severity is not one of its options.";
    assert_refused(env.reason("a2").await.as_ref(), words);
    run_reconcile(&mut env, 1).await;

    env.put_settings(&with_fields(&[field(
        SEVERITY,
        ValueSource::Fixed,
        Some("Low"),
    )]))
    .await;
    run_reconcile(&mut env, 60).await;
    assert_eq!(env.reason("a2").await, None);
    assert_eq!(fields_of(&env, "a2").await, [(SEVERITY, json!("Low"))]);
}

#[tokio::test]
async fn custom_fields_of_another_connectwise_do_not_count() {
    let mut env = TestEnvironment::new().await;
    let mut of_first = with_fields(&[field(DEVICE, ValueSource::Device, None)]);
    of_first.epoch = Some(1);
    env.put_settings(&of_first).await;
    env.set_epoch(2).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(
        env.connectwise.count_calls("POST /service/tickets").await,
        0
    );

    let mut browser = env.setup.signed_in().await;
    let version = browser.get_json("boards").await.json()["settings_version"].clone();
    let boards =
        json!({ "operations": 22, "cyber_alerts": 23, "version": version, "reviewed": true });
    browser.submit("boards-existing", &boards, 200).await;
    let moved = env.settings().await;
    assert_eq!(moved.epoch, Some(2));
    assert_eq!(moved.operations.custom_fields, []);
    let view = browser.get_json("tickets").await.json();
    assert_eq!(view["operations"]["custom_fields"][1]["value"], Value::Null);
    run_reconcile(&mut env, 60).await;
    assert_eq!(fields_of(&env, "a1").await, []);
}
