//! What became of an alert, for its source, and the permanent address of its page.

use aws::secrets::SourceDocument;
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::Method;
use domain::source::authentication::Authentication;
use domain::{AlertKey, Kind, PartnerId, SourceId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use setup::SOURCE_ROUTE;

use crate::environment::sender::{Sender, set};
use crate::environment::{
    Call, SECRET, SOURCE, TENANT, TestEnvironment, answer, key, partner, raised_event,
    resolved_event, settings, source_document,
};
use crate::ingest::presets::create;

const UNKNOWN: &str = "0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef";

/// A source in each scheme.
fn schemes() -> Vec<Value> {
    vec![
        json!({ "scheme": "standard_webhooks" }),
        json!({ "scheme": "hmac", "header": "x-sig" }),
        json!({
            "scheme": "hmac", "header": "x-sig", "timestamp_header": "x-time", "signed": "ts.body",
        }),
        json!({ "scheme": "header", "header": "x-api-key" }),
        json!({ "scheme": "bearer" }),
        json!({ "scheme": "basic" }),
        json!({ "scheme": "query", "parameter": "key" }),
        json!({ "scheme": "body_member", "at": "/token" }),
    ]
}

fn mapping() -> Value {
    json!({
        "change_otherwise": "raised",
        "alert_id": { "at": "/id" },
        "tenant": { "is": TENANT },
        "kind": { "is": "disk" },
        "severity": { "is": "low" },
        "title": { "at": "/id" },
    })
}

async fn environment() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let path = format!("/v1/operator/partners/{}", partner());
    env.operate("PUT", &path, &json!({ "name": "Northwind" }), 201)
        .await;
    env
}

/// The sender of the seeded source.
fn seeded() -> Sender {
    Sender {
        source: SOURCE.to_owned(),
        authentication: Authentication::default(),
        secret: SECRET.to_owned(),
    }
}

/// The request of a source about an alert.
fn request(sender: &Sender, key: &str, at: Timestamp) -> ApiGatewayV2httpRequest {
    let mut request = match &sender.authentication {
        Authentication::BodyMember { .. } => {
            let mut request = ApiGatewayV2httpRequest::default();
            let bearer = format!("Bearer {}", sender.secret);
            set(&mut request, "authorization", &bearer);
            request
        }
        // A signature is over the key in place of the body.
        Authentication::StandardWebhooks { .. }
        | Authentication::Hmac(_)
        | Authentication::Header { .. }
        | Authentication::Bearer
        | Authentication::Basic
        | Authentication::Query { .. } => sender.request(key.as_bytes(), at),
    };
    request.body = None;
    request.is_base64_encoded = false;
    request.raw_path = Some(format!("/v1/tickets/{key}"));
    request.request_context.route_key = Some(SOURCE_ROUTE.to_owned());
    request.request_context.http.method = Method::GET;
    request.request_context.http.source_ip = Some("192.0.2.1".to_owned());
    request
}

async fn send(
    env: &TestEnvironment,
    request: ApiGatewayV2httpRequest,
    at: Timestamp,
) -> (i64, Value) {
    let ends = at + SignedDuration::from_secs(29);
    let invocation = aws::invocation::Invocation::at("test", at, ends);
    let response = env.setup.app.handle(request, invocation).await;
    let Some(Body::Text(text)) = response.body else {
        unreachable!("all of its bodies are texts");
    };
    (response.status_code, serde_json::from_str(&text).unwrap())
}

/// Asks about an alert.
async fn ask(env: &TestEnvironment, sender: &Sender, key: &str) -> (i64, Value) {
    let now = Timestamp::now();
    send(env, request(sender, key, now), now).await
}

fn item_key(source: &str, alert: &str) -> String {
    let key = AlertKey {
        source: SourceId::parse(source).unwrap(),
        ..key(TENANT, alert)
    };
    key.item_key()
}

/// Another secret of the same form.
fn changed(secret: &str) -> String {
    let (before, rest) = secret.split_at(secret.len() / 2);
    let replaced = if rest.starts_with('a') { "b" } else { "a" };
    format!("{before}{replaced}{}", &rest[1..])
}

#[tokio::test]
async fn each_proof_of_a_source_opens_its_own_alerts_only() {
    let mut env = environment().await;
    let now = Timestamp::now();
    let mut senders = vec![];
    for scheme in schemes() {
        let request = json!({
            "name": "Monitor", "partner": partner(), "authentication": scheme, "mapping": mapping(),
        });
        let sender = create(&env, &request, now).await;
        let body = json!({ "id": "a1", "token": "" }).to_string();
        let posted = sender.request(body.as_bytes(), now);
        let posted = env.source.receive(posted, now).await;
        assert!(posted.status_code < 300, "{scheme}: {posted:?}");
        senders.push((scheme, sender));
    }
    env.worker.work().await;
    let (_, unknown) = ask(&env, &seeded(), UNKNOWN).await;
    for (n, (scheme, sender)) in senders.iter().enumerate() {
        let own = item_key(&sender.source, "a1");
        let (status, found) = ask(&env, sender, &own).await;
        assert_eq!(status, 200, "{scheme}: {found}");
        assert_eq!(found["alert_key"], own);
        assert_eq!(found["alert_id"], "a1");
        assert_eq!(found["state"], "open", "{found}");

        let (_, other) = &senders[(n + 1) % senders.len()];
        let wrong = Sender {
            secret: changed(&sender.secret),
            ..sender.clone()
        };
        let without = Sender {
            secret: "another secret of more than sixteen letters".to_owned(),
            authentication: Authentication::Bearer,
            ..sender.clone()
        };
        let refused = [
            ask(&env, &wrong, &own).await,
            ask(&env, &without, &own).await,
            // Its own proof, for the alert of another source.
            ask(&env, sender, &item_key(&other.source, "a1")).await,
            ask(&env, sender, UNKNOWN).await,
            ask(&env, sender, "no-key").await,
        ];
        for answered in refused {
            assert_eq!(answered, (404, unknown.clone()), "{scheme}");
        }
    }
}

