//! The journal and the reset.

use serde_json::json;

use crate::client::Site;

#[tokio::test]
async fn the_journal_has_every_call_and_no_secret() {
    let site = Site::start().await;
    site.get("/system/info").await;
    site.post(
        "/service/tickets",
        json!({ "summary": "CPU", "company": { "id": 301 } }),
    )
    .await;
    site.post("/service/tickets", json!({ "summary": "CPU" }))
        .await;
    site.get("/service/tickets?conditions=id%20%3E%205").await;
    let journal = site.journal(0).await;
    let entries: Vec<_> = journal
        .iter()
        .map(|entry| {
            (
                entry["n"].clone(),
                entry["method"].clone(),
                entry["status"].clone(),
                entry["committed"].clone(),
            )
        })
        .collect();
    assert_eq!(
        entries,
        [
            (json!(1), json!("GET"), json!(200), json!(false)),
            (json!(2), json!("POST"), json!(201), json!(true)),
            (json!(3), json!("POST"), json!(400), json!(false)),
            (json!(4), json!("GET"), json!(200), json!(false)),
        ]
    );
    assert_eq!(journal[1]["path"], "/v4_6_release/apis/3.0/service/tickets");
    assert_eq!(
        journal[1]["body"],
        json!({ "summary": "CPU", "company": { "id": 301 } })
    );
    assert_eq!(
        (&journal[3]["query"], &journal[3]["body"]),
        (&json!("conditions=id%20%3E%205"), &json!(null))
    );
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
    let ticket = json!({ "summary": "CPU", "company": { "id": 301 } });
    assert_eq!(
        site.post("/service/tickets", ticket.clone()).await.id(),
        10001
    );
    site.faults(json!({ "outage": true, "variants": { "newlines": "flattened" } }))
        .await;
    assert_eq!(
        site.send("POST", "/_sim/reset", &[], "")
            .await
            .expect("an answer")
            .status,
        204
    );
    assert!(site.journal(0).await.is_empty());
    let faults = site
        .send("GET", "/_sim/faults", &[], "")
        .await
        .expect("an answer")
        .json();
    assert_eq!(
        (&faults["outage"], &faults["variants"]["newlines"]),
        (&json!(false), &json!("kept"))
    );
    assert_eq!(site.get("/service/tickets").await.json(), json!([]));
    assert_eq!(site.post("/service/tickets", ticket).await.id(), 10001);
}
