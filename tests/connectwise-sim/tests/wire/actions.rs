//! Actions of people and workflow rules, required members, and companies that accept no tickets.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Site, assert_has, columns, invalid_object, replace, replace_id};

const TICKET: &str = "/service/tickets/10001";

fn titled(summary: &str) -> Value {
    json!({ "summary": summary, "company": { "id": 301 }, "externalXRef": summary })
}

impl Site {
    async fn act(&self, path: &str, action: Value) -> u16 {
        let body = action.to_string();
        let headers = [("content-type", "application/json")];
        self.send("POST", path, &headers, &body).await.status
    }

    async fn on_ticket(&self, action: Value) {
        assert_eq!(self.act("/_sim/tickets/10001", action).await, 204);
    }

    async fn ticket(&self) -> Value {
        self.get(TICKET).await.json()
    }
}

#[tokio::test]
async fn people_act_on_a_ticket_as_in_connectwise() {
    let site = Site::start().await;
    site.post("/service/tickets", titled("a")).await;
    site.post("/service/tickets", titled("b")).await;

    site.on_ticket(json!("close")).await;
    let seen = site.ticket().await;
    assert_has!(seen, { "closedFlag": true, "status": { "id": 214 }, "closedBy": "TSmith" });
    let closed_at = seen["closedDate"].clone();
    site.on_ticket(json!({ "move_to_board": 22 })).await;
    let seen = site.ticket().await;
    assert_has!(seen, { "board": { "id": 22 }, "status": { "id": 224 }, "closedDate": closed_at });
    site.on_ticket(json!("reopen")).await;
    let seen = site.ticket().await;
    assert_has!(seen, { "closedFlag": false, "status": { "id": 221 }, "closedDate": null });
    site.on_ticket(json!({ "status": 222 })).await;
    assert_eq!(site.ticket().await["status"]["id"], 222);
    site.on_ticket(json!("reopen")).await;
    assert_eq!(site.ticket().await["status"]["id"], 222, "it is open");
    site.on_ticket(json!({ "move_to_company": 302 })).await;
    site.on_ticket(json!({ "priority": 31 })).await;
    site.on_ticket(json!({ "assign": 152 })).await;
    site.on_ticket(json!({ "summary": "renamed" })).await;
    site.on_ticket(json!({ "reference": "PO 7" })).await;
    let seen = site.ticket().await;
    assert_has!(seen, {
        "company": { "id": 302 }, "priority": { "id": 31 }, "owner": { "identifier": "JMiller" },
        "summary": "renamed", "externalXRef": "PO 7",
    });
    site.on_ticket(json!({ "reference": null })).await;
    site.on_ticket(json!("touch")).await;
    let seen = site.ticket().await;
    assert_has!(seen, { "externalXRef": null, "_info": { "updatedBy": "TSmith" } });
    site.on_ticket(json!({ "note": "called the customer" }))
        .await;
    let notes = format!("{TICKET}/notes");
    assert_eq!(site.get(&notes).await.json()[0]["createdBy"], "TSmith");

    site.on_ticket(json!({ "merge_into": 10002 })).await;
    let seen = site.ticket().await;
    assert_has!(seen, { "closedFlag": true, "mergedParentTicket": { "id": 10002 } });
    let parent = site.get("/service/tickets/10002").await.json();
    assert_eq!(parent["hasMergedChildTicketFlag"], true);
    let moved = site.get("/service/tickets/10002/notes").await.json();
    assert_eq!(moved[0]["text"], "called the customer");
    assert_eq!(site.get(&notes).await.json(), json!([]));
    site.on_ticket(json!("delete")).await;
    assert_eq!(site.get(TICKET).await.status, 404);
    let journal = site.journal(2).await;
    assert!(
        journal.iter().all(|entry| entry["method"] == "GET"),
        "actions of people make no API call"
    );
}

#[tokio::test]
async fn impossible_actions_are_refused() {
    let site = Site::start().await;
    site.post("/service/tickets", titled("a")).await;
    for (path, action, expected) in [
        ("/_sim/tickets/99", json!("close"), 400),
        ("/_sim/tickets/10001", json!({ "status": 221 }), 400),
        ("/_sim/tickets/10001", json!({ "merge_into": 10001 }), 400),
        ("/_sim/tickets/10001", json!({ "move_to_company": 9 }), 400),
        ("/_sim/tickets/10001", json!("explode"), 422),
        ("/_sim/companies/9", json!("delete"), 400),
        ("/_sim/boards/9", json!("delete_tickets"), 400),
    ] {
        let status = site.act(path, action.clone()).await;
        assert_eq!(status, expected, "{path} {action}");
    }
    assert_eq!(site.ticket().await["closedFlag"], false);
}

