//! Open questions about the live service: each question is a variant, and each possible answer is tested,
//! in the order of the questions.

use std::time::{Duration, Instant};

use connectwise_sim::Credentials;
use serde_json::{Value, json};

use crate::client::Site;

async fn with(variant: &str, value: Value) -> Site {
    let site = Site::start().await;
    site.faults(json!({ "variants": { variant: value } })).await;
    site
}

fn ticket() -> Value {
    json!({ "summary": "CPU", "company": { "id": 301 } })
}

fn board() -> Value {
    json!({ "name": "Alerts", "location": { "id": 2 }, "department": { "id": 10 } })
}

#[tokio::test]
async fn which_body_has_a_401() {
    for (variant, body) in [
        (
            "unauthorized",
            json!({ "code": "Unauthorized", "message": "The supplied authentication is incorrect." }),
        ),
        (
            "user_not_authenticated",
            json!({ "code": "ConnectWiseApi", "message": "UserNotAuthenticated" }),
        ),
    ] {
        let site = with("unauthorized_body", json!(variant)).await;
        site.faults(json!({ "keys": "revoked" })).await;
        assert_eq!(
            site.get("/service/tickets").await.status_and_body(),
            (401, body),
            "{variant}"
        );
    }
}

#[tokio::test]
async fn which_status_has_a_bad_client_id() {
    for status in [400, 401, 403] {
        let site = with("client_id_status", json!(status)).await;
        site.faults(json!({ "client_id": "refused" })).await;
        let reply = site.get("/service/tickets").await;
        assert_eq!(reply.status, status);
        assert!(reply.text.contains("clientId"), "{}", reply.text);
    }
}

#[tokio::test]
async fn which_type_has_is_cloud() {
    for (variant, value) in [("boolean", json!(true)), ("text", json!("True"))] {
        let site = with("company_info_is_cloud", json!(variant)).await;
        let info = site.send("GET", "/login/companyinfo/tbdemo", &[], "").await;
        assert_eq!(info.expect("an answer").json()["IsCloud"], value);
    }
}

#[tokio::test]
async fn may_a_ticket_start_closed() {
    let mut closed = ticket();
    closed["status"] = json!({ "name": ">Closed" });
    for (variant, status) in [("refused", 400), ("allowed", 201)] {
        let site = with("closed_status_at_creation", json!(variant)).await;
        let reply = site.post("/service/tickets", closed.clone()).await;
        assert_eq!(reply.status, status, "{variant}: {}", reply.text);
    }
}

#[tokio::test]
async fn does_a_new_board_have_statuses() {
    for (variant, names) in [
        (
            "default",
            json!(["New", "In Progress", "Completed", ">Closed"]),
        ),
        ("none", json!([])),
    ] {
        let site = with("new_board_statuses", json!(variant)).await;
        let id = site.post("/service/boards", board()).await.id();
        let statuses = site.get(&format!("/service/boards/{id}/statuses")).await;
        let statuses = statuses.json();
        let rows = statuses.as_array().expect("a list").iter();
        let found: Value = rows.map(|row| row["name"].clone()).collect();
        assert_eq!(found, names, "{variant}");
        let mut on_it = ticket();
        on_it["board"] = json!({ "id": id });
        let reply = site.post("/service/tickets", on_it).await;
        let expected = if variant == "none" { 400 } else { 201 };
        assert_eq!(reply.status, expected, "{}", reply.text);
        if variant == "none" {
            assert_eq!(reply.json()["errors"][0]["field"], "status");
        }
    }
}

#[tokio::test]
async fn are_line_breaks_preserved() {
    for (variant, text) in [("kept", "a\nb"), ("flattened", "a b")] {
        let site = with("newlines", json!(variant)).await;
        let id = site.post("/service/tickets", ticket()).await.id();
        let note = json!({ "text": "a\nb", "internalAnalysisFlag": true });
        let path = format!("/service/tickets/{id}/notes");
        let note = site.post(&path, note).await;
        assert_eq!(note.json()["text"], text, "{variant}");
        assert_eq!(site.get(&path).await.json()[0]["text"], text, "{variant}");
    }
}

