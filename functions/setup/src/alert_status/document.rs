//! Describes the operation for the OpenAPI document. No request needs this.

use api_document::{Access, ApiDocument, Operation};
use domain::outgoing::alert_status::AlertStatus;
use domain::wire::problem::ProblemDetails;
use serde_json::json;

use crate::alert_status::handlers::{unavailable, unknown};
use crate::http::problem::Problem;

const KEY: &str = "0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef";

const DESCRIPTION: &str = "\
The request proves its source as the source's own messages do. It has no body: a signature is over the \
alert's key in place of the body, and a source whose secret is in the body states it as `authorization: \
Bearer`. An alert of another source is not found.";

/// Adds the operation.
pub(crate) fn describe(document: &mut ApiDocument) {
    let summary = "Read what became of an alert";
    let operation = Operation::new(Access::Webhook, "events", "getTicket", summary)
        .description(DESCRIPTION)
        .path_of(
            "key",
            "The alert's key, from the response to its event or from an outgoing event.",
            json!({ "type": "string", "pattern": "^[0-9a-f]{16}-[0-9a-f]{32}$" }),
            KEY,
        )
        .webhook_headers()
        .response::<AlertStatus>(
            "200",
            "What became of the alert.",
            json!({
                "alert_key": KEY,
                "partner": "northwind",
                "tenant": "acme-dental",
                "alert_id": "disk-c",
                "kind": "disk",
                "active": true,
                "state": "open",
                "ticket": { "number": 4711, "link": "https://na.myconnectwise.net/ticket" },
                "page": format!("https://ticketbridge.example/setup/alerts/{KEY}"),
            }),
        )
        .bare_response(
            "429",
            "From the gateway: there are too many requests. Repeat the request later.",
        );
    let problem = |problem: &Problem| ProblemDetails::from(problem);
    let operation = operation
        .problem(
            "There is no such alert of this source, or the proof is wrong.",
            &problem(&unknown()),
        )
        .problem("Ticketbridge has a defect.", &problem(&Problem::failed()))
        .problem(
            "An AWS service did not answer. The gateway answers with 503 too, without a problem, if the \
             function cannot be started or takes too long.",
            &problem(&unavailable()),
        );
    document.add("GET", "/v1/tickets/{key}", operation);
}
