//! The writes to ConnectWise that `decide` asks for.

use jiff::Timestamp;

use crate::alert::event::Severity;
use crate::alert::record::{Claim, Duplicate, NoteKind, Op, Record};
use crate::setup::assignment::Assignee;
use crate::setup::custom_fields::CustomField;
use crate::setup::settings::TicketType;
use crate::setup::ticket_links::TicketLinks;
use crate::ticketing::manual_change::ManualChange;
use crate::{ClaimId, RecordId, TicketRef};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketWrite {
    /// Create the ticket of this occurrence.
    Create(Box<TicketCreation>),
    /// Add a note.
    Note {
        ticket_id: RecordId,
        note: NoteContent,
    },
    /// Set the priority to that of the alert's severity.
    Patch {
        ticket_id: RecordId,
        severity: Severity,
        priority: RecordId,
        /// Whether the priority stays if a person worked on the ticket.
        only_untouched: bool,
    },
    /// Set the type to that of the alert's new kind, unless a person worked on the ticket.
    SetType {
        ticket_id: RecordId,
        ticket_type: TicketType,
    },
    /// Link the ticket to the configuration of its device.
    Link {
        ticket_id: RecordId,
        company: RecordId,
        device: String,
    },
    /// Close the ticket, since its alert is resolved.
    Close {
        ticket_id: RecordId,
        /// Whether it stays open if a person worked on it.
        only_untouched: bool,
    },
    /// Reopen the ticket of the previous occurrence.
    Reopen(TicketReopening),
    /// Close a duplicate.
    Repair(Duplicate),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteContent {
    Repeats {
        /// All repeats of this occurrence.
        repeats: u32,
        /// The repeats that no note has reported yet.
        unreported: u32,
    },
    /// The alert is resolved, and a person is to close the ticket.
    Resolved {
        /// Why Ticketbridge does not close it, if it closes other tickets.
        change: Option<ManualChange>,
    },
    /// The alert is resolved, and the ticket is closed next. The note comes first: a note on a
    /// closed ticket would reopen it if a ConnectWise workflow does that.
    Closing {
        /// As for [`TicketWrite::Close`].
        only_untouched: bool,
    },
    Reopened,
    /// This ticket is a duplicate and is closed next.
    Duplicate {
        duplicate: Duplicate,
        /// The ticket that stays, if there is one.
        kept: Option<RecordId>,
    },
    /// This ticket stays, and another one is its duplicate.
    Kept {
        duplicate: RecordId,
    },
    /// The source's answer to an action that a technician asked for.
    Answer {
        text: String,
    },
}

impl NoteContent {
    #[must_use]
    pub fn kind(&self) -> NoteKind {
        match self {
            Self::Repeats { .. } => NoteKind::Repeats,
            Self::Resolved { .. } => NoteKind::Resolved,
            Self::Closing { .. } => NoteKind::Closing,
            Self::Reopened => NoteKind::Reopened,
            Self::Duplicate { .. } => NoteKind::Duplicate,
            Self::Kept { .. } => NoteKind::Kept,
            Self::Answer { .. } => NoteKind::Answer,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketReopening {
    pub ticket_id: RecordId,
    /// Its reference, which is that of the occurrence it was created for.
    pub ticket_ref: TicketRef,
    /// The company that it must still have.
    pub company: RecordId,
    pub epoch: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketCreation {
    pub company: RecordId,
    /// The board. `None` leaves board, status and type to ConnectWise.
    pub board: Option<RecordId>,
    pub status: Option<RecordId>,
    pub ticket_type: Option<TicketType>,
    pub source: Option<RecordId>,
    pub assignee: Assignee,
    pub custom_fields: Vec<CustomField>,
    pub priority: Option<RecordId>,
    pub severity: Severity,
    /// When this occurrence was raised.
    pub raised_at: Timestamp,
    /// The ticket of the previous occurrence, if it is in the same ConnectWise.
    pub previous: Option<RecordId>,
    /// The records of the company that it is linked to.
    pub links: TicketLinks,
}

impl TicketWrite {
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Create(_) => Op::Create,
            Self::Note { note, .. } => Op::Note(note.kind()),
            Self::Patch { .. } => Op::Patch,
            Self::SetType { .. } => Op::SetType,
            Self::Link { .. } => Op::Link,
            Self::Close { .. } => Op::Close,
            Self::Reopen(_) => Op::Reopen,
            Self::Repair(_) => Op::Repair,
        }
    }

    /// Whether it is made only if no person worked on the ticket.
    #[must_use]
    pub fn is_only_for_untouched(&self) -> bool {
        match self {
            Self::Patch { only_untouched, .. }
            | Self::Close { only_untouched, .. }
            | Self::Note {
                note: NoteContent::Closing { only_untouched },
                ..
            } => *only_untouched,
            Self::SetType { .. } => true,
            Self::Create(_)
            | Self::Note { .. }
            | Self::Link { .. }
            | Self::Reopen(_)
            | Self::Repair(_) => false,
        }
    }

    /// Whether a record of the company may have to be looked up before it.
    #[must_use]
    pub fn needs_company_record(&self) -> bool {
        match self {
            Self::Create(create) => create.links.contact,
            Self::Link { .. } => true,
            Self::Note { .. }
            | Self::Patch { .. }
            | Self::SetType { .. }
            | Self::Close { .. }
            | Self::Reopen(_)
            | Self::Repair(_) => false,
        }
    }

    /// The claim for this write. `None` if the record does not fit the write.
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
                NoteContent::Resolved { .. }
                | NoteContent::Closing { .. }
                | NoteContent::Reopened
                | NoteContent::Duplicate { .. }
                | NoteContent::Kept { .. }
                | NoteContent::Answer { .. } => (Some(*ticket_id), None, 0),
            },
            Self::Patch { ticket_id, .. }
            | Self::SetType { ticket_id, .. }
            | Self::Link { ticket_id, .. }
            | Self::Close { ticket_id, .. } => (Some(*ticket_id), None, 0),
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
            Self::Note { .. }
            | Self::Patch { .. }
            | Self::SetType { .. }
            | Self::Link { .. }
            | Self::Close { .. } => of_open()?,
        };
        let device = record.summary.as_ref().and_then(|of| of.device.as_ref());
        let links_configuration =
            device.is_some() && matches!(self, Self::Create(create) if create.links.configuration);
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
            kind: details.map(|details| details.kind.clone()),
            began_at: now,
            raise_received_at: details.map(|details| details.raise_received_at),
            repeats,
            links_configuration,
            until,
            uncertain_at: None,
            visits: 0,
            visited_at: None,
            empty_visits: 0,
            suspected_refusal: None,
        })
    }

    fn reason(&self) -> &'static str {
        if let Self::Patch {
            only_untouched: true,
            ..
        } = self
        {
            return "less severe";
        }
        match self.op() {
            Op::Create => "raised",
            Op::Note(NoteKind::Repeats) => "repeated",
            Op::Patch => "more severe",
            Op::SetType => "of another kind",
            Op::Link => "with a device",
            Op::Note(NoteKind::Resolved) | Op::Note(NoteKind::Closing) | Op::Close => "resolved",
            Op::Note(NoteKind::Reopened) | Op::Reopen => "raised again",
            Op::Note(NoteKind::Answer) => "answered",
            Op::Note(NoteKind::Duplicate) | Op::Note(NoteKind::Kept) | Op::Repair => "duplicate",
        }
    }
}