#[tokio::test]
async fn is_a_missing_right_checked_before_the_body() {
    for (variant, status) in [("first", 403), ("after_validation", 400)] {
        let site = with("rights_checked", json!(variant)).await;
        site.faults(json!({ "missing_rights": ["service_tickets.add", "table_setup.add"] }))
            .await;
        for path in [
            "/service/tickets",
            "/service/boards",
            "/service/boards/21/statuses",
        ] {
            let reply = site.post(path, json!({})).await;
            assert_eq!(reply.status, status, "{variant} {path}");
        }
        assert_eq!(site.post("/service/tickets", ticket()).await.status, 403);
        assert_eq!(site.post("/service/boards", board()).await.status, 403);
    }
}

#[tokio::test]
async fn does_system_info_want_keys() {
    for (variant, status) in [("required", 401), ("open", 200)] {
        let site = with("system_info_auth", json!(variant)).await;
        let wrong = Credentials {
            private_key: "wrong".to_owned(),
            ..site.integration.clone()
        };
        let reply = site.try_as(&wrong, "GET", "/system/info", "").await;
        assert_eq!(reply.expect("an answer").status, status, "{variant}");
        let other = site.try_as(&wrong, "GET", "/system/myMembers", "").await;
        assert_eq!(other.expect("an answer").status, 401, "{variant}");
    }
}

#[tokio::test]
async fn does_a_patch_of_status_id_work() {
    for (variant, status) in [("works", 212), ("false_200", 211)] {
        let site = with("patch_status_id", json!(variant)).await;
        let id = site.post("/service/tickets", ticket()).await.id();
        let change = json!([{ "op": "replace", "path": "status/id", "value": 212 }]);
        let reply = site.patch(&format!("/service/tickets/{id}"), change).await;
        assert_eq!(
            (reply.status, &reply.json()["status"]["id"]),
            (200, &json!(status)),
            "{variant}"
        );
    }
}

#[tokio::test]
async fn does_my_security_name_its_functions() {
    for (variant, name) in [
        ("present", Some(&json!("Service Tickets"))),
        ("absent", None),
    ] {
        let site = with("my_security_names", json!(variant)).await;
        let mine = site.get("/system/mySecurity").await.json();
        assert_eq!(mine[1].get("moduleFunctionName"), name, "{variant}");
        assert_eq!(mine[1].get("moduleName").is_some(), name.is_some());
        assert_eq!(mine[1]["addLevel"], "All");
    }
}

#[tokio::test]
async fn is_my_security_refused_to_a_narrow_role() {
    for (variant, status) in [("answered", 200), ("refused", 403)] {
        let site = with("my_security", json!(variant)).await;
        assert_eq!(site.get("/system/mySecurity").await.status, status);
        let technician = site.try_as(&site.technician, "GET", "/system/mySecurity", "");
        assert_eq!(technician.await.expect("an answer").status, 200);
    }
}

#[tokio::test]
async fn do_set_up_tables_need_their_right_to_be_read() {
    for (variant, status) in [("needed", 403), ("open", 200)] {
        let site = with("table_setup_inquire", json!(variant)).await;
        site.faults(json!({ "missing_rights": ["table_setup.inquire", "table_setup.add"] }))
            .await;
        assert_eq!(
            site.get("/service/boards").await.status,
            status,
            "{variant}"
        );
        assert_eq!(site.post("/service/boards", board()).await.status, 403);
    }
}

#[tokio::test]
async fn does_a_create_that_failed_commit_later() {
    for variant in ["500", "timeout"] {
        let site = with("late_commit_answer", json!(variant)).await;
        site.faults(json!({ "late_commit": { "rate": 1, "seconds": 0.2 } }))
            .await;
        let call = site.post("/service/tickets", ticket());
        let answer = tokio::time::timeout(Duration::from_millis(150), call).await;
        assert_eq!(
            answer.map(|reply| reply.status).ok(),
            (variant == "500").then_some(500)
        );
        assert_eq!(site.get("/service/tickets").await.ids(), [0_i64; 0]);
        let deadline = Instant::now() + Duration::from_secs(10);
        while site.get("/service/tickets").await.ids() != [10001] {
            assert!(Instant::now() < deadline, "{variant}: never committed");
        }
    }
}
