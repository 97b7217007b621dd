//! Writable set-up tables: boards with their parts, companies, and the smaller tables.

use serde_json::{Value, json};

use crate::client::{Reply, Site, assert_has, columns, encoded, replace, replace_id};

fn board(name: &str) -> Value {
    json!({ "name": name, "location": { "id": 2 }, "department": { "name": "Professional Services" } })
}

/// Asserts a refusal with code and field of each error.
#[track_caller]
fn assert_refused(reply: &Reply, errors: &[[&str; 2]]) {
    assert_eq!(reply.status, 400, "{}", reply.text);
    let found = columns(&reply.json()["errors"], ["code", "field"]);
    assert_eq!(found, json!(errors), "{}", reply.text);
}

fn names(reply: &Reply) -> Vec<String> {
    let rows = reply.json();
    let rows = rows.as_array().expect("a list").iter();
    rows.map(|row| row["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test]
async fn a_created_board_accepts_a_ticket() {
    let site = Site::start().await;
    let made = site.post("/service/boards", board("Alerts")).await;
    made.assert_is(201, &json!({ "location": { "name": "Springfield" } }));
    assert_has!(made.json(), { "department": { "identifier": "Services" } });
    assert_has!(made.json(), { "_info": { "updatedBy": "Ticketbridge" } });
    let path = format!("/service/boards/{}", made.id());

    let closed = json!({ "name": "Closed", "closedStatus": true, "sortOrder": 99 });
    let closed = site.post(&format!("{path}/statuses"), closed).await;
    closed.assert_is(201, &json!({ "closedStatus": true }));
    let fresh = json!({ "name": "Fresh", "defaultFlag": true });
    let fresh = site.post(&format!("{path}/statuses"), fresh).await.id();
    let kind = site
        .post(&format!("{path}/types"), json!({ "name": "Disk" }))
        .await;
    let team =
        json!({ "name": "Night", "teamLeader": { "identifier": "JMiller" }, "members": [151] });
    let team = site.post(&format!("{path}/teams"), team).await;
    assert_eq!(team.json()["teamLeader"]["name"], "Jonas Miller");
    assert_has!(team.json(), { "boardId": made.id(), "locationId": 2 });
    assert!(names(&site.get("/service/teams").await).contains(&"Night".to_owned()));

    let ticket = json!({
        "summary": "Disk full", "company": { "id": 301 }, "board": { "name": "Alerts" },
        "type": { "name": "Disk" }, "team": { "id": team.id() },
    });
    let ticket = site.post("/service/tickets", ticket).await.json();
    assert_has!(ticket, { "status": { "id": fresh }, "type": { "id": kind.id() } });
    assert_has!(ticket, { "team": { "name": "Night" } });
    let close = replace_id("status", closed.id());
    let ticket = site
        .patch(&format!("/service/tickets/{}", ticket["id"]), close)
        .await;
    assert_eq!(ticket.json()["closedFlag"], true);
}

#[tokio::test]
async fn an_inconsistent_board_is_refused() {
    let site = Site::start().await;
    let bare = site.post("/service/boards", json!({ "name": "x" })).await;
    let error = bare.json()["errors"][1]["message"].clone();
    assert_eq!(error, "The location/id field is required.");
    assert_refused(
        &bare,
        &[
            ["MissingRequiredField", "department"],
            ["MissingRequiredField", "location"],
        ],
    );
    let taken = site.post("/service/boards", board("service desk")).await;
    assert_refused(&taken, &[["ObjectExists", "name"]]);
    assert_eq!(taken.json()["message"], "board object is invalid");
    let mut elsewhere = board("x");
    elsewhere["location"]["id"] = json!(99);
    let elsewhere = site.post("/service/boards", elsewhere).await;
    assert_refused(&elsewhere, &[["NotFound", "location/id"]]);
    let long = site.post("/service/boards", board(&"x".repeat(51))).await;
    assert_refused(&long, &[["MaxLengthField", "name"]]);
    let mut misspelt = board("x");
    misspelt["colour"] = json!("red");
    let misspelt = site.post("/service/boards", misspelt).await;
    let message = "Could not find member 'colour' on object of type 'Board'";
    assert!(misspelt.text.contains(message));
    assert_eq!(site.count("/service/boards").await, 4);
    let team = json!({ "name": "Service Team", "teamLeader": { "id": 151 } });
    for (path, body) in [
        ("statuses", json!({ "name": "new" })),
        ("types", json!({ "name": "Incident" })),
        ("teams", team),
    ] {
        let reply = site.post(&format!("/service/boards/21/{path}"), body).await;
        assert_refused(&reply, &[["ObjectExists", "name"]]);
    }
    let leaderless = json!({ "name": "x", "members": [999] });
    let leaderless = site.post("/service/boards/21/teams", leaderless).await;
    assert_refused(
        &leaderless,
        &[
            ["MissingRequiredField", "teamLeader"],
            ["NotFound", "members"],
        ],
    );
    let nowhere = site
        .post("/service/boards/99/statuses", json!({ "name": "x" }))
        .await;
    nowhere.assert_error(404, "NotFound", "Board 99 not found");
}

#[tokio::test]
async fn a_board_is_copied_with_its_statuses_and_types() {
    let site = Site::start().await;
    let copy = site
        .post("/service/boards/copy", json!({ "id": 22, "name": "Copy" }))
        .await;
    copy.assert_is(200, &json!({ "name": "Copy" }));
    let path = format!("/service/boards/{}", copy.id());
    let types = site.get(&format!("{path}/types")).await;
    assert_eq!(
        names(&types),
        names(&site.get("/service/boards/22/types").await)
    );
    assert_ne!(types.ids()[0], 2201);
    let again = site.post("/service/boards/copy", json!({ "id": 22, "name": "Copy" }));
    assert_refused(&again.await, &[["ObjectExists", "name"]]);
    let nothing = site.post("/service/boards/copy", json!({ "id": 99, "name": "x" }));
    assert_eq!(nothing.await.status, 404);
}

#[tokio::test]
async fn an_api_members_default_board_is_where_its_tickets_go() {
    let site = Site::start().await;
    let ticket = json!({ "summary": "x", "company": { "id": 301 } });
    let change = replace_id("serviceDefaultBoard", 23);
    let changed = site.patch("/system/apiMembers/181", change).await;
    assert_has!(changed.json(), { "serviceDefaultBoard": { "name": "Cyber Alerts" } });
    let me = site.get("/system/myMembers").await.json();
    assert_eq!(me["serviceDefaultBoard"]["id"], 23);
    let made = site.post("/service/tickets", ticket.clone()).await.json();
    assert_eq!(made["board"]["id"], 23);
    let hide = replace("excludedServiceBoardIds", json!([23]));
    site.patch("/system/apiMembers/181", hide).await;
    assert_eq!(site.get("/service/boards/23").await.status, 404);
    assert_eq!(site.get("/service/tickets").await.ids(), [0_i64; 0]);
    let source = json!({ "name": "Ticketbridge", "defaultFlag": true });
    let source = site.post("/service/sources", source).await.id();
    let default = site
        .get("/service/sources?conditions=defaultFlag=true")
        .await;
    assert_eq!(default.ids(), [source]);
}

#[tokio::test]
async fn used_setup_records_cannot_be_deleted() {
    let site = Site::start().await;
    let status =
        json!({ "name": "Parked", "sortOrder": 60, "customerPortalDescription": "We wait." });
    let status = site.post("/service/boards/21/statuses", status).await.id();
    let path = format!("/service/boards/21/statuses/{status}");
    let change = json!([
        { "op": "replace", "path": "name", "value": "Parked for now" },
        { "op": "replace", "path": "defaultFlag", "value": true },
    ]);
    let changed = site.patch(&path, change).await.json();
    assert_has!(changed, { "name": "Parked for now", "customerPortalDescription": "We wait." });
    let others = site
        .get("/service/boards/21/statuses?conditions=defaultFlag=true")
        .await;
    assert_eq!(others.ids(), [status], "one status alone is the default");
    let sub_path = replace("board/id", 22);
    let false_200 = site.patch(&path, sub_path).await;
    false_200.assert_is(200, &json!({ "board": { "id": 21 } }));
    let last = site.journal(0).await;
    assert_eq!(last.last().expect("a line")["committed"], false);
    let replace = site
        .as_technician("PUT", &path, &json!({ "name": "Parked" }).to_string())
        .await;
    assert_eq!(replace.json().get("customerPortalDescription"), None);
    assert_has!(replace.json(), { "sortOrder": 0, "_info": { "updatedBy": "TSmith" } });

    assert_eq!(site.delete(&path).await.status, 204);
    assert_eq!(site.get(&path).await.status, 404);
    let ticket = json!({ "summary": "CPU", "company": { "id": 301 }, "status": { "id": 212 } });
    site.post("/service/tickets", ticket).await;
    for used in ["/service/boards/21/statuses/212", "/service/boards/21"] {
        assert_eq!(site.delete(used).await.status, 409, "{used}");
        assert_eq!(site.get(used).await.status, 200);
    }
}

#[tokio::test]
async fn sub_types_and_items_belong_to_a_board_and_their_types() {
    let site = Site::start().await;
    let path = "/service/boards/21";
    let both = json!({ "name": "Printer", "typeAssociationIds": [2101, 2102] });
    let printer = site.post(&format!("{path}/subtypes"), both).await.id();
    let all = json!({ "name": "Any", "addAllTypesFlag": true });
    let all = site.post(&format!("{path}/subtypes"), all).await.json();
    assert_eq!(all["typeAssociationIds"], json!([2101, 2102, 2103]));
    let astray = json!({ "name": "Astray", "typeAssociationIds": [2201] });
    let astray = site.post(&format!("{path}/subtypes"), astray).await;
    let error = astray.json()["errors"][0]["message"].clone();
    assert_eq!(error, "BoardType 2201 not found");
    let condition = format!("conditions=subType/id={printer}");
    let triples = site
        .get(&format!("{path}/typeSubTypeItemAssociations?{condition}"))
        .await;
    assert_eq!(triples.json()[1]["type"]["name"], "Service Request");
    assert_eq!(triples.ids().len(), 2);
    let item = site
        .post(&format!("{path}/items"), json!({ "name": "Toner" }))
        .await
        .id();
    let ticket = json!({
        "summary": "Toner", "company": { "id": 301 }, "subType": { "id": printer }, "item": { "id": item },
        "source": { "name": "RMM" }, "site": { "name": "Main" },
    });
    let astray = site.post("/service/tickets", ticket.clone()).await;
    assert_refused(&astray, &[["NotFound", "item/id"]]);
    let association = format!("{path}/items/{item}/associations/2101");
    let printers = json!({ "id": 2101, "subTypeAssociationIds": [printer] });
    let made = site.put(&association, printers).await.json();
    assert_eq!(made["subTypeAssociationIds"], json!([printer]));
    let triples = site
        .get(&format!("{path}/typeSubTypeItemAssociations?{condition}"))
        .await;
    assert_eq!(triples.json()[0]["item"]["name"], "Toner");
    let made = site.post("/service/tickets", ticket.clone()).await.json();
    assert_eq!(made["subType"]["name"], "Printer");
    let mut changed = ticket.clone();
    changed["type"] = json!({ "id": 2103 });
    let changed = site.post("/service/tickets", changed).await;
    assert_refused(
        &changed,
        &[["NotFound", "subType/id"], ["NotFound", "item/id"]],
    );
    let mut alone = ticket.clone();
    alone.as_object_mut().unwrap().remove("subType");
    let alone = site.post("/service/tickets", alone).await;
    assert_refused(&alone, &[["MissingRequiredField", "subType"]]);
    assert_eq!(made["source"], json!({ "id": 3, "name": "RMM" }));
    assert_eq!(made["site"]["id"], 301, "the company's own");
    let mut elsewhere = ticket;
    elsewhere["board"] = json!({ "id": 22 });
    let elsewhere = site.post("/service/tickets", elsewhere).await;
    assert_refused(
        &elsewhere,
        &[["NotFound", "item/id"], ["NotFound", "subType/id"]],
    );
}

#[tokio::test]
async fn companies_are_searched_created_and_soft_deleted() {
    let site = Site::start().await;
    let found = async |condition: &str| {
        let condition = encoded(condition);
        site.get(&format!("/company/companies?conditions={condition}"))
            .await
    };
    assert_eq!(found("name contains \"cedar\"").await.ids(), [303, 304]);
    let live = "deletedFlag=false AND status/name=\"Active\" AND name contains \"ced\"";
    assert_eq!(found(live).await.ids(), [303]);
    assert_eq!(found("identifier=\"AcmeDental\"").await.ids(), [301]);

    let company = json!({ "identifier": "Harbour", "name": "Harbour Cafe", "city": "Shelbyville" });
    let made = site.post("/company/companies", company.clone()).await;
    made.assert_is(201, &json!({ "status": { "name": "Active" } }));
    let again = site.post("/company/companies", company).await;
    assert_refused(&again, &[["ObjectExists", "identifier"]]);
    let homeless = json!({ "identifier": "x", "name": "x" });
    let homeless = site.post("/company/companies", homeless).await;
    assert_refused(&homeless, &[["MissingRequiredField", "addressLine1"]]);
    let path = format!("/company/companies/{}", made.id());
    let sites = site.get(&format!("{path}/sites")).await;
    assert_eq!(names(&sites), ["Main"]);
    assert_eq!(site.delete(&path).await.status, 204);
    assert_eq!(site.get(&path).await.json()["deletedFlag"], true);
    let ticket = json!({ "summary": "x", "company": { "id": made.id() } });
    assert_eq!(site.post("/service/tickets", ticket).await.status, 400);
}

#[tokio::test]
async fn records_are_found_by_nested_members() {
    let site = Site::start().await;
    for (first, value) in [("Ana", "ana@acme.example"), ("Bob", "bob@acme.example")] {
        let contact = json!({
            "firstName": first, "company": { "id": 301 },
            "communicationItems": [
                { "value": value, "communicationType": "Email" },
                { "value": "5550100", "communicationType": "Phone" },
            ],
        });
        assert_eq!(site.post("/company/contacts", contact).await.status, 201);
    }
    let found = async |condition: &str| {
        let condition = encoded(condition);
        site.get(&format!("/company/contacts?childConditions={condition}"))
            .await
    };
    let mail =
        "communicationItems/value like \"bob*\" AND communicationItems/communicationType=\"Email\"";
    let rows = found(mail).await.json();
    assert_eq!((&rows[0]["firstName"], rows.get(1)), (&json!("Bob"), None));
    let split = mail.replace("Email", "Phone");
    let none = found(&split).await.json();
    assert_eq!(none, json!([]), "one item must fulfil all");
    for refused in [
        "communicationItems/colour=\"red\"",
        "firstName=\"Bob\"",
        "communicationItems/value=\"x\" and types/name=\"y\"",
        "communicationItems/value in (\"x\")",
    ] {
        let reply = found(refused).await;
        assert_eq!(reply.json()["code"], "ApiFindCondition", "{refused}");
    }

    let field = json!([{ "id": 1, "value": "B" }]);
    let ticket = json!({ "summary": "x", "company": { "id": 301 }, "customFields": field });
    let id = site.post("/service/tickets", ticket).await.id();
    for (value, ids) in [("\"B\"", vec![id]), ("\"C\"", vec![]), ("5", vec![])] {
        let condition = format!("caption=\"Affected device\" AND value={value}");
        let query = format!("customFieldConditions={}", encoded(&condition));
        let found = site.get(&format!("/service/tickets?{query}")).await;
        assert_eq!(found.ids(), ids);
        let body = json!({ "customfieldconditions": condition });
        assert_eq!(site.post("/service/tickets/search", body).await.ids(), ids);
    }
}

#[tokio::test]
async fn info_lists_counts_and_fixed_tables_answer() {
    let site = Site::start().await;
    let boards = site.get("/service/info/boards").await.json();
    assert_eq!(boards[3]["name"], "Old Help Desk");
    assert_eq!(boards[3].get("restrictBoardByDefaultFlag"), None);
    assert_eq!(
        site.get("/service/info/boards/active").await.ids(),
        [21, 22, 23]
    );
    let statuses = site.get("/service/boards/21/statuses/info").await.json();
    assert_has!(statuses[3], { "closedFlag": true });
    assert_has!(statuses[4], { "inactiveFlag": true });
    let member = site.get("/system/members/JMiller").await.json();
    assert_has!(member, { "id": 152, "teams": [42] });
    assert_eq!(site.get("/system/members/unknown").await.status, 404);
    let members = site.get("/system/info/members").await.json();
    assert_eq!(members[0]["fullName"], "Tara Smith");
    for (path, count) in [
        ("/service/sources", 3),
        ("/service/severities", 3),
        ("/service/impacts", 3),
        ("/service/locations", 3),
        ("/system/securityroles", 2),
        ("/system/callbacks", 0),
        ("/company/contacts", 0),
        ("/service/boards/22/types", 7),
        ("/service/boards/22/teams", 2),
        ("/service/boards/22/subtypes", 0),
    ] {
        assert_eq!(site.count(path).await, count, "{path}");
        assert_eq!(site.get(path).await.ids().len(), count, "{path}");
    }
    let fixed = site.post("/service/severities", json!({ "description": "x" }));
    assert_eq!(fixed.await.status, 405);
}

#[tokio::test]
async fn a_reset_removes_created_setup_records() {
    let site = Site::start().await;
    site.post("/service/boards", board("Alerts")).await;
    site.post("/service/sources", json!({ "name": "Alerts" }))
        .await;
    site.reset().await;
    assert_eq!(site.get("/service/boards").await.ids(), [21, 22, 23, 24]);
    assert_eq!(site.get("/service/sources").await.ids(), [1, 2, 3]);
}
