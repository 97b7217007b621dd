//! Making, reading and deleting tickets.

use serde_json::{Value, json};

use crate::client::{Site, encoded};

fn invalid(errors: &[(&str, &str, &str)]) -> (u16, Value) {
    let errors: Vec<Value> = errors
        .iter()
        .map(|(code, message, field)| json!({ "code": code, "message": message, "resource": "ticket", "field": field }))
        .collect();
    (
        400,
        json!({ "code": "InvalidObject", "message": "ticket object is invalid", "errors": errors }),
    )
}

#[tokio::test]
async fn omitted_members_get_defaults_and_references_expand() {
    let site = Site::start().await;
    let reply = site
        .post(
            "/service/tickets",
            json!({ "summary": "CPU at 99 %", "company": { "identifier": "AcmeDental" }, "externalXRef": "tb1-a" }),
        )
        .await;
    assert_eq!(reply.status, 201);
    let ticket = reply.json();
    let base = format!("{}/v4_6_release/apis/3.0", site.origin());
    assert_eq!(ticket["id"], 10001);
    assert_eq!(
        ticket["board"],
        json!({ "id": 21, "name": "Service Desk", "_info": { "board_href": format!("{base}/service/boards/21") } })
    );
    assert_eq!(ticket["status"]["id"], 211);
    assert_eq!(ticket["status"]["name"], "New");
    assert_eq!(ticket["type"]["name"], "Incident");
    assert_eq!(ticket["priority"]["name"], "Priority 3 - Medium");
    assert_eq!(ticket["company"]["id"], 301);
    assert_eq!(ticket["company"]["name"], "Acme Dental Group");
    assert_eq!(ticket["closedFlag"], false);
    assert_eq!(ticket["externalXRef"], "tb1-a");
    assert_eq!(ticket["_info"]["enteredBy"], "Ticketbridge");
    assert_eq!(
        ticket["_info"]["notes_href"],
        format!("{base}/service/tickets/10001/notes")
    );
    let entered = ticket["_info"]["dateEntered"].as_str().expect("a date");
    assert_eq!((entered.len(), entered.ends_with('Z')), (20, true));
    assert_eq!(site.get("/service/tickets/10001").await.json(), ticket);
}

#[tokio::test]
async fn a_full_ticket_keeps_every_member() {
    let site = Site::start().await;
    let reply = site
        .post(
            "/service/tickets",
            json!({
                "summary": "Ransomware stopped on DESK-4", "recordType": "ServiceTicket",
                "company": { "id": 303 }, "board": { "name": "Cyber Alerts" }, "status": { "name": "In Progress" },
                "type": { "name": "Ransomware Encryption" }, "priority": { "id": 31 }, "externalXRef": "x".repeat(100),
                "estimatedStartDate": "2026-01-02T03:04:05Z", "severity": "High", "owner": { "identifier": "TSmith" },
                "team": { "id": 42 }, "initialDescription": "What happened", "processNotifications": false,
            }),
        )
        .await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let ticket = reply.json();
    for (pointer, value) in [
        ("/board/id", json!(23)),
        ("/status/id", json!(232)),
        ("/type/id", json!(2302)),
        ("/priority/name", json!("Priority 1 - Critical")),
        ("/estimatedStartDate", json!("2026-01-02T03:04:05Z")),
        ("/severity", json!("High")),
        ("/owner/name", json!("Tara Smith")),
        ("/team/name", json!("Security Team")),
    ] {
        assert_eq!(ticket.pointer(pointer), Some(&value), "{pointer}");
    }
    assert_eq!(ticket.get("initialDescription"), None, "never returned");
    assert_eq!(ticket.get("processNotifications"), None, "never returned");
    let notes = site.get("/service/tickets/10001/notes").await.json();
    assert_eq!(notes[0]["text"], "What happened");
    assert_eq!(notes[0]["detailDescriptionFlag"], true);
    assert_eq!(notes[0]["internalAnalysisFlag"], false);
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
    assert_eq!(
        members.filter(|name| name.starts_with("initial")).count(),
        0
    );
    let notes = site.get("/service/tickets/10001/notes").await.json();
    let texts_and_flags: Vec<_> = notes
        .as_array()
        .expect("a list")
        .iter()
        .map(|note| {
            let flags = [
                "detailDescriptionFlag",
                "internalAnalysisFlag",
                "resolutionFlag",
            ]
            .map(|flag| note[flag] == true);
            (note["text"].clone(), flags)
        })
        .collect();
    assert_eq!(
        texts_and_flags,
        [
            (json!("one"), [true, false, false]),
            (json!("two"), [false, true, false]),
            (json!("three"), [false, false, true]),
        ]
    );
}

