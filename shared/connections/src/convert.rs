//! Converts ConnectWise's tickets to the type that `domain::ticketing::adopt` works on.

use connectwise::{Error, ExternalXref, Reference, ServiceTicketNote, Ticket};
use domain::TicketRef;
use domain::setup::settings::{Settings, TicketType};
use domain::ticketing::found_ticket::FoundTicket;
use domain::ticketing::manual_change::{TicketFields, field_hash};
use domain::ticketing::ticket_activity::{TicketActivity, TicketEntry};

/// The ticket, with the action that its status asks for by these settings.
#[must_use]
pub fn found_ticket(ticket: &Ticket, settings: Option<&Settings>) -> FoundTicket {
    let lower = |member: &Option<String>| member.as_deref().map(str::to_ascii_lowercase);
    let (entered, updated) = (
        lower(&ticket.info.entered_by),
        lower(&ticket.info.updated_by),
    );
    let status = ticket.status.as_ref().zip(settings);
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
        action: status.and_then(|(status, settings)| settings.action_of_status(status.id)),
    }
}

/// What shows whether a person worked on a ticket.
#[must_use]
pub fn ticket_activity(ticket: &Ticket) -> TicketActivity {
    TicketActivity {
        fields: ticket_fields(ticket),
        has_hours: ticket.has_hours,
        has_children: ticket.has_child_ticket,
        has_parent: ticket.parent_ticket_id.is_some_and(|id| id != 0),
        has_merged: ticket.has_merged_child_ticket_flag,
        is_customer_updated: ticket.customer_updated_flag,
        entered_by: ticket.info.entered_by.clone(),
        updated_by: ticket.info.updated_by.clone(),
    }
}

#[must_use]
pub fn ticket_fields(ticket: &Ticket) -> TicketFields {
    let id = |reference: &Option<Reference>| reference.as_ref().map(|reference| reference.id);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let contact = id(&ticket.contact).unwrap_or_default().to_string();
    let (severity, impact) = (text(&ticket.severity), text(&ticket.impact));
    let details = [&contact, &severity, &impact, &text(&ticket.required_date)];
    TicketFields {
        board: id(&ticket.board),
        status: id(&ticket.status),
        owner: ticket.owner.as_ref().map(|owner| owner.id),
        resources: ticket.resources.clone(),
        team: id(&ticket.team),
        priority: id(&ticket.priority),
        kind_type: id(&ticket.type_),
        subtype: id(&ticket.sub_type),
        item: id(&ticket.item),
        summary: field_hash(&[&ticket.summary]),
        details: field_hash(&details.map(String::as_str)),
    }
}

/// The type of a ticket, with subtype and item. `None` if it has none.
#[must_use]
pub fn ticket_type(ticket: &Ticket) -> Option<TicketType> {
    let id = |reference: &Option<Reference>| reference.as_ref().map(|reference| reference.id);
    Some(TicketType {
        kind_type: id(&ticket.type_)?,
        subtype: id(&ticket.sub_type),
        item: id(&ticket.item),
    })
}

#[must_use]
pub fn ticket_entry(entry: &ServiceTicketNote) -> TicketEntry {
    let member = entry
        .member
        .as_ref()
        .map(|member| member.identifier.clone());
    TicketEntry {
        is_note: entry.note_type.is_empty() || entry.note_type == "TicketNote",
        text: entry.text.clone(),
        member: member.filter(|identifier| !identifier.is_empty()),
        is_of_contact: entry.contact.is_some(),
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
