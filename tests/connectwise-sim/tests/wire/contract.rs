//! The simulator's responses against ConnectWise's OpenAPI description: every path and method of
//! `openapi.json` is called, and every member of every response must be described there, with its
//! type, length and choices. Endpoints that are not simulated are listed in `not_simulated.txt`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::client::{Reply, Site};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// ConnectWise's description.
struct Contract(Value);

impl Contract {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("openapi.json")).expect("JSON"))
    }

    fn paths(&self) -> &Map<String, Value> {
        self.0["paths"].as_object().expect("paths")
    }

    /// The schema of an operation's response, with its status.
    fn answer(&self, method: &str, path: &str) -> Option<(u16, Option<&Value>)> {
        let operation = self
            .paths()
            .get(path)?
            .get(method.to_ascii_lowercase().as_str())?;
        let (status, response) = operation["responses"].as_object()?.iter().next()?;
        let content = response.get("content").and_then(Value::as_object);
        let schema = content.and_then(|content| content.values().next()?.get("schema"));
        Some((status.parse().expect("a status"), schema))
    }

    /// The required members of a request's record, and the record's name.
    fn body(&self, method: &str, path: &str) -> Option<&str> {
        let operation = &self.paths()[path][method.to_ascii_lowercase().as_str()];
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        schema["$ref"].as_str()?.rsplit('/').next()
    }

    fn schema(&self, name: &str) -> &Value {
        &self.0["components"]["schemas"][name]
    }

    /// Everything in `value` that the schema does not allow.
    fn complaints(&self, value: &Value, schema: &Value, place: &str, found: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().expect("a name");
            let schema = self.schema(name);
            assert!(schema.is_object(), "{name} is not described");
            return self.complaints(value, schema, place, found);
        }
        let kind = schema["type"].as_str().unwrap_or("anything");
        let fits = match kind {
            "integer" => value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => true,
        };
        if !fits {
            found.push(format!("{place}: {value} is no {kind}"));
            return;
        }
        let is_int32 = schema["format"] == "int32";
        if is_int32 && value.as_i64().is_some_and(|n| i32::try_from(n).is_err()) {
            found.push(format!("{place}: {value} is too large"));
        }
        if schema["format"] == "date-time" && !value.as_str().is_some_and(is_date) {
            found.push(format!("{place}: {value} is no date"));
        }
        if let Some(choices) = schema["enum"].as_array().filter(|all| !all.contains(value)) {
            found.push(format!("{place}: {value} is none of {}", json!(choices)));
        }
        let length = value
            .as_str()
            .map(|text| text.encode_utf16().count() as u64);
        if length > schema["maxLength"].as_u64().or(length) {
            found.push(format!("{place}: {value} is too long"));
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            self.complaints(item, &schema["items"], &format!("{place}[{index}]"), found);
        }
        let Some(members) = value.as_object() else {
            return;
        };
        for (name, value) in members {
            let place = format!("{place}.{name}");
            match (
                schema["properties"].get(name),
                schema.get("additionalProperties"),
            ) {
                (Some(schema), _) | (None, Some(schema)) => {
                    self.complaints(value, schema, &place, found);
                }
                (None, None) => found.push(format!("{place}: is not described")),
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            if !members.contains_key(name.as_str().expect("a name")) {
                found.push(format!("{place}: {name} is missing"));
            }
        }
    }
}

/// The format of every sample, `2016-08-20T18:04:26Z`.
fn is_date(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    shape == "0000-00-00T00:00:00Z"
}

