//! Keys, clientId, routes and rights.

use connectwise_sim::Credentials;
use serde_json::{Value, json};

use crate::client::{API, Site, authorization};

#[tokio::test]
async fn company_info_needs_no_keys() {
    let site = Site::start().await;
    let known = site
        .send("GET", "/login/companyinfo/tbdemo", &[], "")
        .await
        .expect("an answer");
    assert_eq!(known.status, 200);
    assert_eq!(known.json()["Codebase"], "v4_6_release/");
    assert_eq!(known.json()["CompanyID"], "tbdemo");
    let unknown = site
        .send("GET", "/login/companyinfo/unknown", &[], "")
        .await
        .expect("an answer");
    assert_eq!(unknown.status_and_body(), (200, Value::Null));
    site.faults(json!({ "variants": { "company_info_unknown": "not_found" } }))
        .await;
    let unknown = site
        .send("GET", "/login/companyinfo/unknown", &[], "")
        .await
        .expect("an answer");
    assert_eq!(unknown.status, 404);
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
    assert_eq!(
        (&me["identifier"], &me["licenseClass"]),
        (&json!("Ticketbridge"), &json!("A"))
    );
    assert_eq!(me["serviceDefaultBoard"]["id"], 21);
    let them = site
        .try_as(&site.technician, "GET", "/system/myMembers", "")
        .await
        .expect("an answer")
        .json();
    assert_eq!(
        (&them["identifier"], &them["licenseClass"]),
        (&json!("TSmith"), &json!("F"))
    );
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
        let reply = site
            .try_as(who, "GET", "/system/info", "")
            .await
            .expect("an answer");
        assert_eq!(reply.status_and_body(), expected);
    }
    let nothing = site
        .send("GET", &format!("{API}/system/info"), &[], "")
        .await
        .expect("an answer");
    assert_eq!(nothing.status_and_body(), (401, unauthorized.clone()));
    for status in [400, 401, 403] {
        site.faults(json!({ "variants": { "client_id_status": status } }))
            .await;
        let reply = site
            .try_as(&wrong_client, "GET", "/system/info", "")
            .await
            .expect("an answer");
        assert_eq!(reply.status_and_body(), (status, client_id.clone()));
    }
    site.faults(json!({ "variants": { "wrong_company": "unauthorized" } }))
        .await;
    let reply = site
        .try_as(&wrong_company, "GET", "/system/info", "")
        .await
        .expect("an answer");
    assert_eq!(reply.status_and_body(), (401, unauthorized));
    site.faults(json!({ "variants": { "unauthorized_body": "user_not_authenticated" } }))
        .await;
    let reply = site
        .try_as(&wrong_key, "GET", "/system/info", "")
        .await
        .expect("an answer");
    assert_eq!(
        reply.status_and_body(),
        (
            401,
            json!({ "code": "ConnectWiseApi", "message": "UserNotAuthenticated" })
        )
    );
    site.faults(json!({ "variants": { "system_info_auth": "open" } }))
        .await;
    let reply = site
        .try_as(&wrong_key, "GET", "/system/info", "")
        .await
        .expect("an answer");
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
        let technician = site
            .try_as(&site.technician, "GET", "/service/tickets", "")
            .await
            .expect("an answer");
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
        let reply = site
            .send("GET", path, &headers, "")
            .await
            .expect("an answer");
        assert_eq!(
            (reply.status, reply.text.as_str()),
            (400, "Cannot route. Codebase/company is invalid"),
            "{path}"
        );
    }
    let no_endpoint =
        json!({ "code": "ConnectWiseApi", "message": "The endpoint does not exist." });
    for path in ["/service/nothing", "/service/tickets/abc", "/service"] {
        assert_eq!(
            site.get(path).await.status_and_body(),
            (404, no_endpoint.clone()),
            "{path}"
        );
    }
    assert_eq!(
        site.get("/service/tickets/1255787").await.status_and_body(),
        (
            404,
            json!({ "code": "NotFound", "message": "Ticket 1255787 not found" })
        )
    );
    assert_eq!(site.delete("/service/tickets").await.status, 405);
    let untyped = site
        .send("POST", &format!("{API}/service/tickets"), &headers, "{}")
        .await
        .expect("an answer");
    assert_eq!(untyped.status, 415);
}

#[tokio::test]
async fn missing_rights_are_refused_where_needed() {
    let site = Site::start().await;
    let forbidden = json!({
        "code": "Security",
        "message": "You do not have security permission to perform this action.",
    });
    let ticket = json!({ "summary": "CPU", "company": { "id": 301 } });
    let id = site.post("/service/tickets", ticket.clone()).await.id();
    for (right, path) in [
        ("company_maintenance.inquire", "/company/companies"),
        ("table_setup.inquire", "/service/boards"),
        ("member_maintenance.inquire", "/system/apiMembers"),
        ("my_company.inquire", "/system/locations"),
        ("service_tickets.inquire", "/service/info/boards"),
    ] {
        assert_eq!(site.get(path).await.status, 200, "{path}");
        site.faults(json!({ "missing_rights": [right] })).await;
        assert_eq!(
            site.get(path).await.status_and_body(),
            (403, forbidden.clone()),
            "{path}"
        );
    }
    site.faults(json!({ "missing_rights": ["service_tickets.add", "close_service_tickets.edit"] }))
        .await;
    assert_eq!(
        site.post("/service/tickets", ticket.clone())
            .await
            .status_and_body(),
        (403, forbidden.clone())
    );
    assert_eq!(
        site.post("/service/tickets", json!({})).await.status,
        403,
        "the right comes first"
    );
    let close = json!([{ "op": "replace", "path": "status", "value": { "id": 214 } }]);
    assert_eq!(
        site.patch(&format!("/service/tickets/{id}"), close)
            .await
            .status_and_body(),
        (403, forbidden)
    );
    assert_eq!(
        site.get(&format!("/service/tickets/{id}")).await.json()["closedFlag"],
        false
    );

    site.faults(json!({ "variants": { "rights_checked": "after_validation" } }))
        .await;
    assert_eq!(
        site.post("/service/tickets", json!({})).await.status,
        400,
        "the body comes first"
    );
    assert_eq!(site.post("/service/tickets", ticket).await.status, 403);
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
    Simulator::start(Seed::demo(), address)
        .await
        .expect("free again")
        .stop()
        .await;
}
