//! Tenants that are listed ahead of their first alert: by their source, by the operator, by hand.

use domain::SourceId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::environment::sender::Sender;
use crate::environment::{
    Browser, COMPANY, SOURCE, TestEnvironment, answer, event, partner, record_of, tenant,
};
use crate::ingest::presets::create;
use crate::setup::tenants::get_tenant;

const OPERATOR: &str = "/v1/operator/partners/northwind/tenants";

async fn environment() -> (TestEnvironment, Sender) {
    let env = TestEnvironment::new().await;
    let path = format!("/v1/operator/partners/{}", partner());
    let named = json!({ "name": "Northwind" });
    env.setup.operator("PUT", &path, &named).await.expect(201);
    let request = json!({ "name": "Scanner", "partner": partner() });
    let sender = create(&env, &request, Timestamp::now()).await;
    (env, sender)
}

fn list(tenants: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": "t1", "source": "test", "type": "tenants.snapshot",
        "data": { "tenants": tenants },
    })
}

/// Posts a body at a minute from now. Returns the response and its status.
async fn post(env: &TestEnvironment, sender: &Sender, body: &Value, minute: i64) -> (i64, Value) {
    let at = Timestamp::now() + SignedDuration::from_mins(minute);
    let request = sender.request(body.to_string().as_bytes(), at);
    let response = env.source.receive(request, at).await;
    (response.status_code, answer(&response))
}

async fn name_of(env: &TestEnvironment, id: &str) -> Option<String> {
    let read = env.config.tenants.get(&partner(), &tenant(id)).await;
    read.unwrap().value.and_then(|mapping| mapping.name)
}

async fn map(browser: &mut Browser, id: &str) {
    let page = get_tenant(browser, id).await;
    let chosen = json!({
        "tenant": id, "company": COMPANY, "enabled": true, "version": page["version"],
    });
    browser.post("tenant", &chosen).await.expect(200);
}

#[tokio::test]
async fn a_tenant_is_mapped_before_its_first_alert_which_becomes_a_ticket_at_once() {
    let (mut env, sender) = environment().await;
    let tenants = json!([
        { "id": "cedar", "name": "Cedar Valley" }, { "name": "no id" }, { "id": "dune", "name": 5 },
    ]);
    let (status, body) = post(&env, &sender, &list(&tenants), 0).await;
    assert_eq!((status, &body["accepted"]), (202, &json!(1)), "{body}");
    let rejected = body["rejected"].as_array().unwrap().iter();
    let fields: Vec<_> = rejected.map(|rejected| rejected["field"].clone()).collect();
    assert_eq!(fields, ["data.tenants[1]", "data.tenants[2].name"]);
    env.worker.work().await;
    assert_eq!(name_of(&env, "cedar").await.unwrap(), "Cedar Valley");
    assert_eq!(name_of(&env, "dune").await, None);

    let mut browser = env.setup.signed_in().await;
    map(&mut browser, "cedar").await;
    let mut raised = event("alert.raised", "e1", "a1", 0);
    raised["data"]["tenant"] = "cedar".into();
    assert_eq!(post(&env, &sender, &raised, 0).await.0, 202);
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 1);
    assert_eq!(tickets[0]["company"]["id"], COMPANY);
}

#[tokio::test]
async fn a_list_renames_and_never_changes_a_mapping_and_a_repetition_changes_nothing() {
    let (mut env, sender) = environment().await;
    let named = |name: &str| list(&json!([{ "id": "cedar", "name": name }]));
    assert_eq!(post(&env, &sender, &named("Cedar"), 0).await.0, 202);
    let first = env.queue.take_records().await;
    env.worker.handle_until_done(first.clone(), 0, 1).await;
    let mut browser = env.setup.signed_in().await;
    map(&mut browser, "cedar").await;
    let get = async || env.config.tenants.get(&partner(), &tenant("cedar")).await;
    let mapped = get().await.unwrap();
    // The same list again, and the same message again.
    assert_eq!(post(&env, &sender, &named("Cedar"), 1).await.0, 202);
    env.worker.work().await;
    env.worker.handle_until_done(first.clone(), 0, 1).await;
    assert_eq!(get().await.unwrap(), mapped);

    assert_eq!(post(&env, &sender, &named("Cedar Clinic"), 2).await.0, 202);
    env.worker.work().await;
    let renamed = get().await.unwrap().value.unwrap();
    assert_eq!(renamed.name.as_deref(), Some("Cedar Clinic"));
    assert_eq!(renamed.company, Some(COMPANY));
    assert!(renamed.enabled);
    // A late delivery of an older list does not bring the old name back.
    env.worker.handle_until_done(first, 3, 1).await;
    assert_eq!(name_of(&env, "cedar").await.unwrap(), "Cedar Clinic");
}

