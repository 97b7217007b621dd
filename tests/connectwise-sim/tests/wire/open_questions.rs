//! Open questions about the live service: each question is a variant, and each possible answer is
//! tested, in the order of the questions.

use std::time::{Duration, Instant};

use connectwise_sim::Credentials;
use serde_json::{Value, json};

use crate::client::{Site, columns, replace, ticket};

async fn with(variant: &str, value: impl Into<Value>) -> Site {
    let site = Site::start().await;
    site.variant(variant, value).await;
    site
}

fn board() -> Value {
    json!({ "name": "Alerts", "location": { "id": 2 }, "department": { "id": 10 } })
}

#[tokio::test]
async fn which_body_has_a_401() {
    let incorrect = "The supplied authentication is incorrect.";
    for (variant, code, message) in [
        ("unauthorized", "Unauthorized", incorrect),
        (
            "user_not_authenticated",
            "ConnectWiseApi",
            "UserNotAuthenticated",
        ),
    ] {
        let site = with("unauthorized_body", variant).await;
        site.faults(json!({ "keys": "revoked" })).await;
        let reply = site.get("/service/tickets").await;
        reply.assert_error(401, code, message);
    }
}

#[tokio::test]
async fn which_status_has_a_bad_client_id() {
    for status in [400, 401, 403] {
        let site = with("client_id_status", status).await;
        site.faults(json!({ "client_id": "refused" })).await;
        let reply = site.get("/service/tickets").await;
        assert_eq!(reply.status, status);
        assert!(reply.text.contains("clientId"), "{}", reply.text);
    }
}

#[tokio::test]
async fn which_type_has_is_cloud() {
    for (variant, value) in [("boolean", json!(true)), ("text", json!("True"))] {
        let site = with("company_info_is_cloud", variant).await;
        let info = site.company_info("tbdemo").await;
        assert_eq!(info.json()["IsCloud"], value);
    }
}

#[tokio::test]
async fn may_a_ticket_start_closed() {
    let mut closed = ticket();
    closed["status"] = json!({ "name": ">Closed" });
    for (variant, status) in [("refused", 400), ("allowed", 201)] {
        let site = with("closed_status_at_creation", variant).await;
        let reply = site.post("/service/tickets", closed.clone()).await;
        assert_eq!(reply.status, status, "{variant}: {}", reply.text);
        let is_closed = reply.json().get("closedFlag").cloned();
        assert_eq!(is_closed, (status == 201).then_some(json!(true)));
    }
}

#[tokio::test]
async fn does_a_new_board_have_statuses() {
    for (variant, names) in [
        (
            "default",
            json!([["New"], ["In Progress"], ["Completed"], [">Closed"]]),
        ),
        ("none", json!([])),
    ] {
        let site = with("new_board_statuses", variant).await;
        let id = site.post("/service/boards", board()).await.id();
        let statuses = site.get(&format!("/service/boards/{id}/statuses")).await;
        let found = columns(&statuses.json(), ["name"]);
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
    for (variant, text) in [("kept", "a\r\nb\nc"), ("flattened", "a b c")] {
        let site = with("newlines", variant).await;
        let path = format!("{}/notes", site.new_ticket().await);
        let note = json!({ "text": "a\r\nb\nc", "internalAnalysisFlag": true });
        let note = site.post(&path, note).await;
        assert_eq!(note.json()["text"], text, "{variant}");
        assert_eq!(site.get(&path).await.json()[0]["text"], text, "{variant}");
    }
}

#[tokio::test]
async fn is_a_missing_right_checked_before_the_body() {
    for (variant, status) in [("first", 403), ("after_validation", 400)] {
        let site = with("rights_checked", variant).await;
        site.missing_rights(&["service_tickets.add", "table_setup.add"])
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
        let site = with("system_info_auth", variant).await;
        let wrong = Credentials {
            private_key: "wrong".to_owned(),
            ..site.integration.clone()
        };
        let reply = site.call(&wrong, "GET", "/system/info", "").await;
        assert_eq!(reply.status, status, "{variant}");
        let other = site.call(&wrong, "GET", "/system/myMembers", "").await;
        assert_eq!(other.status, 401, "{variant}");
    }
}

#[tokio::test]
async fn does_a_patch_of_status_id_work() {
    for (variant, status) in [("works", 214), ("false_200", 211)] {
        let site = with("patch_status_id", variant).await;
        let path = site.new_ticket().await;
        let reply = site.patch(&path, replace("status/id", 214)).await;
        let expected = json!({ "status": { "id": status }, "closedFlag": status == 214 });
        reply.assert_is(200, &expected);
    }
}

#[tokio::test]
async fn does_my_security_name_its_functions() {
    for (variant, name) in [
        ("present", Some(&json!("Configurations"))),
        ("absent", None),
    ] {
        let site = with("my_security_names", variant).await;
        let mine = site.get("/system/mySecurity").await.json();
        assert_eq!(mine[1].get("moduleFunctionName"), name, "{variant}");
        assert_eq!(mine[1].get("moduleName").is_some(), name.is_some());
        assert_eq!(mine[1]["addLevel"], "All");
    }
}

#[tokio::test]
async fn is_my_security_refused_to_a_narrow_role() {
    for (variant, status) in [("answered", 200), ("refused", 403)] {
        let site = with("my_security", variant).await;
        assert_eq!(site.get("/system/mySecurity").await.status, status);
        let technician = site.as_technician("GET", "/system/mySecurity", "");
        assert_eq!(technician.await.status, 200);
    }
}

#[tokio::test]
async fn do_set_up_tables_need_their_right_to_be_read() {
    for (variant, status) in [("needed", 403), ("open", 200)] {
        let site = with("table_setup_inquire", variant).await;
        site.missing_rights(&["table_setup.inquire", "table_setup.add"])
            .await;
        let boards = site.get("/service/boards").await;
        assert_eq!(boards.status, status, "{variant}");
        assert_eq!(site.post("/service/boards", board()).await.status, 403);
    }
}

#[tokio::test]
async fn does_a_create_that_failed_commit_later() {
    for variant in ["500", "timeout"] {
        let site = with("late_commit_answer", variant).await;
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
