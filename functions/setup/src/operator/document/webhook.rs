//! The outgoing webhook of a source.

use api_document::ApiDocument;
use serde_json::{Value, json};

use super::operations::{
    SOURCE, add, changes_version, fails, of_source, operation, paged, reads_body,
};
use crate::http::problem::Problem;
use crate::operator::webhook::{
    DeliveriesResponse, PingResponse, ReplayRequest, ReplayResponse, WebhookRequest,
    WebhookResponse, WebhookSecretRequest,
};
use crate::sources::change::conflict;
use crate::sources::webhook::{missing, unsigned};

const TAG: &str = "webhooks";
const PATH: &str = "sources/{source}/webhook";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const DELIVERY: &str = "0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef-1";

pub(super) fn describe(document: &mut ApiDocument) {
    let get = operation(TAG, "getWebhook", "Read the outgoing webhook of a source");
    let get = get.response::<WebhookResponse>("200", "The webhook.", webhook(&[]));
    add(document, "GET", PATH, has_webhook(of_source(get)));

    let put = operation(TAG, "setWebhook", "Set the outgoing webhook of a source")
        .description(
            "Makes the webhook, or changes it. The secret stays if there is one. Only the response that makes \
             a secret has it. Another format has no secret or authorization of the one before. Changes are \
             used within five minutes.",
        )
        .body::<WebhookRequest>(json!({ "url": "https://hooks.example.com/tickets" }))
        .response::<WebhookResponse>(
            "200",
            "The webhook as it is now.",
            webhook(&[("secret", json!(SECRET))]),
        );
    let put = changes_version(reads_body(of_source(put)), &conflict());
    let private = Problem::invalid("url", "The address must begin with https://.");
    let put = fails(
        put,
        "The address or the authorization is not allowed.",
        &private,
    );
    add(document, "PUT", PATH, put);

    let delete = operation(
        TAG,
        "removeWebhook",
        "Remove the outgoing webhook of a source",
    )
    .description("Deliveries that are pending count as failed.")
    .bare_response("204", "The source has no webhook any more.");
    let delete = changes_version(of_source(delete), &conflict());
    add(document, "DELETE", PATH, delete);

    let rotate = operation(TAG, "rotateWebhookSecret", "Give a webhook a new secret")
        .description(
            "For 24 hours each delivery has two signatures, one with the secret before. Send the `version`, \
             so that a repeated request ends no secret that is in use.",
        )
        .optional_body::<WebhookSecretRequest>(json!({ "version": 2 }))
        .response::<WebhookResponse>(
            "200",
            "The webhook with its new secret. Only this response has it.",
            webhook(&[
                ("secret", json!(SECRET)),
                ("old_until", json!("2026-11-23T07:30:00Z")),
            ]),
        );
    let rotate = changes_version(reads_body(of_source(rotate)), &conflict());
    let rotate = fails(rotate, "The receiver is an Alertmanager.", &unsigned());
    add(
        document,
        "POST",
        &format!("{PATH}/secret"),
        has_webhook(rotate),
    );

    let ping = operation(TAG, "pingWebhook", "Make a test delivery")
        .description(
            "It is delivered within a minute. The log of deliveries shows the answer. That of an Alertmanager \
             reads its status.",
        )
        .response::<PingResponse>(
            "202",
            "The id of the test delivery.",
            json!({ "delivery": format!("ping_{SOURCE}-1795332600000") }),
        );
    add(
        document,
        "POST",
        &format!("{PATH}/ping"),
        has_webhook(of_source(ping)),
    );

    deliveries(document);
}

fn deliveries(document: &mut ApiDocument) {
    let states = json!({ "type": "string", "enum": ["pending", "delivered", "failed"] });
    let list = operation(TAG, "listDeliveries", "List the deliveries of a source")
        .description("Of the last 30 days.")
        .query("state", "Which deliveries. Required.", states);
    let delivery = json!({
        "id": DELIVERY, "type": "ticket.created", "state": "failed",
        "alert_key": "0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef",
        "stored_at": "2026-11-22T07:30:00Z", "attempts": 290,
        "last_attempt": {
            "at": "2026-11-25T07:30:00Z", "status": 503, "problem": "the receiver answered 503",
        },
    });
    let list = paged(list).response::<DeliveriesResponse>(
        "200",
        "A page of deliveries, the newest first.",
        json!({ "deliveries": [delivery] }),
    );
    add(
        document,
        "GET",
        "sources/{source}/deliveries",
        of_source(list),
    );

    let replay = operation(TAG, "replayDeliveries", "Deliver events again")
        .description("Send either `delivery` or `failed_since`.")
        .body::<ReplayRequest>(json!({ "failed_since": "2026-11-22T07:30:00Z" }))
        .response::<ReplayResponse>(
            "200",
            "How many deliveries are pending again.",
            json!({ "replayed": 12, "has_more": false }),
        );
    let replay = reads_body(of_source(replay));
    let absent = Problem::not_found("The source has no such delivery.");
    let replay = fails(replay, "There is no such delivery.", &absent);
    let path = "sources/{source}/deliveries/replay";
    add(document, "POST", path, replay);
}

fn has_webhook(operation: api_document::Operation) -> api_document::Operation {
    fails(operation, "The source has no webhook.", &missing())
}

fn webhook(more: &[(&str, Value)]) -> Value {
    let mut webhook = json!({
        "url": "https://hooks.example.com/tickets", "format": "cloud_events",
        "takes_actions": false, "has_authorization": false, "secrets_until": [null], "version": 2,
    });
    for (name, value) in more {
        webhook[*name] = value.clone();
    }
    webhook
}
