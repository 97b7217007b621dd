//! Reading, counting, searching and deleting tickets.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Ticket, TicketRow};
use crate::listing::{self, Row};
use crate::response::{ApiError, ApiResponse, Outcome};
use crate::schema::Schema;
use crate::setup_tables::narrow;
use crate::site::{Call, Caller, Site};

pub(crate) fn list(site: &Site, call: &Call) -> Outcome {
    listing::list(
        call,
        Schema::named("Ticket"),
        &site.base_url,
        listed(site, call),
    )
}

pub(crate) fn count(site: &Site, call: &Call) -> Outcome {
    listing::count(call, Schema::named("Ticket"), listed(site, call))
}

pub(crate) fn search(site: &Site, call: &Call) -> Outcome {
    listing::search(
        call,
        Schema::named("Ticket"),
        &site.base_url,
        listed(site, call),
    )
}

pub(crate) fn get(site: &Site, call: &Call, id: i64) -> Outcome {
    let ticket = visible(site, &call.caller, id)?;
    listing::one(call, Schema::named("Ticket"), &TicketRow { site, ticket })
}

/// `/service/tickets/info`: every ticket in its `info` form.
pub(crate) fn infos(site: &Site, call: &Call) -> Outcome {
    let schema = Schema::named("TicketInfo");
    let rows = listed(site, call).map(|row| narrow(&row.record(), schema));
    listing::list(call, schema, &site.base_url, rows)
}

/// `/service/tickets/{id}/info`
pub(crate) fn info(site: &Site, call: &Call, id: i64) -> Outcome {
    let ticket = visible(site, &call.caller, id)?;
    let schema = Schema::named("TicketInfo");
    let record = TicketRow { site, ticket }.record();
    listing::one(call, schema, &narrow(&record, schema))
}

pub(crate) fn delete(site: &mut Site, call: &Call, id: i64) -> Outcome {
    visible(site, &call.caller, id)?;
    site.tickets.remove(id);
    Ok(ApiResponse::deleted())
}

/// The ticket, unless it does not exist or its board is hidden from the caller's role.
pub(super) fn visible<'w>(
    site: &'w Site,
    caller: &Caller,
    id: i64,
) -> Result<&'w Ticket, ApiError> {
    site.tickets
        .get(id)
        .filter(|ticket| site.sees_board(caller, ticket.board))
        .filter(|ticket| !site.sees_own_tickets_only(caller) || ticket.is_owned_by(caller))
        .ok_or_else(|| ApiError::record_not_found("Ticket", id))
}

/// The tickets in lists. A site whose search lags omits the newest.
fn listed<'w>(site: &'w Site, call: &'w Call) -> impl Iterator<Item = TicketRow<'w>> {
    let lag = site.faults.variants.search_lag_seconds;
    // Without a lag no date is compared: the site's clock may have been set back.
    let newest = match SignedDuration::try_from(Duration::from_secs(lag)) {
        Ok(lag) if !lag.is_zero() => call.now.checked_sub(lag).unwrap_or(call.now),
        _ => Timestamp::MAX,
    };
    let own = site.sees_own_tickets_only(&call.caller);
    let boards: Vec<i64> = site
        .setup
        .boards
        .iter()
        .map(|board| board.id)
        .filter(|id| site.sees_board(&call.caller, *id))
        .collect();
    site.tickets
        .all()
        .filter(move |ticket| ticket.entered.at <= newest && boards.contains(&ticket.board))
        .filter(move |ticket| !own || ticket.is_owned_by(&call.caller))
        .map(|ticket| TicketRow { site, ticket })
}
