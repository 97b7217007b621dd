//! Reading, counting, searching and deleting tickets.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Ticket, TicketRow};
use crate::answer::{Answer, Outcome, Refusal};
use crate::listing::{self, Row};
use crate::schema::Schema;
use crate::setup_tables::narrow;
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

/// `/service/tickets/info`: every ticket in its light form.
pub(crate) fn infos(world: &World, call: &Call) -> Outcome {
    let schema = Schema::named("TicketInfo");
    let rows = listed(world, call).map(|row| narrow(&row.record(), schema));
    listing::list(call, schema, &world.base_url, rows)
}

/// `/service/tickets/{id}/info`
pub(crate) fn info(world: &World, call: &Call, id: i64) -> Outcome {
    let ticket = visible(world, &call.caller, id)?;
    let schema = Schema::named("TicketInfo");
    let record = TicketRow { world, ticket }.record();
    listing::one(call, schema, &narrow(&record, schema))
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
        .filter(|ticket| !world.sees_own_tickets_only(caller) || ticket.is_owned_by(caller))
        .ok_or_else(|| Refusal::record_not_found("Ticket", id))
}

/// The tickets that lists show: a site whose search lags behind leaves out the newest.
fn listed<'w>(world: &'w World, call: &'w Call) -> impl Iterator<Item = TicketRow<'w>> {
    let lag = world.faults.variants.search_lag_seconds;
    // Without a lag no date is compared: the site's clock may have been set back.
    let newest = match SignedDuration::try_from(Duration::from_secs(lag)) {
        Ok(lag) if !lag.is_zero() => call.now.checked_sub(lag).unwrap_or(call.now),
        _ => Timestamp::MAX,
    };
    let own = world.sees_own_tickets_only(&call.caller);
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
        .filter(move |ticket| !own || ticket.is_owned_by(&call.caller))
        .map(|ticket| TicketRow { world, ticket })
}
