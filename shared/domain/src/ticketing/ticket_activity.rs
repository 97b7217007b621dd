//! Whether a person worked on a ticket, so that Ticketbridge does not close it.
//!
//! ConnectWise says who last updated a ticket, and not who changed what: a note of Ticketbridge, or
//! a workflow rule, hides an earlier change by a person. So a ticket is compared with what
//! Ticketbridge wrote. What differs is a person's change, unless the audit trail lists no person.

use crate::RecordId;
use crate::alert::record::OpenTicket;
use crate::setup::settings::BoardTarget;
use crate::ticketing::manual_change::{ManualChange, TicketFields};
use crate::ticketing::note_mark::is_note_text;
use crate::ticketing::ticket_text::is_description;

/// A ticket as ConnectWise shows it before it is closed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TicketActivity {
    pub fields: TicketFields,
    pub has_hours: bool,
    pub has_children: bool,
    pub has_parent: bool,
    /// Whether another ticket was merged into it.
    pub has_merged: bool,
    /// Whether the customer wrote last.
    pub is_customer_updated: bool,
    /// The member who entered the ticket: the API member of Ticketbridge.
    pub entered_by: Option<String>,
    /// The member who last updated it.
    pub updated_by: Option<String>,
}

impl TicketActivity {
    /// Whether this author is Ticketbridge's API member, or ConnectWise itself.
    fn is_program(&self, author: &str) -> bool {
        let own = self.entered_by.as_deref();
        own.is_some_and(|own| author.eq_ignore_ascii_case(own))
            || author.eq_ignore_ascii_case(CONNECTWISE)
    }
}

/// The member under whose name ConnectWise itself changes records, for instance for a workflow
/// rule.
const CONNECTWISE: &str = "zadmin";

/// A note of a ticket, or the text of a time entry or a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketEntry {
    pub is_note: bool,
    pub text: String,
    /// The identifier of the member who wrote it.
    pub member: Option<String>,
    /// Whether a customer's contact wrote it.
    pub is_of_contact: bool,
}

/// What the ticket shows about the work of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    Untouched,
    Changed(ManualChange),
    /// A person changed this, or a workflow rule. The audit trail says which.
    Differs(ManualChange),
}

/// Compares a ticket with what Ticketbridge wrote. `target` is the category's board, as the partner
/// configured it.
#[must_use]
pub fn find_manual_change(
    open: &OpenTicket,
    target: &BoardTarget,
    ticket: &TicketActivity,
    entries: &[TicketEntry],
) -> Finding {
    if let Some(change) = change_by_person(ticket, entries) {
        return Finding::Changed(change);
    }
    let updated_by = ticket.updated_by.as_deref();
    let is_updated_by_person = updated_by.is_some_and(|author| !ticket.is_program(author));
    match changed_field(open, target, &ticket.fields) {
        Some(change) if is_updated_by_person => Finding::Changed(change),
        Some(change) => Finding::Differs(change),
        None if is_updated_by_person => Finding::Changed(ManualChange::Other),
        None => Finding::Untouched,
    }
}

/// The change by a person that no workflow rule makes, if there is one.
fn change_by_person(ticket: &TicketActivity, entries: &[TicketEntry]) -> Option<ManualChange> {
    let is_foreign = |entry: &&TicketEntry| !is_own(entry, ticket);
    let entry = entries.iter().find(is_foreign).map(|entry| match entry {
        entry if entry.is_of_contact => ManualChange::CustomerReply,
        entry if entry.is_note => ManualChange::Note,
        _ => ManualChange::TimeEntry,
    });
    let flags = [
        (ticket.has_hours, ManualChange::TimeEntry),
        (ticket.is_customer_updated, ManualChange::CustomerReply),
        (ticket.has_children, ManualChange::Children),
        (ticket.has_parent, ManualChange::Parent),
        (ticket.has_merged, ManualChange::Merge),
    ];
    let flag = flags.into_iter().find(|(is_set, _)| *is_set);
    entry.or(flag.map(|(_, change)| change))
}

/// Whether Ticketbridge wrote this note: its API member is the author, or the text says so.
fn is_own(entry: &TicketEntry, ticket: &TicketActivity) -> bool {
    let author = entry.member.as_deref().zip(ticket.entered_by.as_deref());
    let is_of_member = author.is_some_and(|(author, own)| author.eq_ignore_ascii_case(own));
    let has_no_author = entry.member.is_none() && !entry.is_of_contact;
    let is_own_text = is_note_text(&entry.text) || is_description(&entry.text);
    entry.is_note && (is_of_member || (has_no_author && is_own_text))
}

/// The field that differs from what Ticketbridge wrote, if there is one.
fn changed_field(
    open: &OpenTicket,
    target: &BoardTarget,
    seen: &TicketFields,
) -> Option<ManualChange> {
    let is_status_kept = |made: Option<RecordId>| {
        let is_start = target.board == seen.board && target.start_status == seen.status;
        seen.status.is_some() && (made == seen.status || is_start)
    };
    let Some(made) = &open.made else {
        // It was found by its reference, and nothing is known but what is on every new ticket.
        let differs = [
            (seen.board != open.board_id, ManualChange::Board),
            (!is_status_kept(None), ManualChange::Status),
            (seen.owner.is_some(), ManualChange::Owner),
            (seen.resources.is_some(), ManualChange::Resources),
        ];
        return first(differs);
    };
    first([
        (seen.board != made.board, ManualChange::Board),
        (!is_status_kept(made.status), ManualChange::Status),
        (seen.owner != made.owner, ManualChange::Owner),
        (seen.resources != made.resources, ManualChange::Resources),
        (seen.team != made.team, ManualChange::Team),
        (seen.priority != made.priority, ManualChange::Priority),
        (seen.kind_type != made.kind_type, ManualChange::Type),
        (seen.subtype != made.subtype, ManualChange::Type),
        (seen.item != made.item, ManualChange::Type),
        (seen.summary != made.summary, ManualChange::Summary),
        (seen.details != made.details, ManualChange::Details),
    ])
}

fn first<const N: usize>(differs: [(bool, ManualChange); N]) -> Option<ManualChange> {
    let found = differs.into_iter().find(|(differs, _)| *differs);
    found.map(|(_, change)| change)
}

/// Whether the audit trail lists changes, and none by a person. `authors` are those of all its
/// entries.
#[must_use]
pub fn is_without_person<'a>(
    authors: impl IntoIterator<Item = &'a str>,
    ticket: &TicketActivity,
) -> bool {
    let mut authors = authors.into_iter().peekable();
    authors.peek().is_some() && authors.all(|author| ticket.is_program(author))
}

#[cfg(test)]
mod tests;
