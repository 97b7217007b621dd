//! Rights: `mySecurity`, roles, and the right that each call needs.

use serde_json::{Value, json};

use crate::client::Site;

const LEVELS: [&str; 4] = ["addLevel", "editLevel", "deleteLevel", "inquireLevel"];

/// One line a function: `Module > Function: add edit delete inquire`.
fn levels_by_function(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    rows.map(|row| {
        let levels = LEVELS.map(|level| text(&row[level])).join(" ");
        let (module, function) = (&row["moduleName"], &row["moduleFunctionName"]);
        format!("{} > {}: {levels}", text(module), text(function))
    })
    .collect()
}

#[tokio::test]
async fn my_security_lists_the_callers_levels() {
    let site = Site::start().await;
    site.faults(json!({
        "missing_rights": ["service_tickets.delete", "table_setup.add", "table_setup.inquire"],
        "variants": { "rights_at_my": ["service_tickets.inquire"] },
    }))
    .await;
    let mine = site.get("/system/mySecurity").await.json();
    assert_eq!(
        levels_by_function(&mine),
        [
            "Companies > Company Maintenance: All All All All",
            "Service Desk > Service Tickets: All All None My",
            "Service Desk > Close Service Tickets: All All All All",
            "Service Desk > Resource Scheduling: All All All All",
            "System > Table Setup: None All All None",
            "System > Member Maintenance: All All All All",
            "System > My Company: All All All All",
            "System > My Account: All All All All",
        ]
    );
    assert_eq!(mine[0]["member"]["identifier"], "Ticketbridge");
    let theirs = site
        .try_as(&site.technician, "GET", "/system/mySecurity", "")
        .await
        .expect("an answer")
        .json();
    assert!(
        levels_by_function(&theirs)
            .iter()
            .all(|line| line.ends_with(": All All All All"))
    );
    let role = site.get("/system/securityRoles/64/settings").await.json();
    assert_eq!(levels_by_function(&role), levels_by_function(&mine));
    let admin = site.get("/system/securityroles/63/settings").await.json();
    assert_eq!(levels_by_function(&admin), levels_by_function(&theirs));
    assert_eq!(
        site.get("/system/securityRoles/99/settings").await.status,
        404
    );
}