/// A body that creates a record, for each type that can be created.
fn sample(record: &str) -> Value {
    match record {
        "Board" => json!({
            "name": "Contract", "location": { "id": 2 }, "department": { "id": 10 }, "projectFlag": false,
            "sendToContactFlag": true, "notifyEmailFrom": "desk@northwind.example", "problemSort": "Descending",
        }),
        "BoardCopy" => json!({ "id": 22, "name": "Copy" }),
        "ApiMember" => json!({ "identifier": "Contract", "serviceDefaultBoard": { "id": 22 } }),
        "BoardStatus" => json!({
            "name": "Waiting", "sortOrder": 7, "escalationStatus": "ResolutionPlan",
            "customerPortalDescription": "We wait.", "customerPortalFlag": true,
        }),
        "BoardType" => {
            json!({ "name": "Contract", "category": "Proactive", "department": { "id": 10 } })
        }
        "BoardSubType" => json!({ "name": "Contract", "addAllTypesFlag": true }),
        "BoardItem" => json!({ "name": "Contract" }),
        "BoardTeam" => json!({
            "name": "Contract", "teamLeader": { "identifier": "TSmith" }, "members": [151, 152], "defaultFlag": true,
        }),
        "Priority" => json!({ "name": "Contract", "color": "Lime", "level": "Low" }),
        "Source" => json!({ "name": "Contract" }),
        "ServiceLocation" => json!({ "name": "Contract", "where": "Remote" }),
        "Company" => json!({
            "identifier": "Contract", "name": "Contract", "city": "Springfield", "website": "https://contract.example",
            "territory": { "id": 2 }, "territoryManager": { "id": 151 }, "annualRevenue": 12.5,
        }),
        "CompanyStatus" => json!({
            "name": "Contract", "notifyFlag": true, "notificationMessage": "Ask first.", "disallowSavingFlag": false,
        }),
        "CompanySite" => json!({ "name": "Contract", "city": "Springfield" }),
        "Contact" => json!({
            "firstName": "Carla", "lastName": "Contract", "company": { "id": 301 }, "site": { "name": "Main" },
        }),
        "ConfigurationReference" => json!({ "deviceIdentifier": "contract" }),
        "SecurityRole" => json!({ "name": "Contract", "adminFlag": false }),
        "UserDefinedField" => json!({
            "podId": 1, "caption": "Contract", "sequenceNumber": 9, "screenId": "sr100",
            "fieldTypeIdentifier": "Text", "entryTypeIdentifier": "List",
            "options": [{ "id": 1, "optionValue": "One", "sortOrder": 1 }],
        }),
        "CallbackEntry" => {
            json!({ "url": "https://hook.example/?recordId=", "objectId": 1, "type": "ticket", "level": "owner" })
        }
        "Ticket" => json!({
            "summary": "Contract", "company": { "id": 301 }, "owner": { "id": 151 }, "team": { "id": 41 },
            "source": { "name": "RMM" }, "externalXRef": "contract", "initialDescription": "text", "budgetHours": 1.5,
            "customFields": [{ "id": 1, "value": "PC-7" }, { "id": 3, "value": true }],
            "requiredDate": "2026-11-22T00:00:00Z", "severity": "High", "site": { "name": "Main" },
            "location": { "id": 2 },
        }),
        "ServiceNote" => json!({ "text": "Contract", "internalAnalysisFlag": true }),
        "TicketMerge" => json!({ "mergeTicketIds": [10001], "status": { "name": ">Closed" } }),
        "TicketBundle" => json!({ "childTicketIds": [10002] }),
        other => panic!("give a sample of {other}"),
    }
}

/// Whether ConnectWise has no such endpoint or does not accept the method.
fn is_served(reply: &Reply) -> bool {
    let no_endpoint = reply.status == 404 && reply.text.contains("The endpoint does not exist.");
    !no_endpoint && reply.status != 405
}

/// The path with an id for each `{…}`: the last record of the list before it. `None` if that list
/// is not served or empty.
async fn filled(site: &Site, template: &str) -> Option<String> {
    let mut path = String::new();
    for segment in template.split('/').skip(1) {
        if segment.starts_with('{') {
            let list = match path.as_str() {
                // This list has both spellings, and settings belong to a seeded role.
                "/system/securityRoles" => "/system/securityroles",
                other => other,
            };
            let rows = site
                .as_integration("GET", &format!("{list}?pageSize=1000"), "")
                .await;
            if rows.status != 200 || !rows.json().is_array() {
                return None;
            }
            path = format!("{path}/{}", rows.ids().last()?);
        } else {
            path = format!("{path}/{segment}");
        }
    }
    Some(path)
}

