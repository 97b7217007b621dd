//! Messages that the mapping of their source could not read.

use api_document::ApiDocument;
use serde_json::json;

use super::operations::{SOURCE, add, fails, of_partner, operation, page_start, reads_body};
use crate::http::problem::Problem;
use crate::operator::quarantine::{HandleRequest, HandleResponse, ListResponse};
use crate::quarantine::missing;

const TAG: &str = "quarantine";
const PATH: &str = "partners/{partner}/quarantine";

pub(super) fn describe(document: &mut ApiDocument) {
    let message = json!({
        "id": "2026-11-22T07:30:00.000Z-1f0c", "source": SOURCE, "received_at": "2026-11-22T07:30:00Z",
        "indexes": [], "field": "tenant", "problem": "yields nothing",
    });
    let list = operation(
        TAG,
        "listQuarantine",
        "List the quarantined messages of a partner",
    )
    .description("With `id`, the response is that message with its text.")
    .query("from", "The `next` of the page before.", page_start())
    .query("id", "The id of one message.", json!({ "type": "string" }))
    .response::<ListResponse>(
        "200",
        "A page of messages, the newest first, or one message.",
        json!({ "messages": [message] }),
    );
    let start = Problem::invalid("from", "the start of a page is 1 to 512 bytes of text");
    let list = fails(
        of_partner(list),
        "A parameter of the query is wrong.",
        &start,
    );
    let list = fails(list, "There is no such message.", &missing());
    add(document, "GET", PATH, list);

    let handle = operation(
        TAG,
        "handleMessage",
        "Replay or discard a quarantined message",
    )
    .description(
        "A replay reads the message with the present mapping of its source and queues its events.",
    )
    .body::<HandleRequest>(json!({ "id": "2026-11-22T07:30:00.000Z-1f0c", "action": "replay" }))
    .response::<HandleResponse>(
        "200",
        "What was queued. A discarded message has an empty object.",
        json!({ "events": 1, "unmapped": 0 }),
    );
    let handle = reads_body(of_partner(handle));
    let handle = fails(handle, "There is no such message.", &missing());
    let unmapped = "The source has no mapping yet. Save one, then replay the message.";
    let handle = fails(
        handle,
        "The message cannot be replayed now.",
        &Problem::refused(unmapped),
    );
    add(document, "POST", PATH, handle);
}
