//! Sources and their secrets.

use api_document::ApiDocument;
use serde_json::{Value, json};

use super::operations::{
    SOURCE, add, changes_version, fails, of_source, operation, paged, reads_body,
};
use crate::http::problem::Problem;
use crate::operator::sources::request::{RotationRequest, SourceRequest};
use crate::operator::sources::response::{
    NewSourceResponse, RotatedSourceResponse, SourceDetail, SourceResponse, SourcesResponse,
};
use crate::sources::change::conflict;

const TAG: &str = "sources";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(super) fn describe(document: &mut ApiDocument) {
    let list = operation(TAG, "listSources", "List the sources");
    let summary = json!({
        "id": SOURCE, "name": "Scanner", "partner": "northwind", "enabled": true,
        "made_at": "2026-11-22T07:30:00Z", "version": 2,
    });
    let page = json!({ "sources": [summary] });
    let list = paged(list).response::<SourcesResponse>("200", "A page of sources.", page);
    add(document, "GET", "sources", list);

    let create = operation(TAG, "createSource", "Create a source")
        .description(
            "Needs a `name`, and either `partner` or `partners`. Only this response has the secret. Each \
             request creates another source.",
        )
        .body::<SourceRequest>(json!({
            "name": "Scanner", "partner": "northwind", "preset": "cloudevents",
        }))
        .response::<NewSourceResponse<'_>>(
            "201",
            "The source was created.",
            with(&[("secret", json!(SECRET))]),
        );
    let create = changes_version(reads_body(create), &conflict());
    let unknown_partner =
        Problem::invalid("partner", "There is no partner northwind: create it first.");
    let create = fails(create, "A value is not allowed.", &unknown_partner);
    add(document, "POST", "sources", create);

    let get = operation(TAG, "getSource", "Read a source").response::<SourceDetail>(
        "200",
        "The source, the events of it that were rejected in the last seven days, and its activity.",
        with(&[
            ("rejected", json!([])),
            (
                "activity",
                json!([{
                    "partner": "northwind", "last_message_at": "2026-11-22T07:30:00Z",
                    "unknown_kinds": [], "quarantined": [],
                }]),
            ),
        ]),
    );
    add(document, "GET", "sources/{source}", of_source(get));

    change(document);
}

fn change(document: &mut ApiDocument) {
    let patch = operation(TAG, "changeSource", "Change a source")
        .description(
            "Members that are left out stay as they are. The webhook endpoint uses the change within five \
             minutes. A `secret` is replaced by its own operation.",
        )
        .optional_body::<SourceRequest>(json!({ "enabled": false, "version": 2 }))
        .response::<SourceResponse>("200", "The source as it is now.", with(&[]));
    let patch = changes_version(reads_body(of_source(patch)), &conflict());
    let wrong = Problem::invalid("inactive_after_hours", HOURS);
    let patch = fails(patch, "A value is not allowed.", &wrong);
    add(document, "PATCH", "sources/{source}", patch);

    let rotate = operation(TAG, "rotateSecret", "Give a source a new secret")
        .description(
            "The secret before remains valid for 24 hours. At most two are valid: another rotation within \
             that time ends the oldest at once. Send the `version`, so that a repeated request does not end \
             a secret that is in use.",
        )
        .optional_body::<RotationRequest>(json!({ "version": 2 }))
        .response::<RotatedSourceResponse<'_>>(
            "200",
            "The new secret. Only this response has it.",
            with(&[
                ("secret", json!(SECRET)),
                ("old_until", json!("2026-11-23T07:30:00Z")),
                ("ended_now", json!(0)),
            ]),
        );
    let rotate = changes_version(reads_body(of_source(rotate)), &conflict());
    let issued = Problem::invalid(
        "secret",
        "The vendor issues it: send the one that it shows.",
    );
    let rotate = fails(rotate, "The secret is not allowed, or is missing.", &issued);
    add(document, "POST", "sources/{source}/secret", rotate);
}

const HOURS: &str = "It is a number of hours from 1 to 8760, or null for longer than usual.";

/// A source with more members.
fn with(more: &[(&str, Value)]) -> Value {
    let mut source = json!({
        "id": SOURCE, "name": "Scanner", "partner": "northwind", "enabled": true,
        "made_at": "2026-11-22T07:30:00Z", "version": 2,
        "webhook_url": format!("https://api.example.com/v1/events/{SOURCE}"),
        "kinds_added": [], "preset": { "name": "cloudevents", "version": 1 },
        "authentication": { "scheme": "standard_webhooks", "secret": "whsec" }, "networks": [],
        "format": "cloud_events", "response": { "status": 202 }, "secrets_until": [null],
        "complete": true,
    });
    for (name, value) in more {
        source[*name] = value.clone();
    }
    source
}
