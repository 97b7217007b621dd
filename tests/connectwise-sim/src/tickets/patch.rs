//! `PATCH` and `PUT /service/tickets/{id}`. As in ConnectWise, a PATCH of a read-only member
//! answers 200 and changes nothing.

use serde_json::{Map, Value};

use super::draft::Draft;
use super::{Ticket, TicketRow};
use crate::faults::DisallowSaving;
use crate::listing::Row;
use crate::patch_operations;
use crate::response::{ApiError, ApiResponse, Outcome, Problem};
use crate::schema::Schema;
use crate::site::{Call, Site};

/// The additional right that a change to a closed status needs.
const CLOSING_RIGHT: &str = "close_service_tickets.edit";

pub(crate) fn patch(site: &mut Site, call: &Call, id: i64) -> Outcome {
    let before = super::read::visible(site, &call.caller, id)?.clone();
    let changes = {
        let sub_paths = site.faults.variants.patch_status_id;
        patch_operations::changes(Schema::named("Ticket"), &call.body, sub_paths)?
    };
    let after = changed(site, call, &before, &changes)?;
    let false_200 = site.faults.variants.false_200_rate;
    let commits = !changes.is_empty() && !call.is_ignored && site.rng.f64() >= false_200;
    if commits {
        site.tickets.put(after);
    }
    let site = &*site;
    let ticket = super::read::visible(site, &call.caller, id)?;
    Ok(ApiResponse::patched(
        TicketRow { site, ticket }.record(),
        commits,
    ))
}

/// `PUT`: omitted members get their defaults.
pub(crate) fn replace(site: &mut Site, call: &Call, id: i64) -> Outcome {
    let before = super::read::visible(site, &call.caller, id)?.clone();
    let body = Schema::named("Ticket").read(&call.body)?;
    let draft = super::create::checked(site, call, &body, Some(&before))?;
    let after = finish(site, call, &before, draft)?;
    site.tickets.put(after);
    let site = &*site;
    let ticket = super::read::visible(site, &call.caller, id)?;
    Ok(ApiResponse::patched(
        TicketRow { site, ticket }.record(),
        true,
    ))
}

/// The ticket after the changes, or all problems with them.
fn changed(
    site: &Site,
    call: &Call,
    before: &Ticket,
    changes: &Map<String, Value>,
) -> Result<Ticket, ApiError> {
    let mut problems = Schema::named("Ticket").problems(changes, false);
    let mut draft = Draft {
        summary: before.summary.clone(),
        board: Some(before.board),
        status: Some(before.status),
        company: Some(before.company),
        kind: before.kind,
        priority: Some(before.priority),
        external_x_ref: before.external_x_ref.clone(),
        other: before.other.clone(),
    };
    draft.apply(site, changes, &mut problems);
    if draft.status.is_none() {
        let board = draft.board.and_then(|board| site.setup.board(board));
        draft.status = board
            .and_then(|board| board.default_status())
            .map(|status| status.id);
    }
    if draft.status.is_none() {
        problems.push(Problem::missing("status", "status/id"));
    }
    if !problems.is_empty() {
        return Err(ApiError::invalid_object("ticket", &problems));
    }
    finish(site, call, before, draft)
}

/// The changed ticket, unless the site requires more members or the caller may not close it.
fn finish(site: &Site, call: &Call, before: &Ticket, draft: Draft) -> Result<Ticket, ApiError> {
    let stamp = call.stamp();
    let closes = draft
        .status(site)
        .is_some_and(|status| status.closed_status);
    let mut problems = draft.missing(&site.faults.required.on_update);
    if closes && before.closed.is_none() {
        site.require(&call.caller, CLOSING_RIGHT)?;
        problems.extend(draft.missing(&site.faults.required.on_close));
    }
    if site.faults.variants.disallow_saving == DisallowSaving::EveryChange {
        problems.extend(draft.refused_by_company(site));
    }
    if !problems.is_empty() {
        return Err(ApiError::invalid_object("ticket", &problems));
    }
    Ok(Ticket {
        id: before.id,
        summary: draft.summary,
        board: draft.board.unwrap_or(before.board),
        status: draft.status.unwrap_or(before.status),
        company: draft.company.unwrap_or(before.company),
        kind: draft.kind,
        priority: draft.priority.unwrap_or(before.priority),
        external_x_ref: draft.external_x_ref,
        closed: closes.then(|| before.closed.clone().unwrap_or_else(|| stamp.clone())),
        entered: before.entered.clone(),
        updated: stamp,
        other: draft.other,
    })
}