#[tokio::test]
async fn an_invalid_ticket_names_its_field_and_is_not_created() {
    let site = Site::start().await;
    let not_found = "NotFound";
    for (change, expected) in [
        (
            json!({ "summary": null }),
            invalid(&[(
                "MissingRequiredField",
                "The summary field is required.",
                "summary",
            )]),
        ),
        (
            json!({ "company": {} }),
            invalid(&[(
                "MissingRequiredField",
                "The company/id field is required.",
                "company",
            )]),
        ),
        (
            json!({ "summary": "x".repeat(101) }),
            invalid(&[(
                "MaxLengthField",
                "The field summary must be a string with a maximum length of 100.",
                "summary",
            )]),
        ),
        (
            json!({ "externalXRef": "x".repeat(101) }),
            invalid(&[(
                "MaxLengthField",
                "The field externalXRef must be a string with a maximum length of 100.",
                "externalXRef",
            )]),
        ),
        (
            json!({ "board": { "id": 21 }, "status": { "id": 17 } }),
            invalid(&[(
                not_found,
                "Service Status 17 not found for Service Board 21",
                "status/id",
            )]),
        ),
        (
            json!({ "board": { "id": 22 }, "status": { "id": 211 }, "type": { "id": 2301 } }),
            invalid(&[
                (
                    not_found,
                    "Service Status 211 not found for Service Board 22",
                    "status/id",
                ),
                (
                    not_found,
                    "Service Type 2301 not found for Service Board 22",
                    "type/id",
                ),
            ]),
        ),
        (
            json!({ "status": { "id": 215 } }),
            invalid(&[(
                not_found,
                "Service Status 215 not found for Service Board 21",
                "status/id",
            )]),
        ),
        (
            json!({ "board": { "id": 99 } }),
            invalid(&[(not_found, "Service Board 99 not found", "board/id")]),
        ),
        (
            json!({ "board": { "id": 24 } }),
            invalid(&[(not_found, "Service Board 24 not found", "board/id")]),
        ),
        (
            json!({ "company": { "id": 99 } }),
            invalid(&[(not_found, "Company 99 not found", "company/id")]),
        ),
        (
            json!({ "company": { "id": 304 } }),
            invalid(&[(not_found, "Company 304 not found", "company/id")]),
        ),
        (
            json!({ "company": { "identifier": "Nobody" } }),
            invalid(&[(not_found, "Company Nobody not found", "company/identifier")]),
        ),
        (
            json!({ "priority": { "id": 99 } }),
            invalid(&[(not_found, "Priority 99 not found", "priority/id")]),
        ),
        (
            json!({ "status": { "id": 214 } }),
            invalid(&[(
                "InvalidObject",
                "A new ticket cannot have a closed status.",
                "status",
            )]),
        ),
        (
            json!({ "recordType": "Ticket" }),
            invalid(&[(
                "InvalidEnum",
                "Enum value supplied was invalid",
                "recordType",
            )]),
        ),
    ] {
        let mut ticket = json!({ "summary": "CPU", "company": { "id": 301 } });
        for (member, value) in change.as_object().expect("an object") {
            ticket[member] = value.clone();
        }
        assert_eq!(
            site.post("/service/tickets", ticket)
                .await
                .status_and_body(),
            expected,
            "{change}"
        );
    }
    assert_eq!(
        site.get("/service/tickets/count").await.json(),
        json!({ "count": 0 })
    );
    let misspelt = site
        .post("/service/tickets", json!({ "sumary": "CPU" }))
        .await;
    assert_eq!(
        misspelt.status_and_body(),
        (
            400,
            json!({
                "code": "ConnectWiseApi",
                "message": "Could not find member 'sumary' on object of type 'Ticket'. Path 'sumary', line 1, position 10.\
                            Check your accept header to make sure you are using the correct version.",
            })
        )
    );
}

#[tokio::test]
async fn a_site_may_allow_creation_in_a_closed_status() {
    let site = Site::start().await;
    site.faults(json!({ "variants": { "closed_status_at_creation": "allowed" } }))
        .await;
    let ticket =
        json!({ "summary": "CPU", "company": { "id": 301 }, "status": { "name": ">Closed" } });
    let reply = site.post("/service/tickets", ticket).await;
    assert_eq!(
        (reply.status, &reply.json()["closedFlag"]),
        (201, &json!(true))
    );
}

#[tokio::test]
async fn deleting_a_ticket_deletes_its_notes() {
    let site = Site::start().await;
    let id = site
        .post(
            "/service/tickets",
            json!({ "summary": "CPU", "company": { "id": 301 } }),
        )
        .await
        .id();
    let technician = site
        .try_as(
            &site.technician,
            "DELETE",
            &format!("/service/tickets/{id}"),
            "",
        )
        .await;
    assert_eq!(technician.expect("an answer").status, 204);
    for path in [
        format!("/service/tickets/{id}"),
        format!("/service/tickets/{id}/notes"),
    ] {
        let not_found = (
            404,
            json!({ "code": "NotFound", "message": format!("Ticket {id} not found") }),
        );
        assert_eq!(site.get(&path).await.status_and_body(), not_found);
    }
    assert_eq!(
        site.delete(&format!("/service/tickets/{id}")).await.status,
        404
    );
}

#[tokio::test]
async fn a_search_may_lag_and_a_board_may_be_hidden() {
    let site = Site::start().await;
    let ticket = json!({ "summary": "CPU", "company": { "id": 301 }, "externalXRef": "tb1-a" });
    let id = site.post("/service/tickets", ticket).await.id();
    let found = format!(
        "/service/tickets?conditions={}",
        encoded("externalXRef=\"tb1-a\"")
    );
    assert_eq!(site.get(&found).await.ids(), [id]);
    site.faults(json!({ "variants": { "search_lag_seconds": 60 } }))
        .await;
    assert_eq!(site.get(&found).await.json(), json!([]));
    assert_eq!(
        site.get(&format!("/service/tickets/{id}")).await.status,
        200
    );
    site.faults(json!({ "variants": { "search_lag_seconds": 0, "hidden_board_ids": [21] } }))
        .await;
    assert_eq!(site.get(&found).await.json(), json!([]));
    assert_eq!(
        site.get(&format!("/service/tickets/{id}")).await.status,
        404
    );
    let path = format!("/service/tickets/{id}");
    let technician = site
        .try_as(&site.technician, "GET", &path, "")
        .await
        .expect("an answer");
    assert_eq!(technician.status, 200);
}
