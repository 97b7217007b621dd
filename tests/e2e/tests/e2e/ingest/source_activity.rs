//! What the operator sees of a source's messages: the last one, the last refused request, test
//! messages, unknown kinds and counts.

use std::time::{Duration, Instant};

use domain::source::authentication::Authentication;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::environment::sender::Sender;
use crate::environment::{SECRET, SOURCE, TestEnvironment, event, partner, record_of, signed};
use crate::ingest::presets::create;

const OTHER_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

async fn environment() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let path = format!("/v1/operator/partners/{}", partner());
    let named = json!({ "name": "Northwind" });
    env.setup.operator("PUT", &path, &named).await.expect(201);
    env
}

/// What the operator sees of a source's activity.
async fn activity(env: &TestEnvironment, source: &str) -> Value {
    let path = format!("/v1/operator/sources/{source}");
    let shown = env.setup.operator("GET", &path, &Value::Null).await;
    shown.expect(200).json()["activity"][0].clone()
}

async fn post(env: &TestEnvironment, sender: &Sender, body: &Value, at: Timestamp) -> i64 {
    let body = body.to_string().into_bytes();
    let request = sender.request(&body, at);
    let response = env.source.receive(request, at).await;
    response.status_code
}

fn mapping() -> Value {
    json!({
        "ping": [{ "at": "/test", "is": ["true"] }],
        "change": [
            { "at": "/state", "is": ["info"], "then": "ignored" },
        ],
        "change_otherwise": "raised",
        "alert_id": { "at": "/id" },
        "tenant": { "is": "acme-dental" },
        "kind": { "at": "/kind", "otherwise": "monitoring" },
        "severity": { "is": "low" },
        "title": { "at": "/id" }
    })
}

