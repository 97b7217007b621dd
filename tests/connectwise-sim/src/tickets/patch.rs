//! `PATCH` and `PUT /service/tickets/{id}`. ConnectWise's traps are kept: a read-only member answers 200 and changes
//! nothing.

use serde_json::{Map, Value};

use super::draft::Draft;
use super::{Stamp, Ticket, TicketRow};
use crate::answer::{Answer, Outcome, Problem, Refusal};
use crate::faults::DisallowSaving;
use crate::listing::Row;
use crate::operations;
use crate::schema::Schema;
use crate::world::{Call, World};

/// The right that a change into a closed status needs besides the ticket's own.
const CLOSING_RIGHT: &str = "close_service_tickets.edit";

pub(crate) fn patch(world: &mut World, call: &Call, id: i64) -> Outcome {
    let before = super::read::visible(world, &call.caller, id)?.clone();
    let changes = {
        let sub_paths = world.faults.variants.patch_status_id;
        operations::changes(Schema::named("Ticket"), &call.body, sub_paths)?
    };
    let after = changed(world, call, &before, &changes)?;
    let false_200 = world.faults.variants.false_200_rate;
    let commits = !changes.is_empty() && !call.is_ignored && !world.dice.roll(false_200);
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

/// `PUT`: what is left out gets its default again.
pub(crate) fn replace(world: &mut World, call: &Call, id: i64) -> Outcome {
    let before = super::read::visible(world, &call.caller, id)?.clone();
    let body = Schema::named("Ticket").read(&call.body)?;
    let draft = super::create::checked(world, call, &body, Some(&before))?;
    let after = finish(world, call, &before, draft)?;
    world.tickets.put(after);
    let world = &*world;
    let ticket = super::read::visible(world, &call.caller, id)?;
    Ok(Answer::patched(TicketRow { world, ticket }.record(), true))
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
    if draft.status.is_none() {
        problems.push(Problem::missing("status", "status/id"));
    }
    if !problems.is_empty() {
        return Err(Refusal::invalid_object("ticket", &problems));
    }
    finish(world, call, before, draft)
}

/// The changed ticket, unless the site requires more of it or the caller may not close it.
fn finish(world: &World, call: &Call, before: &Ticket, draft: Draft) -> Result<Ticket, Refusal> {
    let stamp = Stamp {
        at: call.now,
        by: call.caller.identifier.clone(),
    };
    let closes = draft
        .status(world)
        .is_some_and(|status| status.closed_status);
    let mut problems = draft.missing(&world.faults.required.on_update);
    if closes && before.closed.is_none() {
        world.require(&call.caller, CLOSING_RIGHT)?;
        problems.extend(draft.missing(&world.faults.required.on_close));
    }
    if world.faults.variants.disallow_saving == DisallowSaving::EveryChange {
        problems.extend(draft.refused_by_company(world));
    }
    if !problems.is_empty() {
        return Err(Refusal::invalid_object("ticket", &problems));
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
