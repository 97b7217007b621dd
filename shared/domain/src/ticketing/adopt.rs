//! What tickets that were found by their reference mean: an uncertain create took effect, or a
//! write that was given up took effect late.

use jiff::Timestamp;

use crate::RecordId;
use crate::alert::event::Severity;
use crate::alert::record::{Actual, Claim, Duplicate, Op, OpenTicket, Recheck, Record};
use crate::ticketing::found_ticket::FoundTicket;

/// Applies a search that found tickets with the reference of an uncertain create. The reference
/// names the occurrence, so each of them is its ticket, whatever ConnectWise's clock says. A closed
/// one was closed by a technician, one in another company was moved by a technician.
///
/// After a change of the connection, an older ticket may carry the reference too. Then the claimed
/// create has still shown no effect, and is searched for again.
#[must_use]
pub fn adopt(record: Record, claim: &Claim, found: &[FoundTicket], now: Timestamp) -> Record {
    let of_before = match &record.actual {
        Some(Actual::Closed(closed)) => Some(closed.ticket_id),
        Some(Actual::Open(_)) | None => None,
    };
    let record = with_adopted(record, claim, found, now);
    let is_of_before = |ticket: &FoundTicket| Some(ticket.ticket_id) == of_before;
    match found.iter().all(is_of_before) && !found.is_empty() {
        true => record.with_write_given_up(claim, now),
        false => record,
    }
}

fn with_adopted(record: Record, claim: &Claim, found: &[FoundTicket], now: Timestamp) -> Record {
    let is_open =
        |ticket: &&FoundTicket| ticket.ended(&claim.ticket_ref, claim.company_id).is_none();
    let open: Vec<&FoundTicket> = found.iter().filter(is_open).collect();
    if let Some(ticket) = kept(&open, None) {
        // After a create that was given up, this may be its ticket, whose text reports fewer
        // repeats.
        let noted_repeats = match record.was_given_up_before(claim) {
            true => 0,
            false => record.repeats_reported_by(claim),
        };
        let record = record.with_open(OpenTicket {
            noted_repeats,
            ..OpenTicket::new(ticket.ticket_id, ticket.board_id, claim, now)
        });
        return with_duplicates(record, &open, ticket.ticket_id, |ticket| Duplicate {
            ticket_id: ticket.ticket_id,
            ticket_ref: claim.ticket_ref.clone(),
            company_id: claim.company_id,
            epoch: claim.epoch,
            noted: false,
            noted_on_kept: false,
        });
    }
    let ended = found.iter().min_by_key(|ticket| ticket.ticket_id);
    let ended = ended.and_then(|ticket| {
        let ended = ticket.ended(&claim.ticket_ref, claim.company_id)?;
        Some((ticket.ticket_id, ended))
    });
    match ended {
        Some((ticket_id, ended)) => record.with_closed(ticket_id, claim.epoch, ended, now),
        None => record,
    }
}

/// Applies the search of a recheck. `found` are the tickets with its reference.
#[must_use]
pub fn apply_recheck(
    record: Record,
    recheck: &Recheck,
    found: &[FoundTicket],
    now: Timestamp,
) -> Record {
    match (recheck.op, record.open(), &record.actual) {
        // A ticket that is closed now was closed by Ticketbridge.
        (Op::Close, Some(open), _) => {
            let is_it = |ticket: &&FoundTicket| ticket.ticket_id == open.ticket_id;
            let it = found.iter().find(is_it);
            match it.and_then(|it| it.ended(&recheck.ticket_ref, open.company_id)) {
                Some(ended) => {
                    let (ticket_id, epoch) = (open.ticket_id, open.epoch);
                    record.with_closed(ticket_id, epoch, ended, now)
                }
                None => record.with_recheck_done(recheck),
            }
        }
        // A ticket that is open now was reopened by Ticketbridge and is recorded again. The desired
        // state decides what follows.
        (Op::Reopen, None, Some(Actual::Closed(closed))) => {
            let is_it = |ticket: &&FoundTicket| {
                let ended = ticket.ended(&recheck.ticket_ref, recheck.company_id);
                ticket.ticket_id == closed.ticket_id && ended.is_none()
            };
            match found.iter().find(is_it) {
                Some(it) => {
                    let open = of_recheck(&record, it, recheck, now);
                    record.with_recheck_done(recheck).with_open(open)
                }
                None => record.with_recheck_done(recheck),
            }
        }
        _ => with_late_tickets(record.with_recheck_done(recheck), recheck, found, now),
    }
}