#[tokio::test]
async fn the_operator_sees_what_a_source_sent_last() {
    let mut env = environment().await;
    let kinds =
        json!([{ "kind": "monitoring", "category": "operations", "type_name": "Monitoring" }]);
    let request = json!({
        "name": "Monitor", "partner": partner(), "authentication": { "scheme": "bearer" },
        "mapping": mapping(), "kinds_added": kinds,
    });
    let now = Timestamp::now();
    let sender = create(&env, &request, now).await;
    assert_eq!(activity(&env, &sender.source).await, Value::Null);

    let wrong = Sender {
        secret: "another secret of more than sixteen letters".to_owned(),
        ..sender.clone()
    };
    let body = json!({ "id": "a1", "kind": "quota" });
    for _ in 0..30 {
        assert_eq!(post(&env, &wrong, &body, now).await, 401);
    }
    assert_eq!(env.queue.count().await, 1, "a flood is one report");
    let minute = |minutes| now + SignedDuration::from_mins(minutes);
    assert_eq!(post(&env, &wrong, &body, minute(1)).await, 401);
    env.worker.work().await;
    let shown = activity(&env, &sender.source).await;
    assert_eq!(shown["last_refused"]["reason"], "mismatch", "{shown}");
    assert_eq!(shown["last_refused"]["at"], json!(minute(1)), "{shown}");
    assert!(shown.get("last_message_at").is_none(), "{shown}");
    let described = shown["last_refused"]["description"].as_str().unwrap();
    assert!(described.contains("Enter the source's secret"), "{shown}");

    for (minutes, body) in [
        (2, json!({ "test": "true" })),
        (3, json!({ "id": "a0", "state": "info" })),
        (4, json!({ "id": "a1", "kind": "quota" })),
        (5, json!({ "unexpected": 1 })),
    ] {
        assert!(post(&env, &sender, &body, minute(minutes)).await < 300);
        env.worker.work().await;
        let shown = activity(&env, &sender.source).await;
        assert_eq!(
            shown["last_message_at"],
            json!(minute(minutes)),
            "{body} {shown}"
        );
    }
    let shown = activity(&env, &sender.source).await;
    assert_eq!(shown["last_ping_at"], json!(minute(2)), "{shown}");
    assert_eq!(shown["unknown_kinds"][0]["kind"], "quota", "{shown}");
    assert_eq!(shown["unknown_kinds"][0]["alerts"], 1, "{shown}");
    assert_eq!(shown["quarantined"][0]["alerts"], 1, "{shown}");
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    // The partner's page reads the same.
    let all = env
        .config
        .source_activity
        .get_all(&partner())
        .await
        .unwrap();
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn a_refused_request_to_a_switched_off_source_is_shown_and_an_invented_source_is_not() {
    let mut env = environment().await;
    let now = Timestamp::now();
    let request = json!({ "name": "Scanner", "partner": partner() });
    let sender = create(&env, &request, now).await;
    let path = format!("/v1/operator/sources/{}", sender.source);
    let off = json!({ "enabled": false });
    env.setup.operator("PATCH", &path, &off).await.expect(200);
    let body = event("alert.raised", "e1", "a1", 0);
    assert_eq!(post(&env, &sender, &body, now).await, 401);
    env.worker.work().await;
    let shown = activity(&env, &sender.source).await;
    assert_eq!(shown["last_refused"]["reason"], "disabled", "{shown}");

    let invented = Sender {
        source: "src_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        authentication: Authentication::default(),
        secret: SECRET.to_owned(),
    };
    assert_eq!(post(&env, &invented, &body, now).await, 401);
    assert_eq!(env.queue.count().await, 0);
}

#[tokio::test]
async fn the_response_to_a_refused_request_does_not_depend_on_the_report() {
    let env = environment().await;
    env.queue.allow_leftovers();
    let at = Timestamp::now();
    let body = event("alert.raised", "e1", "a1", 0).to_string();
    let refuse = async |source: &str, secret: &str| {
        let request = signed(source, secret, "application/json", body.as_bytes(), at);
        let response = env.source.receive(request, at).await;
        format!("{response:?}")
    };
    // A valid id whose source was deleted.
    let deleted = "src_deleted000000s42w5xg5ju8br";
    let mut waits = vec![];
    let mut responses = vec![];
    for source in [SOURCE, deleted, SOURCE, deleted] {
        let begun = Instant::now();
        responses.push(refuse(source, OTHER_SECRET).await);
        waits.push(begun.elapsed() >= Duration::from_millis(500));
    }
    responses.push(refuse("src_aaaaaaaaaaaaaaaaaaaaaaaaaa", OTHER_SECRET).await);
    responses.dedup();
    assert_eq!(responses.len(), 1, "{responses:?}");
    assert_eq!(waits[..2], [true, true], "both wait for a report");
    assert_eq!(env.queue.count().await, 1);
}

#[tokio::test]
async fn alerts_of_one_minute_cost_one_record_of_their_source() {
    let mut env = environment().await;
    let events: Vec<Value> = (0..12)
        .map(|n| event("alert.raised", "e1", &format!("a{n}"), 0))
        .collect();
    let messages = env.post_and_take(&events).await;
    let left = env.worker.handle_at(messages.clone(), 0).await;
    assert_eq!(left.len(), 0);
    let version = async || {
        let client = aws_sdk_dynamodb::Client::new(&env.aws);
        let text = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
        let read = client.get_item().table_name("config");
        let read = read.key("pk", text(format!("P#{}", partner())));
        let read = read.key("sk", text(format!("source_activity#{SOURCE}")));
        let item = read.send().await.unwrap().item.unwrap();
        item["version"].as_n().unwrap().clone()
    };
    // The first message of a week also begins the week's longest gap.
    assert_eq!(version().await, "2");
    // Another execution environment, and messages that are delivered again, write nothing.
    let invocation = tickets::BatchInvocation::at(
        "another",
        Timestamp::now(),
        Timestamp::now() + SignedDuration::from_secs(60),
    );
    let mut batch = aws_lambda_events::sqs::SqsEvent::default();
    batch.records = messages.into_iter().take(10).collect();
    let _ = Box::pin(env.new_tickets_app().handle(batch, &invocation)).await;
    assert_eq!(version().await, "2");
}

#[tokio::test]
async fn a_report_that_is_delivered_twice_counts_once() {
    let mut env = environment().await;
    let kinds = [("quota".to_owned(), 2)].into();
    let report = domain::source::activity::SourceReport {
        partner: partner(),
        source: domain::SourceId::parse(SOURCE).unwrap(),
        at: Timestamp::now(),
        observation: domain::source::activity::SourceObservation::UnknownKinds { kinds },
    };
    let message = record_of(&domain::wire::message::Message::SourceReport(report));
    for _ in 0..2 {
        let left = env.worker.handle_at(vec![message.clone()], 0).await;
        assert_eq!(left.len(), 0);
    }
    let all = env
        .config
        .source_activity
        .get_all(&partner())
        .await
        .unwrap();
    let activity = all.values().next().unwrap();
    assert_eq!(activity.unknown_kinds[0].alerts, 2);
}
