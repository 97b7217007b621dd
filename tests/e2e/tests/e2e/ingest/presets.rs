//! Each preset, with its own samples and its own authentication, from the operator's API to the
//! ticket.

use std::collections::BTreeSet;
use std::path::Path;

use domain::setup::mapping::Mapping;
use domain::setup::settings::OnResolve;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::environment::sender::Sender;
use crate::environment::{TestEnvironment, is_open, partner, settings, tenant};

/// The time of the samples. They are received half an hour later.
const SAMPLES: &str = "2026-11-22T08:00:00Z";
/// A secret as vendors issue it.
const ISSUED: &str = "whsec_bm90IGEgcmVhbCBvbmUsIG9ubHkgZm9yIHRoaXMgdGVzdA==";
/// A mapping that reads the body `{"unexpected": "shape"}`.
fn corrected() -> Value {
    json!({
        "change_otherwise": "raised",
        "alert_id": { "at": "/unexpected" },
        "tenant": { "is": "corrected" },
        "kind": { "is": "disk" },
        "severity": { "is": "low" },
        "title": { "at": "/unexpected" }
    })
}

fn received(minutes: i64) -> Timestamp {
    let at: Timestamp = SAMPLES.parse().unwrap();
    at + SignedDuration::from_mins(30 + minutes)
}

fn sample(preset: &str, name: &str) -> Option<Vec<u8>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/sources");
    let file = |end: &str| Path::new(root).join(preset).join(format!("{name}.{end}"));
    std::fs::read(file("json"))
        .or_else(|_| std::fs::read(file("xml")))
        .ok()
}

/// Creates a source from a preset, and returns what its sender knows.
pub(crate) async fn create(env: &TestEnvironment, request: &Value, at: Timestamp) -> Sender {
    let setup = &env.setup;
    let made = setup
        .operator_at(at, "POST", "/v1/operator/sources", request)
        .await;
    let made = made.expect(201).json();
    let id = made["id"].as_str().unwrap();
    let secret = match made["secret"].as_str() {
        Some(secret) => secret.to_owned(),
        // The vendor issues it once it knows the address.
        None => {
            let path = format!("/v1/operator/sources/{id}/secret");
            let issued = json!({ "secret": ISSUED });
            setup
                .operator_at(at, "POST", &path, &issued)
                .await
                .expect(200);
            ISSUED.to_owned()
        }
    };
    Sender {
        source: id.to_owned(),
        authentication: serde_json::from_value(made["authentication"].clone()).unwrap(),
        secret,
    }
}

async fn map_tenant(env: &TestEnvironment, id: &str) {
    let mapping = Mapping {
        company: Some(301),
        enabled: true,
        ..Mapping::default()
    };
    env.config
        .tenants
        .put(&partner(), &tenant(id), &mapping)
        .await
        .unwrap();
}

/// The tenants of a body, by the operator's preview.
async fn tenants(env: &TestEnvironment, preset: &str, body: &[u8]) -> BTreeSet<String> {
    if preset == "cloudevents" {
        let event: Value = serde_json::from_slice(body).unwrap();
        return [event["data"]["tenant"].as_str().unwrap().to_owned()].into();
    }
    let request = json!({ "preset": preset, "samples": [String::from_utf8_lossy(body)] });
    let tried = env
        .setup
        .operator("POST", "/v1/operator/preview", &request)
        .await;
    let tried = tried.expect(200).json();
    let events = tried["results"][0]["events"].as_array().unwrap().iter();
    events
        .map(|event| event["tenant"].as_str().unwrap().to_owned())
        .collect()
}

async fn post(env: &TestEnvironment, sender: &Sender, body: &[u8], minutes: i64) -> (i64, String) {
    let at = received(minutes);
    let response = env.source.receive(sender.request(body, at), at).await;
    let text = match &response.body {
        Some(aws_lambda_events::encodings::Body::Text(text)) => text.clone(),
        _ => String::new(),
    };
    // The keys of the alerts are those of the events.
    let text = match serde_json::from_str::<Value>(&text) {
        Ok(said) if said["alerts"].is_array() => {
            json!({ "accepted": said["accepted"] }).to_string()
        }
        Ok(_) | Err(_) => text,
    };
    (response.status_code, text)
}

/// The number of tickets, and of open ones.
async fn tickets(env: &TestEnvironment) -> (usize, usize) {
    let tickets = env.connectwise.tickets().await;
    (
        tickets.len(),
        tickets.iter().filter(|ticket| is_open(ticket)).count(),
    )
}

