//! Making, reading and deleting tickets.

use serde_json::{Value, json};

use crate::client::{Site, assert_has, columns, encoded, invalid_object, ticket};

#[tokio::test]
async fn omitted_members_get_defaults_and_references_expand() {
    let site = Site::start().await;
    let mut body = ticket();
    body["company"] = json!({ "identifier": "AcmeDental" });
    body["externalXRef"] = json!("tb1-a");
    let reply = site.post("/service/tickets", body).await;
    assert_eq!(reply.status, 201);
    let ticket = reply.json();
    let base = format!("{}/v4_6_release/apis/3.0", site.origin());
    assert_has!(ticket, {
        "id": 10001, "status": { "id": 211, "name": "New" }, "type": { "name": "Incident" },
        "priority": { "name": "Priority 3 - Medium" },
        "company": { "id": 301, "name": "Acme Dental Group" },
        "closedFlag": false, "externalXRef": "tb1-a", "_info": {
            "enteredBy": "Ticketbridge", "notes_href": format!("{base}/service/tickets/10001/notes"),
        },
    });
    let link = json!({ "board_href": format!("{base}/service/boards/21") });
    let board = json!({ "id": 21, "name": "Service Desk", "_info": link });
    assert_eq!(ticket["board"], board);
    let entered = ticket["_info"]["dateEntered"].as_str().expect("a date");
    assert_eq!((entered.len(), entered.ends_with('Z')), (20, true));
    assert_eq!(site.get("/service/tickets/10001").await.json(), ticket);
}

#[tokio::test]
async fn a_full_ticket_keeps_every_member() {
    let site = Site::start().await;
    let body = json!({
        "summary": "Ransomware stopped on DESK-4", "recordType": "ServiceTicket",
        "company": { "id": 303 }, "board": { "name": "Cyber Alerts" },
        "status": { "name": "In Progress" }, "type": { "name": "Ransomware Encryption" },
        "priority": { "id": 31 }, "externalXRef": "x".repeat(100), "severity": "High",
        "estimatedStartDate": "2026-01-02T03:04:05Z", "owner": { "identifier": "TSmith" },
        "team": { "id": 42 }, "initialDescription": "What happened", "processNotifications": false,
    });
    let reply = site.post("/service/tickets", body).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let ticket = reply.json();
    assert_has!(ticket, {
        "board": { "id": 23 }, "status": { "id": 232 }, "type": { "id": 2302 },
        "priority": { "name": "Priority 1 - Critical" }, "severity": "High",
        "estimatedStartDate": "2026-01-02T03:04:05Z", "owner": { "name": "Tara Smith" },
        "team": { "name": "Security Team" },
    });
    assert_eq!(ticket.get("initialDescription"), None, "never returned");
    assert_eq!(ticket.get("processNotifications"), None, "never returned");
    let notes = site.get("/service/tickets/10001/notes").await.json();
    assert_has!(notes[0], {
        "text": "What happened", "detailDescriptionFlag": true, "internalAnalysisFlag": false,
    });
}

#[tokio::test]
async fn a_ticket_takes_a_team_of_its_board_and_an_active_member_only() {
    let site = Site::start().await;
    let team = json!({ "name": "Night", "teamLeader": { "id": 152 } });
    let night = site.post("/service/boards/22/teams", team).await.id();
    let ticket = |board: i64, members: Value| {
        let mut body =
            json!({ "summary": "CPU", "company": { "id": 301 }, "board": { "id": board } });
        for (name, value) in members.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body
    };
    let made = ticket(
        22,
        json!({ "team": { "id": night }, "owner": { "id": 151 } }),
    );
    let made = site.post("/service/tickets", made).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_has!(made.json(), { "team": { "name": "Night" }, "owner": { "id": 151 } });

    for (board, members, field, message) in [
        (
            23,
            json!({ "team": { "id": night } }),
            "team/id",
            format!("Service Team {night} not found for Service Board 23"),
        ),
        (
            22,
            json!({ "owner": { "id": 153 } }),
            "owner/id",
            "Member 153 not found".to_owned(),
        ),
    ] {
        let refused = site.post("/service/tickets", ticket(board, members)).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert_has!(refused.json()["errors"][0], {
            "code": "NotFound", "field": field, "message": message,
        });
    }
}

#[tokio::test]
async fn initial_texts_become_notes() {
    let site = Site::start().await;
    let ticket = json!({
        "summary": "CPU", "company": { "id": 301 }, "initialDescription": "one", "initialInternalAnalysis": "two",
        "initialResolution": "three",
    });
    let made = site.post("/service/tickets", ticket).await.json();
    let members = made.as_object().expect("an object").keys();
    assert!(!members.into_iter().any(|name| name.starts_with("initial")));
    let notes = site.get("/service/tickets/10001/notes").await.json();
    assert_eq!(
        columns(
            &notes,
            [
                "text",
                "detailDescriptionFlag",
                "internalAnalysisFlag",
                "resolutionFlag"
            ]
        ),
        json!([
            ["one", true, false, false],
            ["two", false, true, false],
            ["three", false, false, true],
        ])
    );
}

