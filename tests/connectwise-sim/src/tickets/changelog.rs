//! `/service/tickets/changelogs`: which tickets were added, updated and deleted, until a client clears it.

use serde_json::{Value, json};

use super::{Row, TicketRow, Tickets};
use crate::answer::{Answer, Outcome};
use crate::listing;
use crate::render::present;
use crate::schema::Schema;
use crate::world::{Call, World};

/// More are forgotten from the front, so that a long run stays small.
const KEPT: usize = 1000;

/// One line of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    id: i64,
    ticket: i64,
    action: &'static str,
}

impl Tickets {
    pub(super) fn changed(&mut self, ticket: i64, action: &'static str) {
        if self.changes.len() >= KEPT {
            self.changes.pop_front();
        }
        let id = self.next_change;
        self.next_change += 1;
        self.changes.push_back(Change { id, ticket, action });
    }
}

pub(crate) fn list(world: &World, call: &Call) -> Outcome {
    let rows = world.tickets.changes.iter().filter(|change| {
        let ticket = world.tickets.get(change.ticket);
        ticket.is_none_or(|ticket| world.sees_board(&call.caller, ticket.board))
    });
    let rows = rows.map(|change| row(world, *change));
    listing::list(
        call,
        Schema::named("TicketChangeLog"),
        &world.base_url,
        rows,
    )
}

pub(crate) fn clear(world: &mut World) -> Outcome {
    world.tickets.changes.clear();
    Ok(Answer::deleted())
}

fn row(world: &World, change: Change) -> Value {
    let ticket = world.tickets.get(change.ticket);
    let record = ticket.map(|ticket| TicketRow { world, ticket }.record());
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
