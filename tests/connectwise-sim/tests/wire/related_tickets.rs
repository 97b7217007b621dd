//! PUT, merging, children, the changelog, and changes of notes.

use serde_json::json;

use crate::client::{Site, assert_has, columns, replace};

async fn ticket(site: &Site, summary: &str) -> i64 {
    let body = json!({ "summary": summary, "company": { "id": 301 } });
    site.post("/service/tickets", body).await.id()
}

#[tokio::test]
async fn merged_tickets_refer_to_the_surviving_one() {
    let site = Site::start().await;
    let (stays, goes) = (ticket(&site, "stays").await, ticket(&site, "goes").await);
    let path = format!("/service/tickets/{stays}/merge");
    let body = json!({ "mergeTicketIds": [goes], "status": { "name": ">Closed" } });
    let done = json!({ "success": true, "message": "" });
    assert_eq!(site.post(&path, body).await.status_and_body(), (200, done));
    let goes = site.get(&format!("/service/tickets/{goes}")).await.json();
    assert_eq!(
        goes["mergedParentTicket"],
        json!({ "id": stays, "summary": "stays" })
    );
    assert_eq!(goes["closedFlag"], true);
    let stays = site.get(&format!("/service/tickets/{stays}")).await.json();
    assert_eq!(stays["hasMergedChildTicketFlag"], true);
    assert_eq!(stays["closedFlag"], false);
    let (parent, child) = (&stays["id"], &goes["id"]);
    for (body, field) in [
        (
            json!({ "mergeTicketIds": [99], "status": { "id": 214 } }),
            "ticketIds",
        ),
        (
            json!({ "mergeTicketIds": [child], "status": { "id": 221 } }),
            "status/id",
        ),
        (
            json!({ "mergeTicketIds": [parent], "status": { "id": 214 } }),
            "ticketIds",
        ),
        (json!({ "status": { "id": 214 } }), "mergeTicketIds"),
    ] {
        let refused = site.post(&path, body).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn child_tickets_refer_to_their_parent() {
    let site = Site::start().await;
    let (parent, child) = (ticket(&site, "parent").await, ticket(&site, "child").await);
    let path = format!("/service/tickets/{parent}/attachChildren");
    let done = site.post(&path, json!({ "childTicketIds": [child] })).await;
    assert_eq!(done.json()["success"], true);
    let children = format!("/service/tickets?conditions=parentTicketId={parent}");
    assert_eq!(site.get(&children).await.ids(), [child]);
    let parents = site.get("/service/tickets?conditions=hasChildTicket=true");
    assert_eq!(parents.await.ids(), [parent]);
}

#[tokio::test]
async fn a_put_resets_omitted_members() {
    let site = Site::start().await;
    let body = json!({
        "summary": "old", "company": { "id": 301 }, "board": { "id": 22 }, "priority": { "id": 31 },
        "externalXRef": "tb1-a", "poNumber": "7",
    });
    let before = site.post("/service/tickets", body).await.json();
    let path = format!("/service/tickets/{}", before["id"]);
    let new = json!({ "summary": "new", "company": { "id": 303 } });
    let after = site.put(&path, new).await.json();
    assert_has!(after, { "summary": "new", "company": { "id": 303 }, "board": { "id": 21 } });
    assert_has!(after, { "priority": { "id": 33 } });
    assert!(
        after
            .get("externalXRef")
            .or(after.get("poNumber"))
            .is_none()
    );
    assert_has!(after["_info"], { "dateEntered": before["_info"]["dateEntered"] });
    assert_eq!(site.put(&path, json!({ "summary": "x" })).await.status, 400);
    assert_eq!(site.put("/service/tickets/9", json!({})).await.status, 404);
    site.missing_rights(&["close_service_tickets.edit"]).await;
    let close = json!({ "summary": "new", "company": { "id": 303 }, "status": { "id": 214 } });
    assert_eq!(site.put(&path, close).await.status, 403);
}

#[tokio::test]
async fn the_changelog_lists_changes_until_cleared() {
    let site = Site::start().await;
    let id = ticket(&site, "first").await;
    let summary = replace("summary", "second");
    site.patch(&format!("/service/tickets/{id}"), summary).await;
    site.delete(&format!("/service/tickets/{id}")).await;
    let log = site.get("/service/tickets/changelogs").await.json();
    let actions = columns(&log, ["action"]);
    assert_eq!(actions, json!([["Added"], ["Updated"], ["Deleted"]]));
    assert_eq!(log[2]["ticketNumber"], id);
    assert_eq!(site.delete("/service/tickets/changelogs").await.status, 204);
    assert_eq!(
        site.get("/service/tickets/changelogs").await.json(),
        json!([])
    );
}

#[tokio::test]
async fn notes_are_changed_replaced_and_deleted() {
    let site = Site::start().await;
    let id = ticket(&site, "x").await;
    let notes = format!("/service/tickets/{id}/notes");
    let body = json!({ "text": "first", "internalAnalysisFlag": true, "resolutionFlag": true });
    let note = site.post(&notes, body).await.id();
    let path = format!("{notes}/{note}");
    let text = replace("text", "second");
    let changed = site.patch(&path, text).await.json();
    assert_has!(changed, { "text": "second", "resolutionFlag": true });
    let all = site.get(&format!("/service/tickets/{id}/allNotes")).await;
    assert_has!(all.json()[0], { "noteType": "TicketNote", "text": "second", "ticket": { "summary": "x" } });
    let body = json!({ "text": "third", "detailDescriptionFlag": true });
    let replaced = site.put(&path, body).await.json();
    assert_has!(replaced, { "text": "third", "resolutionFlag": false });
    let nowhere = replace("detailDescriptionFlag", false);
    let nowhere = site.patch(&path, nowhere).await;
    assert_eq!(
        nowhere.json()["errors"][0]["message"],
        "Please choose where to display the notes in order to save this record."
    );
    assert_eq!(site.get(&path).await.json()["detailDescriptionFlag"], true);
    assert_eq!(site.delete(&path).await.status, 204);
    assert_eq!(site.get(&path).await.status, 404);
    assert_eq!(site.count(&notes).await, 0);
}
