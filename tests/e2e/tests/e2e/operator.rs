//! The operator's API: partners, links, sources and their secrets.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use domain::pipeline::Schedule;
use domain::{PartnerId, SourceId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::SaveOutcome;
use tokio::task::JoinSet;

use crate::setup_client::{Answered, Call};
use crate::ticks::after;
use crate::world::{TENANT, World, event, partner, signed};

const PARTNER: &str = "/v1/operator/partners/northwind";
const SOURCES: &str = "/v1/operator/sources";

impl World {
    async fn put_partner(&self, desired: &Value) -> Answered {
        self.operator("PUT", PARTNER, desired).await
    }

    async fn operators(&self, path: &str) -> Value {
        let got = self.operator("GET", path, &Value::Null).await;
        got.expect(200).json()
    }

    /// A world whose partner has this source.
    async fn with_source() -> (Self, Value) {
        let world = Self::new().await;
        let name = json!({ "name": "Northwind IT" });
        world.put_partner(&name).await.expect(201);
        let scanner = json!({ "name": "Scanner", "partner": "northwind" });
        let source = world.operator("POST", SOURCES, &scanner).await;
        (world, source.expect(201).json())
    }

    /// An event at the door of an environment that remembers nothing, at a time.
    async fn posted(&self, source: &Value, secret: &Value, at: Timestamp) -> i64 {
        self.posted_event(source, secret, at, &event("alert.raised", "e1", "a1", 0))
            .await
            .status_code
    }

    async fn posted_event(
        &self,
        source: &Value,
        secret: &Value,
        at: Timestamp,
        event: &Value,
    ) -> ApiGatewayV2httpResponse {
        let config = ingest::Config {
            queue_url: self.queue_url.clone(),
            source_secret_prefix: "tb/source/".into(),
        };
        let door = ingest::App::build(config, &self.aws);
        let (id, secret) = (source["id"].as_str().unwrap(), secret.as_str().unwrap());
        let body = event.to_string();
        let media_type = "application/cloudevents+json";
        let request = signed(id, secret, media_type, body.as_bytes(), at);
        door.handle_at(request, at).await
    }
}

fn path_of(source: &Value) -> String {
    format!("{SOURCES}/{}", source["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_partner_is_made_once_and_changed_by_who_saw_what_it_is() {
    let world = World::new().await;
    let put =
        async |desired: Value, status| world.put_partner(&desired).await.expect(status).json();
    assert_eq!(put(json!({}), 422).await["field"], "name");
    let made = put(json!({ "name": " Northwind IT " }), 201).await;
    let expected = json!({
        "id": "northwind", "name": "Northwind IT", "enabled": true, "made_at": made["made_at"], "version": 1,
        "connected": true, "confirmed": true,
    });
    assert_eq!(made, expected);
    assert_eq!(put(json!({ "name": "Northwind IT" }), 200).await, expected);
    assert_eq!(world.operators(PARTNER).await, expected);
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
    let nobody = world.operator("PUT", path, &json!({})).await;
    assert_eq!(nobody.expect(422).json()["field"], "partner");
    let unknown = world.operator("GET", "/v1/operator/partners/contoso", &Value::Null);
    unknown.await.expect(404);
    assert_eq!(world.operators(PARTNER).await, renamed);
}

#[tokio::test]
async fn partners_are_listed_a_page_at_a_time() {
    let world = World::new().await;
    for name in ["alpha", "beta", "gamma"] {
        let path = format!("/v1/operator/partners/{name}");
        let made = world.operator("PUT", &path, &json!({ "name": name })).await;
        made.expect(201);
    }
    let page = async |query: &str| {
        let path = format!("/v1/operator/partners{query}");
        let page = world.operators(&path).await;
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
        let refused = world.operator("GET", &path, &Value::Null).await;
        assert_eq!(refused.expect(422).json()["field"], field);
    }
}

#[tokio::test]
async fn a_partner_that_is_switched_off_is_out_and_its_alerts_wait() {
    let mut world = World::new().await;
    let mut browser = world.signed_in().await;
    let put = async |world: &World, enabled: bool| {
        let put = world.put_partner(&json!({ "enabled": enabled })).await;
        put.expect(200).json()
    };
    assert_eq!(put(&world, false).await["enabled"], false);
    browser.get("/setup").await.expect(401);
    let link = world
        .operator("POST", &format!("{PARTNER}/links"), &json!({}))
        .await;
    link.expect(422);
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    let blocked = world.record("a1").await.unwrap().blocked.unwrap();
    assert_eq!(blocked.reason, domain::Blocked::NotSetUp);
    assert!(world.calls().await.is_empty());

    let before = Timestamp::now();
    // Again, and after a process that died between its two writes: the partner is on, its connection does not know.
    let read = world.access.partners.get(&partner()).await.unwrap();
    let on = read.value.unwrap().switched(true, before);
    let saved = world
        .access
        .partners
        .save(&partner(), &on, read.version)
        .await;
    assert!(matches!(saved.unwrap(), SaveOutcome::Saved { .. }));
    assert_eq!(put(&world, true).await["enabled"], true);
    let connection = world
        .access
        .connections
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
    assert!(!connection.suspended && connection.confirmed_at.unwrap() >= before);
    let due = world
        .due()
        .list(Schedule::Reconcile, Timestamp::now(), 10)
        .await;
    assert_eq!(due.unwrap(), [partner()]);
    let summary = world
        .tick(&world.reconcile(), after(Timestamp::now(), 1))
        .await;
    assert_eq!(summary.totals.released, 1);
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
    browser.get("/setup").await.expect(401);
    let what: Vec<_> = world.operators(&format!("{PARTNER}/audit")).await["entries"]
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
async fn a_link_opens_the_page_once_and_within_its_hours() {
    let world = World::new().await;
    let path = format!("{PARTNER}/links");
    world.operator("POST", &path, &json!({})).await.expect(404);
    world
        .put_partner(&json!({ "name": "Northwind" }))
        .await
        .expect(201);
    for hours in [0, 73, -1] {
        let refused = world
            .operator("POST", &path, &json!({ "hours": hours }))
            .await;
        assert_eq!(refused.expect(422).json()["field"], "hours");
    }
    let now = Timestamp::now();
    let link = async |hours: Value| {
        let made = world.operator_at(now, "POST", &path, &hours).await;
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
    let mut browser = world.browser();
    browser.now = Some(after(now, 2 * 3600));
    let token = |url: &str| json!({ "token": url.split_once('#').unwrap().1 });
    browser
        .post("/setup/session", &token(&short))
        .await
        .expect(401);
    browser.open(&usual).await;
    browser.get("/setup").await.expect(200);
    let again = world.browser().post("/setup/session", &token(&usual)).await;
    again.expect(401);
    let ended = world
        .operator("DELETE", &format!("{PARTNER}/sessions"), &Value::Null)
        .await;
    ended.expect(204);
    browser.get("/setup").await.expect(401);
}

#[tokio::test]
async fn of_many_who_exchange_a_link_at_once_one_comes_in() {
    let world = World::new().await;
    world
        .put_partner(&json!({ "name": "Northwind" }))
        .await
        .expect(201);
    let link = world
        .operator("POST", &format!("{PARTNER}/links"), &json!({}))
        .await;
    let url = link.expect(201).json()["url"].as_str().unwrap().to_owned();
    let token = json!({ "token": url.split_once('#').unwrap().1 });
    let mut exchanges = JoinSet::new();
    for _ in 0..8 {
        let (mut browser, token) = (world.browser(), token.clone());
        exchanges.spawn(async move { browser.post("/setup/session", &token).await.status });
    }
    let mut statuses = exchanges.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401, 401, 401]);
}

#[tokio::test]
async fn a_source_posts_with_the_secret_that_is_told_once() {
    let (world, source) = World::with_source().await;
    let now = Timestamp::now();
    let secret = source["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() == 50);
    let id = source["id"].as_str().unwrap();
    assert_eq!(
        source["webhook_url"],
        format!("https://events.example/v1/events/{id}")
    );
    assert_eq!(world.posted(&source, &source["secret"], now).await, 202);
    let got = world.operators(&path_of(&source)).await;
    assert_eq!(
        (&got["complete"], &got["secrets_until"]),
        (&json!(true), &json!([null]))
    );
    let listed = world.operators(SOURCES).await;
    assert_eq!(listed["sources"][0]["id"], source["id"]);
    let kinds = json!([{ "kind": "backup", "category": "operations", "type_name": "Backup" }]);
    let change =
        json!({ "name": "Better scanner", "kinds_added": kinds, "version": got["version"] });
    let changed = world.operator("PATCH", &path_of(&source), &change).await;
    let changed = changed.expect(200).json();
    assert_eq!(
        (&changed["name"], &changed["kinds_added"]),
        (&change["name"], &kinds)
    );
    world
        .operator("PATCH", &path_of(&source), &change)
        .await
        .expect(409);
    for shown in [&got, &listed, &changed] {
        assert!(!shown.to_string().contains(&secret[6..]), "{shown}");
    }
    let mut backup = event("alert.raised", "e2", "a2", 0);
    backup["data"]["kind"] = json!("backup");
    let posted = world
        .posted_event(&source, &source["secret"], now, &backup)
        .await;
    assert_eq!(posted.status_code, 202);
    let off = json!({ "enabled": false });
    let off = world.operator("PATCH", &path_of(&source), &off).await;
    assert_eq!(off.expect(200).json()["kinds_added"], kinds);
    assert_eq!(world.posted(&source, &source["secret"], now).await, 401);
    let audit = world.operators(&format!("{PARTNER}/audit")).await;
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
}

#[tokio::test]
async fn a_secret_that_is_rotated_holds_a_day_longer() {
    let (world, source) = World::with_source().await;
    let now = Timestamp::now();
    let path = format!("{}/secret", path_of(&source));
    let rotate = async |asked: Value| world.operator("POST", &path, &asked).await;
    let asked = json!({ "version": source["version"] });
    let second = rotate(asked.clone()).await.expect(200).json();
    rotate(asked).await.expect(409);
    assert_eq!(second["ended_now"], 0);
    let until: Timestamp = second["old_until"].as_str().unwrap().parse().unwrap();
    let lives = until.duration_since(now);
    assert!((lives - SignedDuration::from_hours(24)).abs() < SignedDuration::from_secs(60));
    let posted = async |secret: &Value, at| world.posted(&source, secret, at).await;
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
    // Twice within a day: the oldest ends at once, and that is said.
    let third = rotate(Value::Null).await.expect(200).json();
    assert_eq!(third["ended_now"], 1);
    for (secret, status) in [
        (&source["secret"], 401),
        (&second["secret"], 202),
        (&third["secret"], 202),
    ] {
        assert_eq!(posted(secret, now).await, status);
    }
}

#[tokio::test]
async fn rotations_at_once_lose_no_secret_that_was_told() {
    let (world, source) = World::with_source().await;
    let path = format!("{}/secret", path_of(&source));
    let mut rotations = JoinSet::new();
    for _ in 0..6 {
        let (app, call) = (world.setup.clone(), Call::new("POST", &path));
        rotations.spawn(async move { call.to(&app).await });
    }
    let answers = rotations.join_all().await;
    let told: Vec<Value> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(Answered::json)
        .collect();
    assert!(!told.is_empty());
    let conflicts = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!(told.len() + conflicts, 6, "{answers:?}");
    // Two hold at once: the newest two that were told.
    let mut told = told;
    told.sort_by_key(|answer| answer["version"].as_u64());
    let now = Timestamp::now();
    for answer in told.iter().rev().take(2) {
        assert_eq!(world.posted(&source, &answer["secret"], now).await, 202);
    }
    assert_eq!(world.operators(&path_of(&source)).await["complete"], true);
}

#[tokio::test]
async fn a_change_that_was_cut_off_is_shown_and_made_by_repeating_it() {
    let (world, source) = World::with_source().await;
    let now = Timestamp::now();
    let id = SourceId::parse(source["id"].as_str().unwrap()).unwrap();
    // The list item was taken, and the process died.
    let read = world.access.sources.get(&id).await.unwrap();
    let taken = store::RegisteredSource {
        enabled: false,
        busy_until: Some(after(now, 34)),
        ..read.value.unwrap()
    };
    let saved = world.access.sources.save(&id, &taken, read.version).await;
    assert!(matches!(saved.unwrap(), SaveOutcome::Saved { .. }));
    assert_eq!(world.operators(&path_of(&source)).await["complete"], false);
    let off = json!({ "enabled": false });
    let repeat = async |at| {
        world
            .operator_at(at, "PATCH", &path_of(&source), &off)
            .await
    };
    repeat(now).await.expect(409);
    assert_eq!(world.posted(&source, &source["secret"], now).await, 202);
    let made = repeat(after(now, 35)).await.expect(200).json();
    assert_eq!(made["complete"], true);
    assert_eq!(world.posted(&source, &source["secret"], now).await, 401);
}

#[tokio::test]
async fn what_a_source_cannot_be_is_refused_by_its_field() {
    let (world, source) = World::with_source().await;
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
            "kinds_added[0].role",
        ),
        (
            json!({ "kinds_added": [{ "kind": "a", "category": "operations", "type_name": "A", "x": 1 }] }),
            "kinds_added[0].x",
        ),
    ] {
        let refused = world.operator("PATCH", &path_of(&source), &change).await;
        assert_eq!(refused.expect(422).json()["field"], field, "{change}");
        let mut new = change.clone();
        if new.get("name").is_none() {
            new["name"] = json!("Other");
        }
        if new.get("partner").is_none() && new.get("partners").is_none() {
            new["partner"] = json!("northwind");
        }
        let refused = world.operator("POST", SOURCES, &new).await;
        assert_eq!(refused.expect(422).json()["field"], field, "{new}");
    }
    let nobodys = world
        .operator("POST", SOURCES, &json!({ "name": "Other" }))
        .await;
    assert_eq!(nobodys.expect(422).json()["field"], "partner");
    let unknown = format!("{SOURCES}/src_{}", "a".repeat(26));
    world
        .operator("GET", &unknown, &Value::Null)
        .await
        .expect(404);
    let listed = world.operators(SOURCES).await;
    assert_eq!(listed["sources"].as_array().unwrap().len(), 1);
    assert_eq!(
        world.operators(&path_of(&source)).await["version"],
        source["version"]
    );
}

#[tokio::test]
async fn a_source_for_several_partners_names_one_in_each_event() {
    let (world, source) = World::with_source().await;
    let contoso = PartnerId::parse("contoso").unwrap();
    let path = "/v1/operator/partners/contoso";
    let made = world
        .operator("PUT", path, &json!({ "name": "Contoso" }))
        .await;
    made.expect(201);
    let both = json!({ "partners": ["northwind", "contoso"] });
    let changed = world.operator("PATCH", &path_of(&source), &both).await;
    let changed = changed.expect(200).json();
    assert_eq!(
        (&changed["partner"], &changed["partners"]),
        (&Value::Null, &both["partners"])
    );
    let now = Timestamp::now();
    assert_eq!(
        world.posted(&source, &source["secret"], now).await,
        400,
        "nobody is named"
    );
    let mut named = event("alert.raised", "e1", "a1", 0);
    named["data"]["partner"] = json!(contoso.as_str());
    let posted = world
        .posted_event(&source, &source["secret"], now, &named)
        .await;
    assert_eq!(posted.status_code, 202);
    let queued = world.queued().await.to_string();
    assert!(
        queued.contains(contoso.as_str()) && queued.contains(TENANT),
        "{queued}"
    );
}