#[tokio::test]
async fn tickets_of_a_company_or_board_are_moved_or_deleted() {
    let site = Site::start().await;
    site.post("/service/tickets", titled("a")).await;
    let merged = site.act("/_sim/companies/301", json!({ "merge_into": 302 }));
    assert_eq!(merged.await, 204);
    assert_eq!(site.ticket().await["company"]["id"], 302);
    let company = site.get("/company/companies/301").await.json();
    assert_eq!(company["deletedFlag"], true);
    assert_eq!(site.post("/service/tickets", titled("b")).await.status, 400);

    let moved = site.act("/_sim/companies/302", json!({ "move_tickets_to": 303 }));
    assert_eq!(moved.await, 204);
    assert_eq!(site.ticket().await["company"]["id"], 303);
    let company = site.get("/company/companies/302").await.json();
    assert_eq!(company["deletedFlag"], false);
    assert_eq!(site.act("/_sim/companies/303", json!("delete")).await, 204);
    assert_eq!(site.ticket().await["company"]["id"], 303);

    let moved = site.act("/_sim/boards/21", json!({ "move_tickets_to": 23 }));
    assert_eq!(moved.await, 204);
    assert_eq!(site.ticket().await["board"]["id"], 23);
    let deleted = site.act("/_sim/boards/23", json!("delete_tickets"));
    assert_eq!(deleted.await, 204);
    assert_eq!(site.get("/service/tickets").await.ids(), Vec::<i64>::new());
}

#[tokio::test]
async fn a_workflow_runs_after_a_call_and_triggers_no_other() {
    let site = Site::start().await;
    site.faults(json!({ "workflows": [
        { "after": "create", "do": { "assign": 152 } },
        { "after": "create", "do": { "move_to_board": 22 } },
        { "after": "note", "do": "reopen" },
        { "after": "close", "do": { "note": "closed by a workflow's watch" }, "times": 1 },
        { "after": "priority", "do": { "status": 222 } },
        { "after": "status", "do": "close" },
    ] }))
    .await;
    let created = site.post("/service/tickets", titled("a")).await;
    assert_eq!(created.json()["board"]["id"], 21, "the answer is of before");
    let seen = site.ticket().await;
    assert_has!(seen, {
        "board": { "id": 22 }, "owner": { "id": 152 }, "_info": { "updatedBy": "zAdmin" },
    });
    let closed = site.patch(TICKET, replace_id("status", 224)).await;
    assert_eq!(closed.json()["closedFlag"], true);
    let seen = site.ticket().await;
    assert_eq!(seen["closedFlag"], true, "its note re-opens nothing");
    let note = json!({ "text": "we are done", "internalAnalysisFlag": true });
    let notes = format!("{TICKET}/notes");
    assert_eq!(site.post(&notes, note).await.status, 201);
    assert_eq!(site.ticket().await["closedFlag"], false);
    site.patch(TICKET, replace_id("status", 224)).await;
    assert_eq!(site.get(&notes).await.ids().len(), 2, "once alone");
    site.patch(TICKET, replace_id("priority", 31)).await;
    assert_eq!(site.ticket().await["status"]["id"], 222);
    site.patch(TICKET, replace_id("status", 221)).await;
    assert_eq!(site.ticket().await["closedFlag"], true);
}

