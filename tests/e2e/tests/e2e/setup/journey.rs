//! A partner's whole set-up, from nothing to tickets, with the operator's API and the page only.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use connectwise_sim::Seed;
use domain::PartnerId;
use domain::setup::settings::Settings;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::environment::{Browser, TestEnvironment, after, signed};

/// A partner that is not seeded.
const PARTNER: &str = "contoso";
const MAPPED: [(&str, u64); 2] = [("acme-dental", 301), ("baker-and-sons", 302)];
const UNMAPPED: (&str, u64) = ("harbor-hotel", 307);

/// Where the partner's tickets are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Boards {
    Dedicated,
    Default,
}

/// The source's credentials.
struct Source {
    id: String,
    secret: String,
}

fn partner() -> PartnerId {
    PartnerId::parse(PARTNER).unwrap()
}

async fn stored_settings(env: &TestEnvironment) -> Settings {
    let read = env.config.settings.get(&partner()).await.unwrap();
    read.value.unwrap()
}

/// The operator creates the partner and its source, and a person opens the link.
async fn invited(env: &TestEnvironment) -> (Browser, Source) {
    let path = format!("/v1/operator/partners/{PARTNER}");
    env.operate("PUT", &path, &json!({ "name": "Contoso IT" }), 201)
        .await;
    let source = json!({ "name": "Scanner", "partner": PARTNER });
    let source = env
        .operate("POST", "/v1/operator/sources", &source, 201)
        .await;
    let links = format!("{path}/links");
    let link = env.operate("POST", &links, &json!({}), 201).await;
    let mut browser = env.setup.browser();
    browser.open(link["url"].as_str().unwrap()).await;
    let source = Source {
        id: source["id"].as_str().unwrap().to_owned(),
        secret: source["secret"].as_str().unwrap().to_owned(),
    };
    (browser, source)
}

fn event(kind: &str, tenant: &str, alert: &str, at: Timestamp) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("{alert}-{kind}"),
        "source": "https://scanner.example",
        "type": format!("alert.{kind}"),
        "time": at.to_string(),
        "data": {
            "tenant": tenant, "alert_id": alert, "kind": "disk", "severity": "high",
            "title": format!("Disk full on {alert}"), "description": "It is full.",
        },
    })
}

async fn post(env: &TestEnvironment, source: &Source, event: &Value) {
    let body = event.to_string();
    let media_type = "application/cloudevents+json";
    let request: ApiGatewayV2httpRequest = signed(
        &source.id,
        &source.secret,
        media_type,
        body.as_bytes(),
        Timestamp::now(),
    );
    let answer = env.source.receive(request, Timestamp::now()).await;
    assert_eq!(answer.status_code, 202, "{answer:?}");
}

/// Raises three alerts within 48 hours, an older one, one that is resolved, and one of an unmapped tenant.
async fn alerts(env: &mut TestEnvironment, source: &Source, now: Timestamp) {
    let ago = |hours| now - SignedDuration::from_hours(hours);
    let [(acme, _), (baker, _)] = MAPPED;
    for raised in [
        event("raised", acme, "a1", ago(1)),
        event("raised", acme, "a2", ago(47)),
        event("raised", baker, "b1", ago(5)),
        event("raised", baker, "old", ago(72)),
        event("raised", acme, "resolved", ago(3)),
        event("raised", UNMAPPED.0, "h1", ago(2)),
    ] {
        post(env, source, &raised).await;
    }
    env.worker.work().await;
    post(env, source, &event("resolved", acme, "resolved", ago(2))).await;
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 0);
}

async fn connect(env: &TestEnvironment, browser: &mut Browser) {
    let connection = json!({
        "site": env.connectwise.origin(), "company_id": "tbdemo", "public_key": "tbPublicKey01",
        "private_key": "tbPrivateKey01", "version": 0,
    });
    browser.submit("connection", &connection, 200).await;
}

async fn boards(browser: &mut Browser, boards: Boards) {
    let page = browser.get_json("boards").await.expect(200).json();
    match boards {
        Boards::Default => {
            let board = &page["existing"]["default"]["id"];
            let chosen = json!({
                "operations": board, "cyber_alerts": board,
                "version": page["settings_version"], "reviewed": true,
            });
            browser.submit("boards-existing", &chosen, 200).await;
        }
        Boards::Dedicated => {
            let board = json!({ "location": 2, "department": 10, "team_lead": 151 });
            let desired = json!({
                "operations": board, "cyber_alerts": board,
                "version": page["boards_version"], "reviewed": true,
            });
            let mut next = browser.submit("boards-dedicated", &desired, 200).await;
            for _ in 0..10 {
                next = browser.submit("boards-progress", &json!({}), 200).await;
                if next["next"] != "boards-progress" {
                    break;
                }
            }
            assert_eq!(next["done"], next["total"], "{next}");
        }
    }
}

async fn map(browser: &mut Browser, (tenant, company): (&str, u64)) {
    let path = format!("tenant?tenant={tenant}");
    let page = browser.get_json(&path).await.expect(200).json();
    let chosen = json!({ "tenant": tenant, "company": company, "enabled": true, "version": page["version"] });
    browser.post("tenant", &chosen).await.expect(200);
}