#[tokio::test]
async fn an_invalid_ticket_names_its_field_and_is_not_created() {
    let site = Site::start().await;
    let required = |message, field| ("MissingRequiredField", message, field);
    let not_found = |message, field| ("NotFound", message, field);
    let long = "x".repeat(101);
    for (change, errors) in [
        (
            json!({ "summary": null }),
            vec![required("The summary field is required.", "summary")],
        ),
        (
            json!({ "company": {} }),
            vec![required("The company/id field is required.", "company")],
        ),
        (
            json!({ "summary": long }),
            vec![(
                "MaxLengthField",
                "The field summary must be a string with a maximum length of 100.",
                "summary",
            )],
        ),
        (
            json!({ "externalXRef": long }),
            vec![(
                "MaxLengthField",
                "The field externalXRef must be a string with a maximum length of 100.",
                "externalXRef",
            )],
        ),
        (
            json!({ "board": { "id": 22 }, "status": { "id": 211 }, "type": { "id": 2301 } }),
            vec![
                not_found(
                    "Service Status 211 not found for Service Board 22",
                    "status/id",
                ),
                not_found(
                    "Service Type 2301 not found for Service Board 22",
                    "type/id",
                ),
            ],
        ),
        (
            json!({ "board": { "id": 21 }, "status": { "id": 17 } }),
            vec![not_found(
                "Service Status 17 not found for Service Board 21",
                "status/id",
            )],
        ),
        (
            json!({ "status": { "id": 215 } }),
            vec![not_found(
                "Service Status 215 not found for Service Board 21",
                "status/id",
            )],
        ),
        (
            json!({ "board": { "id": 99 } }),
            vec![not_found("Service Board 99 not found", "board/id")],
        ),
        (
            json!({ "board": { "id": 24 } }),
            vec![not_found("Service Board 24 not found", "board/id")],
        ),
        (
            json!({ "company": { "id": 99 } }),
            vec![not_found("Company 99 not found", "company/id")],
        ),
        (
            json!({ "company": { "id": 304 } }),
            vec![not_found("Company 304 not found", "company/id")],
        ),
        (
            json!({ "company": { "identifier": "Unknown" } }),
            vec![not_found("Company Unknown not found", "company/identifier")],
        ),
        (
            json!({ "priority": { "id": 99 } }),
            vec![not_found("Priority 99 not found", "priority/id")],
        ),
        (
            json!({ "status": { "id": 214 } }),
            vec![(
                "InvalidObject",
                "A new ticket cannot have a closed status.",
                "status",
            )],
        ),
        (
            json!({ "recordType": "Ticket" }),
            vec![(
                "InvalidEnum",
                "Enum value supplied was invalid",
                "recordType",
            )],
        ),
    ] {
        let mut ticket = ticket();
        for (member, value) in change.as_object().expect("an object") {
            ticket[member] = value.clone();
        }
        let refused = site.post("/service/tickets", ticket).await;
        let expected = invalid_object("ticket", &errors);
        assert_eq!(refused.status_and_body(), expected, "{change}");
    }
    assert_eq!(site.count("/service/tickets").await, 0);
    let misspelt = site
        .post("/service/tickets", json!({ "sumary": "CPU" }))
        .await;
    let message = "Could not find member 'sumary' on object of type 'Ticket'. Path 'sumary', line 1, position 10.\
        Check your accept header to make sure you are using the correct version.";
    misspelt.assert_error(400, "ConnectWiseApi", message);
}

#[tokio::test]
async fn deleting_a_ticket_deletes_its_notes() {
    let site = Site::start().await;
    let path = site.new_ticket().await;
    let deleted = site.as_technician("DELETE", &path, "").await;
    assert_eq!(deleted.status, 204);
    for path in [&path, &format!("{path}/notes")] {
        let reply = site.get(path).await;
        reply.assert_error(404, "NotFound", "Ticket 10001 not found");
    }
    assert_eq!(site.delete(&path).await.status, 404);
}

#[tokio::test]
async fn a_search_may_lag_and_a_board_may_be_hidden() {
    let site = Site::start().await;
    let ticket = json!({ "summary": "CPU", "company": { "id": 301 }, "externalXRef": "tb1-a" });
    let id = site.post("/service/tickets", ticket).await.id();
    let path = format!("/service/tickets/{id}");
    let reference = encoded("externalXRef=\"tb1-a\"");
    let found = format!("/service/tickets?conditions={reference}");
    assert_eq!(site.get(&found).await.ids(), [id]);
    site.variant("search_lag_seconds", 60).await;
    assert_eq!(site.get(&found).await.json(), json!([]));
    assert_eq!(site.get(&path).await.status, 200);
    site.faults(json!({ "variants": { "search_lag_seconds": 0, "hidden_board_ids": [21] } }))
        .await;
    assert_eq!(site.get(&found).await.json(), json!([]));
    assert_eq!(site.get(&path).await.status, 404);
    let technician = site.as_technician("GET", &path, "").await;
    assert_eq!(technician.status, 200);
}