/// A site with one created record of every type, tickets first. Responses are checked.
async fn make_everything(site: &Site, contract: &Contract, report: &mut Report) {
    // The description has no configurations, only links to them.
    let configuration = json!({
        "name": "Contract", "company": { "id": 301 }, "deviceIdentifier": "contract", "activeFlag": true,
    });
    let path = "/company/configurations";
    let made = site
        .as_integration("POST", path, &configuration.to_string())
        .await;
    assert_eq!(made.status, 201);
    for _ in 0..3 {
        let reply = site
            .as_integration("POST", "/service/tickets", &sample("Ticket").to_string())
            .await;
        report.check(contract, "POST", "/service/tickets", &reply);
    }
    let is_made = |path: &&String| {
        contract.answer("POST", path).is_some()
            && !path.ends_with("/search")
            && *path != "/service/tickets"
    };
    let mut paths: Vec<&String> = contract.paths().keys().filter(is_made).collect();
    // A board's parts are created on the created board.
    paths.sort_by_key(|path| path.len());
    for template in paths {
        let Some(path) = filled(site, template).await else {
            continue;
        };
        if !is_served(&site.as_integration("POST", &path, "{}").await) {
            continue;
        }
        let body = sample(contract.body("POST", template).expect("a body"));
        let reply = site.as_integration("POST", &path, &body.to_string()).await;
        report.check(contract, "POST", template, &reply);
    }
}

#[derive(Default)]
struct Report {
    served: BTreeSet<String>,
    complaints: Vec<String>,
    records: usize,
}

impl Report {
    fn check(&mut self, contract: &Contract, method: &str, template: &str, reply: &Reply) {
        let (status, schema) = contract.answer(method, template).expect("described");
        let operation = format!("{method} {template}");
        if reply.status == status {
            match schema {
                Some(schema) => {
                    let answer = reply.json();
                    self.records += answer.as_array().map_or(1, Vec::len);
                    contract.complaints(&answer, schema, &operation, &mut self.complaints);
                }
                None if reply.text.is_empty() => {}
                None => self.complaints.push(format!("{operation}: has a body")),
            }
        } else {
            let complaint = format!("{operation}: {} {}", reply.status, reply.text);
            self.complaints.push(complaint);
        }
        self.served.insert(operation);
    }
}

/// The body of a call that changes nothing: a record as it is.
async fn unchanged(site: &Site, method: &str, path: &str) -> String {
    let record = site.as_integration("GET", path, "").await.json();
    let text = [
        "summary",
        "name",
        "text",
        "description",
        "firstName",
        "caption",
    ]
    .into_iter()
    .find(|member| record.get(member).is_some())
    .unwrap_or("id");
    if method == "PUT" {
        record.to_string()
    } else {
        json!([{ "op": "replace", "path": text, "value": record[text] }]).to_string()
    }
}

#[tokio::test]
async fn every_response_matches_connectwises_openapi() {
    let site = Site::start().await;
    let contract = Contract::read();
    let mut report = Report::default();
    make_everything(&site, &contract, &mut report).await;

    let mut paths: Vec<&String> = contract.paths().keys().collect();
    // Deletes start at the leaves, so that parents still exist.
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    for method in ["GET", "PATCH", "PUT", "DELETE"] {
        for template in &paths {
            if contract.answer(method, template).is_none() {
                continue;
            }
            let Some(path) = filled(&site, template).await else {
                continue;
            };
            let body = match method {
                "PATCH" | "PUT" => unchanged(&site, method, &path).await,
                _ => String::new(),
            };
            let reply = site.as_integration(method, &path, &body).await;
            if is_served(&reply) {
                report.check(&contract, method, template, &reply);
            }
        }
    }
    let search = site
        .as_integration("POST", "/service/tickets/search", "{}")
        .await;
    report.check(&contract, "POST", "/service/tickets/search", &search);

    assert_eq!(report.complaints, Vec::<String>::new());
    let all = contract.paths().iter().flat_map(|(path, operations)| {
        let methods = METHODS.iter().filter(|method| {
            operations
                .get(method.to_ascii_lowercase().as_str())
                .is_some()
        });
        methods.map(move |method| format!("{method} {path}"))
    });
    let not_simulated: Vec<String> = all
        .filter(|operation| !report.served.contains(operation))
        .collect();
    let listed: Vec<&str> = include_str!("not_simulated.txt").lines().collect();
    assert_eq!(not_simulated.join("\n"), listed.join("\n"));
    println!(
        "{} operations, {} records checked, {} operations not simulated",
        report.served.len(),
        report.records,
        not_simulated.len()
    );
}

