//! Alerts that are older than the setting that enabled them: they are counted on the page, and a person
//! releases them.

use crate::environment::{SOURCE, TENANT, TestEnvironment, after, partner, raised_event};
use crate::reconcile::closing::run_reconcile;
use domain::monitoring::inactive_source::InactivityRules;
use domain::{Blocked, SourceId};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::PartnerSource;

const HOUR: i64 = 3600;

/// The form of the page's ticket choices, as shown, with these kinds enabled.
pub(crate) fn ticket_form(view: &Value, on: &Value) -> Value {
    let board = |of: &str| {
        json!({
            "start_status": view[of]["start_status"], "closing_status": view[of]["closing_status"],
            "on_resolve": view[of]["on_resolve"], "reopen_days": 0,
        })
    };
    json!({
        "operations": board("operations"), "cyber_alerts": board("cyber_alerts"), "on": on,
        "note_interval_minutes": 60, "version": view["version"],
    })
}

/// The page's settings with these kinds enabled.
async fn switch_kinds(env: &TestEnvironment, on: &dyn Fn(&str) -> bool) {
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("tickets").await.expect(200).json();
    let kinds = domain::alert::kind::BUILT_IN.iter().map(|(kind, ..)| *kind);
    let kinds: Vec<_> = kinds.filter(|kind| on(kind)).collect();
    let form = ticket_form(&view, &json!(kinds));
    browser.post("tickets", &form).await.expect(200);
}

#[tokio::test]
async fn enabling_a_kind_holds_back_its_old_alerts() {
    let mut env = TestEnvironment::new().await;
    switch_kinds(&env, &|kind| kind != "disk").await;
    for (alert, hours) in [("young", 2), ("old", 60), ("older", 1200)] {
        let id = format!("evt-{alert}");
        env.source
            .post(&raised_event(&id, alert, -hours * HOUR))
            .await;
    }
    env.worker.work().await;
    for alert in ["young", "old", "older"] {
        assert_eq!(env.reason(alert).await, Some(Blocked::KindDisabled));
    }
    switch_kinds(&env, &|_| true).await;
    run_reconcile(&mut env, 1).await;
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    for alert in ["old", "older"] {
        assert_eq!(env.reason(alert).await, Some(Blocked::OlderThanBackfill));
    }

    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("waiting").await.expect(200).json();
    let older = env.record("older").await.unwrap();
    let raised_at = older.desired.details.unwrap().raised_at;
    for counts in [&view["sum"], &view["tenants"][0]] {
        assert_eq!(counts["older"], 2, "{view}");
        assert_eq!(counts["older_kinds"], json!({ "disk": 2 }), "{view}");
        assert_eq!(counts["oldest"], json!(raised_at), "{view}");
    }
    let page = browser.get("waiting").await.expect(200).text;
    assert!(
        page.contains("Release 2 alerts") && page.contains("2 of Disk"),
        "{page}"
    );
    let all = json!({ "reason": "older" });
    let released = browser.submit("waiting-release", &all, 200).await;
    assert_eq!(released["released"], 2);
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 3);
}

#[tokio::test]
async fn a_new_source_creates_no_tickets_for_old_alerts() {
    let mut env = TestEnvironment::new().await;
    let source = SourceId::parse(SOURCE).unwrap();
    let since = PartnerSource {
        since: Timestamp::now(),
        kinds: vec![],
        enabled: true,
        inactivity: InactivityRules::default(),
    };
    let northwind = partner();
    let put = env.access.partner_sources.put(&northwind, &source, &since);
    put.await.unwrap();
    env.source
        .post(&raised_event("evt-1", "old", -60 * HOUR))
        .await;
    env.deliver(&raised_event("evt-2", "young", -2 * HOUR))
        .await;
    assert_eq!(env.reason("old").await, Some(Blocked::OlderThanBackfill));
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    // A repeat does not release the alert.
    env.deliver(&raised_event("evt-3", "old", -HOUR)).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    let mut browser = env.setup.signed_in().await;
    let release = json!({ "tenant": TENANT, "reason": "older" });
    browser.submit("waiting-release", &release, 200).await;
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 2);
}

#[tokio::test]
async fn a_sources_start_time_is_that_of_its_last_enabling() {
    let env = TestEnvironment::new().await;
    let name = json!({ "name": "Northwind" });
    env.operate("PUT", "/v1/operator/partners/northwind", &name, 201)
        .await;
    let now = Timestamp::now();
    let desired = json!({ "name": "Scanner", "partner": "northwind" });
    let made = env
        .setup
        .operator_at(now, "POST", "/v1/operator/sources", &desired)
        .await;
    let made = made.expect(201).json();
    let id = SourceId::parse(made["id"].as_str().unwrap()).unwrap();
    let path = format!("/v1/operator/sources/{id}");
    let of_northwind = async || {
        let sources = env
            .access
            .partner_sources
            .get_all(&partner())
            .await
            .unwrap();
        sources.get(&id).cloned()
    };
    let change = async |hours: i64, change: Value| {
        let at = after(now, hours * HOUR);
        env.setup
            .operator_at(at, "PATCH", &path, &change)
            .await
            .expect(200);
    };
    // In whole hours: the clock advances during a request.
    let since = async || {
        let source = of_northwind().await?;
        Some(source.since.duration_since(now).as_hours())
    };
    assert_eq!(since().await, Some(0));
    change(1, json!({ "name": "Better scanner" })).await;
    let kind =
        json!([{ "kind": "backup_failed", "category": "operations", "type_name": "Backup" }]);
    change(2, json!({ "kinds_added": kind })).await;
    assert_eq!(since().await, Some(0));
    assert_eq!(json!(of_northwind().await.unwrap().kinds), kind);
    change(3, json!({ "enabled": false })).await;
    change(4, json!({ "enabled": true })).await;
    assert_eq!(since().await, Some(4));
    let name = json!({ "name": "Contoso" });
    env.operate("PUT", "/v1/operator/partners/contoso", &name, 201)
        .await;
    change(5, json!({ "partners": ["northwind", "contoso"] })).await;
    assert_eq!(since().await, Some(4));
    change(6, json!({ "partner": "contoso" })).await;
    assert_eq!(since().await, None);
    change(7, json!({ "partner": "northwind" })).await;
    assert_eq!(since().await, Some(7));
}

