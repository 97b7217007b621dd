//! Notes of a ticket.

use serde_json::json;

use crate::client::{Site, assert_has, encoded};

async fn notes_of_a_ticket(site: &Site) -> String {
    format!("{}/notes", site.new_ticket().await)
}

#[tokio::test]
async fn a_note_is_stored_and_found() {
    let site = Site::start().await;
    let path = notes_of_a_ticket(&site).await;
    let text = json!({ "text": "Seen 3 times\n[tb 7]", "internalAnalysisFlag": true });
    let made = site.post(&path, text).await;
    assert_eq!(made.status, 201);
    let note = made.json();
    assert_eq!(note["text"], "Seen 3 times\n[tb 7]");
    assert_has!(note, { "internalFlag": true, "externalFlag": false });
    assert_eq!(note["createdBy"], "Ticketbridge");
    site.post(&path, json!({ "text": "Resolved", "resolutionFlag": true }))
        .await;
    let condition = encoded("text contains \"[tb 7]\"");
    let found = site.get(&format!("{path}?conditions={condition}")).await;
    assert_eq!(found.ids(), [made.id()]);
    assert_eq!(
        site.get(&format!("{path}/{}", made.id())).await.json(),
        note
    );
    assert_eq!(site.count(&path).await, 2);
}

#[tokio::test]
async fn a_note_without_a_flag_is_refused() {
    let site = Site::start().await;
    let path = notes_of_a_ticket(&site).await;
    let reply = site.post(&path, json!({ "text": "Nowhere" })).await;
    let message = "Please choose where to display the notes in order to save this record.";
    let error = ("MissingRequiredField", message, "detailDescriptionFlag");
    reply.assert_invalid("serviceNote", &[error]);
    assert_eq!(site.get(&path).await.json(), json!([]));
}
