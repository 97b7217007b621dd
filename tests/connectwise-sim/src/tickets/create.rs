//! `POST /service/tickets`.

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::custom_fields;
use super::draft::Draft;
use super::{Note, NoteKind, Stamp, Ticket, TicketRow};
use crate::faults::ClosedAtCreation;
use crate::listing::Row;
use crate::response::{ApiError, ApiResponse, Outcome, Problem};
use crate::schema::Schema;
use crate::site::{Call, Caller, Licence, Site};
use crate::tickets::notes;

/// The right to create a ticket.
pub(crate) const RIGHT: &str = "service_tickets.add";

/// Creates a ticket: omitted members get ConnectWise's defaults, and initial texts become notes.
pub(crate) fn create(site: &mut Site, call: &Call) -> Outcome {
    let schema = Schema::named("Ticket");
    let body = schema.read(&call.body)?;
    let draft = checked(site, call, &body, None)?;
    // Some sites check the body first: `execution` then leaves the right to this function.
    site.require(&call.caller, RIGHT)?;

    let id = site.tickets.new_id();
    let stamp = call.stamp();
    let ticket = finished(site, id, draft, &stamp).ok_or_else(ApiError::server_error)?;
    site.tickets.put(ticket);
    for (member, detail, internal, resolution) in [
        ("initialDescription", true, false, false),
        ("initialInternalAnalysis", false, true, false),
        ("initialResolution", false, false, true),
    ] {
        let text = body.get(member).and_then(Value::as_str).unwrap_or_default();
        if text.is_empty() {
            continue;
        }
        let note = Note {
            id: 0,
            text: notes::note_text(site, text),
            detail_description: detail,
            internal_analysis: internal,
            resolution,
            created: stamp.clone(),
            kind: NoteKind::Note,
        };
        site.tickets.add_note(id, note);
    }
    let site = &*site;
    let ticket = site.tickets.get(id).ok_or_else(ApiError::server_error)?;
    Ok(ApiResponse::created(TicketRow { site, ticket }.record()))
}

/// Creates many tickets that differ in their references only, each as a POST of `body` by the first
/// API member, but without the texts of its notes. Returns the id of the first; the others follow.
pub(crate) fn create_bulk(
    site: &mut Site,
    body: &Map<String, Value>,
    references: Vec<String>,
    now: Timestamp,
) -> Result<i64, ApiError> {
    let member = site.setup.api_members.first();
    let member = member.ok_or_else(ApiError::server_error)?;
    let call = Call {
        method: Method::POST,
        segments: vec![],
        full_path: String::new(),
        query: vec![],
        body: vec![],
        forward_only: false,
        now,
        caller: Caller {
            id: member.id,
            identifier: member.identifier.clone(),
            licence: Licence::ApiMember,
        },
        is_ignored: false,
    };
    let draft = checked(site, &call, body, None)?;
    let stamp = call.stamp();
    let first = site.tickets.next_ticket;
    for reference in references {
        let draft = Draft {
            external_x_ref: Some(reference),
            ..draft.clone()
        };
        let id = site.tickets.new_id();
        let ticket = finished(site, id, draft, &stamp).ok_or_else(ApiError::server_error)?;
        site.tickets.put(ticket);
    }
    Ok(first)
}

/// The ticket that a body requests, with defaults, or all problems with it. `before` is the ticket
/// that it replaces.
pub(super) fn checked(
    site: &Site,
    call: &Call,
    body: &Map<String, Value>,
    before: Option<&Ticket>,
) -> Result<Draft, ApiError> {
    let mut problems = Schema::named("Ticket").problems(body, true);
    let mut draft = Draft {
        priority: site
            .setup
            .priorities
            .iter()
            .find(|priority| priority.default_flag)
            .map(|priority| priority.id),
        ..Draft::default()
    };
    if body.get("board").is_none_or(Value::is_null) {
        draft.board = site.default_board(&call.caller);
    }
    draft.apply(site, body, &mut problems);
    if let Some(board) = draft.board.and_then(|board| site.setup.board(board)) {
        let start = board.default_status().map(|status| status.id);
        draft.status = draft.status.or(start);
        let defaults = board
            .types
            .iter()
            .find(|kind| kind.default_flag)
            .map(|kind| kind.id);
        draft.kind = draft.kind.or(defaults);
    }
    let starts_closed = draft
        .status(site)
        .is_some_and(|status| status.closed_status);
    if draft.board.is_some() && draft.status.is_none() && problems.is_empty() {
        problems.push(Problem::missing("status", "status/id"));
    }
    if starts_closed
        && before.is_none()
        && site.faults.variants.closed_status_at_creation == ClosedAtCreation::Refused
    {
        problems.push(Problem {
            code: "InvalidObject",
            message: "A new ticket cannot have a closed status.".to_owned(),
            field: "status".to_owned(),
        });
    }
    if before.is_none() {
        problems.extend(draft.missing(&site.faults.required.on_create));
        problems.extend(custom_fields::missing(site, &draft));
        problems.extend(draft.misplaced_children(site));
        problems.extend(draft.refused_by_company(site));
    }
    if problems.is_empty() {
        Ok(draft)
    } else {
        Err(ApiError::invalid_object("ticket", &problems))
    }
}

/// `None` only if the checks missed an invalid reference.
fn finished(site: &Site, id: i64, draft: Draft, stamp: &Stamp) -> Option<Ticket> {
    let closed = draft.status(site)?.closed_status.then(|| stamp.clone());
    Some(Ticket {
        id,
        summary: draft.summary,
        board: draft.board?,
        status: draft.status?,
        company: draft.company?,
        kind: draft.kind,
        priority: draft.priority?,
        external_x_ref: draft.external_x_ref,
        closed,
        entered: stamp.clone(),
        updated: stamp.clone(),
        other: draft.other,
    })
}
