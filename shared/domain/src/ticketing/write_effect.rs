//! What a write did, and the record after it.

use jiff::{SignedDuration, Timestamp};

use crate::RecordId;
use crate::alert::record::{
    Actual, Claim, ClosedBy, Duplicate, NoteKind, Op, OpenTicket, Record, TicketEnd,
};
use crate::setup::settings::TicketType;
use crate::setup::status_action::ActionAnswer;
use crate::ticketing::found_ticket::FoundTicket;
use crate::ticketing::manual_change::ManualChange;
use crate::time::later;

/// A link that may have failed is made again this long after.
const LINK_DELAY: SignedDuration = SignedDuration::from_mins(15);
/// A ticket that is older than this is linked no more.
const LAST_LINK: SignedDuration = SignedDuration::from_hours(24);

/// The effect of a claimed write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteEffect {
    /// The note is on the ticket. Or ConnectWise accepts none there, and the ticket is closed
    /// without it.
    Noted,
    /// The ticket has this priority.
    Patched {
        priority: RecordId,
    },
    /// The ticket has this type.
    TypeSet(TicketType),
    /// Nothing is left to link: the ticket has the configuration of its device, the company has
    /// none, or ConnectWise refuses the link.
    Linked,
    /// The ticket may not be linked. That is done again later, unless the ticket is old.
    LinkPostponed,
    /// The ticket is open again, on this board.
    Reopened {
        board_id: Option<RecordId>,
    },
    /// The ticket is closed: by Ticketbridge, or before that by a person.
    Ended(TicketEnd),
    Repaired,
    /// Nothing was written, because a person worked on the ticket.
    LeftOpen(ManualChange),
}

/// A ticket as ConnectWise shows it after a write of unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedTicket {
    /// `None` if the ticket was deleted.
    pub ticket: Option<FoundTicket>,
    /// Whether it has the note of the claim.
    pub is_noted: bool,
    /// The priority of the claim's severity, if the ticket has it.
    pub priority: Option<RecordId>,
    /// The type of the claim's kind, if the ticket has it.
    pub ticket_type: Option<TicketType>,
}

impl ObservedTicket {
    /// Whether a person closed, merged, moved or deleted the ticket.
    fn ended(&self, claim: &Claim) -> Option<TicketEnd> {
        let deleted = TicketEnd::from(ClosedBy::Deleted);
        let ticket = self.ticket.as_ref();
        ticket.map_or(Some(deleted), |ticket| {
            ticket.ended(&claim.ticket_ref, claim.company_id)
        })
    }
}

/// Applies a look, begun at `began`, at the ticket of a write of unknown outcome. A step is one
/// call, so one look shows whether it took effect. Without an effect the claim stays until
/// ConnectWise has settled. Only then it counts what a person did with the ticket, since the effect
/// can still come.
#[must_use]
pub fn apply_observation(
    record: Record,
    claim: &Claim,
    seen: &ObservedTicket,
    settle: SignedDuration,
    began: Timestamp,
    now: Timestamp,
) -> Record {
    if let Some(done) = observed_effect(claim, seen) {
        let record = apply_effect(record, claim, &done, now);
        // A person may have closed it, and the close of Ticketbridge may still come, for instance
        // after the ticket is reopened.
        let may_come_late = claim.op == Op::Close && began < claim.settled_at(settle);
        return match may_come_late {
            true => record.with_late_close(claim, settle),
            false => record,
        };
    }
    let record = record.unblock_claimed().with_empty_visit(settle, began);
    match seen.ended(claim) {
        // The ticket of an earlier occurrence is reopened or not; it was closed in either case.
        Some(ended) if record.claim.is_none() && claim.op != Op::Reopen => {
            apply_effect(record, claim, &WriteEffect::Ended(ended), now)
        }
        Some(_) | None => record,
    }
}

/// The effect of a claimed write, as its ticket shows it. `None` if no effect is visible.
#[must_use]
pub fn observed_effect(claim: &Claim, seen: &ObservedTicket) -> Option<WriteEffect> {
    let ended = seen.ended(claim);
    let Some(ticket) = &seen.ticket else {
        return ended.map(WriteEffect::Ended);
    };
    let is_closed = ended.is_some_and(|ended| ended.by == ClosedBy::Technician);
    match claim.op {
        Op::Create => None,
        Op::Note(_) => seen.is_noted.then_some(WriteEffect::Noted),
        Op::Patch => seen
            .priority
            .map(|priority| WriteEffect::Patched { priority }),
        Op::SetType => seen.ticket_type.map(WriteEffect::TypeSet),
        Op::Link => Some(WriteEffect::LinkPostponed),
        // It was closed while a close was under way, so Ticketbridge closed it.
        Op::Close if is_closed => Some(WriteEffect::Ended(TicketEnd {
            by: ClosedBy::Us,
            at: ended.and_then(|ended| ended.at),
            action: None,
        })),
        Op::Repair if is_closed => Some(WriteEffect::Repaired),
        Op::Close | Op::Repair => None,
        Op::Reopen => ended.is_none().then_some(WriteEffect::Reopened {
            board_id: ticket.board_id,
        }),
    }
}