/// The open ticket that a late create or reopen left.
fn of_recheck(
    record: &Record,
    ticket: &FoundTicket,
    recheck: &Recheck,
    now: Timestamp,
) -> OpenTicket {
    let severity = record
        .desired
        .details
        .as_ref()
        .map(|details| details.severity);
    let is_new = recheck.op == Op::Create;
    OpenTicket {
        ticket_id: ticket.ticket_id,
        board_id: ticket.board_id,
        company_id: recheck.company_id,
        epoch: recheck.epoch,
        opened_at: now,
        severity: severity
            .filter(|_| is_new)
            .unwrap_or(Severity::Informational),
        kind: None,
        last_note_at: None,
        noted_repeats: 0,
        noted_resolved: false,
        owes_reopened_note: !is_new,
        title_note_at: None,
        ticket_ref: (!is_new).then(|| recheck.ticket_ref.clone()),
        made: None,
        manual_change: None,
        action: None,
        link_at: None,
    }
}

/// Applies tickets that appeared late. Of several open ones one stays: the one that a person
/// changed, else the recorded one, else the one with the lowest number.
fn with_late_tickets(
    mut record: Record,
    recheck: &Recheck,
    found: &[FoundTicket],
    now: Timestamp,
) -> Record {
    // A ticket that a person closed, moved or merged is left alone and does not count.
    let is_open = |ticket: &&FoundTicket| {
        ticket
            .ended(&recheck.ticket_ref, recheck.company_id)
            .is_none()
    };
    let open: Vec<&FoundTicket> = found.iter().filter(is_open).collect();
    let duplicate = |ticket: &FoundTicket| Duplicate {
        ticket_id: ticket.ticket_id,
        ticket_ref: recheck.ticket_ref.clone(),
        company_id: recheck.company_id,
        epoch: recheck.epoch,
        noted: false,
        noted_on_kept: false,
    };
    let present = recheck.ticket_ref == record.ticket_ref();
    match &mut record.actual {
        Some(Actual::Open(there)) if present => {
            let recorded = there.ticket_id;
            // If the recorded ticket is no longer open, a person closed it. No other ticket takes
            // its place.
            let is_there = open.iter().any(|ticket| ticket.ticket_id == recorded);
            let keep = kept(&open, Some(recorded)).filter(|_| is_there);
            if let Some(keep) = keep.filter(|keep| keep.ticket_id != recorded) {
                there.ticket_id = keep.ticket_id;
                there.board_id = keep.board_id;
            }
            let keep = keep.map_or(recorded, |keep| keep.ticket_id);
            with_duplicates(record, &open, keep, duplicate)
        }
        // The occurrence is over, or has no ticket yet. A late ticket is adopted, and the desired
        // state decides what follows.
        None if present => match kept(&open, None) {
            Some(keep) => {
                let ticket = of_recheck(&record, keep, recheck, now);
                let record = record.with_open(ticket);
                with_duplicates(record, &open, keep.ticket_id, duplicate)
            }
            None => record,
        },
        // The occurrence of this reference is over: its open tickets are duplicates, except the
        // recorded one.
        actual => {
            let recorded = match actual {
                Some(Actual::Open(there)) => there.ticket_id,
                Some(Actual::Closed(there)) => there.ticket_id,
                None => 0,
            };
            with_duplicates(record, &open, recorded, duplicate)
        }
    }
}

/// Which of several open tickets stays: the one that a person changed, else the recorded one, else
/// the one with the lowest number.
pub(crate) fn kept<'a>(
    open: &[&'a FoundTicket],
    recorded: Option<RecordId>,
) -> Option<&'a FoundTicket> {
    let rank = |ticket: &&&FoundTicket| {
        let recorded = recorded == Some(ticket.ticket_id);
        (!ticket.touched, !recorded, ticket.ticket_id)
    };
    open.iter().min_by_key(rank).copied()
}

pub(crate) fn with_duplicates(
    record: Record,
    open: &[&FoundTicket],
    kept: RecordId,
    duplicate: impl Fn(&FoundTicket) -> Duplicate,
) -> Record {
    open.iter()
        .filter(|ticket| ticket.ticket_id != kept)
        .fold(record, |record, ticket| {
            record.with_duplicate(duplicate(ticket))
        })
}

#[cfg(test)]
mod tests;
