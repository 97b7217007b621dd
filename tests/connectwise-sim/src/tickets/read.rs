//! Reading, counting, searching and deleting tickets.

use jiff::SignedDuration;

use super::{Ticket, TicketRow};
use crate::answer::{Answer, Outcome, Refusal};
use crate::listing;
use crate::schema::Schema;
use crate::world::{Call, Caller, World};

pub(crate) fn list(world: &World, call: &Call) -> Outcome {
    listing::list(
        call,
        Schema::named("Ticket"),
        &world.base_url,
        listed(world, call),
    )
}

pub(crate) fn count(world: &World, call: &Call) -> Outcome {
    listing::count(call, Schema::named("Ticket"), listed(world, call))
}

pub(crate) fn search(world: &World, call: &Call) -> Outcome {
    listing::search(
        call,
        Schema::named("Ticket"),
        &world.base_url,
        listed(world, call),
    )
}

pub(crate) fn get(world: &World, call: &Call, id: i64) -> Outcome {
    let ticket = visible(world, &call.caller, id)?;
    listing::one(call, Schema::named("Ticket"), &TicketRow { world, ticket })
}

pub(crate) fn delete(world: &mut World, call: &Call, id: i64) -> Outcome {
    visible(world, &call.caller, id)?;
    world.tickets.remove(id);
    Ok(Answer::deleted())
}

/// The ticket, unless it is gone or on a board that the caller's role does not show.
pub(super) fn visible<'w>(
    world: &'w World,
    caller: &Caller,
    id: i64,
) -> Result<&'w Ticket, Refusal> {
    world
        .tickets
        .get(id)
        .filter(|ticket| world.sees_board(caller, ticket.board))
        .ok_or_else(|| Refusal::record_not_found("Ticket", id))
}

/// The tickets that lists show: a site whose search lags behind leaves out the newest.
fn listed<'w>(world: &'w World, call: &Call) -> impl Iterator<Item = TicketRow<'w>> {
    let lag = SignedDuration::try_from(std::time::Duration::from_secs(
        world.faults.variants.search_lag_seconds,
    ));
    let newest = lag
        .ok()
        .and_then(|lag| call.now.checked_sub(lag).ok())
        .unwrap_or(call.now);
    let boards: Vec<i64> = world
        .site
        .boards
        .iter()
        .map(|board| board.id)
        .filter(|id| world.sees_board(&call.caller, *id))
        .collect();
    world
        .tickets
        .all()
        .filter(move |ticket| ticket.entered.at <= newest && boards.contains(&ticket.board))
        .map(|ticket| TicketRow { world, ticket })
}
