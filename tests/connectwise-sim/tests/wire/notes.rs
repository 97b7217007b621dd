//! Notes of a ticket.

use serde_json::json;

use crate::client::{Site, encoded};

async fn notes_of_a_ticket(site: &Site) -> String {
    let id = site
        .post(
            "/service/tickets",
            json!({ "summary": "CPU", "company": { "id": 301 } }),
        )
        .await
        .id();
    format!("/service/tickets/{id}/notes")
}

#[tokio::test]
async fn a_note_is_stored_and_found() {
    let site = Site::start().await;
    let path = notes_of_a_ticket(&site).await;
    let made = site
        .post(
            &path,
            json!({ "text": "Seen 3 times\n[tb 7]", "internalAnalysisFlag": true }),
        )
        .await;
    assert_eq!(made.status, 201);
    let note = made.json();
    assert_eq!(note["text"], "Seen 3 times\n[tb 7]");
    assert_eq!(
        (&note["internalFlag"], &note["externalFlag"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(note["createdBy"], "Ticketbridge");
    site.post(&path, json!({ "text": "Gone", "resolutionFlag": true }))
        .await;
    let found = site
        .get(&format!(
            "{path}?conditions={}",
            encoded("text contains \"[tb 7]\"")
        ))
        .await;
    assert_eq!(found.ids(), [made.id()]);
    assert_eq!(
        site.get(&format!("{path}/{}", made.id())).await.json(),
        note
    );
    assert_eq!(
        site.get(&format!("{path}/count")).await.json(),
        json!({ "count": 2 })
    );
}

#[tokio::test]
async fn a_note_without_a_flag_is_refused() {
    let site = Site::start().await;
    let path = notes_of_a_ticket(&site).await;
    let reply = site.post(&path, json!({ "text": "Nowhere" })).await;
    assert_eq!(
        reply.status_and_body(),
        (
            400,
            json!({
                "code": "InvalidObject",
                "message": "serviceNote object is invalid",
                "errors": [{
                    "code": "MissingRequiredField",
                    "message": "Please choose where to display the notes in order to save this record.",
                    "resource": "serviceNote",
                    "field": "detailDescriptionFlag",
                }],
            })
        )
    );
    assert_eq!(site.get(&path).await.json(), json!([]));
}

#[tokio::test]
async fn some_sites_flatten_line_breaks() {
    let site = Site::start().await;
    let path = notes_of_a_ticket(&site).await;
    site.faults(json!({ "variants": { "newlines": "flattened" } }))
        .await;
    let note = site
        .post(
            &path,
            json!({ "text": "one\r\ntwo\nthree", "resolutionFlag": true }),
        )
        .await
        .json();
    assert_eq!(note["text"], "one two three");
}
