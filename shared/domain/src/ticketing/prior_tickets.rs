//! Tickets of earlier occurrences, which are searched for when the table may have lost an alert.

use jiff::Timestamp;

use crate::RecordId;
use crate::alert::event::{EventDigest, EventOrder, Receipt, Severity};
use crate::alert::record::{Actual, ClosedBy, ClosedTicket, Duplicate, OpenTicket, Record};
use crate::setup::status_action::RequestedAction;
use crate::ticketing::adopt::{kept, with_duplicates};
use crate::ticketing::found_ticket::{FoundTicket, end_of_second};

/// Applies a search for tickets of all occurrences of an alert that the table may have lost. All
/// `found` tickets carry a reference of this alert.
///
/// An open ticket is the alert's ticket. A closed one ends the occurrence of the raise if it was
/// closed after the raise; otherwise the raise starts the next occurrence. A ticket that is not of
/// the tenant's `company` any more was moved, and is left alone.
#[must_use]
pub fn adopt_prior_tickets(
    record: Record,
    found: &[FoundTicket],
    company: Option<RecordId>,
    epoch: u32,
    now: Timestamp,
) -> Record {
    let occurrences = found
        .iter()
        .filter_map(|ticket| Some((ticket.ticket_ref.as_ref()?.occurrence(), ticket)));
    let newer = occurrences.filter(|(occurrence, ticket)| {
        let is_new = *occurrence >= record.occurrence && !is_known(&record, *occurrence);
        is_new || is_in_reach_again(&record, ticket)
    });
    let Some((occurrence, _)) = newer.clone().max_by_key(|(occurrence, _)| *occurrence) else {
        return record;
    };
    let last: Vec<&FoundTicket> = newer
        .filter(|(of, _)| *of == occurrence)
        .map(|(_, ticket)| ticket)
        .collect();
    let is_ours = |ticket: &FoundTicket| company.is_none() || ticket.company_id == company;
    let open: Vec<&FoundTicket> = last
        .iter()
        .copied()
        .filter(|ticket| !ticket.closed && is_ours(ticket))
        .collect();
    let mut record = record;
    record.occurrence = record.occurrence.max(occurrence);
    let details = record.desired.details.as_ref();
    if let Some(ticket) = kept(&open, None) {
        let company_id = ticket.company_id.unwrap_or_default();
        let adopted = OpenTicket {
            ticket_id: ticket.ticket_id,
            board_id: ticket.board_id,
            company_id,
            epoch,
            opened_at: now,
            severity: details.map_or(Severity::Informational, |details| details.severity),
            kind: None,
            last_note_at: None,
            noted_repeats: details.map_or(0, |details| details.repeats),
            noted_resolved: false,
            owes_reopened_note: false,
            title_note_at: None,
            ticket_ref: ticket
                .ticket_ref
                .clone()
                .filter(|ticket_ref| *ticket_ref != record.occurrence_ref()),
            made: None,
            manual_change: None,
            action: RequestedAction::seen(None, ticket.action, now),
            link_at: None,
        };
        let record = record.with_open(adopted);
        let ticket_ref = record.ticket_ref();
        // If the ticket does not state it: the alert was raised before the ticket was entered, and
        // a ticket that stays open too long is better than one that is closed too early.
        let unsaid = ticket.entered_at.filter(|_| !record.desired.active);
        let raised_at = ticket.raised_at.or(unsaid);
        let record = raised_at.map_or(record.clone(), |at| learn_raise(record, at));
        return with_duplicates(record, &open, ticket.ticket_id, |ticket| Duplicate {
            ticket_id: ticket.ticket_id,
            ticket_ref: ticket_ref.clone(),
            company_id,
            epoch,
            noted: false,
            noted_on_kept: false,
        });
    }
    let Some(ticket) = last.iter().max_by_key(|ticket| ticket.ticket_id) else {
        return record;
    };
    let ended_at = ticket.ended_at();
    let ended = |at: Timestamp| details.is_none_or(|details| details.raised_at <= at);
    let same_life = ended_at.is_none_or(ended);
    let closed = ClosedTicket {
        ticket_id: ticket.ticket_id,
        occurrence,
        epoch,
        at: ended_at.unwrap_or(now),
        ended_at: ended_at.unwrap_or(now),
        by: match is_ours(ticket) && !ticket.merged {
            true => ClosedBy::Technician,
            false => ClosedBy::Moved,
        },
        company_id: ticket.company_id,
        ticket_ref: None,
        action: RequestedAction::seen(None, ticket.action, now),
    };
    let at = closed.at;
    // A record that was not lost knows the raise of its ticket, and what followed.
    let is_forgotten = !is_in_reach_again(&record, ticket);
    record.actual = Some(Actual::Closed(closed));
    record.occurrence = record.occurrence.max(occurrence + u32::from(!same_life));
    // The raise of the ticket is old, even if the record has missed it. What came after it is
    // unknown.
    let raise = ticket.raised_at.map_or(at, end_of_second);
    match same_life && is_forgotten && !is_newer(&record, raise) {
        true => set_last_event(record, raise),
        false => record,
    }
}

/// Whether the ticket that was out of reach is found again, with any number: the connection points
/// at the same ConnectWise again, at another address of it, or at one that its records were moved
/// to.
fn is_in_reach_again(record: &Record, ticket: &FoundTicket) -> bool {
    match &record.actual {
        Some(Actual::Closed(closed)) if closed.by == ClosedBy::OutOfReach => {
            let ticket_ref = closed.ticket_ref(&record.key);
            ticket.ticket_ref == Some(ticket_ref)
        }
        Some(Actual::Open(_) | Actual::Closed(_)) | None => false,
    }
}

/// Learns of a raise from its ticket. If that is newer than all known events, the alert is active,
/// and nothing more is known of it.
fn learn_raise(mut record: Record, at: Timestamp) -> Record {
    let last = record.desired.last.as_ref().map(|last| last.occurred_at);
    if last.is_some_and(|last| at.as_second() <= last.as_second()) {
        return record;
    }
    record.desired.active = true;
    record.desired.details = None;
    set_last_event(record, at)
}

/// Whether an event of that second or later is known. An event of that second may be the ticket's
/// own raise.
fn is_newer(record: &Record, at: Timestamp) -> bool {
    let last = record.desired.last.as_ref();
    last.is_some_and(|last| last.occurred_at.as_second() >= at.as_second())
}

/// Makes events before this time old. Events of this time are not old, as they were received later.
pub(crate) fn set_last_event(mut record: Record, at: Timestamp) -> Record {
    record.desired.last = Some(EventOrder {
        occurred_at: at,
        receipt: Receipt {
            at,
            index: 0,
            bounds_time: false,
        },
        rank: 0,
        digest: EventDigest::new(&["found"]),
    });
    record
}

/// Whether the record already has the ticket of that occurrence.
fn is_known(record: &Record, occurrence: u32) -> bool {
    match &record.actual {
        Some(Actual::Open(_)) => occurrence <= record.occurrence,
        Some(Actual::Closed(closed)) => occurrence <= closed.occurrence,
        None => false,
    }
}
