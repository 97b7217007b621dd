//! Changing tickets.

use serde_json::{Value, json};

use crate::client::{Site, assert_has, replace, replace_id, ticket};

async fn new_ticket(site: &Site) -> String {
    let mut body = ticket();
    body["board"] = json!({ "id": 22 });
    let reply = site.post("/service/tickets", body).await;
    format!("/service/tickets/{}", reply.id())
}

#[tokio::test]
async fn a_whole_reference_closes_and_reopens() {
    let site = Site::start().await;
    let path = new_ticket(&site).await;
    let closed = site.patch(&path, replace_id("status", 224)).await;
    assert_eq!(closed.status, 200);
    let closed = closed.json();
    assert_has!(closed, { "closedFlag": true, "closedBy": "Ticketbridge" });
    assert_eq!(closed["closedDate"].as_str().map(str::len), Some(20));
    assert_eq!(closed["status"]["name"], ">Closed");
    let finished = site
        .patch(&path, replace("status", json!({ "name": "Completed" })))
        .await
        .json();
    assert_eq!(finished["closedFlag"], false, "Completed does not close");
    assert_eq!(finished.get("closedDate"), None);
}

#[tokio::test]
async fn a_patch_changes_all_members_or_none() {
    let site = Site::start().await;
    let path = new_ticket(&site).await;
    let good = json!([
        { "op": "replace", "path": "summary", "value": "CPU again" },
        { "op": "add", "path": "type", "value": { "name": "CPU" } },
        { "op": "replace", "path": "priority", "value": { "id": 31 } },
        { "op": "replace", "path": "company", "value": { "identifier": "Fjord" } },
    ]);
    let changed = site.patch(&path, good).await.json();
    assert_has!(changed, { "summary": "CPU again", "type": { "id": 2201 } });
    assert_has!(changed, { "priority": { "id": 31 }, "company": { "id": 307 } });
    let bad = json!([
        { "op": "replace", "path": "summary", "value": "never" },
        { "op": "replace", "path": "status", "value": { "id": 17 } },
    ]);
    let refused = site.patch(&path, bad).await;
    let message = "Service Status 17 not found for Service Board 22";
    let error = ("NotFound", message, "status/id");
    refused.assert_invalid("ticket", &[error]);
    assert_eq!(site.get(&path).await.json()["summary"], "CPU again");
    let moved = site.patch(&path, replace_id("board", 21)).await.json();
    assert_has!(moved, { "board": { "id": 21 }, "status": { "id": 211 } });
    assert_eq!(moved.get("type"), None, "a type belongs to its board");
}

#[tokio::test]
async fn patches_of_sub_paths_and_read_only_members_have_no_effect() {
    let site = Site::start().await;
    let path = new_ticket(&site).await;
    for change in [
        replace("company/identifier", "Fjord"),
        replace("board/id", 21),
        replace("closedFlag", true),
    ] {
        let reply = site.patch(&path, change.clone()).await;
        let same = json!({ "company": { "id": 301 }, "board": { "id": 22 }, "closedFlag": false });
        println!("{change}");
        reply.assert_is(200, &same);
    }
}

#[tokio::test]
async fn a_fault_makes_any_patch_ineffective() {
    let site = Site::start().await;
    let path = new_ticket(&site).await;
    site.variant("false_200_rate", 1).await;
    let reply = site.patch(&path, replace_id("status", 224)).await;
    reply.assert_is(200, &json!({ "closedFlag": false }));
    let journal = site.journal(0).await;
    assert_eq!(journal.last().expect("the patch")["committed"], false);
}

#[tokio::test]
async fn invalid_patches_are_refused() {
    let site = Site::start().await;
    let path = new_ticket(&site).await;
    for change in [
        json!({ "op": "replace", "path": "summary", "value": "x" }),
        replace("/summary", "x"),
        replace("Summary", "x"),
        replace("sumary", "x"),
        replace("summary", 5),
        replace("summary", json!("x".repeat(101))),
        replace("summary", Value::Null),
        replace("status", 224),
        replace("status", json!({ "ID": 224 })),
        replace_id("company", 304),
        json!([{ "op": "move", "path": "summary", "value": "x" }]),
        json!([{ "op": "replace", "path": "summary", "vlaue": "x" }]),
    ] {
        assert_eq!(
            site.patch(&path, change.clone()).await.status,
            400,
            "{change}"
        );
    }
    assert_eq!(site.get(&path).await.json()["summary"], "CPU");
    assert_eq!(
        site.patch("/service/tickets/5", json!([])).await.status,
        404
    );
}
