//! The record after a lookup in ConnectWise.

use jiff::{SignedDuration, Timestamp};

use crate::alert::record::{Claim, ClosedBy, OpenTicket, Recheck, Record, TicketEnd};
use crate::ticketing::adopt::{adopt, apply_recheck};
use crate::ticketing::found_ticket::FoundTicket;

/// The result of a search for a ticket reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// These tickets carry it.
    Found(Vec<FoundTicket>),
    /// No ticket carries it.
    None,
    /// The search did not return the sentinels either, so it says nothing.
    Blind,
}

/// Applies a search, begun at `began`, for the ticket of a create of unknown outcome.
#[must_use]
pub fn apply_search(
    record: Record,
    claim: &Claim,
    search: &Search,
    settle: SignedDuration,
    began: Timestamp,
    now: Timestamp,
) -> Record {
    match search {
        Search::Found(tickets) => adopt(record, claim, tickets, now),
        Search::None => record.unblock_claimed().with_empty_visit(settle, began),
        Search::Blind => record.with_blind_visit(began),
    }
}

/// Applies the search for a write that was given up. `None` if the search failed: it is made again
/// later, and the alert goes on meanwhile.
#[must_use]
pub fn apply_recheck_search(
    record: Record,
    recheck: &Recheck,
    search: Option<&Search>,
    now: Timestamp,
) -> Record {
    match search {
        Some(Search::Found(tickets)) => apply_recheck(record, recheck, tickets, now),
        Some(Search::None) => apply_recheck(record, recheck, &[], now),
        Some(Search::Blind) | None => record.with_recheck_delayed(recheck, now),
    }
}

/// Records what a person did with the open ticket. `ticket` is `None` if it was deleted.
#[must_use]
pub fn apply_inspection(
    record: Record,
    open: &OpenTicket,
    ticket: Option<&FoundTicket>,
    now: Timestamp,
) -> Record {
    let ended = match ticket {
        Some(ticket) => ticket.ended(&record.ticket_ref(), open.company_id),
        None => Some(TicketEnd::from(ClosedBy::Deleted)),
    };
    match (ended, ticket) {
        (Some(ended), _) => record.with_closed(open.ticket_id, open.epoch, ended, now),
        (None, Some(ticket)) => record.with_moves(ticket, now),
        (None, None) => record,
    }
}