#[tokio::test]
async fn each_call_needs_its_right() {
    let site = Site::start().await;
    let ticket = json!({ "summary": "CPU", "company": { "id": 301 } });
    let id = site.post("/service/tickets", ticket.clone()).await.id();
    let note = json!({ "text": "x", "internalAnalysisFlag": true });
    let notes = format!("/service/tickets/{id}/notes");
    let note_id = site.post(&notes, note.clone()).await.id();
    let ticket_path = format!("/service/tickets/{id}");
    let note_path = format!("{notes}/{note_id}");
    let summary = json!([{ "op": "replace", "path": "summary", "value": "y" }]);
    let name = json!([{ "op": "replace", "path": "name", "value": "y" }]);
    let board = json!({ "name": "x", "location": { "id": 2 }, "department": { "id": 10 } });
    let named = json!({ "name": "x" });
    let company = json!({ "identifier": "x", "name": "x", "city": "x" });
    let team = json!({ "name": "x", "teamLeader": { "id": 151 } });
    for (right, method, path, body) in [
        (
            "company_maintenance.inquire",
            "GET",
            "/company/companies/301",
            &json!(null),
        ),
        (
            "company_maintenance.inquire",
            "GET",
            "/company/companies/301/sites",
            &json!(null),
        ),
        (
            "company_maintenance.inquire",
            "GET",
            "/company/contacts",
            &json!(null),
        ),
        (
            "company_maintenance.add",
            "POST",
            "/company/companies",
            &company,
        ),
        (
            "service_tickets.inquire",
            "GET",
            ticket_path.as_str(),
            &json!(null),
        ),
        (
            "service_tickets.inquire",
            "POST",
            "/service/tickets/search",
            &json!({}),
        ),
        (
            "service_tickets.inquire",
            "GET",
            "/service/info/boards",
            &json!(null),
        ),
        ("service_tickets.add", "POST", "/service/tickets", &ticket),
        ("service_tickets.add", "POST", notes.as_str(), &note),
        (
            "service_tickets.edit",
            "PATCH",
            ticket_path.as_str(),
            &summary,
        ),
        ("service_tickets.edit", "PUT", ticket_path.as_str(), &ticket),
        ("service_tickets.edit", "PUT", note_path.as_str(), &note),
        (
            "table_setup.inquire",
            "GET",
            "/service/boards",
            &json!(null),
        ),
        (
            "table_setup.inquire",
            "GET",
            "/service/boards/21/statuses/info",
            &json!(null),
        ),
        (
            "table_setup.inquire",
            "GET",
            "/service/sources/count",
            &json!(null),
        ),
        ("table_setup.add", "POST", "/service/boards", &board),
        (
            "table_setup.add",
            "POST",
            "/service/boards/21/statuses",
            &named,
        ),
        (
            "table_setup.add",
            "POST",
            "/service/boards/21/types",
            &named,
        ),
        ("table_setup.add", "POST", "/service/boards/21/teams", &team),
        (
            "table_setup.edit",
            "PATCH",
            "/service/boards/21/types/2101",
            &name,
        ),
        (
            "table_setup.delete",
            "DELETE",
            "/service/boards/21/types/2103",
            &json!(null),
        ),
        (
            "member_maintenance.inquire",
            "GET",
            "/system/members/TSmith",
            &json!(null),
        ),
        (
            "member_maintenance.inquire",
            "GET",
            "/system/apiMembers/181",
            &json!(null),
        ),
        (
            "member_maintenance.inquire",
            "GET",
            "/system/securityroles",
            &json!(null),
        ),
        (
            "my_company.inquire",
            "GET",
            "/system/departments/10",
            &json!(null),
        ),
        (
            "my_company.inquire",
            "GET",
            "/system/info/locations",
            &json!(null),
        ),
        (
            "service_tickets.edit",
            "DELETE",
            note_path.as_str(),
            &json!(null),
        ),
        (
            "service_tickets.delete",
            "DELETE",
            ticket_path.as_str(),
            &json!(null),
        ),
    ] {
        let body = body.to_string();
        let call = || site.try_as(&site.integration, method, path, &body);
        site.faults(json!({ "missing_rights": [right] })).await;
        let forbidden = json!({
            "code": "Security",
            "message": "You do not have security permission to perform this action.",
        });
        let refused = call().await.expect("an answer");
        assert_eq!(
            refused.status_and_body(),
            (403, forbidden),
            "{method} {path}"
        );
        site.faults(json!({ "missing_rights": [] })).await;
        let allowed = call().await.expect("an answer");
        assert!(allowed.status < 300, "{method} {path}: {}", allowed.text);
    }
}

#[tokio::test]
async fn inquire_my_hides_other_members_tickets() {
    let site = Site::start().await;
    let ticket = json!({ "summary": "CPU", "company": { "id": 301 }, "externalXRef": "tb1-a" });
    let id = site.post("/service/tickets", ticket).await.id();
    site.faults(json!({ "variants": { "rights_at_my": ["service_tickets.inquire"] } }))
        .await;
    assert_eq!(site.get("/service/tickets").await.ids(), [0_i64; 0]);
    assert_eq!(
        site.get(&format!("/service/tickets/{id}")).await.status,
        404
    );
    let technician = site.try_as(&site.technician, "GET", "/service/tickets", "");
    assert_eq!(technician.await.expect("an answer").ids(), [id]);
    let unknown = site
        .send(
            "PUT",
            "/_sim/faults",
            &[],
            r#"{"variants":{"rights_at_my":["tickets.inquire"]}}"#,
        )
        .await
        .expect("an answer");
    assert_eq!(unknown.status, 400);
}
