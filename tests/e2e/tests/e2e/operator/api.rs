//! The operator's API: partners, links, sources and their secrets.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use domain::monitoring::pipeline::Schedule;
use domain::{PartnerId, SourceId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::SaveOutcome;
use tokio::task::JoinSet;

use crate::environment::{
    Answer, Call, TENANT, TestEnvironment, after, partner, raised_event, signed, webhook_ends,
};

const PARTNER: &str = "/v1/operator/partners/northwind";
const SOURCES: &str = "/v1/operator/sources";

async fn put_partner(env: &TestEnvironment, desired: &Value) -> Answer {
    env.setup.operator("PUT", PARTNER, desired).await
}

async fn get_json(env: &TestEnvironment, path: &str) -> Value {
    let got = env.setup.operator("GET", path, &Value::Null).await;
    got.expect(200).json()
}

/// An environment whose partner has a source.
async fn environment_with_source() -> (TestEnvironment, Value) {
    let env = TestEnvironment::new().await;
    let name = json!({ "name": "Northwind IT" });
    put_partner(&env, &name).await.expect(201);
    let scanner = json!({ "name": "Scanner", "partner": "northwind" });
    let source = env.setup.operator("POST", SOURCES, &scanner).await;
    (env, source.expect(201).json())
}

/// Posts an event at a time to an `ingest` with empty caches. Returns the status.
async fn post_from(env: &TestEnvironment, source: &Value, secret: &Value, at: Timestamp) -> i64 {
    post_event_from(env, source, secret, at, &raised_event("e1", "a1", 0))
        .await
        .status_code
}

async fn post_event_from(
    env: &TestEnvironment,
    source: &Value,
    secret: &Value,
    at: Timestamp,
    event: &Value,
) -> ApiGatewayV2httpResponse {
    let config = ingest::Config {
        queue_url: env.queue.url.clone(),
        source_secret_prefix: "tb/source/".into(),
    };
    let webhook = ingest::Webhook::build(config, &env.aws);
    let (id, secret) = (source["id"].as_str().unwrap(), secret.as_str().unwrap());
    let body = event.to_string();
    let media_type = "application/cloudevents+json";
    let request = signed(id, secret, media_type, body.as_bytes(), at);
    webhook.handle_at(request, at, webhook_ends()).await
}

fn path_of(source: &Value) -> String {
    format!("{SOURCES}/{}", source["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_partner_is_created_once_and_updated_by_version() {
    let env = TestEnvironment::new().await;
    let put =
        async |desired: Value, status| put_partner(&env, &desired).await.expect(status).json();
    assert_eq!(put(json!({}), 422).await["field"], "name");
    let made = put(json!({ "name": " Northwind IT " }), 201).await;
    let expected = json!({
        "id": "northwind", "name": "Northwind IT", "enabled": true, "manages_sources": false, "made_at": made["made_at"], "version": 1,
        "connected": true, "confirmed": true,
    });
    assert_eq!(made, expected);
    assert_eq!(put(json!({ "name": "Northwind IT" }), 200).await, expected);
    assert_eq!(get_json(&env, PARTNER).await, expected);
    let renamed = put(json!({ "name": "Northwind", "version": 1 }), 200).await;
    assert_eq!(
        (&renamed["name"], &renamed["version"]),
        (&json!("Northwind"), &json!(2))
    );
    put(json!({ "name": "Late", "version": 1 }), 409).await;
    for (desired, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "name": "x".repeat(101) }), "name"),
        (json!({ "nam": "a" }), "nam"),
        (json!({ "enabled": "yes" }), "enabled"),
    ] {
        assert_eq!(put(desired.clone(), 422).await["field"], field, "{desired}");
    }
    let path = "/v1/operator/partners/No-Body";
    let unknown = env.operate("PUT", path, &json!({}), 422).await;
    assert_eq!(unknown["field"], "partner");
    env.operate("GET", "/v1/operator/partners/contoso", &Value::Null, 404)
        .await;
    assert_eq!(get_json(&env, PARTNER).await, renamed);
}

