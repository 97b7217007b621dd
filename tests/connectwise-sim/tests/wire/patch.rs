//! Changing tickets.

use serde_json::{Value, json};

use crate::client::Site;

async fn ticket(site: &Site) -> String {
    let reply = site
        .post(
            "/service/tickets",
            json!({ "summary": "CPU", "company": { "id": 301 }, "board": { "id": 22 } }),
        )
        .await;
    format!("/service/tickets/{}", reply.id())
}

fn replace(path: &str, value: impl Into<Value>) -> Value {
    let value: Value = value.into();
    json!([{ "op": "replace", "path": path, "value": value }])
}

#[tokio::test]
async fn a_whole_reference_closes_and_reopens() {
    let site = Site::start().await;
    let path = ticket(&site).await;
    let closed = site
        .patch(&path, replace("status", json!({ "id": 224 })))
        .await;
    assert_eq!(closed.status, 200);
    let closed = closed.json();
    assert_eq!(
        (&closed["closedFlag"], &closed["closedBy"]),
        (&json!(true), &json!("Ticketbridge"))
    );
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
    let path = ticket(&site).await;
    let good = json!([
        { "op": "replace", "path": "summary", "value": "CPU again" },
        { "op": "add", "path": "type", "value": { "name": "CPU" } },
        { "op": "replace", "path": "priority", "value": { "id": 31 } },
        { "op": "replace", "path": "company", "value": { "identifier": "Fjord" } },
    ]);
    let changed = site.patch(&path, good).await.json();
    assert_eq!(changed["summary"], "CPU again");
    assert_eq!(changed["type"]["id"], 2201);
    assert_eq!(changed["priority"]["id"], 31);
    assert_eq!(changed["company"]["id"], 307);
    let bad = json!([
        { "op": "replace", "path": "summary", "value": "never" },
        { "op": "replace", "path": "status", "value": { "id": 17 } },
    ]);
    let refused = site.patch(&path, bad).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["errors"][0],
        json!({ "code": "NotFound", "message": "Service Status 17 not found for Service Board 22", "resource": "ticket", "field": "status/id" })
    );
    assert_eq!(site.get(&path).await.json()["summary"], "CPU again");
    let moved = site
        .patch(&path, replace("board", json!({ "id": 21 })))
        .await
        .json();
    assert_eq!(
        (&moved["board"]["id"], &moved["status"]["id"]),
        (&json!(21), &json!(211))
    );
    assert_eq!(
        moved.get("type"),
        None,
        "a type of the old board does not move along"
    );
}

#[tokio::test]
async fn patches_of_sub_paths_and_read_only_members_have_no_effect() {
    let site = Site::start().await;
    let path = ticket(&site).await;
    for change in [
        replace("company/identifier", json!("Fjord")),
        replace("board/id", json!(21)),
        replace("closedFlag", json!(true)),
    ] {
        let reply = site.patch(&path, change.clone()).await;
        assert_eq!(reply.status, 200, "{change}");
        let ticket = reply.json();
        assert_eq!(
            (
                &ticket["company"]["id"],
                &ticket["board"]["id"],
                &ticket["closedFlag"]
            ),
            (&json!(301), &json!(22), &json!(false)),
            "{change}"
        );
    }
}

#[tokio::test]
async fn a_patch_of_status_id_depends_on_the_site() {
    let site = Site::start().await;
    let path = ticket(&site).await;
    site.faults(json!({ "variants": { "patch_status_id": "false_200" } }))
        .await;
    let reply = site.patch(&path, replace("status/id", json!(224))).await;
    assert_eq!(
        (reply.status, &reply.json()["closedFlag"]),
        (200, &json!(false))
    );
    site.faults(json!({ "variants": { "patch_status_id": "works" } }))
        .await;
    let reply = site.patch(&path, replace("status/id", json!(224))).await;
    assert_eq!(
        (reply.status, &reply.json()["closedFlag"]),
        (200, &json!(true))
    );
}

#[tokio::test]
async fn a_fault_makes_any_patch_ineffective() {
    let site = Site::start().await;
    let path = ticket(&site).await;
    site.faults(json!({ "variants": { "false_200_rate": 1 } }))
        .await;
    let reply = site
        .patch(&path, replace("status", json!({ "id": 224 })))
        .await;
    assert_eq!(
        (reply.status, &reply.json()["closedFlag"]),
        (200, &json!(false))
    );
    let journal = site.journal(0).await;
    assert_eq!(journal.last().expect("the patch")["committed"], false);
}

#[tokio::test]
async fn invalid_patches_are_refused() {
    let site = Site::start().await;
    let path = ticket(&site).await;
    for change in [
        json!({ "op": "replace", "path": "summary", "value": "x" }),
        replace("/summary", json!("x")),
        replace("Summary", json!("x")),
        replace("sumary", json!("x")),
        replace("summary", json!(5)),
        replace("summary", json!("x".repeat(101))),
        replace("summary", Value::Null),
        replace("status", json!(224)),
        replace("status", json!({ "ID": 224 })),
        replace("company", json!({ "id": 304 })),
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
