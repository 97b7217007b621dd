//! Configurations of companies, and tickets that are linked to them.

use serde_json::json;

use crate::client::{Site, encoded};

async fn new_configuration(site: &Site, name: &str) -> i64 {
    let body = json!({ "name": name, "company": { "id": 301 }, "activeFlag": true });
    let made = site.post("/company/configurations", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.id()
}

#[tokio::test]
async fn configurations_are_found_by_name_and_company() {
    let site = Site::start().await;
    let id = new_configuration(&site, "srv-01").await;
    new_configuration(&site, "srv-02").await;
    let found = async |conditions: &str| {
        let conditions = encoded(conditions);
        site.get(&format!("/company/configurations?conditions={conditions}"))
            .await
            .ids()
    };
    assert_eq!(found("name=\"SRV-01\" and company/id=301").await, [id]);
    assert_eq!(found("name=\"srv-01\" and company/id=302").await, [0; 0]);
    let nowhere = json!({ "name": "srv-03" });
    assert_eq!(
        site.post("/company/configurations", nowhere).await.status,
        400
    );
    site.missing_rights(&["configurations.inquire"]).await;
    assert_eq!(site.get("/company/configurations").await.status, 403);
}

#[tokio::test]
async fn a_ticket_is_linked_to_a_configuration_once() {
    let site = Site::start().await;
    let id = new_configuration(&site, "srv-01").await;
    let ticket = site.new_ticket().await;
    let path = format!("{ticket}/configurations");
    for _ in 0..2 {
        assert_eq!(site.post(&path, json!({ "id": id })).await.status, 201);
        assert_eq!(site.get(&path).await.ids(), [id]);
    }
    assert_eq!(site.count(&path).await, 1);
    let missing = site.post(&path, json!({})).await;
    let words = "id or deviceIdentifier is required.";
    missing.assert_invalid("configuration", &[("MissingRequiredField", words, "id")]);
    let unknown = site.post(&path, json!({ "id": 999_999 })).await;
    let words = "Configuration 999999 not found";
    unknown.assert_invalid("configuration", &[("NotFound", words, "id")]);
    assert_eq!(site.delete(&format!("{path}/{id}")).await.status, 204);
    assert_eq!(site.get(&path).await.ids(), [0; 0]);
    site.missing_rights(&["service_tickets.edit"]).await;
    assert_eq!(site.post(&path, json!({ "id": id })).await.status, 403);
}
