//! One write to ConnectWise, and the claim under which it is made.

use jiff::Timestamp;

use crate::alert::event::Severity;
use crate::alert::record::{Claim, Duplicate, NoteKind, Op, Record};
use crate::{ClaimId, RecordId, TicketRef};

/// One write to ConnectWise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketWrite {
    /// Make the ticket of this life.
    Create(TicketCreation),
    /// Write a note.
    Note {
        /// The ticket.
        ticket_id: RecordId,
        /// What it says.
        note: NoteContent,
    },
    /// Raise the priority to the alert's severity.
    Patch {
        /// The ticket.
        ticket_id: RecordId,
        /// The severity now.
        severity: Severity,
        /// Its priority in ConnectWise.
        priority: RecordId,
    },
    /// Close the ticket: its alert is gone.
    Close {
        /// The ticket.
        ticket_id: RecordId,
    },
    /// Open the ticket of the life before again.
    Reopen(TicketReopening),
    /// Close a ticket too many.
    Repair(Duplicate),
}

/// What a note says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteContent {
    /// The alert was repeated.
    Repeats {
        /// All repeats of this life so far.
        repeats: u32,
        /// Those that no note has told yet.
        untold: u32,
    },
    /// The alert is resolved, and a person closes the ticket.
    Resolved,
    /// The alert is resolved, and the ticket is closed next. The note comes first: a note on a closed ticket would reopen it where a
    /// workflow of ConnectWise does so.
    Closing,
    /// The ticket was reopened.
    Reopened,
    /// This ticket is a duplicate, and is closed next.
    Duplicate {
        /// It.
        duplicate: Duplicate,
        /// The one that stays, if there is one.
        kept: Option<RecordId>,
    },
    /// This ticket stays.
    Kept {
        /// The number of its duplicate.
        duplicate: RecordId,
    },
}

impl NoteContent {
    /// What it tells.
    #[must_use]
    pub fn kind(&self) -> NoteKind {
        match self {
            Self::Repeats { .. } => NoteKind::Repeats,
            Self::Resolved => NoteKind::Resolved,
            Self::Closing => NoteKind::Closing,
            Self::Reopened => NoteKind::Reopened,
            Self::Duplicate { .. } => NoteKind::Duplicate,
            Self::Kept { .. } => NoteKind::Kept,
        }
    }
}

/// A ticket that is opened again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketReopening {
    /// Its number.
    pub ticket_id: RecordId,
    /// What it carries: the token of the life that it was made for.
    pub ticket_ref: TicketRef,
    /// The company that it must still be of.
    pub company: RecordId,
    /// The connection's epoch.
    pub epoch: u32,
}

/// Where a new ticket goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketCreation {
    /// The tenant's company.
    pub company: RecordId,
    /// The board; none leaves board, status and type to ConnectWise.
    pub board: Option<RecordId>,
    /// The start status.
    pub status: Option<RecordId>,
    /// The kind's ticket type.
    pub kind_type: Option<RecordId>,
    /// The severity's priority.
    pub priority: Option<RecordId>,
    /// The severity that the priority stands for.
    pub severity: Severity,
    /// When this life began.
    pub raised_at: Timestamp,
    /// The ticket of the life before, in the same ConnectWise.
    pub previous: Option<RecordId>,
}

impl TicketWrite {
    /// The operation that the claim names.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Create(_) => Op::Create,
            Self::Note { note, .. } => Op::Note(note.kind()),
            Self::Patch { .. } => Op::Patch,
            Self::Close { .. } => Op::Close,
            Self::Reopen(_) => Op::Reopen,
            Self::Repair(_) => Op::Repair,
        }
    }

    /// The claim under which the step is made; none where the record does not fit the step.
    #[must_use]
    pub fn claim(
        &self,
        record: &Record,
        id: ClaimId,
        epoch: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Option<Claim> {
        let details = record.desired.details.as_ref();
        let of_open = || {
            let open = record.open()?;
            Some((record.ticket_ref(), open.company_id, open.epoch))
        };
        let of_duplicate = |of: &Duplicate| (of.ticket_ref.clone(), of.company_id, of.epoch);
        let repeats = details.map_or(0, |details| details.repeats);
        let (ticket_id, board_id, repeats) = match self {
            Self::Create(create) => (None, create.board, repeats),
            Self::Note { ticket_id, note } => match note {
                NoteContent::Repeats { repeats, .. } => (Some(*ticket_id), None, *repeats),
                NoteContent::Resolved
                | NoteContent::Closing
                | NoteContent::Reopened
                | NoteContent::Duplicate { .. }
                | NoteContent::Kept { .. } => (Some(*ticket_id), None, 0),
            },
            Self::Patch { ticket_id, .. } | Self::Close { ticket_id } => {
                (Some(*ticket_id), None, 0)
            }
            Self::Reopen(reopen) => (Some(reopen.ticket_id), None, repeats),
            Self::Repair(duplicate) => (Some(duplicate.ticket_id), None, 0),
        };
        let (ticket_ref, company_id, epoch) = match self {
            Self::Create(create) => {
                details.map(|_| (record.occurrence_ref(), create.company, epoch))?
            }
            Self::Reopen(reopen) => (reopen.ticket_ref.clone(), reopen.company, reopen.epoch),
            Self::Repair(duplicate)
            | Self::Note {
                note: NoteContent::Duplicate { duplicate, .. },
                ..
            } => of_duplicate(duplicate),
            Self::Note { .. } | Self::Patch { .. } | Self::Close { .. } => of_open()?,
        };
        Some(Claim {
            id,
            op: self.op(),
            reason: self.reason().to_owned(),
            ticket_ref,
            ticket_id,
            board_id,
            company_id,
            epoch,
            severity: details.map_or(Severity::Informational, |details| details.severity),
            began_at: now,
            raise_received_at: details.map(|details| details.raise_received_at),
            repeats,
            until,
            uncertain_at: None,
            visits: 0,
            visited_at: None,
            empty_visits: 0,
            suspected_refusal: None,
        })
    }

    fn reason(&self) -> &'static str {
        match self.op() {
            Op::Create => "raised",
            Op::Note(NoteKind::Repeats) => "repeated",
            Op::Patch => "worse",
            Op::Note(NoteKind::Resolved) | Op::Note(NoteKind::Closing) | Op::Close => "resolved",
            Op::Note(NoteKind::Reopened) | Op::Reopen => "raised again",
            Op::Note(NoteKind::Duplicate) | Op::Note(NoteKind::Kept) | Op::Repair => "duplicate",
        }
    }
}
