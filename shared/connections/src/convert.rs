//! Converts ConnectWise's tickets to the type that `domain::ticketing::adopt` works on.

use connectwise::{Error, ExternalXref, Ticket};
use domain::TicketRef;
use domain::ticketing::found_ticket::FoundTicket;

#[must_use]
pub fn found_ticket(ticket: &Ticket) -> FoundTicket {
    let lower = |member: &Option<String>| member.as_deref().map(str::to_ascii_lowercase);
    let (entered, updated) = (
        lower(&ticket.info.entered_by),
        lower(&ticket.info.updated_by),
    );
    FoundTicket {
        ticket_id: ticket.id,
        ticket_ref: ticket.external_xref.as_deref().and_then(TicketRef::parse),
        board_id: ticket.board.as_ref().map(|board| board.id),
        company_id: ticket.company.as_ref().map(|company| company.id),
        entered_at: ticket.info.date_entered,
        raised_at: ticket.estimated_start_date,
        closed: ticket.closed_flag,
        closed_at: ticket.closed_date,
        merged: ticket.merged_parent_ticket.is_some(),
        // This service's member entered it, so another member who changed it is a person or acts
        // for one.
        touched: entered.is_some() && updated.is_some() && entered != updated,
    }
}

/// The prefix of the references of all tickets of Ticketbridge.
///
/// # Errors
/// Never: the prefix is not empty. A malformed one must not become a search without a condition.
pub fn reference_prefix() -> Result<ExternalXref, Error> {
    ExternalXref::parse(TicketRef::PREFIX).map_err(|err| Error::Rejected {
        words: err.to_string(),
    })
}
