//! What several operations have in common: their responses, parameters and problems.

use api_document::{Access, ApiDocument, Operation};
use domain::wire::problem::ProblemDetails;
use domain::{PartnerId, SourceId};
use serde_json::{Value, json};

use crate::http::input::{MAX_BODY, parse_id};
use crate::http::problem::Problem;
use crate::operator::input::{DEFAULT_LIMIT, MAX_LIMIT};

/// What the paths of all operations begin with.
const PREFIX: &str = "/v1/operator/";
/// The ids of the examples.
const PARTNER: &str = "northwind";
pub(super) const SOURCE: &str = "src_q4x8z2n5w7c1v3b6m9k0j4h2g8";

pub(super) fn add(document: &mut ApiDocument, method: &str, path: &str, operation: Operation) {
    document.add(method, &format!("{PREFIX}{path}"), operation);
}

/// An operation with the responses that every operation has.
pub(super) fn operation(tag: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let operation = Operation::new(Access::Iam, tag, id, summary)
        .bare_response(
            "403",
            "From the gateway: the request has no valid signature, or its identity may not call the API.",
        )
        .bare_response(
            "429",
            "From the gateway: there are too many requests. Repeat the request later.",
        );
    let operation = fails(operation, "Ticketbridge has a defect.", &Problem::failed());
    fails(
        operation,
        "An AWS service did not answer. A retry may succeed. The gateway answers with 503 too, without \
         a problem, if the function cannot be started or takes too long.",
        &Problem::unavailable(
            "Ticketbridge could not read or save its data. Nothing is lost. Load the page again in a moment.",
        ),
    )
}

/// Adds a problem that the operation can have.
pub(super) fn fails(operation: Operation, when: &str, problem: &Problem) -> Operation {
    operation.problem(when, &ProblemDetails::from(problem))
}

/// An operation on one partner.
pub(super) fn of_partner(operation: Operation) -> Operation {
    let operation = operation.path::<PartnerId>("partner", "The partner's id.", PARTNER);
    match parse_id::<PartnerId>("partner", "Northwind".to_owned()) {
        Ok(_) => operation,
        Err(problem) => fails(operation, "The partner's id is malformed.", &problem),
    }
}

/// An operation on one partner, which must exist.
pub(super) fn of_existing_partner(operation: Operation) -> Operation {
    let problem = Problem::not_found(format!("There is no partner {PARTNER}."));
    fails(of_partner(operation), "There is no such partner.", &problem)
}

/// An operation on one source, which must exist.
pub(super) fn of_source(operation: Operation) -> Operation {
    let operation = operation.path::<SourceId>("source", "The source's id.", SOURCE);
    let problem = Problem::not_found(format!("There is no source {SOURCE}."));
    let operation = fails(operation, "There is no such source.", &problem);
    match parse_id::<SourceId>("source", "src_1".to_owned()) {
        Ok(_) => operation,
        Err(problem) => fails(operation, "The source's id is malformed.", &problem),
    }
}

/// An operation that lists entries by page.
pub(super) fn paged(operation: Operation) -> Operation {
    let limit = json!({
        "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT,
    });
    let operation = operation
        .query("from", "The `next` of the page before.", page_start())
        .query("limit", "The number of entries.", limit);
    fails(
        operation,
        "A parameter of the query is unknown or wrong.",
        &Problem::invalid("limit", "It is a number from 1 to 100."),
    )
}

pub(super) fn page_start() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 512 })
}

/// The problems of an operation with a body of at most 64 KiB.
pub(super) fn reads_body(operation: Operation) -> Operation {
    reads_body_of(operation, MAX_BODY)
}

pub(super) fn reads_body_of(operation: Operation, limit: usize) -> Operation {
    let operation = fails(
        operation,
        "The body is too large. The gateway answers with 413 too, without a problem, if it has more \
         than 6 MB.",
        &Problem::too_large(limit),
    );
    let operation = fails(
        operation,
        "The media type is not `application/json`.",
        &Problem::media_type(),
    );
    fails(
        operation,
        "The body is not JSON, or has a wrong or unknown member.",
        &Problem::invalid("version", "What was sent cannot be read: invalid type."),
    )
}

/// A conflict of versions.
pub(super) fn changes_version(operation: Operation, problem: &Problem) -> Operation {
    let when = "The `version` is not the present one, or another change was made at the same time.";
    fails(operation, when, problem)
}
