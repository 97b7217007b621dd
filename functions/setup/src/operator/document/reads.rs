//! How partners and alerts do: what a program for operators reads.

use api_document::{ApiDocument, Operation};
use domain::outgoing::block_reason::BlockReason;
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::operations::{SOURCE, add, fails, of_existing_partner, operation, reads_body_of};
use crate::connection::check::view::CheckView;
use crate::connection::contract::ContractView;
use crate::http::input::MAX_LARGE_BODY;
use crate::http::problem::Problem;
use crate::operator::alerts::{AlertTimelineResponse, AlertsResponse};
use crate::operator::configuration::{
    ConfigurationChanges, ConfigurationRequest, ConfigurationResponse,
};
use crate::operator::status::PartnerStatusResponse;
use crate::operator::version::VersionResponse;

/// The `id` of an alert in a list.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct AlertItemKey(#[schemars(regex(pattern = "^[0-9a-f]{16}-[0-9a-f]{32}$"))] String);

const ALERTS: &str = "alerts";
const PARTNERS: &str = "partners";

pub(super) fn describe(document: &mut ApiDocument) {
    status(document);
    alerts(document);
    connection(document);
    configuration(document);
    let version = operation(
        "reference",
        "getVersion",
        "Read the version of the functions",
    );
    let example = json!({ "version": env!("CARGO_PKG_VERSION") });
    let version = version.response::<VersionResponse>("200", "The version.", example);
    add(document, "GET", "version", version);
}

fn status(document: &mut ApiDocument) {
    let status = operation(PARTNERS, "getPartnerStatus", "Read how a partner does").description(
        "It has the state of the connection, the blocked alerts, and the number of open tickets.",
    );
    let example = json!({
        "id": "northwind", "name": "Northwind IT", "condition": "good",
        "accepted_at": "2026-11-22T07:30:00Z",
        "waiting": { "count": 0, "complete": true, "points": [] },
        "open_tickets": 12, "open_tickets_complete": true, "last_alert_at": "2026-11-22T07:28:00Z",
    });
    let status = of_existing_partner(status);
    let status = status.response::<PartnerStatusResponse>("200", "Its status.", example);
    add(document, "GET", "partners/{partner}/status", status);
}

fn alerts(document: &mut ApiDocument) {
    let day = || json!({ "type": "string", "format": "date" });
    let text = || json!({ "type": "string" });
    let states = json!({
        "type": "string",
        "enum": ["open", "waiting", "failed", "in_progress", "closed", "resolved"],
    });
    let reasons = json!({ "type": "string", "enum": BlockReason::ALL.map(BlockReason::code) });
    let list = operation(
        ALERTS,
        "listAlerts",
        "Find alerts of a partner, the newest first",
    )
    .query("state", "Only alerts in this state.", states)
    .query(
        "reason",
        "Only alerts that are blocked for this reason.",
        reasons,
    )
    .query("tenant", "Only alerts of this tenant.", text())
    .query("source", "Only alerts of this source.", text())
    .query("kind", "Only alerts of this kind.", text())
    .query("since", "The first day, in UTC.", day())
    .query("until", "The last day, in UTC.", day())
    .query(
        "search",
        "A part of a title, a device or an alert id, or a ticket number.",
        text(),
    )
    .query("from", "The `next` of the page before.", text());
    let mut example = alert();
    example["severity"] = json!("high");
    example["received_at"] = json!("2026-11-22T07:30:00Z");
    let list = of_existing_partner(list).response::<AlertsResponse>(
        "200",
        "A page of alerts.",
        json!({ "alerts": [example] }),
    );
    let wrong = Problem::invalid("until", "The last day is before the first.");
    let list = fails(list, "A parameter of the query is wrong.", &wrong);
    add(document, "GET", "partners/{partner}/alerts", list);

    let get = operation(ALERTS, "getAlert", "Read an alert and its timeline").path::<AlertItemKey>(
        "alert",
        "The alert's `id` in a list.",
        ALERT,
    );
    let mut example = alert();
    let members = json!({
        "source_name": "Scanner", "next": "Nothing happens until the alert is resolved.",
        "steps": [{
            "at": "2026-11-22T07:30:00Z", "words": "Raised with severity high", "step": "raised",
            "severity": "high",
        }],
        "is_cut": false, "can_release": false, "can_open_again": false, "held": [],
    });
    if let (Value::Object(example), Value::Object(members)) = (&mut example, members) {
        example.extend(members);
    }
    let get = get.response::<AlertTimelineResponse>("200", "The alert.", example);
    let missing = "There is no such alert. It may have ended long ago.";
    let get = fails(get, "There is no such alert.", &Problem::not_found(missing));
    add(document, "GET", "alerts/{alert}", get);
}

