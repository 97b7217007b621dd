//! Switches of set-up, and alerts that were raised long before them: a person sees them counted and lets them go on.

use domain::{Blocked, SourceId};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::PartnerSource;

use crate::ticks::after;
use crate::world::{SOURCE, TENANT, World, event, partner, tenant};

const HOUR: i64 = 3600;

async fn reason(world: &World, alert: &str) -> Option<Blocked> {
    let record = world.record(alert).await.unwrap();
    record.blocked.map(|blocked| blocked.reason)
}

/// The page's settings, with these kinds on.
async fn switch_kinds(world: &World, on: &dyn Fn(&str) -> bool) {
    let mut browser = world.signed_in().await;
    let view = browser.get_json("/setup/tickets").await.expect(200).json();
    let kinds = domain::kind::BUILT_IN.iter().map(|(kind, ..)| *kind);
    let kinds: Vec<_> = kinds.filter(|kind| on(kind)).collect();
    let board = |of: &str| {
        json!({
            "start_status": view[of]["start_status"], "closing_status": view[of]["closing_status"],
            "on_resolve": view[of]["on_resolve"], "reopen_days": 0,
        })
    };
    let form = json!({
        "operations": board("operations"), "cyber_alerts": board("cyber_alerts"), "on": kinds, "note_interval_minutes": 60,
        "version": view["version"],
    });
    browser.post("/setup/tickets", &form).await.expect(200);
}

#[tokio::test]
async fn a_kind_that_is_switched_on_makes_no_tickets_of_old_alerts_until_a_person_releases_them() {
    let mut world = World::new().await;
    switch_kinds(&world, &|kind| kind != "disk").await;
    for (alert, hours) in [("young", 2), ("old", 60), ("older", 1200)] {
        let id = format!("evt-{alert}");
        world
            .post(&event("alert.raised", &id, alert, -hours * HOUR))
            .await;
    }
    world.work().await;
    for alert in ["young", "old", "older"] {
        assert_eq!(reason(&world, alert).await, Some(Blocked::KindDisabled));
    }
    switch_kinds(&world, &|_| true).await;
    world.reconciled(1).await;
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
    for alert in ["old", "older"] {
        assert_eq!(
            reason(&world, alert).await,
            Some(Blocked::OlderThanBackfill)
        );
    }

    let mut browser = world.signed_in().await;
    let view = browser.get_json("/setup/waiting").await.expect(200).json();
    let older = world.record("older").await.unwrap();
    let raised_at = older.desired.details.unwrap().raised_at;
    for counts in [&view["sum"], &view["tenants"][TENANT]] {
        assert_eq!(counts["older"], 2, "{view}");
        assert_eq!(counts["older_kinds"], json!({ "disk": 2 }), "{view}");
        assert_eq!(counts["oldest"], json!(raised_at), "{view}");
    }
    let page = browser.get("/setup/waiting").await.expect(200).text;
    assert!(
        page.contains("Release all 2") && page.contains("disk 2"),
        "{page}"
    );
    let all = json!({ "reason": "older" });
    let released = browser.post("/setup/waiting/release", &all).await;
    assert_eq!(released.expect(200).json()["released"], 2);
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 3);
}

#[tokio::test]
async fn a_source_that_begins_to_post_makes_no_tickets_of_old_alerts() {
    let mut world = World::new().await;
    let source = SourceId::parse(SOURCE).unwrap();
    let since = PartnerSource {
        since: Timestamp::now(),
        kinds: vec![],
    };
    let northwind = partner();
    let put = world
        .access
        .partner_sources
        .put(&northwind, &source, &since);
    put.await.unwrap();
    world
        .post(&event("alert.raised", "evt-1", "old", -60 * HOUR))
        .await;
    world
        .post(&event("alert.raised", "evt-2", "young", -2 * HOUR))
        .await;
    world.work().await;
    assert_eq!(
        reason(&world, "old").await,
        Some(Blocked::OlderThanBackfill)
    );
    assert_eq!(world.all_tickets().await.len(), 1);
    // A repeat is no release.
    world
        .post(&event("alert.raised", "evt-3", "old", -HOUR))
        .await;
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
    let mut browser = world.signed_in().await;
    let release = json!({ "tenant": TENANT, "reason": "older" });
    browser
        .post("/setup/waiting/release", &release)
        .await
        .expect(200);
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 2);
}