/// Every path that could be served by mistake: the described ones and their neighbours.
#[tokio::test]
async fn only_endpoints_of_connectwise_are_served() {
    let site = Site::start().await;
    let contract = Contract::read();
    make_everything(&site, &contract, &mut Report::default()).await;
    let mut templates: BTreeSet<String> = contract.paths().keys().cloned().collect();
    for path in contract.paths().keys() {
        for neighbour in [
            "count", "info", "search", "{id}", "copy", "active", "default",
        ] {
            templates.insert(format!("{path}/{neighbour}"));
        }
    }
    let described = |method: &str, template: &str| {
        // The description lacks some counts: the guide promises one for every list.
        let list = template.strip_suffix("/count").unwrap_or(template);
        let known = |path: &str| {
            let twin = path.replace("/{id}", "/{parentId}");
            contract.answer(method, path).is_some() || contract.answer(method, &twin).is_some()
        };
        // Members are also found by identifier.
        let template = match template.strip_prefix("/system/members/") {
            Some(word) if !word.contains('/') && word != "count" => "/system/members/{id}",
            _ => template,
        };
        known(template) || (method == "GET" && known(list))
    };
    let mut astray = Vec::new();
    let mut served = 0;
    for template in templates {
        let Some(path) = filled(&site, &template).await else {
            continue;
        };
        for method in METHODS {
            // A missing record shows the same as an existing one, and nothing is deleted.
            let path = match path.rsplit_once('/') {
                Some((list, id)) if id.parse::<i64>().is_ok() => format!("{list}/999999"),
                _ => path.clone(),
            };
            if method == "DELETE" && path.ends_with("/changelogs") {
                continue;
            }
            if is_served(&site.as_integration(method, &path, "[]").await) {
                served += 1;
                if !described(method, &template) {
                    astray.push(format!("{method} {template}"));
                }
            }
        }
    }
    assert_eq!(astray, Vec::<String>::new());
    assert!(served > 150, "{served}");
}

#[tokio::test]
async fn errors_match_connectwises_openapi() {
    let site = Site::start().await;
    let contract = Contract::read();
    let mut found = Vec::new();
    for reply in [
        site.post("/service/tickets", json!({})).await,
        site.post("/service/boards", json!({ "name": "Service Desk" }))
            .await,
        site.get("/service/tickets/1").await,
        site.get("/service/tickets?conditions=colour=1").await,
        site.delete("/service/boards/21/statuses/211").await,
    ] {
        assert!((400..=409).contains(&reply.status), "{}", reply.text);
        let shape = contract.schema("ErrorResponseMessage");
        contract.complaints(&reply.json(), shape, "refusal", &mut found);
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_contract_check_detects_violations() {
    let contract = Contract::read();
    let good =
        json!({ "id": 1, "name": "New", "escalationStatus": "Resolved", "_info": { "a": "b" } });
    for (member, value, complaint) in [
        ("id", json!("1"), "x.id: \"1\" is no integer"),
        (
            "id",
            json!(3_000_000_000_i64),
            "x.id: 3000000000 is too large",
        ),
        ("colour", json!(1), "x.colour: is not described"),
        ("inactive", json!(null), "x.inactive: null is no boolean"),
        (
            "board",
            json!({ "idd": 1 }),
            "x.board.idd: is not described",
        ),
        ("_info", json!({ "a": 1 }), "x._info.a: 1 is no string"),
    ] {
        let mut record = good.clone();
        record[member] = value;
        let mut found = Vec::new();
        contract.complaints(&record, contract.schema("BoardStatus"), "x", &mut found);
        assert_eq!(found, [complaint]);
    }
    let mut found = Vec::new();
    let bad = json!({ "name": "x".repeat(51), "escalationStatus": "Open" });
    contract.complaints(&bad, contract.schema("BoardStatus"), "x", &mut found);
    assert_eq!(found.len(), 2, "{found:?}");
    let mut found = Vec::new();
    contract.complaints(
        &json!({ "requiredDate": "today" }),
        contract.schema("Ticket"),
        "x",
        &mut found,
    );
    assert_eq!(found.len(), 3, "{found:?}");
}