/// Applies a write that took effect, under a claim that the worker still held.
#[must_use]
pub fn apply_effect(
    mut record: Record,
    claim: &Claim,
    done: &WriteEffect,
    now: Timestamp,
) -> Record {
    let open = record.open().cloned();
    match (claim.op, done, open) {
        (
            Op::Note(NoteKind::Duplicate) | Op::Repair,
            WriteEffect::Repaired | WriteEffect::Ended(_),
            _,
        ) => {
            let other = |known: &Duplicate| Some(known.ticket_id) != claim.ticket_id;
            record.duplicates.retain(other);
            record.without_claim()
        }
        (Op::Note(NoteKind::Duplicate), WriteEffect::Noted, _) => {
            let of_claim = |known: &&mut Duplicate| Some(known.ticket_id) == claim.ticket_id;
            if let Some(duplicate) = record.duplicates.iter_mut().find(of_claim) {
                duplicate.noted = true;
            }
            record.without_claim()
        }
        (Op::Note(NoteKind::Kept), WriteEffect::Noted, _) => {
            // The duplicates are named one after the other.
            let is_next = |known: &&mut Duplicate| !known.noted_on_kept;
            if let Some(duplicate) = record.duplicates.iter_mut().find(is_next) {
                duplicate.noted_on_kept = true;
            }
            record.without_claim()
        }
        (Op::Reopen, WriteEffect::Reopened { board_id }, _) => {
            let ticket_id = claim.ticket_id.unwrap_or_default();
            // The note about the reopening also reports earlier repeats.
            let noted_repeats = record.repeats_reported_by(claim);
            record.with_open(OpenTicket {
                noted_repeats,
                ..OpenTicket::reopened(ticket_id, *board_id, claim, now)
            })
        }
        // It cannot be reopened. A new ticket is created instead.
        (Op::Reopen, WriteEffect::Ended(ended), _) => {
            if let Some(Actual::Closed(closed)) = &mut record.actual {
                closed.by = ended.by;
            }
            record.without_claim()
        }
        (_, WriteEffect::Ended(ended), Some(open)) => {
            record.with_closed(open.ticket_id, open.epoch, *ended, now)
        }
        (Op::Note(NoteKind::Repeats), WriteEffect::Noted, Some(open)) => {
            let reported = record.repeats_reported_by(claim);
            let details = record.desired.details.as_ref();
            // A title that changed after the claim is not in this note.
            let is_newest = details.is_none_or(|details| reported >= details.repeats);
            record.with_open(OpenTicket {
                last_note_at: Some(now),
                noted_repeats: open.noted_repeats.max(reported),
                title_note_at: open.title_note_at.filter(|_| !is_newest),
                ..open
            })
        }
        (
            Op::Note(NoteKind::Resolved) | Op::Note(NoteKind::Closing),
            WriteEffect::Noted,
            Some(open),
        ) => {
            // If the alert was raised in the meantime, its next resolve needs a note of its own.
            let noted_resolved = !record.desired.active;
            record.with_open(OpenTicket {
                last_note_at: Some(now),
                noted_resolved,
                ..open
            })
        }
        (Op::Note(NoteKind::Answer), WriteEffect::Noted, Some(mut open)) => {
            if let Some(action) = &mut open.action {
                action.answer = ActionAnswer::Noted;
            }
            record.with_open(OpenTicket {
                last_note_at: Some(now),
                ..open
            })
        }
        (Op::Note(NoteKind::Reopened), WriteEffect::Noted, Some(open)) => {
            record.with_open(OpenTicket {
                last_note_at: Some(now),
                owes_reopened_note: false,
                ..open
            })
        }
        (_, WriteEffect::LeftOpen(change), Some(open)) => record.with_open(OpenTicket {
            manual_change: Some(*change),
            // A note that says that the ticket is closed is followed by one that says why not.
            noted_resolved: false,
            ..open
        }),
        (Op::Patch, WriteEffect::Patched { priority }, Some(mut open)) => {
            if let Some(made) = &mut open.made {
                made.priority = Some(*priority);
            }
            record.with_open(OpenTicket {
                severity: claim.severity,
                ..open
            })
        }
        (Op::SetType, WriteEffect::TypeSet(set), Some(mut open)) => {
            if let Some(made) = &mut open.made {
                made.kind_type = Some(set.kind_type);
                made.subtype = set.subtype;
                made.item = set.item;
            }
            record.with_open(OpenTicket {
                kind: claim.kind.clone(),
                ..open
            })
        }
        (Op::Link, WriteEffect::Linked, Some(_)) => end_link(record),
        (Op::Link, WriteEffect::LinkPostponed, Some(_)) => postpone_link(record, now),
        (_, _, _) => record.without_claim(),
    }
}

/// Records that nothing is left to link.
#[must_use]
pub fn end_link(record: Record) -> Record {
    record.with_link_at(None)
}

/// Records that the ticket is linked later, unless it is old by then.
#[must_use]
pub fn postpone_link(record: Record, now: Timestamp) -> Record {
    let at = later(now, LINK_DELAY);
    let is_due = |open: &OpenTicket| at <= later(open.opened_at, LAST_LINK);
    let at = record.open().is_some_and(is_due).then_some(at);
    record.with_link_at(at)
}

/// Ends a claimed link whose worker died or lost its time. Linking again makes no second link, so
/// nothing is looked up, and no other write waits for it.
#[must_use]
pub fn end_lost_link(record: Record, now: Timestamp) -> Record {
    match record.claim.clone() {
        Some(claim) if claim.op == Op::Link && claim.until <= now => {
            apply_effect(record, &claim, &WriteEffect::LinkPostponed, now)
        }
        Some(_) | None => record,
    }
}

#[cfg(test)]
mod tests;