#[tokio::test]
async fn a_thousand_tenants_are_listed_once() {
    let (mut env, sender) = environment().await;
    let tenants: Vec<Value> = (0..1000)
        .map(|n| json!({ "id": format!("t{n:04}"), "name": format!("Tenant {n}") }))
        .collect();
    let request = json!({ "source": sender.source, "tenants": tenants });
    let put = env.setup.operator("PUT", OPERATOR, &request).await;
    let done = put.expect(200).json();
    assert_eq!(done["listed"], 1000, "{done}");
    let (status, _) = post(&env, &sender, &list(&json!(tenants)), 0).await;
    assert_eq!(status, 202);
    env.worker.work().await;
    let all = env.config.tenants.get_all(&partner()).await.unwrap();
    let listed = all.keys().filter(|id| id.as_str().starts_with('t'));
    assert_eq!(listed.count(), 1000);
    let mut more = tenants;
    more.push(json!({ "id": "one-more" }));
    let (status, body) = post(&env, &sender, &list(&json!(more)), 0).await;
    assert_eq!(
        (status, &body["field"]),
        (400, &json!("data.tenants")),
        "{body}"
    );
    // Rejected as a whole, so the page shows it.
    env.queue.allow_leftovers();
}

#[tokio::test]
async fn the_operator_lists_tenants_of_a_source_of_the_partner_only() {
    let (env, sender) = environment().await;
    let tenants = json!([{ "id": "cedar", "name": "Cedar" }, { "id": "" }]);
    for (source, status, field) in [
        ("src_aaaaaaaaaaaaaaaaaaaaaaaaaa", 422, "source"),
        ("none", 422, "source"),
    ] {
        let request = json!({ "source": source, "tenants": tenants });
        let refused = env.setup.operator("PUT", OPERATOR, &request).await;
        let problem = refused.expect(status).json();
        assert_eq!(problem["field"], field, "{problem}");
    }
    let request = json!({ "source": sender.source, "tenants": tenants });
    let put = async || {
        let put = env.setup.operator("PUT", OPERATOR, &request).await;
        put.expect(200).json()
    };
    let done = put().await;
    assert_eq!(done["listed"], 1, "{done}");
    assert_eq!(done["rejected"][0]["field"], "tenants[1].id", "{done}");
    let again = put().await;
    assert_eq!(
        (&again["listed"], &again["unchanged"]),
        (&json!(0), &json!(1))
    );
    let invalid = json!({ "source": sender.source, "tenants": [{ "id": 5 }] });
    let refused = env.setup.operator("PUT", OPERATOR, &invalid).await;
    assert_eq!(refused.expect(422).json()["field"], "tenants[0].id");
}

#[tokio::test]
async fn a_tenant_that_a_person_adds_keeps_its_name() {
    let (mut env, sender) = environment().await;
    let mut browser = env.setup.signed_in().await;
    let page = browser.get_json("tenants").await.expect(200).json();
    assert_eq!(page["sources"][0]["name"], "Scanner", "{page}");
    let form = json!({ "tenant": " elm ", "name": "Elm Street", "source": sender.source });
    browser.post("tenants", &form).await.expect(200);
    assert_eq!(name_of(&env, "elm").await.unwrap(), "Elm Street");
    let refused = browser.post("tenants", &form).await.expect(422);
    assert_eq!(refused.json()["field"], "tenant");
    for (form, field) in [
        (json!({ "tenant": "", "source": sender.source }), "tenant"),
        (json!({ "tenant": "fir", "source": SOURCE }), "source"),
    ] {
        let refused = browser.post("tenants", &form).await.expect(422);
        assert_eq!(refused.json()["field"], field);
    }
    let named = list(&json!([{ "id": "elm", "name": "ELM-0001" }]));
    assert_eq!(post(&env, &sender, &named, 0).await.0, 202);
    env.worker.work().await;
    assert_eq!(name_of(&env, "elm").await.unwrap(), "Elm Street");
}

#[tokio::test]
async fn no_more_tenants_are_listed_than_a_source_may_have_unmapped() {
    let (mut env, sender) = environment().await;
    let source = SourceId::parse(sender.source.as_str()).unwrap();
    let client = aws_sdk_dynamodb::Client::new(&env.aws);
    let text = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
    let counted = aws_sdk_dynamodb::types::AttributeValue::N("4998".into());
    let put = client.put_item().table_name("config");
    let put = put.item("pk", text(format!("P#{}", partner())));
    let put = put.item("sk", text(format!("unmapped#{source}")));
    put.item("tenants", counted).send().await.unwrap();
    let named = list(&json!([{ "id": "t1" }, { "id": "t2" }, { "id": "t3" }]));
    assert_eq!(post(&env, &sender, &named, 0).await.0, 202);
    env.worker.work().await;
    let all = env.config.tenants.get_all(&partner()).await.unwrap();
    let listed = all.keys().filter(|id| id.as_str().starts_with('t'));
    assert_eq!(listed.count(), 2);
    let message = domain::wire::message::Message::Tenants(domain::wire::tenant_list::TenantList {
        partner: partner(),
        source,
        received_at: Timestamp::now(),
        tenants: vec![],
    });
    env.worker
        .handle_until_done(vec![record_of(&message)], 0, 1)
        .await;
}
