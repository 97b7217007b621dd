//! PUT, merging, children, the changelog, and changes of notes.

use serde_json::{Value, json};

use crate::client::Site;

async fn ticket(site: &Site, summary: &str) -> i64 {
    let body = json!({ "summary": summary, "company": { "id": 301 } });
    site.post("/service/tickets", body).await.id()
}

async fn put(site: &Site, path: &str, body: &Value) -> crate::client::Reply {
    site.try_as(&site.integration, "PUT", path, &body.to_string())
        .await
        .expect("an answer")
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
    let parent = json!({ "id": stays, "summary": "stays" });
    assert_eq!(
        (&goes["mergedParentTicket"], &goes["closedFlag"]),
        (&parent, &json!(true))
    );
    let stays = site.get(&format!("/service/tickets/{stays}")).await.json();
    assert_eq!(stays["hasMergedChildTicketFlag"], true);
    assert_eq!(stays["closedFlag"], false);
    for (body, field) in [
        (
            json!({ "mergeTicketIds": [99], "status": { "id": 214 } }),
            "ticketIds",
        ),
        (
            json!({ "mergeTicketIds": [goes["id"]], "status": { "id": 221 } }),
            "status/id",
        ),
        (
            json!({ "mergeTicketIds": [stays["id"]], "status": { "id": 214 } }),
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
    let after = put(
        &site,
        &path,
        &json!({ "summary": "new", "company": { "id": 303 } }),
    )
    .await;
    let after = after.json();
    assert_eq!(
        (
            &after["summary"],
            &after["company"]["id"],
            &after["board"]["id"],
            &after["priority"]["id"]
        ),
        (&json!("new"), &json!(303), &json!(21), &json!(33))
    );
    assert_eq!(
        (after.get("externalXRef"), after.get("poNumber")),
        (None, None)
    );
    assert_eq!(
        after["_info"]["dateEntered"],
        before["_info"]["dateEntered"]
    );
    assert_eq!(
        put(&site, &path, &json!({ "summary": "x" })).await.status,
        400
    );
    assert_eq!(
        put(&site, "/service/tickets/9", &json!({})).await.status,
        404
    );
    site.faults(json!({ "missing_rights": ["close_service_tickets.edit"] }))
        .await;
    let close = json!({ "summary": "new", "company": { "id": 303 }, "status": { "id": 214 } });
    assert_eq!(put(&site, &path, &close).await.status, 403);
}

#[tokio::test]
async fn the_changelog_lists_changes_until_cleared() {
    let site = Site::start().await;
    let id = ticket(&site, "first").await;
    let summary = json!([{ "op": "replace", "path": "summary", "value": "second" }]);
    site.patch(&format!("/service/tickets/{id}"), summary).await;
    site.delete(&format!("/service/tickets/{id}")).await;
    let log = site.get("/service/tickets/changelogs").await.json();
    let actions: Vec<&Value> = log
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| &row["action"])
        .collect();
    assert_eq!(actions, ["Added", "Updated", "Deleted"]);
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
    let text = json!([{ "op": "replace", "path": "text", "value": "second" }]);
    let changed = site.patch(&path, text).await.json();
    assert_eq!(
        (&changed["text"], &changed["resolutionFlag"]),
        (&json!("second"), &json!(true))
    );
    let all = site
        .get(&format!("/service/tickets/{id}/allNotes"))
        .await
        .json();
    assert_eq!(
        (
            &all[0]["noteType"],
            &all[0]["text"],
            &all[0]["ticket"]["summary"]
        ),
        (&json!("TicketNote"), &json!("second"), &json!("x"))
    );
    let body = json!({ "text": "third", "detailDescriptionFlag": true });
    let replaced = put(&site, &path, &body).await.json();
    assert_eq!(
        (&replaced["text"], &replaced["resolutionFlag"]),
        (&json!("third"), &json!(false))
    );
    let nowhere = json!([{ "op": "replace", "path": "detailDescriptionFlag", "value": false }]);
    let nowhere = site.patch(&path, nowhere).await;
    assert_eq!(
        nowhere.json()["errors"][0]["message"],
        "Please choose where to display the notes in order to save this record."
    );
    assert_eq!(site.get(&path).await.json()["detailDescriptionFlag"], true);
    assert_eq!(site.delete(&path).await.status, 204);
    assert_eq!(site.get(&path).await.status, 404);
    assert_eq!(
        site.get(&format!("{notes}/count")).await.json(),
        json!({ "count": 0 })
    );
}