#[tokio::test]
async fn a_workflow_keeps_a_ticket_open_at_once_or_later() {
    let site = Site::start().await;
    site.post("/service/tickets", titled("a")).await;
    site.faults(json!({ "workflows": [{ "after": "close", "do": "reopen" }] }))
        .await;
    let closed = site.patch(TICKET, replace_id("status", 214)).await;
    assert_eq!(closed.json()["closedFlag"], true);
    assert_eq!(site.ticket().await["closedFlag"], false);
    site.faults(json!({ "workflows": [{ "after": "close", "do": "reopen", "seconds": 0.3 }] }))
        .await;
    site.patch(TICKET, replace_id("status", 214)).await;
    assert_eq!(site.ticket().await["closedFlag"], true);
    let deadline = Instant::now() + Duration::from_secs(10);
    while site.ticket().await["closedFlag"] == true {
        assert!(Instant::now() < deadline, "never re-opened");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_field_is_required_at_create_change_or_close() {
    let site = Site::start().await;
    let sub_type = json!({ "name": "Login", "typeAssociationIds": [2101] });
    let made = site.post("/service/boards/21/subtypes", sub_type).await;
    let with = |member: &str, value: Value| {
        let mut body = titled("a");
        body[member] = value;
        body
    };
    let device = |value: Value| json!([{ "id": 1, "value": value }]);
    for (required, message, field, good) in [
        (
            "subType",
            "The subType/id field is required.",
            "subType",
            json!({ "id": made.id() }),
        ),
        (
            "poNumber",
            "The poNumber field is required.",
            "poNumber",
            json!("7"),
        ),
        (
            "customFields/Affected device",
            "The Affected device field is required.",
            "customFields",
            device(json!("PC-7")),
        ),
    ] {
        let problem = invalid_object("ticket", &[("MissingRequiredField", message, field)]);
        let require = async |change: Value| {
            site.faults(json!({ "required": change })).await;
        };
        require(json!({ "on_create": [required] })).await;
        let refused = site.post("/service/tickets", titled("a")).await;
        assert_eq!(refused.status_and_body(), problem);
        let made = site.post("/service/tickets", with(field, good)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        require(json!({ "on_create": [] })).await;
        let bare = site.new_ticket().await;
        let full = format!("/service/tickets/{}", made.id());
        let (summary, close) = (replace("summary", "b"), replace_id("status", 214));
        require(json!({ "on_close": [required] })).await;
        let refused = site.patch(&bare, close.clone()).await;
        assert_eq!(refused.status_and_body(), problem);
        assert_eq!(site.patch(&bare, summary.clone()).await.status, 200);
        assert_eq!(site.patch(&full, close).await.status, 200);
        require(json!({ "on_close": [], "on_update": [required] })).await;
        let refused = site.patch(&bare, summary).await;
        assert_eq!(refused.status_and_body(), problem);
        require(json!({ "on_update": [] })).await;
    }
    let empty = with("customFields", device(json!(null)));
    site.faults(json!({ "required": { "on_create": ["customFields/Affected device"] } }))
        .await;
    assert_eq!(site.post("/service/tickets", empty).await.status, 400);
}

#[tokio::test]
async fn a_company_status_may_disallow_new_tickets() {
    let site = Site::start().await;
    let statuses = site.get("/company/companies/statuses").await.json();
    let flags = ["name", "inactiveFlag", "notifyFlag", "disallowSavingFlag"];
    assert_eq!(
        columns(&statuses, flags),
        json!([
            ["Active", false, false, false],
            ["Inactive", true, false, false],
            ["Credit Hold", false, true, false],
            ["Not Approved", false, false, true],
        ])
    );
    // Any name may have the flag.
    let status = json!({ "name": "Legal dispute", "disallowSavingFlag": true });
    let made = site.post("/company/companies/statuses", status).await;
    assert_eq!(made.status, 201, "{}", made.text);
    site.post("/service/tickets", titled("a")).await;
    let put = replace_id("status", made.id());
    assert_eq!(site.patch("/company/companies/301", put).await.status, 200);
    let refused = site.post("/service/tickets", titled("b")).await;
    let message =
        "Company Acme Dental Group has the status Legal dispute, which does not allow saving.";
    let error = ("InvalidObject", message, "company/id");
    refused.assert_invalid("ticket", &[error]);
    let summary = replace("summary", "c");
    assert_eq!(site.patch(TICKET, summary.clone()).await.status, 200);
    site.variant("disallow_saving", "every_change").await;
    assert_eq!(site.patch(TICKET, summary).await.status, 400);
    let used = format!("/company/companies/statuses/{}", made.id());
    assert_eq!(site.delete(&used).await.status, 409);
    let back = replace("disallowSavingFlag", false);
    assert_eq!(site.patch(&used, back).await.status, 200);
    assert_eq!(site.post("/service/tickets", titled("b")).await.status, 201);
}
