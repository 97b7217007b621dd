//! What the operator's API says about partners and alerts. None of these reads changes anything.

use domain::setup::rights;
use serde_json::{Value, json};
use setup::RouteAccess;

use crate::environment::{Call, PARTNER, SOURCE, TENANT, TestEnvironment, partner};
use crate::setup::activity::with_three_alerts;
use crate::setup::route_matrix::items_of_partner;

const NORTHWIND: &str = "/v1/operator/partners/northwind";

async fn get(env: &TestEnvironment, path: &str) -> Value {
    env.operate("GET", path, &Value::Null, 200).await
}

/// Three alerts of a partner that the operator knows.
async fn environment() -> TestEnvironment {
    let env = with_three_alerts().await;
    let name = json!({ "name": "Northwind IT" });
    env.operate("PUT", NORTHWIND, &name, 201).await;
    env
}

fn titles(found: &Value) -> Vec<&str> {
    let alerts = found["alerts"].as_array().unwrap().iter();
    alerts
        .map(|alert| alert["title"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_operator_finds_alerts_and_reads_their_timeline() {
    let env = environment().await;
    let all = get(&env, &format!("{NORTHWIND}/alerts")).await;
    assert_eq!(
        titles(&all),
        ["Disk of web-3", "CPU of db-1", "Disk of web-1"]
    );
    let ticket = env.connectwise.tickets().await[0]["id"].clone();
    for (query, expected) in [
        ("state=open".to_owned(), "Disk of web-1"),
        ("state=waiting".to_owned(), "CPU of db-1"),
        ("search=web-3".to_owned(), "Disk of web-3"),
        (format!("search=%23{ticket}"), "Disk of web-1"),
    ] {
        let found = get(&env, &format!("{NORTHWIND}/alerts?{query}")).await;
        assert_eq!(titles(&found), [expected], "{query}");
    }
    let open = &all["alerts"][2];
    assert_eq!(
        (&open["partner"], &open["ticket"]),
        (&json!(PARTNER), &ticket)
    );
    let path = format!("/v1/operator/alerts/{}", open["id"].as_str().unwrap());
    let alert = get(&env, &path).await;
    assert_eq!(
        (&alert["partner"], &alert["state"], &alert["tenant"]),
        (&json!(PARTNER), &json!("open"), &json!(TENANT))
    );
    let steps = alert["steps"].as_array().unwrap().iter();
    let steps: Vec<_> = steps.map(|step| step["words"].as_str().unwrap()).collect();
    assert_eq!(steps[0], "The source raised the alert, severity medium.");
    assert!(
        steps.contains(&format!("It has ticket #{ticket}.").as_str()),
        "{steps:?}"
    );
    let unknown = "/v1/operator/alerts/0123456789abcdef-0123456789abcdef0123456789abcdef";
    env.operate("GET", unknown, &Value::Null, 404).await;
    let unknown = "/v1/operator/partners/contoso/alerts";
    env.operate("GET", unknown, &Value::Null, 404).await;
}

#[tokio::test]
async fn a_status_counts_waiting_alerts_and_open_tickets() {
    let env = environment().await;
    let status = get(&env, &format!("{NORTHWIND}/status")).await;
    assert_eq!(status["condition"], "good", "{status}");
    assert_eq!(status["open_tickets"], 1, "{status}");
    assert_eq!(status["waiting"]["count"], 1, "{status}");
    let what = status["waiting"]["points"][0]["what"].as_str().unwrap();
    assert!(
        what.starts_with("1 tenant sent alerts and is not mapped"),
        "{what}"
    );
    assert!(status["last_alert_at"].is_string(), "{status}");
    let off = json!({ "enabled": false });
    env.operate("PUT", NORTHWIND, &off, 200).await;
    let status = get(&env, &format!("{NORTHWIND}/status")).await;
    assert_eq!(status["condition"], "suspended", "{status}");
    let on = json!({ "enabled": true });
    env.operate("PUT", NORTHWIND, &on, 200).await;
    env.database.corrupt_breaker().await;
    let status = get(&env, &format!("{NORTHWIND}/status")).await;
    assert_eq!(status["condition"], "issue", "{status}");
    assert!(status["issue"].get("since").is_none(), "{status}");
    env.database.corrupt_health().await;
    let status = get(&env, &format!("{NORTHWIND}/status")).await;
    assert_eq!(status["condition"], "issue", "{status}");
    assert!(status.get("accepted_at").is_none(), "{status}");
    let new = json!({ "name": "Contoso" });
    let contoso = "/v1/operator/partners/contoso";
    env.operate("PUT", contoso, &new, 201).await;
    let status = get(&env, &format!("{contoso}/status")).await;
    assert_eq!(status["condition"], "not_connected", "{status}");
    assert!(status.get("last_alert_at").is_none(), "{status}");
}

#[tokio::test]
async fn a_check_says_what_is_missing_and_records_nothing() {
    let env = environment().await;
    let path = format!("{NORTHWIND}/check");
    let check = get(&env, &path).await;
    assert_eq!(check["verdict"], "good", "{check}");
    let store = &env.config.breaker;
    let missing = rights::TICKETS_ADD;
    store.add_missing_right(&partner(), missing).await.unwrap();
    get(&env, &path).await;
    let breaker = store.get(&partner()).await.unwrap();
    assert!(
        breaker.missing_rights.contains(missing),
        "the check removed a right"
    );
    let faults = json!({ "keys": "revoked" });
    env.connectwise.set_faults(faults).await;
    let check = get(&env, &path).await;
    assert_eq!(
        (&check["verdict"], &check["error"]["code"]),
        (&json!("broken"), &json!("keys_refused"))
    );
}

#[tokio::test]
async fn no_read_of_the_operator_changes_anything() {
    let env = environment().await;
    let alert = get(&env, &format!("{NORTHWIND}/alerts")).await["alerts"][0]["id"].clone();
    let before = items_of_partner(&env).await;
    let routes = env.setup.app.routes().to_vec();
    let mut reads = 0;
    for route in routes {
        if route.access != RouteAccess::Operator || route.method != "GET" {
            continue;
        }
        let path = route.path.replace("{partner}", PARTNER);
        let path = path
            .replace("{source}", SOURCE)
            .replace("{preset}", "generic");
        let path = path.replace("{alert}", alert.as_str().unwrap());
        let answer = Call::new("GET", &path).to(&env.setup.app).await;
        assert!(answer.status < 500, "{path}: {answer:?}");
        reads += 1;
    }
    assert!(reads >= 13, "{reads}");
    assert_eq!(items_of_partner(&env).await, before);
}

#[tokio::test]
async fn the_functions_say_their_version() {
    let env = TestEnvironment::new().await;
    let version = get(&env, "/v1/operator/version").await;
    assert_eq!(version, json!({ "version": env!("CARGO_PKG_VERSION") }));
}

#[tokio::test]
async fn the_contract_names_what_differs_from_the_code() {
    let env = environment().await;
    let path = format!("{NORTHWIND}/contract");
    let result = |contract: &Value, code: &str| {
        let checks = contract["checks"].as_array().unwrap().clone();
        let check = checks.into_iter().find(|check| check["code"] == code);
        check.unwrap()["result"].clone()
    };
    let contract = get(&env, &path).await;
    assert_eq!(contract["as_expected"], true, "{contract}");
    for code in [
        "company_pages",
        "reference_search",
        "ticket_members",
        "all_notes",
        "audit_trail",
        "callbacks",
        "board_teams",
        "board_types",
        "ticket_sources",
    ] {
        assert_eq!(result(&contract, code), "as_expected", "{contract}");
    }
    let variants = json!({ "variants": { "my_security_names": "absent" } });
    env.connectwise.set_faults(variants).await;
    let contract = get(&env, &path).await;
    assert_eq!(contract["as_expected"], false, "{contract}");
    assert_eq!(result(&contract, "my_security"), "differs", "{contract}");
    env.connectwise.reset().await;
    // A new site has no ticket of Ticketbridge.
    let contract = get(&env, &path).await;
    assert_eq!(
        result(&contract, "reference_search"),
        "not_known",
        "{contract}"
    );
    env.connectwise.set_faults(json!({ "outage": true })).await;
    let contract = get(&env, &path).await;
    assert_eq!(contract["as_expected"], true, "{contract}");
    assert_eq!(result(&contract, "my_member"), "not_known", "{contract}");
}