#[tokio::test]
async fn added_kinds_are_offered_and_get_a_ticket_type() {
    let mut env = TestEnvironment::new().await;
    let source = SourceId::parse(SOURCE).unwrap();
    let kinds = json!([
        { "kind": "backup_failed", "category": "operations", "type_name": "Backup" },
        { "kind": "phishing", "category": "cyber_alerts", "type_name": "Phishing" },
    ]);
    let own = PartnerSource {
        since: Timestamp::UNIX_EPOCH,
        kinds: serde_json::from_value(kinds).unwrap(),
        enabled: true,
        inactivity: InactivityRules::default(),
    };
    let northwind = partner();
    let put = env.access.partner_sources.put(&northwind, &source, &own);
    put.await.unwrap();
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("boards").await.expect(200).json();
    let board =
        |name: &str| json!({ "name": name, "location": 2, "department": 10, "team_lead": 151 });
    let desired = json!({
        "operations": board("Watch: Operations"), "cyber_alerts": board("Watch: Cyber Alerts"), "version": view["boards_version"],
        "reviewed": true,
    });
    browser.submit("boards-dedicated", &desired, 200).await;
    let made = browser.submit("boards-progress", &json!({}), 200).await;
    assert_eq!((&made["done"], &made["total"]), (&json!(24), &json!(24)));
    let view = browser.get_json("tickets").await.expect(200).json();
    let of = |board: &str, kind: &str| {
        let kinds = view[board]["kinds"].as_array().unwrap();
        kinds.iter().find(|of| of["kind"] == kind).cloned()
    };
    let backup = of("operations", "backup_failed").unwrap();
    assert_eq!(
        (&backup["name"], &backup["on"]),
        (&json!("Backup"), &json!(true))
    );
    assert!(backup["type"].is_u64(), "{backup}");
    assert!(of("cyber_alerts", "phishing").unwrap()["type"].is_u64());
    assert_eq!(of("operations", "phishing"), None);

    // Disabled like any other kind, and enabled again.
    let all: Vec<Value> = ["operations", "cyber_alerts"]
        .iter()
        .flat_map(|board| view[*board]["kinds"].as_array().unwrap())
        .map(|of| of["kind"].clone())
        .filter(|kind| kind != "backup_failed")
        .collect();
    let form = ticket_form(&view, &json!(all));
    browser.post("tickets", &form).await.expect(200);
    let saved = env.settings().await;
    let off: Vec<_> = saved.kinds_off.iter().map(domain::Kind::as_str).collect();
    assert_eq!(off, ["backup_failed"]);
    env.mapping(TENANT).await;
    env.worker.work().await;
}

#[tokio::test]
async fn waiting_alerts_are_shown_with_their_texts_and_released_singly() {
    let mut env = TestEnvironment::new().await;
    switch_kinds(&env, &|kind| kind != "disk").await;
    for alert in ["first", "second", "third"] {
        let mut raised = raised_event(&format!("evt-{alert}"), alert, -60 * HOUR);
        raised["data"]["title"] = json!(format!("Disk of {alert} is full"));
        raised["data"]["description"] = json!(format!("Text of {alert}"));
        env.source.post(&raised).await;
    }
    // The id of another tenant continues that of the first after a `#`.
    let mut other = raised_event("evt-other", "other", -60 * HOUR);
    other["data"]["tenant"] = json!(format!("{TENANT}#2"));
    env.source.post(&other).await;
    env.worker.work().await;
    switch_kinds(&env, &|_| true).await;
    run_reconcile(&mut env, 1).await;
    env.worker.work().await;

    let mut browser = env.setup.signed_in().await;
    let path = format!("waiting-tenant?tenant={TENANT}");
    let view = browser.get_json(&path).await.expect(200).json();
    assert_eq!(
        (&view["total"], &view["counts"]["older"]),
        (&json!(3), &json!(3))
    );
    let alerts = view["alerts"].as_array().unwrap();
    let titles: Vec<_> = alerts
        .iter()
        .map(|of| of["title"].as_str().unwrap())
        .collect();
    assert!(titles.contains(&"Disk of second is full"), "{titles:?}");
    let page = browser.get(&path).await.expect(200).text;
    assert!(page.contains("Text of third"), "{page}");
    let id = alerts[0]["id"].as_str().unwrap();
    let chosen = [("tenant", TENANT), ("alerts[]", id)];
    let released = browser.post_form("waiting-release", &chosen).await;
    let next = format!("waiting-tenant?done=released&tenant={TENANT}");
    assert_eq!(released.expect(303).header("location"), next);
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);

    // An alert that was released, an unknown one, and none.
    for alerts in [json!([id]), json!(["unknown", ""]), json!([])] {
        let none = json!({ "tenant": TENANT, "alerts": alerts });
        browser.submit("waiting-release", &none, 422).await;
    }
    let rest = [1, 2].map(|n: usize| ("alerts[]", alerts[n]["id"].as_str().unwrap()));
    let released = browser.post_form("waiting-release", &rest).await;
    assert_eq!(
        released.expect(303).header("location"),
        "waiting?done=released"
    );
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 3);
}