#[tokio::test]
async fn partners_are_listed_by_page() {
    let env = TestEnvironment::new().await;
    for name in ["alpha", "beta", "gamma"] {
        let path = format!("/v1/operator/partners/{name}");
        env.operate("PUT", &path, &json!({ "name": name }), 201)
            .await;
    }
    let page = async |query: &str| {
        let path = format!("/v1/operator/partners{query}");
        let page = get_json(&env, &path).await;
        let ids = page["partners"].as_array().unwrap().iter();
        let ids = ids.map(|partner| partner["id"].as_str().unwrap().to_owned());
        (
            ids.collect::<Vec<_>>(),
            page["next"].as_str().map(str::to_owned),
        )
    };
    assert_eq!(
        page("").await,
        (vec!["alpha".into(), "beta".into(), "gamma".into()], None)
    );
    let (first, next) = page("?limit=2").await;
    assert_eq!(first, ["alpha", "beta"]);
    let rest = page(&format!("?limit=2&from={}", next.unwrap())).await;
    assert_eq!(rest, (vec!["gamma".to_owned()], None));
    for (query, field) in [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?from=", "from"),
    ] {
        let path = format!("/v1/operator/partners{query}");
        let refused = env.operate("GET", &path, &Value::Null, 422).await;
        assert_eq!(refused["field"], field);
    }
}

#[tokio::test]
async fn a_disabled_partner_is_signed_out_and_its_alerts_block() {
    let mut env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let put = async |env: &TestEnvironment, enabled: bool| {
        let put = put_partner(env, &json!({ "enabled": enabled })).await;
        put.expect(200).json()
    };
    assert_eq!(put(&env, false).await["enabled"], false);
    browser.get("overview").await.expect(401);
    env.operate("POST", &format!("{PARTNER}/links"), &json!({}), 422)
        .await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(env.reason("a1").await, Some(domain::Blocked::NotSetUp));
    assert!(env.connectwise.calls().await.is_empty());

    let before = Timestamp::now();
    // The same after a process died between its two writes: the partner is enabled, its connection not yet.
    let read = env.access.partners.get(&partner()).await.unwrap();
    let on = read.value.unwrap().with_enabled(true, before);
    let saved = env
        .access
        .partners
        .save(&partner(), &on, read.version)
        .await;
    assert!(matches!(saved.unwrap(), SaveOutcome::Saved { .. }));
    assert_eq!(put(&env, true).await["enabled"], true);
    let connection = env.connection().await;
    assert!(!connection.suspended && connection.confirmed_at.unwrap() >= before);
    let due = env
        .schedule
        .due
        .list(Schedule::Reconcile, Timestamp::now(), 10)
        .await;
    assert_eq!(due.unwrap(), [partner()]);
    let summary = env
        .schedule
        .tick(&env.reconcile(), after(Timestamp::now(), 1))
        .await;
    assert_eq!(summary.totals.released, 1);
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    browser.get("overview").await.expect(401);
    let what: Vec<_> = get_json(&env, &format!("{PARTNER}/audit")).await["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["who"].clone(), entry["what"].clone()))
        .collect();
    let by_operator = |what: &str| (json!("operator"), json!(what));
    assert_eq!(
        what,
        [
            by_operator("partner_switched_on"),
            by_operator("partner_switched_off"),
            (json!("partner"), json!("session_began")),
        ]
    );
}

#[tokio::test]
async fn a_link_opens_the_page_once_and_before_it_expires() {
    let env = TestEnvironment::new().await;
    let path = format!("{PARTNER}/links");
    env.operate("POST", &path, &json!({}), 404).await;
    put_partner(&env, &json!({ "name": "Northwind" }))
        .await
        .expect(201);
    for hours in [0, 73, -1] {
        let refused = env
            .operate("POST", &path, &json!({ "hours": hours }), 422)
            .await;
        assert_eq!(refused["field"], "hours");
    }
    let now = Timestamp::now();
    let link = async |hours: Value| {
        let made = env.setup.operator_at(now, "POST", &path, &hours).await;
        let made = made.expect(201);
        assert_eq!(made.header("cache-control"), "no-store");
        let expires_at: Timestamp = made.json()["expires_at"].as_str().unwrap().parse().unwrap();
        let lives = expires_at.duration_since(now).as_secs();
        (
            made.json()["url"].as_str().unwrap().to_owned(),
            (lives + 1800) / 3600,
        )
    };
    let (short, lives) = link(json!({ "hours": 1 })).await;
    assert_eq!(lives, 1);
    let (usual, lives) = link(Value::Null).await;
    assert_eq!(lives, 24);
    let mut browser = env.setup.browser();
    browser.now = Some(after(now, 2 * 3600));
    let token = |url: &str| json!({ "token": url.split_once('#').unwrap().1 });
    browser.submit("/setup/session", &token(&short), 401).await;
    browser.open(&usual).await;
    browser.get("overview").await.expect(200);
    let again = env
        .setup
        .browser()
        .post("/setup/session", &token(&usual))
        .await;
    again.expect(401);
    env.operate("DELETE", &format!("{PARTNER}/sessions"), &Value::Null, 204)
        .await;
    browser.get("overview").await.expect(401);
}

#[tokio::test]
async fn only_one_of_many_concurrent_exchanges_of_a_link_wins() {
    let env = TestEnvironment::new().await;
    put_partner(&env, &json!({ "name": "Northwind" }))
        .await
        .expect(201);
    let url = env
        .operate("POST", &format!("{PARTNER}/links"), &json!({}), 201)
        .await["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = json!({ "token": url.split_once('#').unwrap().1 });
    let mut exchanges = JoinSet::new();
    for _ in 0..8 {
        let (mut browser, token) = (env.setup.browser(), token.clone());
        exchanges.spawn(async move { browser.post("/setup/session", &token).await.status });
    }
    let mut statuses = exchanges.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401, 401, 401]);
}

