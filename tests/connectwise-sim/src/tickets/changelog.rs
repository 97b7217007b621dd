//! `/service/tickets/changelogs`: which tickets were added, updated and deleted, until a client
//! clears it.

use serde_json::{Value, json};

use super::{Row, TicketChange, TicketRow, Tickets};
use crate::listing;
use crate::render::present;
use crate::response::{ApiResponse, Outcome};
use crate::schema::Schema;
use crate::site::{Call, Site};

/// Older entries are dropped beyond this number.
const KEPT: usize = 1000;

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    id: i64,
    ticket: i64,
    action: &'static str,
}

impl Tickets {
    pub(super) fn changed(&mut self, ticket: i64, action: TicketChange) {
        let action = match action {
            TicketChange::Added => "Added",
            TicketChange::Updated => "Updated",
            TicketChange::Deleted => "Deleted",
        };
        if self.changes.len() >= KEPT {
            self.changes.pop_front();
        }
        let id = self.next_change;
        self.next_change += 1;
        self.changes.push_back(Change { id, ticket, action });
    }
}

pub(crate) fn list(site: &Site, call: &Call) -> Outcome {
    let rows = site.tickets.changes.iter().filter(|change| {
        let ticket = site.tickets.get(change.ticket);
        ticket.is_none_or(|ticket| site.sees_board(&call.caller, ticket.board))
    });
    let rows = rows.map(|change| row(site, *change));
    listing::list(call, Schema::named("TicketChangeLog"), &site.base_url, rows)
}

pub(crate) fn clear(site: &mut Site) -> Outcome {
    site.tickets.changes.clear();
    Ok(ApiResponse::deleted())
}

fn row(site: &Site, change: Change) -> Value {
    let ticket = site.tickets.get(change.ticket);
    let record = ticket.map(|ticket| TicketRow { site, ticket }.record());
    let text = |path: &str| record.as_ref().and_then(|record| record.pointer(path));
    present(json!({
        "id": change.id,
        "action": change.action,
        "ticketNumber": change.ticket,
        "recordType": "ServiceTicket",
        "summary": text("/summary"),
        "boardId": text("/board/id"),
        "boardName": text("/board/name"),
        "status": text("/status/name"),
        "companyName": text("/company/name"),
        "priorityId": text("/priority/id"),
        "priorityName": text("/priority/name"),
        "closedFlag": text("/closedFlag"),
    }))
}