#[tokio::test]
async fn each_preset_creates_one_ticket_and_closes_it() {
    let mut env = TestEnvironment::new().await;
    // All kinds are on, and both boards close what is resolved.
    let mut settings = settings();
    settings.cyber_alerts.on_resolve = OnResolve::Close;
    settings.kinds_off.clear();
    env.config
        .settings
        .put(&partner(), &settings)
        .await
        .unwrap();
    map_tenant(&env, "corrected").await;
    let path = format!("/v1/operator/partners/{}", partner());
    env.setup
        .operator("PUT", &path, &json!({ "name": "Northwind" }))
        .await
        .expect(201);
    let listed = env
        .setup
        .operator("GET", "/v1/operator/presets", &Value::Null)
        .await;
    let listed = listed.expect(200).json();
    let names: Vec<&str> = listed["presets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|preset| preset["name"].as_str().unwrap())
        .collect();
    assert!(names.len() >= 16, "{names:?}");
    for preset in names {
        let row = try_preset(&mut env, preset).await;
        println!("{preset:22} {row}");
    }
    assert_eq!(env.queue.count().await, 0);
}

async fn try_preset(env: &mut TestEnvironment, preset: &str) -> String {
    let request = json!({ "name": preset, "partner": partner(), "preset": preset });
    let sender = create(env, &request, received(-30)).await;
    let source = env
        .setup
        .operator(
            "GET",
            &format!("/v1/operator/sources/{}", sender.source),
            &Value::Null,
        )
        .await
        .json();
    let (status, body) = match preset {
        "cloudevents" => (202, json!({ "accepted": 1 }).to_string()),
        _ => (
            source["response"]["status"].as_i64().unwrap(),
            source["response"]["body"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        ),
    };
    let success = (status, body);
    let raised = sample(preset, "raised").unwrap();
    for id in tenants(env, preset, &raised).await {
        map_tenant(env, &id).await;
    }
    let alerts = tenants_and_alerts(env, preset, &raised).await;
    let before = tickets(env).await;

    let wrong = Sender {
        secret: match sender.authentication.standard_webhooks() {
            Some(_) => "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX".to_owned(),
            None => "another secret:of sixteen letters".to_owned(),
        },
        ..sender.clone()
    };
    assert_eq!(post(env, &wrong, &raised, 0).await.0, 401, "{preset}");
    assert_eq!(env.queue.count().await, 1, "{preset}: the report");
    env.worker.work().await;
    assert_eq!(tickets(env).await, before, "{preset}: refused");

    assert_eq!(post(env, &sender, &raised, 0).await, success, "{preset}");
    env.worker.work().await;
    let open = tickets(env).await;
    assert_eq!(
        open,
        (before.0 + alerts, before.1 + alerts),
        "{preset}: raised"
    );

    let repeat = sample(preset, "repeat").unwrap();
    assert_eq!(post(env, &sender, &repeat, 1).await, success, "{preset}");
    env.worker.work().await;
    assert_eq!(tickets(env).await, open, "{preset}: repeated");

    let mut row = format!("{alerts} raised, repeated");
    match sample(preset, "resolved") {
        Some(resolved) => {
            assert_eq!(post(env, &sender, &resolved, 2).await, success, "{preset}");
            env.worker.work().await;
            let now = tickets(env).await;
            assert_eq!(now.0, open.0, "{preset}: resolved");
            assert!(now.1 < open.1, "{preset}: resolved");
            row.push_str(", resolved");
        }
        None => row.push_str(", expires"),
    }
    if let Some(ping) = sample(preset, "ping") {
        assert_eq!(post(env, &sender, &ping, 3).await, success, "{preset}");
        let at_ping = tickets(env).await;
        env.worker.work().await;
        assert_eq!(tickets(env).await, at_ping, "{preset}: test message");
        row.push_str(", ping");
    }
    if preset != "cloudevents" {
        replay_after_correction(env, preset, &sender, &success).await;
        row.push_str(", quarantined, corrected, replayed");
    }
    row
}

async fn tenants_and_alerts(env: &TestEnvironment, preset: &str, body: &[u8]) -> usize {
    if preset == "cloudevents" {
        return 1;
    }
    let request = json!({ "preset": preset, "samples": [String::from_utf8_lossy(body)] });
    let tried = env
        .setup
        .operator("POST", "/v1/operator/preview", &request)
        .await;
    tried.expect(200).json()["results"][0]["events"]
        .as_array()
        .unwrap()
        .len()
}

/// A body of another shape is stored. Once the mapping reads it, a replay creates its ticket.
async fn replay_after_correction(
    env: &mut TestEnvironment,
    preset: &str,
    sender: &Sender,
    success: &(i64, String),
) {
    let (_, open) = tickets(env).await;
    // The sender of a secret in the body needs a place for it.
    let body = json!({ "unexpected": preset, "routing_key": "" });
    let body = body.to_string().into_bytes();
    assert_eq!(post(env, sender, &body, 4).await, *success, "{preset}");
    env.worker.work().await;
    let list = format!("/v1/operator/partners/{}/quarantine", partner());
    let waiting = env
        .setup
        .operator("GET", &list, &Value::Null)
        .await
        .expect(200)
        .json();
    let messages = waiting["messages"].as_array().unwrap();
    let message = messages.iter().find(|message| {
        message["source"] == sender.source.as_str() && message["outcome"].is_null()
    });
    let message = message.unwrap();
    let id = message["id"].as_str().unwrap();
    let one = format!("{list}?id={}", id.replace('#', "%23"));
    let text = env.setup.operator("GET", &one, &Value::Null).await;
    let text = text.expect(200).json();
    assert!(
        text["text"].as_str().unwrap().contains("unexpected"),
        "{text}"
    );
    assert!(
        !text.to_string().contains(&sender.secret),
        "{preset}: the secret is shown"
    );

    let replay = json!({ "id": id, "action": "replay" });
    env.setup.operator("POST", &list, &replay).await.expect(422);
    let path = format!("/v1/operator/sources/{}", sender.source);
    let change = json!({ "mapping": corrected() });
    env.setup
        .operator("PATCH", &path, &change)
        .await
        .expect(200);
    let replayed = env
        .setup
        .operator("POST", &list, &replay)
        .await
        .expect(200)
        .json();
    assert_eq!(replayed, json!({ "events": 1, "unmapped": 0 }), "{preset}");
    env.setup.operator("POST", &list, &replay).await.expect(404);
    env.worker.work().await;
    assert_eq!(tickets(env).await.1, open + 1, "{preset}: replayed");

    // The corrected mapping counts at once, though the endpoint has the old one in its cache.
    let next = json!({ "unexpected": format!("{preset} again"), "routing_key": "" });
    let next = next.to_string().into_bytes();
    assert_eq!(post(env, sender, &next, 10).await, *success, "{preset}");
    env.worker.work().await;
    assert_eq!(tickets(env).await.1, open + 2, "{preset}: mapped at once");
}
