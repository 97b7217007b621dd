//! The OpenAPI document of the whole HTTP API: the webhook and the operator's API.

pub mod breaking_changes;

use api_document::ApiDocument;
use serde_json::{Value, json};

/// The committed document.
pub const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api/openapi.json");
/// The folder with the document of each release, named by its version.
pub const RELEASED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api/released");

const DESCRIPTION: &str = "\
Security alerts in, ConnectWise tickets out.

The **webhook** receives events of sources. Each source is authenticated as it was set up, by default \
with a Standard Webhooks signature over the raw body.

The **operator's API** creates partners, sources and links. Requests carry an AWS signature (Signature \
Version 4) for the service `execute-api`.

Ticketbridge answers a request that failed with a problem (RFC 9457, `application/problem+json`). An \
unknown path is a 404, and a method that a path does not have is a 405 with the header `allow`; both \
are problems too. The gateway in front of it answers some requests itself, with JSON that has only a \
`message`: 403 without a valid AWS signature, 404 for a path outside `/v1/operator/` that this \
document does not have, 413 above 10 MB, 429 above its rate limit, and 500, 503 or 504 if the function \
cannot be started or takes too long.

Within one major version of the paths, members and operations are added and never removed. Ignore \
members and values that you do not know.";

/// The document as the code describes it.
#[must_use]
pub fn document() -> Value {
    let mut document = ApiDocument::default();
    ingest::describe_api(&mut document);
    setup::describe_api(&mut document);
    document.build(frame())
}

/// The document as it is written to its file.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", document())
}

/// All that does not depend on the routes.
fn frame() -> Value {
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Ticketbridge",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{
            "url": "https://{host}",
            "description": "The API of one stack. The output `OperatorUrl` has its host.",
            "variables": { "host": { "default": "api.example.com" } },
        }],
        "tags": [
            { "name": "events", "description": "The webhook, for sources of alerts." },
            { "name": "partners", "description": "Partners, their links, sessions and history." },
            { "name": "contacts", "description": "Who is notified at a partner." },
            { "name": "tenants", "description": "The customers of a partner." },
            { "name": "sources", "description": "Sources and their secrets." },
            { "name": "quarantine", "description": "Messages that a mapping could not read." },
            { "name": "reference", "description": "What is the same for all partners." },
        ],
        "components": {
            "securitySchemes": {
                "iam": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                    "description": "AWS Signature Version 4 for the service `execute-api`.",
                },
                "webhookSignature": {
                    "type": "apiKey", "in": "header", "name": "webhook-signature",
                    "description": "A signature as Standard Webhooks describes it, or what the source was set \
                                    up with instead: another HMAC, a secret in a header, in the query or in \
                                    the body.",
                },
            },
        },
    })
}