#[tokio::test]
async fn a_source_posts_with_the_secret_shown_once() {
    let (env, source) = environment_with_source().await;
    let now = Timestamp::now();
    let secret = source["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50);
    let id = source["id"].as_str().unwrap();
    assert_eq!(
        source["webhook_url"],
        format!("https://events.example/v1/events/{id}")
    );
    assert_eq!(post_from(&env, &source, &source["secret"], now).await, 202);
    let got = get_json(&env, &path_of(&source)).await;
    assert_eq!(
        (&got["complete"], &got["secrets_until"]),
        (&json!(true), &json!([null]))
    );
    let listed = get_json(&env, SOURCES).await;
    assert_eq!(listed["sources"][0]["id"], source["id"]);
    let kinds = json!([{ "kind": "backup", "category": "operations", "type_name": "Backup" }]);
    let change =
        json!({ "name": "Better scanner", "kinds_added": kinds, "version": got["version"] });
    let changed = env.operate("PATCH", &path_of(&source), &change, 200).await;
    assert_eq!(
        (&changed["name"], &changed["kinds_added"]),
        (&change["name"], &kinds)
    );
    env.operate("PATCH", &path_of(&source), &change, 409).await;
    for shown in [&got, &listed, &changed] {
        assert!(!shown.to_string().contains(&secret[6..]), "{shown}");
    }
    let mut backup = raised_event("e2", "a2", 0);
    backup["data"]["kind"] = json!("backup");
    let posted = post_event_from(&env, &source, &source["secret"], now, &backup).await;
    assert_eq!(posted.status_code, 202);
    let off = json!({ "enabled": false });
    let off = env.operate("PATCH", &path_of(&source), &off, 200).await;
    assert_eq!(off["kinds_added"], kinds);
    assert_eq!(post_from(&env, &source, &source["secret"], now).await, 401);
    let audit = get_json(&env, &format!("{PARTNER}/audit")).await;
    assert!(!audit.to_string().contains(&secret[6..]));
    let what = audit["entries"].as_array().unwrap().iter();
    let what: Vec<_> = what.map(|entry| entry["what"].as_str().unwrap()).collect();
    assert_eq!(
        what,
        [
            "source_changed",
            "source_changed",
            "source_made",
            "partner_made"
        ]
    );
    // With the report of the refused request.
    env.queue.expect_leftovers(3);
}

#[tokio::test]
async fn an_alertmanager_has_an_authorization_that_is_never_shown() {
    let (env, source) = environment_with_source().await;
    let path = format!("{}/webhook", path_of(&source));
    let put = async |body: Value, status| env.operate("PUT", &path, &body, status).await;
    let url = "https://alerts.example.com/am";
    let signed = put(json!({ "url": url, "takes_actions": true }), 200).await;
    assert_eq!(signed["format"], "cloud_events");
    let with_key = json!({ "url": url, "authorization": "Bearer canary" });
    assert_eq!(put(with_key, 422).await["field"], "authorization");
    let desired = json!({
        "url": url, "format": "alertmanager", "authorization": "Bearer canary",
    });
    let made = put(desired, 200).await;
    let kept = put(json!({ "url": url }), 200).await;
    let got = get_json(&env, &path).await;
    for shown in [&made, &kept, &got] {
        let expected = json!({
            "url": url, "format": "alertmanager", "takes_actions": true,
            "has_authorization": true, "secrets_until": [], "version": shown["version"],
        });
        assert_eq!(shown, &expected);
    }
    let other = json!({ "url": "https://alerts.example.net" });
    assert_eq!(put(other, 422).await["field"], "authorization");
    let api = json!({ "url": format!("{url}/api/v2") });
    assert_eq!(put(api, 422).await["field"], "url");
    let rotation = format!("{path}/secret");
    env.operate("POST", &rotation, &json!({}), 422).await;
    let none = put(json!({ "url": url, "authorization": "" }), 200).await;
    assert_eq!(none["has_authorization"], false);
    let signed = put(json!({ "url": url, "format": "cloud_events" }), 200).await;
    assert_eq!(signed["takes_actions"], false);
    assert!(signed["secret"].as_str().unwrap().starts_with("whsec_"));
    let audit = get_json(&env, &format!("{PARTNER}/audit")).await;
    assert!(!audit.to_string().contains("canary"), "{audit}");
}

#[tokio::test]
async fn a_rotated_secret_is_valid_for_another_day() {
    let (env, source) = environment_with_source().await;
    let now = Timestamp::now();
    let path = format!("{}/secret", path_of(&source));
    let rotate = async |asked: Value| env.setup.operator("POST", &path, &asked).await;
    let asked = json!({ "version": source["version"] });
    let second = rotate(asked.clone()).await.expect(200).json();
    rotate(asked).await.expect(409);
    assert_eq!(second["ended_now"], 0);
    let until: Timestamp = second["old_until"].as_str().unwrap().parse().unwrap();
    let lives = until.duration_since(now);
    assert!((lives - SignedDuration::from_hours(24)).abs() < SignedDuration::from_secs(60));
    let posted = async |secret: &Value, at| post_from(&env, &source, secret, at).await;
    let (before, later) = (after(until, -1), after(until, 1));
    for (secret, at, status) in [
        (&source["secret"], now, 202),
        (&source["secret"], before, 202),
        (&source["secret"], later, 401),
        (&second["secret"], now, 202),
        (&second["secret"], later, 202),
    ] {
        assert_eq!(posted(secret, at).await, status, "{at}");
    }
    // Two rotations within a day: the oldest secret ends at once, and the answer says so.
    let third = rotate(Value::Null).await.expect(200).json();
    assert_eq!(third["ended_now"], 1);
    for (secret, status) in [
        (&source["secret"], 401),
        (&second["secret"], 202),
        (&third["secret"], 202),
    ] {
        assert_eq!(posted(secret, now).await, status);
    }
    // With the report of the refused requests.
    env.queue.expect_leftovers(8);
}

#[tokio::test]
async fn concurrent_rotations_lose_no_secret() {
    let (env, source) = environment_with_source().await;
    let path = format!("{}/secret", path_of(&source));
    let mut rotations = JoinSet::new();
    for _ in 0..6 {
        let (app, call) = (env.setup.app.clone(), Call::new("POST", &path));
        rotations.spawn(async move { call.to(&app).await });
    }
    let answers = rotations.join_all().await;
    let rotated: Vec<Value> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(Answer::json)
        .collect();
    assert!(!rotated.is_empty());
    let conflicts = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!(rotated.len() + conflicts, 6, "{answers:?}");
    // Two secrets are valid: the newest two that were returned.
    let mut rotated = rotated;
    rotated.sort_by_key(|answer| answer["version"].as_u64());
    let now = Timestamp::now();
    for answer in rotated.iter().rev().take(2) {
        assert_eq!(post_from(&env, &source, &answer["secret"], now).await, 202);
    }
    assert_eq!(get_json(&env, &path_of(&source)).await["complete"], true);
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn an_interrupted_source_change_is_completed_by_repeating_it() {
    let (env, source) = environment_with_source().await;
    let now = Timestamp::now();
    let id = SourceId::parse(source["id"].as_str().unwrap()).unwrap();
    // The process died after it wrote the list item.
    let read = env.access.sources.get(&id).await.unwrap();
    let taken = store::RegisteredSource {
        enabled: false,
        ..read.value.unwrap()
    };
    let worker = ("died", after(now, 34), now);
    let begun = env
        .access
        .sources
        .begin_change(&id, &taken, read.version, worker);
    assert!(matches!(begun.await.unwrap().0, SaveOutcome::Saved { .. }));
    assert_eq!(get_json(&env, &path_of(&source)).await["complete"], false);
    let off = json!({ "enabled": false });
    let repeat = async |at| {
        env.setup
            .operator_at(at, "PATCH", &path_of(&source), &off)
            .await
    };
    repeat(now).await.expect(409);
    assert_eq!(post_from(&env, &source, &source["secret"], now).await, 202);
    let made = repeat(after(now, 35)).await.expect(200).json();
    assert_eq!(made["complete"], true);
    assert_eq!(post_from(&env, &source, &source["secret"], now).await, 401);
    // With the report of the refused request.
    env.queue.expect_leftovers(2);
}

#[tokio::test]
async fn an_invalid_source_is_refused_with_its_field() {
    let (env, source) = environment_with_source().await;
    let kind = |kind: &str, type_name: &str| json!({ "kind": kind, "category": "operations", "type_name": type_name });
    let kinds = |kinds: &[Value]| json!({ "kinds_added": kinds });
    let long = "é".repeat(51);
    for (change, field) in [
        (json!({ "partner": "contoso" }), "partner"),
        (json!({ "partner": "No body" }), "partner"),
        (
            json!({ "partners": ["northwind", "contoso"] }),
            "partners[1]",
        ),
        (
            json!({ "partners": ["northwind", "northwind"] }),
            "partners[1]",
        ),
        (json!({ "partners": [] }), "partners"),
        (
            json!({ "partner": "northwind", "partners": ["northwind"] }),
            "partners",
        ),
        (json!({ "name": " " }), "name"),
        (json!({ "secret": "whsec_x" }), "secret"),
        (kinds(&[kind("disk", "Disk")]), "kinds_added[0].kind"),
        (kinds(&[kind("Back up", "Backup")]), "kinds_added[0].kind"),
        (
            kinds(&[kind("a", "A"), kind("a", "B")]),
            "kinds_added[1].kind",
        ),
        (kinds(&[kind("a", "")]), "kinds_added[0].type_name"),
        (kinds(&[kind("a", "A\nB")]), "kinds_added[0].type_name"),
        (kinds(&[kind("a", &long)]), "kinds_added[0].type_name"),
        (
            json!({ "kinds_added": [{ "kind": "a", "category": "both", "type_name": "A" }] }),
            "kinds_added[0].category",
        ),
        (
            json!({ "kinds_added": [{ "kind": "a", "category": "operations", "type_name": "A", "x": 1 }] }),
            "kinds_added[0].x",
        ),
    ] {
        let refused = env.operate("PATCH", &path_of(&source), &change, 422).await;
        assert_eq!(refused["field"], field, "{change}");
        let mut new = change.clone();
        if new.get("name").is_none() {
            new["name"] = json!("Other");
        }
        if new.get("partner").is_none() && new.get("partners").is_none() {
            new["partner"] = json!("northwind");
        }
        let refused = env.operate("POST", SOURCES, &new, 422).await;
        assert_eq!(refused["field"], field, "{new}");
    }
    let without_partner = env
        .operate("POST", SOURCES, &json!({ "name": "Other" }), 422)
        .await;
    assert_eq!(without_partner["field"], "partner");
    let unknown = format!("{SOURCES}/src_{}", "a".repeat(26));
    env.operate("GET", &unknown, &Value::Null, 404).await;
    let listed = get_json(&env, SOURCES).await;
    assert_eq!(listed["sources"].as_array().unwrap().len(), 1);
    assert_eq!(
        get_json(&env, &path_of(&source)).await["version"],
        source["version"]
    );
}

#[tokio::test]
async fn a_shared_source_names_the_partner_in_each_event() {
    let (env, source) = environment_with_source().await;
    let contoso = PartnerId::parse("contoso").unwrap();
    let path = "/v1/operator/partners/contoso";
    env.operate("PUT", path, &json!({ "name": "Contoso" }), 201)
        .await;
    let both = json!({ "partners": ["northwind", "contoso"] });
    let changed = env.operate("PATCH", &path_of(&source), &both, 200).await;
    assert_eq!(
        (&changed["partner"], &changed["partners"]),
        (&Value::Null, &both["partners"])
    );
    let now = Timestamp::now();
    assert_eq!(
        post_from(&env, &source, &source["secret"], now).await,
        400,
        "no partner is named"
    );
    let mut named = raised_event("e1", "a1", 0);
    named["data"]["partner"] = json!(contoso.as_str());
    let posted = post_event_from(&env, &source, &source["secret"], now, &named).await;
    assert_eq!(posted.status_code, 202);
    let queued = env.queue.take_only().await.to_string();
    assert!(
        queued.contains(contoso.as_str()) && queued.contains(TENANT),
        "{queued}"
    );
}

#[tokio::test]
async fn the_document_of_the_api_is_served() {
    let env = TestEnvironment::new().await;
    let served = get_json(&env, "/v1/operator/openapi.json").await;
    let committed = include_str!("../../../../../docs/api/openapi.json");
    assert_eq!(served, serde_json::from_str::<Value>(committed).unwrap());
}
