//! `PATCH /service/tickets/{id}`: a list of `{ op, path, value }` with bare, case-sensitive paths. ConnectWise's traps are
//! kept: a sub-path or a read-only member answers 200 and changes nothing.

use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::{Stamp, Ticket, TicketRow};
use crate::answer::{Answer, Outcome, Refusal};
use crate::faults::PatchStatusId;
use crate::listing::Row;
use crate::schema::{Schema, check_value};
use crate::world::{Call, World};

/// The right that a change into a closed status needs besides the ticket's own.
const CLOSING_RIGHT: &str = "close_service_tickets.edit";

pub(crate) fn patch(world: &mut World, call: &Call, id: i64) -> Outcome {
    let before = super::read::visible(world, &call.caller, id)?.clone();
    let changes = changes(&call.body, world.faults.variants.patch_status_id)?;
    let after = changed(world, call, &before, &changes)?;
    let false_200 = world.faults.variants.false_200_rate;
    let commits = !changes.is_empty() && !world.dice.roll(false_200);
    if commits {
        world.tickets.put(after);
    }
    let world = &*world;
    let ticket = super::read::visible(world, &call.caller, id)?;
    Ok(Answer::patched(
        TicketRow { world, ticket }.record(),
        commits,
    ))
}

/// Reads the operations into members with their new values, `null` for `remove`.
fn changes(body: &[u8], sub_paths: PatchStatusId) -> Result<Map<String, Value>, Refusal> {
    let text = std::str::from_utf8(body)
        .map_err(|_| Refusal::malformed("The request is not valid UTF-8."))?;
    let Ok(Value::Array(operations)) = serde_json::from_str(text) else {
        return Err(Refusal::malformed(
            "Cannot deserialize the current JSON value into type 'System.Collections.Generic.List`1[PatchOperation]'.",
        ));
    };
    let mut changes = Map::new();
    for operation in &operations {
        let operation = Schema::named("PatchOperation").read(operation.to_string().as_bytes())?;
        let member = |name: &str| {
            operation
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let path = member("path");
        let value = match member("op") {
            "add" | "replace" => operation.get("value").cloned().unwrap_or(Value::Null),
            "remove" => Value::Null,
            other => {
                return Err(Refusal::malformed(&format!(
                    "The patch operation '{other}' is not supported."
                )));
            }
        };
        if let Some((path, value)) = effect(path, value, text, sub_paths)? {
            changes.insert(path, value);
        }
    }
    Ok(changes)
}

/// The member that one operation sets; `None` where ConnectWise answers 200 and does nothing.
fn effect(
    path: &str,
    value: Value,
    text: &str,
    sub_paths: PatchStatusId,
) -> Result<Option<(String, Value)>, Refusal> {
    let ticket = Schema::named("Ticket");
    if let Some(kind) = ticket.kind(path) {
        check_value(kind, path, &value, text)?;
        return Ok(Some((path.to_owned(), value)));
    }
    match (path, sub_paths) {
        ("status/id" | "status/name", PatchStatusId::Works) => {
            let member = path.trim_start_matches("status/");
            let status = json!({ member: value });
            if let Some(kind) = ticket.kind("status") {
                check_value(kind, "status", &status, text)?;
            }
            Ok(Some(("status".to_owned(), status)))
        }
        _ if ticket.field(path).is_some() && path.contains('/') => Ok(None),
        _ => Err(Refusal::malformed(&format!(
            "Could not find member '{path}' on object of type 'Ticket'. Path '{path}'."
        ))),
    }
}

/// The ticket after the changes, or all that is wrong with them.
fn changed(
    world: &World,
    call: &Call,
    before: &Ticket,
    changes: &Map<String, Value>,
) -> Result<Ticket, Refusal> {
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
    draft.apply(world, changes, &mut problems);
    if draft.status.is_none() {
        let board = draft.board.and_then(|board| world.site.board(board));
        draft.status = board
            .and_then(|board| board.default_status())
            .map(|status| status.id);
    }
    if !problems.is_empty() {
        return Err(Refusal::invalid_object("ticket", &problems));
    }
    let stamp = Stamp {
        at: call.now,
        by: call.caller.identifier.clone(),
    };
    let closes = draft
        .status(world)
        .is_some_and(|status| status.closed_status);
    if closes && before.closed.is_none() {
        world.require(&call.caller, CLOSING_RIGHT)?;
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
