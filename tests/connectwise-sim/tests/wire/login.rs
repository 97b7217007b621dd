//! Keys, clientId, routes and rights.

use connectwise_sim::Credentials;
use serde_json::{Value, json};

use crate::client::{API, Site, assert_has, authorization, forbidden, replace_id, ticket};

#[tokio::test]
async fn company_info_needs_no_keys() {
    let site = Site::start().await;
    let known = site.company_info("tbdemo").await;
    known.assert_is(
        200,
        &json!({ "Codebase": "v4_6_release/", "CompanyID": "tbdemo" }),
    );
    assert_eq!(
        site.company_info("unknown").await.status_and_body(),
        (200, Value::Null)
    );
    site.variant("company_info_unknown", "not_found").await;
    assert_eq!(site.company_info("unknown").await.status, 404);
}

#[tokio::test]
async fn valid_keys_identify_their_member() {
    let site = Site::start().await;
    let info = site.get("/system/info").await;
    assert_eq!(info.status, 200);
    assert_eq!(info.json()["version"], "v2025.1.12345");
    assert_eq!(
        info.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(info.header("api-current-version"), Some("2025.1"));
    assert_eq!(info.header("x-cw-request-id").map(str::len), Some(36));
    let me = site.get("/system/myMembers").await.json();
    assert_has!(me, { "identifier": "Ticketbridge", "licenseClass": "A" });
    assert_has!(me, { "serviceDefaultBoard": { "id": 21 } });
    let them = site.as_technician("GET", "/system/myMembers", "").await;
    assert_has!(them.json(), { "identifier": "TSmith", "licenseClass": "F" });
}

#[tokio::test]
async fn each_wrong_login_has_its_own_error() {
    let site = Site::start().await;
    let good = &site.integration;
    let wrong_key = Credentials {
        private_key: "wrong".to_owned(),
        ..good.clone()
    };
    let wrong_company = Credentials {
        company_id: "other".to_owned(),
        ..good.clone()
    };
    let wrong_client = Credentials {
        client_id: "00000000-0000-0000-0000-000000000000".to_owned(),
        ..good.clone()
    };
    let unauthorized =
        json!({ "code": "Unauthorized", "message": "The supplied authentication is incorrect." });
    let client_id = json!({
        "code": "ConnectWiseApi",
        "message": "The clientId header is missing or invalid. Please include a valid clientId in the request.",
    });
    let company = json!({ "code": "ConnectWiseApi", "message": "The company does not exist." });
    for (who, expected) in [
        (&wrong_key, (401, unauthorized.clone())),
        (&wrong_company, (404, company)),
        (&wrong_client, (400, client_id.clone())),
    ] {
        let reply = site.call(who, "GET", "/system/info", "").await;
        assert_eq!(reply.status_and_body(), expected);
    }
    let path = format!("{API}/system/info");
    let without_keys = site.without_keys("GET", &path, "").await;
    assert_eq!(without_keys.status_and_body(), (401, unauthorized.clone()));
    for status in [400, 401, 403] {
        site.variant("client_id_status", status).await;
        let reply = site.call(&wrong_client, "GET", "/system/info", "").await;
        assert_eq!(reply.status_and_body(), (status, client_id.clone()));
    }
    site.variant("wrong_company", "unauthorized").await;
    let reply = site.call(&wrong_company, "GET", "/system/info", "").await;
    assert_eq!(reply.status_and_body(), (401, unauthorized));
    site.variant("unauthorized_body", "user_not_authenticated")
        .await;
    let reply = site.call(&wrong_key, "GET", "/system/info", "").await;
    reply.assert_error(401, "ConnectWiseApi", "UserNotAuthenticated");
    site.variant("system_info_auth", "open").await;
    let reply = site.call(&wrong_key, "GET", "/system/info", "").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn key_faults_affect_only_the_integration() {
    let site = Site::start().await;
    for (faults, status) in [
        (json!({ "keys": "revoked" }), 401),
        (json!({ "keys": "ok", "client_id": "refused" }), 400),
    ] {
        site.faults(faults).await;
        assert_eq!(site.get("/service/tickets").await.status, status);
        let technician = site.as_technician("GET", "/service/tickets", "").await;
        assert_eq!(technician.status, 200);
    }
}

#[tokio::test]
async fn missing_routes_and_records_differ() {
    let site = Site::start().await;
    let authorization = authorization(&site.integration);
    let headers = [
        ("authorization", authorization.as_str()),
        ("clientid", site.integration.client_id.as_str()),
    ];
    for path in [
        "/v4_6_release/v4_6_release/apis/3.0/system/info",
        "/v2024_1/apis/3.0/system/info",
        "/nothing",
    ] {
        let reply = site.send("GET", path, &headers, "").await;
        assert_eq!(
            (reply.status, reply.text.as_str()),
            (400, "Cannot route. Codebase/company is invalid"),
            "{path}"
        );
    }
    for path in ["/service/nothing", "/service/tickets/abc", "/service"] {
        let reply = site.get(path).await;
        reply.assert_error(404, "ConnectWiseApi", "The endpoint does not exist.");
    }
    let reply = site.get("/service/tickets/1255787").await;
    reply.assert_error(404, "NotFound", "Ticket 1255787 not found");
    assert_eq!(site.delete("/service/tickets").await.status, 405);
    let untyped = site
        .send("POST", &format!("{API}/service/tickets"), &headers, "{}")
        .await;
    assert_eq!(untyped.status, 415);
}

#[tokio::test]
async fn missing_rights_are_refused_where_needed() {
    let site = Site::start().await;
    let path = site.new_ticket().await;
    for (right, path) in [
        ("company_maintenance.inquire", "/company/companies"),
        ("table_setup.inquire", "/service/boards"),
        ("member_maintenance.inquire", "/system/apiMembers"),
        ("my_company.inquire", "/system/locations"),
        ("service_tickets.inquire", "/service/info/boards"),
    ] {
        assert_eq!(site.get(path).await.status, 200, "{path}");
        site.missing_rights(&[right]).await;
        let refused = site.get(path).await;
        assert_eq!(refused.status_and_body(), forbidden(), "{path}");
    }
    site.missing_rights(&["service_tickets.add", "close_service_tickets.edit"])
        .await;
    let tickets = "/service/tickets";
    let refused = site.post(tickets, ticket()).await;
    assert_eq!(refused.status_and_body(), forbidden());
    let invalid = site.post(tickets, json!({})).await;
    assert_eq!(invalid.status, 403, "the right comes first");
    let close = site.patch(&path, replace_id("status", 214)).await;
    assert_eq!(close.status_and_body(), forbidden());
    assert_eq!(site.get(&path).await.json()["closedFlag"], false);

    site.variant("rights_checked", "after_validation").await;
    let invalid = site.post(tickets, json!({})).await;
    assert_eq!(invalid.status, 400, "the body comes first");
    assert_eq!(site.post(tickets, ticket()).await.status, 403);
}

#[tokio::test]
async fn only_loopback_is_served_and_a_busy_port_is_an_error() {
    use connectwise_sim::{Seed, Simulator};
    let outside = Simulator::start(Seed::demo(), ([0, 0, 0, 0], 0).into())
        .await
        .expect_err("refused");
    assert_eq!(outside.to_string(), "0.0.0.0 is not a loopback address");
    let site = Site::start().await;
    let address = site
        .origin()
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    let busy = Simulator::start(Seed::demo(), address)
        .await
        .expect_err("busy");
    assert_eq!(busy.kind(), std::io::ErrorKind::AddrInUse);
    site.stop().await;
    let again = Simulator::start(Seed::demo(), address).await;
    again.expect("free again").stop().await;
}
