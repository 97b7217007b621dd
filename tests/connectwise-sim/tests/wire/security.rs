//! Rights: `mySecurity`, roles, and the right that each call needs.

use serde_json::{Value, json};

use crate::client::{Site, forbidden, replace, ticket};

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
            "Companies > Configurations: All All All All",
            "Companies > Contacts: All All All All",
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
    let theirs = site.as_technician("GET", "/system/mySecurity", "").await;
    let theirs = levels_by_function(&theirs.json());
    let all = ": All All All All";
    assert!(theirs.iter().all(|line| line.ends_with(all)));
    let role = site.get("/system/securityRoles/64/settings").await.json();
    assert_eq!(levels_by_function(&role), levels_by_function(&mine));
    let admin = site.get("/system/securityroles/63/settings").await.json();
    assert_eq!(levels_by_function(&admin), theirs);
    let unknown = site.get("/system/securityRoles/99/settings").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn each_call_needs_its_right() {
    let site = Site::start().await;
    let ticket = ticket();
    let ticket_path = site.new_ticket().await;
    let note = json!({ "text": "x", "internalAnalysisFlag": true });
    let notes = format!("{ticket_path}/notes");
    let note_id = site.post(&notes, note.clone()).await.id();
    let note_path = format!("{notes}/{note_id}");
    let summary = replace("summary", "y");
    let name = replace("name", "y");
    let board = json!({ "name": "x", "location": { "id": 2 }, "department": { "id": 10 } });
    let named = json!({ "name": "x" });
    let company = json!({ "identifier": "x", "name": "x", "city": "x" });
    let team = json!({ "name": "x", "teamLeader": { "id": 151 } });
    let none = json!(null);
    for (right, calls) in [
        (
            "company_maintenance.inquire",
            vec![
                ("GET", "/company/companies/301", &none),
                ("GET", "/company/companies/301/sites", &none),
            ],
        ),
        (
            "contacts.inquire",
            vec![("GET", "/company/contacts", &none)],
        ),
        (
            "configurations.inquire",
            vec![("GET", "/company/configurations", &none)],
        ),
        (
            "company_maintenance.add",
            vec![("POST", "/company/companies", &company)],
        ),
        (
            "service_tickets.inquire",
            vec![
                ("GET", &ticket_path, &none),
                ("POST", "/service/tickets/search", &json!({})),
                ("GET", "/service/info/boards", &none),
            ],
        ),
        (
            "service_tickets.add",
            vec![
                ("POST", "/service/tickets", &ticket),
                ("POST", &notes, &note),
            ],
        ),
        (
            "service_tickets.edit",
            vec![
                ("PATCH", &ticket_path, &summary),
                ("PUT", &ticket_path, &ticket),
                ("PUT", &note_path, &note),
                ("DELETE", &note_path, &none),
            ],
        ),
        (
            "service_tickets.delete",
            vec![("DELETE", &ticket_path, &none)],
        ),
        (
            "table_setup.inquire",
            vec![
                ("GET", "/service/boards", &none),
                ("GET", "/service/boards/21/statuses/info", &none),
                ("GET", "/service/sources/count", &none),
            ],
        ),
        (
            "table_setup.add",
            vec![
                ("POST", "/service/boards", &board),
                ("POST", "/service/boards/21/statuses", &named),
                ("POST", "/service/boards/21/types", &named),
                ("POST", "/service/boards/21/teams", &team),
            ],
        ),
        (
            "table_setup.edit",
            vec![("PATCH", "/service/boards/21/types/2101", &name)],
        ),
        (
            "table_setup.delete",
            vec![("DELETE", "/service/boards/21/types/2103", &none)],
        ),
        (
            "member_maintenance.inquire",
            vec![
                ("GET", "/system/members/TSmith", &none),
                ("GET", "/system/apiMembers/181", &none),
                ("GET", "/system/securityroles", &none),
            ],
        ),
        (
            "my_company.inquire",
            vec![
                ("GET", "/system/departments/10", &none),
                ("GET", "/system/info/locations", &none),
            ],
        ),
    ] {
        for (method, path, body) in calls {
            let body = body.to_string();
            site.missing_rights(&[right]).await;
            let refused = site.as_integration(method, path, &body).await;
            assert_eq!(refused.status_and_body(), forbidden(), "{method} {path}");
            site.missing_rights(&[]).await;
            let allowed = site.as_integration(method, path, &body).await;
            assert!(allowed.status < 300, "{method} {path}: {}", allowed.text);
        }
    }
}

#[tokio::test]
async fn inquire_my_hides_other_members_tickets() {
    let site = Site::start().await;
    let ticket = json!({ "summary": "CPU", "company": { "id": 301 }, "externalXRef": "tb1-a" });
    let id = site.post("/service/tickets", ticket).await.id();
    site.variant("rights_at_my", json!(["service_tickets.inquire"]))
        .await;
    assert_eq!(site.get("/service/tickets").await.ids(), [0_i64; 0]);
    let hidden = site.get(&format!("/service/tickets/{id}")).await;
    assert_eq!(hidden.status, 404);
    let technician = site.as_technician("GET", "/service/tickets", "");
    assert_eq!(technician.await.ids(), [id]);
    let fault = r#"{"variants":{"rights_at_my":["tickets.inquire"]}}"#;
    let unknown = site.try_faults(fault).await;
    assert_eq!(unknown.status, 400);
}