#[tokio::test]
async fn a_signature_is_for_one_alert_and_a_short_time() {
    let mut env = environment().await;
    let sender = seeded();
    for alert in ["a1", "a2"] {
        env.deliver(&raised_event(alert, alert, 0)).await;
    }
    let (one, other) = (item_key(SOURCE, "a1"), item_key(SOURCE, "a2"));
    let now = Timestamp::now();
    let mut moved = request(&sender, &one, now);
    moved.raw_path = Some(format!("/v1/tickets/{other}"));
    assert_eq!(send(&env, moved, now).await.0, 404);
    let old = request(&sender, &one, now - SignedDuration::from_mins(6));
    assert_eq!(send(&env, old, now).await.0, 404);
    assert_eq!(send(&env, request(&sender, &one, now), now).await.0, 200);
    // A source that is switched off, or limited to other networks, reads nothing either.
    let off = SourceDocument {
        enabled: false,
        ..source_document()
    };
    let limited = SourceDocument {
        networks: vec![String::from("203.0.113.0/24").try_into().unwrap()],
        ..source_document()
    };
    let name = format!("tb/source/{SOURCE}");
    for document in [off, limited] {
        let mut env = environment().await;
        env.deliver(&raised_event("a1", "a1", 0)).await;
        let text = serde_json::to_string(&document).unwrap();
        env.account.put_secret(&name, &text).await;
        assert_eq!(ask(&env, &sender, &one).await.0, 404);
    }
}

#[tokio::test]
async fn the_status_follows_the_alert_from_the_response_to_its_end() {
    let mut env = environment().await;
    let sender = seeded();
    let event = raised_event("e1", "a1", 0);
    let accepted = env.source.post_batch(json!([event]).to_string()).await;
    let alert_key = answer(&accepted)["alerts"][0]["alert_key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        ask(&env, &sender, &alert_key).await.0,
        404,
        "not folded yet"
    );
    env.worker.work().await;
    let (_, open) = ask(&env, &sender, &alert_key).await;
    let ticket = env.connectwise.tickets().await.remove(0);
    assert_eq!(open["state"], "open");
    assert_eq!(open["active"], true);
    assert_eq!(open["ticket"]["number"], ticket["id"]);
    let link = open["ticket"]["link"].as_str().unwrap();
    assert!(link.starts_with(&env.connectwise.origin()), "{link}");

    env.deliver(&resolved_event("e2", "a1", 5)).await;
    let (_, closed) = ask(&env, &sender, &alert_key).await;
    assert_eq!(closed["state"], "closed");
    assert_eq!(closed["closed_by"], "resolved_alert");
    assert_eq!(closed["ticket"]["number"], ticket["id"]);

    let mut off = settings();
    off.kinds_off.insert(Kind::parse("disk").unwrap());
    env.put_settings(&off).await;
    env.deliver(&raised_event("e3", "a2", 0)).await;
    let (_, blocked) = ask(&env, &sender, &item_key(SOURCE, "a2")).await;
    assert_eq!(blocked["state"], "blocked");
    assert_eq!(blocked["reason"], "kind_disabled");
    assert_eq!(blocked["ticket"], Value::Null);
}

#[tokio::test]
async fn the_permanent_address_leads_a_signed_in_partner_to_the_alert() {
    let mut env = environment().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let key = item_key(SOURCE, "a1");
    let (_, status) = ask(&env, &seeded(), &key).await;
    let page = status["page"].as_str().unwrap();
    let path = page.strip_prefix(crate::environment::PAGE).unwrap();
    assert_eq!(path, format!("/setup/alerts/{key}"));

    let mut browser = env.setup.signed_in().await;
    let leads = browser.get(path).await.expect(303);
    let next = leads.header("location").to_owned();
    let shown = browser.get(&next).await.expect(200);
    assert!(
        shown.text.contains("Disk C: of web-1 is full"),
        "{}",
        shown.text
    );

    // A browser that is not signed in at its partner gets the same response as for an unknown alert.
    let signed_out = env.setup.browser().get(path).await.expect(401).text;
    let contoso = PartnerId::parse("contoso").unwrap();
    env.operate(
        "PUT",
        "/v1/operator/partners/contoso",
        &json!({ "name": "Contoso" }),
        201,
    )
    .await;
    let mut elsewhere = env.setup.signed_in_at(&contoso).await;
    assert_eq!(elsewhere.get(path).await.expect(401).text, signed_out);
    let unknown = format!("/setup/alerts/{UNKNOWN}");
    assert_eq!(browser.get(&unknown).await.expect(401).text, signed_out);

    // A link of another site: the browser sends no cookies, until the page loads itself again.
    let cross = |path: &str| {
        let call = Call::new("GET", path).header("sec-fetch-site", "cross-site");
        call.header("accept", "text/html")
    };
    let again = cross(path).to(&env.setup.app).await.expect(200);
    assert_eq!(again.header("refresh"), format!("0; url={path}"));
    let for_unknown = cross(&unknown).to(&env.setup.app).await.expect(200);
    assert_eq!(for_unknown.text.replace(UNKNOWN, &key), again.text);
}