#[tokio::test]
async fn the_time_of_a_source_is_that_of_its_last_switch_and_other_changes_keep_it() {
    let world = World::new().await;
    let name = json!({ "name": "Northwind" });
    world
        .operator("PUT", "/v1/operator/partners/northwind", &name)
        .await
        .expect(201);
    let now = Timestamp::now();
    let desired = json!({ "name": "Scanner", "partner": "northwind" });
    let made = world
        .operator_at(now, "POST", "/v1/operator/sources", &desired)
        .await;
    let made = made.expect(201).json();
    let id = SourceId::parse(made["id"].as_str().unwrap()).unwrap();
    let path = format!("/v1/operator/sources/{id}");
    let of_northwind = async || {
        let sources = world
            .access
            .partner_sources
            .get_all(&partner())
            .await
            .unwrap();
        sources.get(&id).cloned()
    };
    let change = async |hours: i64, change: Value| {
        let at = after(now, hours * HOUR);
        world
            .operator_at(at, "PATCH", &path, &change)
            .await
            .expect(200);
    };
    // In whole hours since then; the clock goes on within a request.
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
    world
        .operator("PUT", "/v1/operator/partners/contoso", &name)
        .await
        .expect(201);
    change(5, json!({ "partners": ["northwind", "contoso"] })).await;
    assert_eq!(since().await, Some(4));
    change(6, json!({ "partner": "contoso" })).await;
    assert_eq!(since().await, None);
    change(7, json!({ "partner": "northwind" })).await;
    assert_eq!(since().await, Some(7));
}

#[tokio::test]
async fn kinds_that_a_source_adds_are_on_the_tickets_page_and_get_their_type_on_the_board() {
    let mut world = World::new().await;
    let source = SourceId::parse(SOURCE).unwrap();
    let kinds = json!([
        { "kind": "backup_failed", "category": "operations", "type_name": "Backup" },
        { "kind": "phishing", "category": "cyber_alerts", "type_name": "Phishing" },
    ]);
    let own = PartnerSource {
        since: Timestamp::UNIX_EPOCH,
        kinds: serde_json::from_value(kinds).unwrap(),
    };
    let northwind = partner();
    let put = world.access.partner_sources.put(&northwind, &source, &own);
    put.await.unwrap();
    let mut browser = world.signed_in().await;
    let view = browser.get_json("/setup/boards").await.expect(200).json();
    let board =
        |name: &str| json!({ "name": name, "location": 2, "department": 10, "team_lead": 151 });
    let desired = json!({
        "operations": board("Watch: Operations"), "cyber_alerts": board("Watch: Cyber Alerts"), "version": view["boards_version"],
    });
    browser
        .post("/setup/boards/dedicated", &desired)
        .await
        .expect(200);
    let made = browser
        .post("/setup/boards/progress", &json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!((&made["done"], &made["total"]), (&json!(24), &json!(24)));
    let view = browser.get_json("/setup/tickets").await.expect(200).json();
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

    // Switched off like any other, and on again.
    let all: Vec<Value> = ["operations", "cyber_alerts"]
        .iter()
        .flat_map(|board| view[*board]["kinds"].as_array().unwrap())
        .map(|of| of["kind"].clone())
        .filter(|kind| kind != "backup_failed")
        .collect();
    let board = |of: &str| {
        json!({
            "start_status": view[of]["start_status"], "closing_status": view[of]["closing_status"],
            "on_resolve": view[of]["on_resolve"], "reopen_days": 0,
        })
    };
    let form = json!({
        "operations": board("operations"), "cyber_alerts": board("cyber_alerts"), "on": all, "note_interval_minutes": 60,
        "version": view["version"],
    });
    browser.post("/setup/tickets", &form).await.expect(200);
    let saved = world
        .config
        .settings
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
    let off: Vec<_> = saved.kinds_off.iter().map(domain::Kind::as_str).collect();
    assert_eq!(off, ["backup_failed"]);
    let known = world
        .config
        .tenants
        .get(&partner(), &tenant(TENANT))
        .await
        .unwrap()
        .value;
    assert!(known.is_some());
    world.work().await;
}