/// The earlier alerts become three tickets, and the last tenant's alert becomes one when it is mapped.
async fn from_nothing_to_tickets(env: &mut TestEnvironment, chosen: Boards) -> Vec<Value> {
    let now = Timestamp::now();
    let (mut browser, source) = invited(env).await;
    alerts(env, &source, now).await;

    connect(env, &mut browser).await;
    let check = browser.get_json("check?now=true").await.expect(200).json();
    let verdict = check["verdict"].as_str().unwrap();
    assert!(["good", "limited"].contains(&verdict), "{check}");
    boards(&mut browser, chosen).await;
    for mapped in MAPPED {
        map(&mut browser, mapped).await;
    }
    let version = json!({ "version": 1 });
    let refused = browser.post("confirm", &version).await.expect(422);
    assert!(refused.text.contains("a confirmed contact"), "{refused:?}");
    let contact = json!({ "address": "oncall@contoso.example", "mails": ["broken_connection"], "version": 0 });
    browser.post("contacts", &contact).await.expect(200);
    let refused = browser.post("confirm", &version).await.expect(422);
    assert!(refused.text.contains("confirmed"), "{refused:?}");
    env.confirm_contact().await;

    let preview = browser.get_json("confirm").await.expect(200).json();
    assert_eq!(preview["missing"], json!([]), "{preview}");
    let waiting = &preview["waiting"];
    let reported = (
        &waiting["all"],
        &waiting["tickets"],
        &waiting["older"],
        &waiting["others"],
    );
    assert_eq!(
        reported,
        (&json!(5), &json!(3), &json!(1), &json!({ "unmapped": 1 })),
        "{preview}"
    );
    assert_eq!(
        (&preview["tenants"], &preview["tenants_unmapped"]),
        (&json!(2), &json!(1))
    );

    let confirm = json!({ "version": preview["version"] });
    browser.post("confirm", &confirm).await.expect(200);
    settle(env, now).await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 3, "{tickets:?}");

    let path = format!("tenant?tenant={}", UNMAPPED.0);
    let last = browser.get_json(&path).await.expect(200).json();
    assert_eq!(
        (&last["waiting"], &last["preview"]["tickets"]),
        (&json!(1), &json!(1)),
        "{last}"
    );
    map(&mut browser, UNMAPPED).await;
    settle(env, after(now, 120)).await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 4, "{tickets:?}");
    assert_eq!(env.dead_letter_queue.dead_letters().await, []);
    tickets
}

/// Runs reconcile and works off its messages until nothing is left to do.
async fn settle(env: &mut TestEnvironment, now: Timestamp) {
    let reconcile = env.reconcile();
    env.schedule.tick(&reconcile, after(now, 60)).await;
    env.worker.work().await;
}

fn of<'a>(tickets: &'a [Value], member: &str) -> Vec<&'a str> {
    let names = tickets.iter().map(|ticket| ticket[member]["name"].as_str());
    let mut names: Vec<_> = names.map(Option::unwrap_or_default).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[tokio::test]
async fn a_partner_connects_and_creates_boards() {
    let mut env = TestEnvironment::new().await;
    let tickets = from_nothing_to_tickets(&mut env, Boards::Dedicated).await;
    assert_eq!(of(&tickets, "board"), ["Operations"]);
    assert_eq!(of(&tickets, "type"), ["Disk"]);
    assert_eq!(of(&tickets, "status"), ["New"]);
}

#[tokio::test]
async fn a_partner_connects_with_the_default_board() {
    let mut env = TestEnvironment::new().await;
    let tickets = from_nothing_to_tickets(&mut env, Boards::Default).await;
    assert_eq!(of(&tickets, "board"), ["Service Desk"]);
    assert!(tickets.iter().all(|ticket| ticket["closedFlag"] == false));
}

#[tokio::test]
async fn a_partner_connects_without_a_default_board() {
    let seed = Seed::DEMO_JSON.replace(r#""serviceDefaultBoard": { "id": 21 }, "#, "");
    let mut env = TestEnvironment::with_seed(Seed::from_json(&seed).unwrap()).await;
    let tickets = from_nothing_to_tickets(&mut env, Boards::Default).await;
    assert_eq!(tickets.len(), 4);
    let stored = stored_settings(&env).await;
    assert_eq!(
        (stored.operations.board, stored.cyber_alerts.board),
        (None, None)
    );
}

#[tokio::test]
async fn a_role_without_table_setup_uses_the_default_board() {
    let mut env = TestEnvironment::new().await;
    let rights = ["table_setup.add", "table_setup.edit", "table_setup.inquire"];
    env.set_fault("missing_rights", rights).await;
    let tickets = from_nothing_to_tickets(&mut env, Boards::Default).await;
    assert_eq!(of(&tickets, "board"), ["Service Desk"]);

    let mut browser = env.setup.signed_in_at(&partner()).await;
    let check = browser.get("check?now=true").await.expect(200);
    let boards = browser.get("boards").await.expect(200);
    for page in [check, boards] {
        assert!(page.text.contains("Table Setup"), "{}", page.text);
    }
    let stored = stored_settings(&env).await;
    let board = stored.operations;
    assert!(board.board.is_some(), "{board:?}");
    assert_eq!((board.start_status, board.types.len()), (None, 0));
}

#[tokio::test]
async fn a_link_signs_in_and_the_session_signs_out() {
    let env = TestEnvironment::new().await;
    env.setup.browser().get("overview").await.expect(401);
    let mut browser = env.setup.signed_in().await;
    let page = browser.get("overview").await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let view = browser.get_json("overview").await.expect(200).json();
    assert_eq!(view["partner"], "northwind");
    let out = browser.post_form("sign-out", &[]).await;
    assert_eq!(
        out.expect(303).header("location"),
        "/setup/link?done=signed_out"
    );
    assert!(browser.cookies.is_empty());
    browser.get("overview").await.expect(401);
    let nothing = env
        .setup
        .operator("GET", "/v1/operator/nothing", &Value::Null)
        .await;
    assert_eq!(
        nothing.expect(404).header("content-type"),
        "application/problem+json"
    );
}
