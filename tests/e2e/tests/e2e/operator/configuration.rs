//! What a partner chose about its ConnectWise, read and stored by the operator's API.

use serde_json::{Value, json};

use crate::environment::{TENANT, TestEnvironment, partner, tenant};

const NORTHWIND: &str = "/v1/operator/partners/northwind";
const CONFIGURATION: &str = "/v1/operator/partners/northwind/configuration";

async fn environment() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let name = json!({ "name": "Northwind IT" });
    env.operate("PUT", NORTHWIND, &name, 201).await;
    env
}

/// The configuration as a request.
async fn read(env: &TestEnvironment) -> Value {
    env.operate("GET", CONFIGURATION, &Value::Null, 200).await
}

#[tokio::test]
async fn storing_what_was_read_changes_nothing() {
    let env = environment().await;
    let before = read(&env).await;
    assert!(
        before["settings"]["operations"]["board"].is_u64(),
        "{before}"
    );
    assert!(before["settings"].get("epoch").is_none(), "{before}");
    // The seeded mappings are older than names and epochs, which the first request adds.
    let first = env.operate("PUT", CONFIGURATION, &before, 200).await;
    assert_eq!(first["settings_changed"], false, "{first}");
    let stored = read(&env).await;
    let again = env.operate("PUT", CONFIGURATION, &stored, 200).await;
    let none = json!({ "settings_changed": false, "tenants_changed": 0 });
    assert_eq!(again, none);
    assert_eq!(read(&env).await, stored);
    assert_eq!(stored["settings"], before["settings"]);
}

#[tokio::test]
async fn settings_and_mappings_are_stored_once() {
    let env = environment().await;
    let mut desired = read(&env).await;
    desired["settings"]["note_interval_minutes"] = json!(30);
    let company = desired["tenants"][0]["company"].clone();
    let tenants = desired["tenants"].as_array_mut().unwrap();
    tenants.push(json!({ "id": "new", "name": "New Ltd", "company": company, "enabled": true }));
    let changed = env.operate("PUT", CONFIGURATION, &desired, 200).await;
    assert_eq!(changed["settings_changed"], true, "{changed}");
    let again = env.operate("PUT", CONFIGURATION, &desired, 200).await;
    let none = json!({ "settings_changed": false, "tenants_changed": 0 });
    assert_eq!(again, none);
    let stored = env.config.tenants.get(&partner(), &tenant("new")).await;
    let stored = stored.unwrap().value.unwrap();
    assert_eq!((json!(stored.company), stored.enabled), (company, true));
    assert!(stored.enabled_at.is_some(), "its back-fill starts now");
    assert_eq!(stored.name.as_deref(), Some("New Ltd"));
    let now = read(&env).await;
    assert_eq!(now["settings"]["note_interval_minutes"], 30);
    let history = env.access.audit.page(&partner(), None, 10).await.unwrap();
    let imports = history.entries.iter().map(|entry| entry.what.as_str());
    let imports = imports.filter(|what| *what == "configuration_imported");
    assert_eq!(imports.count(), 1, "the repeat changed nothing");
}

#[tokio::test]
async fn what_this_connectwise_does_not_have_is_refused() {
    let env = environment().await;
    let read = read(&env).await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut desired = read.clone();
        change(&mut desired);
        desired
    };
    for (desired, field) in [
        (
            with(&|of| of["connectwise"]["company_id"] = json!("another")),
            "connectwise",
        ),
        (
            with(&|of| of["tenants"][0]["company"] = json!(999_999)),
            "tenants[0].company",
        ),
        (
            with(&|of| of["settings"]["note_interval_minutes"] = json!(0)),
            "note_interval_minutes",
        ),
        (
            with(&|of| of["settings"]["priorities"] = json!({ "high": 999_999 })),
            "priorities[high]",
        ),
        (
            with(&|of| of["settings"]["operations"]["closing_status"] = json!(999_999)),
            "operations[closing_status]",
        ),
    ] {
        let refused = env.operate("PUT", CONFIGURATION, &desired, 422).await;
        assert_eq!(refused["field"], field, "{refused}");
    }
    let stored = env.config.tenants.get(&partner(), &tenant(TENANT)).await;
    assert_ne!(stored.unwrap().value.unwrap().company, Some(999_999));
    let contoso = "/v1/operator/partners/contoso";
    env.operate("PUT", contoso, &json!({ "name": "Contoso" }), 201)
        .await;
    let path = format!("{contoso}/configuration");
    let refused = env.operate("PUT", &path, &read, 422).await;
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("connect ConnectWise first"), "{detail}");
}
