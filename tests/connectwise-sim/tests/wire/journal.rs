//! The journal and the reset.

use serde_json::json;

use crate::client::{Site, assert_has, columns, ticket};

#[tokio::test]
async fn the_journal_has_every_call_and_no_secret() {
    let site = Site::start().await;
    site.get("/system/info").await;
    site.post("/service/tickets", ticket()).await;
    site.post("/service/tickets", json!({ "summary": "CPU" }))
        .await;
    site.get("/service/tickets?conditions=id%20%3E%205").await;
    let journal = site.journal(0).await;
    assert_eq!(
        columns(&json!(journal), ["n", "method", "status", "committed"]),
        json!([
            [1, "GET", 200, false],
            [2, "POST", 201, true],
            [3, "POST", 400, false],
            [4, "GET", 200, false],
        ])
    );
    assert_eq!(journal[1]["path"], "/v4_6_release/apis/3.0/service/tickets");
    assert_eq!(journal[1]["body"], ticket());
    assert_has!(journal[3], { "query": "conditions=id%20%3E%205", "body": null });
    let text = serde_json::to_string(&journal).expect("JSON");
    for secret in [
        &site.integration.private_key,
        &site.integration.public_key,
        &site.integration.client_id,
    ] {
        assert!(!text.contains(secret.as_str()));
    }
    assert_eq!(site.journal(3).await, journal[3..]);
    assert!(site.journal(99).await.is_empty());
}

#[tokio::test]
async fn a_reset_restores_the_seed() {
    let site = Site::start().await;
    let ticket = ticket();
    assert_eq!(
        site.post("/service/tickets", ticket.clone()).await.id(),
        10001
    );
    site.faults(json!({ "outage": true, "variants": { "newlines": "flattened" } }))
        .await;
    site.reset().await;
    assert!(site.journal(0).await.is_empty());
    let faults = site.present_faults().await;
    assert_has!(faults, { "outage": false, "variants": { "newlines": "kept" } });
    assert_eq!(site.get("/service/tickets").await.json(), json!([]));
    assert_eq!(site.post("/service/tickets", ticket).await.id(), 10001);
}