fn connection(document: &mut ApiDocument) {
    let check = operation(
        PARTNERS,
        "checkConnection",
        "Check a partner's connection and rights",
    )
    .description("It reads ConnectWise and changes nothing.");
    let check = of_existing_partner(check).response::<CheckView>(
        "200",
        "The verdict, also if nothing is connected.",
        json!({ "verdict": "not_connected", "off": [], "rights": [] }),
    );
    add(document, "GET", "partners/{partner}/check", refused(check));

    let contract = operation(
        PARTNERS,
        "checkContract",
        "Compare a partner's ConnectWise with what Ticketbridge relies on",
    )
    .description("It reads ConnectWise and changes nothing.");
    let contract = of_existing_partner(contract).response::<ContractView>(
        "200",
        "What was compared.",
        json!({ "as_expected": true, "checks": [] }),
    );
    add(
        document,
        "GET",
        "partners/{partner}/contract",
        refused(contract),
    );
}

fn configuration(document: &mut ApiDocument) {
    let site = json!({ "origin": "https://na.myconnectwise.net", "company_id": "northwind" });
    let tenants = json!([{
        "id": "acme-dental", "name": "Acme Dental", "company": 301, "company_name": "Acme Dental",
        "enabled": true,
    }]);
    let example = json!({ "connectwise": site, "tenants": tenants });
    let get = operation(
        PARTNERS,
        "getConfiguration",
        "Read how tickets look, and the company of each tenant",
    )
    .description("It has no keys. The numbers mean something in this ConnectWise alone.");
    let get = of_existing_partner(get);
    let get = get.response::<ConfigurationResponse>("200", "The choices.", example.clone());
    add(document, "GET", "partners/{partner}/configuration", get);

    let put = operation(PARTNERS, "putConfiguration", "Store choices of the same ConnectWise")
        .description(
            "Each number is looked up in ConnectWise first. Tenants that are left out stay as they are. \
             Repeating the request changes nothing.",
        )
        .body::<ConfigurationRequest>(example)
        .response::<ConfigurationChanges>(
            "200",
            "The choices are stored.",
            json!({ "settings_changed": false, "tenants_changed": 1 }),
        );
    let put = refused(reads_body_of(of_existing_partner(put), MAX_LARGE_BODY));
    let conflict = "A tenant was changed meanwhile. Send the request again.";
    let put = fails(
        put,
        "Another change was made at the same time.",
        &Problem::version_conflict(conflict),
    );
    add(document, "PUT", "partners/{partner}/configuration", put);
}

/// A problem of an operation that needs the partner's ConnectWise.
fn refused(operation: Operation) -> Operation {
    let problem = Problem::refused("Nothing is connected yet: connect ConnectWise first.");
    fails(
        operation,
        "The present connection does not allow it.",
        &problem,
    )
}

const ALERT: &str = "0123456789abcdef-0123456789abcdef0123456789abcdef";

/// What a list and the alert itself have in common.
fn alert() -> Value {
    json!({
        "id": ALERT, "partner": "northwind", "tenant": "acme-dental", "tenant_name": "Acme Dental",
        "source": SOURCE, "alert_id": "disk-srv-01", "title": "Disk C: of srv-01 is full",
        "kind": "disk", "state": "open", "words": "Ticket 77 is open", "ticket": 77,
    })
}
