//! What a step did, and the record after it.

use jiff::Timestamp;

use crate::RecordId;
use crate::decide::Step;
use crate::event::Severity;
use crate::record::{Actual, ClosedBy, Open, Record};

/// What a performed step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// A note was made.
    Noted,
    /// The priority was raised.
    Patched,
    /// The ticket is open again, on this board.
    Reopened {
        /// Where it lies.
        board_id: Option<RecordId>,
    },
    /// The ticket has ended: by our close, or it had before.
    Ended(ClosedBy),
    /// A ticket too many is closed, or was ended by a person.
    Repaired,
    /// Nothing, since what was claimed is not wanted any more.
    Dropped,
}

/// The record after a step that is done, under a claim that was still ours.
#[must_use]
pub fn after(mut record: Record, step: &Step, done: &Done, now: Timestamp) -> Record {
    let open = record.open().cloned();
    match (step, done, open) {
        (Step::Repair { duplicate, .. }, Done::Repaired, _) => {
            let other = |known: &crate::record::Duplicate| known.ticket_id != duplicate.ticket_id;
            record.duplicates.retain(other);
            record.without_claim()
        }
        (Step::Reopen(reopen), Done::Reopened { board_id }, _) => {
            let open = Open {
                ticket_id: reopen.ticket_id,
                board_id: *board_id,
                company_id: reopen.company,
                epoch: reopen.epoch,
                opened_at: now,
                // What its priority stands for is not known any more: it is set anew.
                severity: Severity::Informational,
                last_note_at: Some(now),
                noted_repeats: 0,
                noted_gone: false,
                token: Some(reopen.token.clone()),
            };
            record.with_open(open)
        }
        // It cannot be opened again: a new ticket is made instead.
        (Step::Reopen(_), Done::Ended(by), _) => {
            if let Some(Actual::Closed(closed)) = &mut record.actual {
                closed.by = *by;
            }
            record.without_claim()
        }
        (_, Done::Ended(by), Some(open)) => {
            record.with_closed(open.ticket_id, open.epoch, *by, now)
        }
        (Step::NoteRepeats { repeats, .. }, Done::Noted, Some(open)) => record.with_open(Open {
            last_note_at: Some(now),
            noted_repeats: *repeats,
            ..open
        }),
        (Step::NoteGone { .. }, Done::Noted, Some(open)) => record.with_open(Open {
            last_note_at: Some(now),
            noted_gone: true,
            ..open
        }),
        (Step::Patch { severity, .. }, Done::Patched, Some(open)) => record.with_open(Open {
            severity: *severity,
            ..open
        }),
        (_, _, _) => record.without_claim(),
    }
}
