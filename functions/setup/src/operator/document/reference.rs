//! What is the same for all partners: presets, the preview of a mapping, and this document.

use api_document::ApiDocument;
use domain::source::presets::Preset;
use serde_json::{Map, Value, json};

use super::operations::{add, fails, operation, reads_body};
use crate::http::problem::Problem;
use crate::operator::sources::presets::PresetsResponse;
use crate::operator::sources::preview::{PreviewRequest, PreviewResponse};

const TAG: &str = "reference";

pub(super) fn describe(document: &mut ApiDocument) {
    let list = operation(TAG, "listPresets", "List the presets").response::<PresetsResponse>(
        "200",
        "All versions of all presets.",
        json!({ "presets": [{
            "name": "generic", "version": 1, "title": "Another product", "has_vendor_secret": false,
        }] }),
    );
    add(document, "GET", "presets", list);

    let preset = json!({
        "name": "cloudevents", "version": 1, "title": "CloudEvents",
        "authentication": { "scheme": "standard_webhooks", "secret": "whsec" },
        "has_vendor_secret": false, "kinds_added": [], "format": "cloud_events",
        "response": { "status": 202 }, "steps": ["Post the events to {url}."],
    });
    let get = operation(TAG, "getPreset", "Read the newest version of a preset")
        .path::<String>("preset", "The preset's name.", "generic")
        .response::<Preset>("200", "The preset.", preset);
    let missing = Problem::not_found("There is no preset scanner.");
    let get = fails(get, "There is no such preset.", &missing);
    add(document, "GET", "presets/{preset}", get);

    let preview = operation(TAG, "preview", "Try a mapping on samples")
        .description("Nothing is stored, and nothing becomes a ticket.")
        .body::<PreviewRequest>(json!({ "preset": "generic", "samples": ["{}"] }))
        .response::<PreviewResponse>(
            "200",
            "What each sample becomes.",
            json!({
                "results": [{
                    "events": [], "ignored": 0, "is_ping": false, "unknown_kinds": {},
                    "unmapped": [{ "index": null, "field": "tenant", "problem": "yields nothing" }],
                }],
                "resolves_what_was_raised": true,
            }),
        );
    let preview = reads_body(preview);
    let unmapped = Problem::invalid("mapping", "Send a mapping, or a preset that has one.");
    let preview = fails(preview, "A value is not allowed.", &unmapped);
    add(document, "POST", "preview", preview);

    let own = operation(TAG, "getOpenapi", "Read this document").response::<Map<String, Value>>(
        "200",
        "The OpenAPI document of this version.",
        json!({ "openapi": "3.1.1" }),
    );
    add(document, "GET", "openapi.json", own);
}
