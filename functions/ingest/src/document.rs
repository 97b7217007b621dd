//! Describes the webhook for the OpenAPI document. The examples of problems are the responses
//! themselves. No request needs this.

use api_document::{Access, ApiDocument, Operation};
use domain::SourceId;
use domain::wire::webhook::{EventRejection, InvalidField, MAX_EVENTS};
use serde_json::{Value, json};

use crate::response::{AcceptedResponse, ResponseContent, WebhookResponse};

const DESCRIPTION: &str = "\
The body is one event or a batch of events, by default CloudEvents 1.0 in JSON (structured mode). It may \
be compressed with gzip. A source with a format of its own posts that format instead, and a mapping \
translates it. Members that are not known are ignored.

The response is sent after the events are in the queue. Repeat a request that was answered with a status \
from 500 on, or not at all, with the same `webhook-id`: an event that arrives twice has one effect.";

/// Adds the webhook to the document.
pub fn describe_api(document: &mut ApiDocument) {
    let operation = Operation::new(Access::Webhook, "events", "postEvents", "Send events")
        .description(DESCRIPTION)
        .path::<SourceId>(
            "source",
            "The source's id.",
            "src_q4x8z2n5w7c1v3b6m9k0j4h2g8",
        )
        .webhook_headers()
        .bodies(bodies())
        .response::<AcceptedResponse>(
            "202",
            "The events are in the queue, except those that are listed as rejected. These can never be \
             accepted. With the key of an alert, `GET /v1/tickets/{key}` says what became of it. A source with \
             a format of its own gets the response that was set up for it.",
            json!({
                "accepted": 1,
                "alerts": [{ "index": 0, "alert_key": "0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef" }],
            }),
        )
        .bare_response(
            "2XX",
            "A source with a format of its own gets the status and the body that were set up for it.",
        )
        .bare_response(
            "429",
            "From the gateway: there are too many requests. Repeat the request later.",
        );
    let problems = problems().into_iter();
    let operation = problems.fold(operation, |operation, (when, response)| {
        match response.content() {
            ResponseContent::Problem(problem) => operation.problem(when, &problem),
            ResponseContent::Accepted(_) | ResponseContent::Own(_) => operation,
        }
    });
    document.add("POST", "/v1/events/{source}", operation);
}

fn bodies() -> Vec<(&'static str, Value, Value)> {
    let mut event = domain::wire::webhook::schema();
    if let Some(members) = event.as_object_mut() {
        members.remove("$schema");
    }
    let batch = json!({ "type": "array", "minItems": 1, "maxItems": MAX_EVENTS, "items": event });
    let example = json!({
        "specversion": "1.0", "id": "evt-1", "source": "https://rmm.example.com", "type": "alert.raised",
        "data": {
            "tenant": "acme-dental", "alert_id": "disk-1", "kind": "disk", "severity": "high",
            "title": "Disk C: is full", "description": "Only 1 GB is left.",
        },
    });
    let own = json!({ "description": "One event, a batch, or the body of a source with its own format." });
    vec![
        ("application/cloudevents+json", event, example.clone()),
        (
            "application/cloudevents-batch+json",
            batch,
            json!([example]),
        ),
        ("application/json", own, example),
    ]
}

/// All problems, with when each occurs.
fn problems() -> Vec<(&'static str, WebhookResponse)> {
    let rejected = |index, field: &str| EventRejection {
        index,
        error: InvalidField {
            field: field.to_owned(),
            problem: "is missing".to_owned(),
        },
        partner: None,
    };
    let several = vec![rejected(0, "[0].data.kind"), rejected(1, "[1].id")];
    let body = InvalidField {
        field: "body".to_owned(),
        problem: "is not JSON".to_owned(),
    };
    vec![
        (
            "No event of the body is valid.",
            WebhookResponse::Rejected(several),
        ),
        (
            "The body is neither an event nor a batch.",
            WebhookResponse::Unreadable(body),
        ),
        (
            "The request is not authenticated, or there is no such source.",
            WebhookResponse::Unauthorized,
        ),
        (
            "The body is too large. The gateway answers with 413 too, without a problem, if it has more \
             than 10 MB.",
            WebhookResponse::TooLarge,
        ),
        (
            "The batch has too many events.",
            WebhookResponse::TooManyEvents(MAX_EVENTS + 1),
        ),
        (
            "The media type is not supported.",
            WebhookResponse::UnsupportedMediaType,
        ),
        (
            "The content encoding is not supported.",
            WebhookResponse::UnsupportedEncoding,
        ),
        ("Ticketbridge has a defect.", WebhookResponse::Failed),
        (
            "The events were not accepted. The header `retry-after` says when to repeat the request. The \
             gateway answers with 503 too, without a problem, if the function cannot be started or takes \
             too long.",
            WebhookResponse::Unavailable,
        ),
    ]
}
