//! The ticket of an alert, as it is recorded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::claim::Claim;
use crate::alert::event::Severity;
use crate::alert::key::TicketRef;
use crate::{AlertKey, RecordId};

/// What stands in ConnectWise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Actual {
    /// A ticket that nobody has closed, as far as is known.
    Open(OpenTicket),
    /// A ticket that is not followed any more.
    Closed(ClosedTicket),
}

/// An open ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTicket {
    /// Its number.
    pub ticket_id: RecordId,
    /// The board that it was made on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board_id: Option<RecordId>,
    /// The company that it was made for.
    pub company_id: RecordId,
    /// The connection's epoch: which ConnectWise it is in.
    pub epoch: u32,
    /// When it was recorded.
    pub opened_at: Timestamp,
    /// The severity that its priority stands for.
    pub severity: Severity,
    /// When it last got a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_note_at: Option<Timestamp>,
    /// How many repeats its notes have told.
    #[serde(default)]
    pub noted_repeats: u32,
    /// Whether a note said that the alert is gone.
    #[serde(default)]
    pub noted_resolved: bool,
    /// Whether the ticket was reopened and no note says so yet.
    #[serde(default)]
    pub owes_reopened_note: bool,
    /// The token that it carries, where it is not the present life's: it was opened again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_ref: Option<TicketRef>,
}

/// A ticket that is not followed any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedTicket {
    /// Its number.
    pub ticket_id: RecordId,
    /// Which life of the alert it was made for.
    pub occurrence: u32,
    /// The connection's epoch: which ConnectWise it is in.
    pub epoch: u32,
    /// When that was recorded.
    pub at: Timestamp,
    /// When it ended, by ConnectWise's own word where it gives one; otherwise when that was recorded.
    pub ended_at: Timestamp,
    /// Who ended it.
    pub by: ClosedBy,
    /// The company that it was made for, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_id: Option<RecordId>,
    /// The token that it carries, where it is not its life's: it was opened again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_ref: Option<TicketRef>,
}

/// Who ended a ticket, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketEnd {
    /// Who.
    pub by: ClosedBy,
    /// When, where ConnectWise says so.
    pub at: Option<Timestamp>,
}

impl From<ClosedBy> for TicketEnd {
    fn from(by: ClosedBy) -> Self {
        Self { by, at: None }
    }
}

/// Who ended a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// We did: its alert is gone.
    Us,
    /// A technician closed it.
    Technician,
    /// A technician deleted it.
    Deleted,
    /// A technician gave it to another company, or to another use: it is left alone.
    Moved,
    /// Nobody: it is in a ConnectWise that the connection no longer points at.
    OutOfReach,
}

impl OpenTicket {
    /// The ticket that a claimed create made.
    #[must_use]
    pub fn new(
        ticket_id: RecordId,
        board_id: Option<RecordId>,
        claim: &Claim,
        now: Timestamp,
    ) -> Self {
        Self {
            ticket_id,
            board_id,
            company_id: claim.company_id,
            epoch: claim.epoch,
            opened_at: now,
            severity: claim.severity,
            last_note_at: None,
            noted_repeats: 0,
            noted_resolved: false,
            owes_reopened_note: false,
            ticket_ref: None,
        }
    }

    /// The reference that the ticket carries; `occurrence` is the record's.
    #[must_use]
    pub fn ticket_ref(&self, key: &AlertKey, occurrence: u32) -> TicketRef {
        let own = || TicketRef::new(key, occurrence);
        self.ticket_ref.clone().unwrap_or_else(own)
    }

    /// A ticket of an earlier life that was opened again under this claim, or is found open after it.
    #[must_use]
    pub fn reopened(
        ticket_id: RecordId,
        board_id: Option<RecordId>,
        claim: &Claim,
        now: Timestamp,
    ) -> Self {
        Self {
            // What its priority stands for is not known any more: it is set anew.
            severity: Severity::Informational,
            last_note_at: Some(now),
            owes_reopened_note: true,
            ticket_ref: Some(claim.ticket_ref.clone()),
            ..Self::new(ticket_id, board_id, claim, now)
        }
    }
}

impl Actual {
    /// The open ticket, if it is one.
    #[must_use]
    pub fn open(&self) -> Option<&OpenTicket> {
        match self {
            Self::Open(open) => Some(open),
            Self::Closed(_) => None,
        }
    }
}

impl ClosedTicket {
    /// The reference that the ticket of this alert carries.
    #[must_use]
    pub fn ticket_ref(&self, key: &AlertKey) -> TicketRef {
        let own = || TicketRef::new(key, self.occurrence);
        self.ticket_ref.clone().unwrap_or_else(own)
    }
}

impl ClosedBy {
    /// For a log line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Technician => "technician",
            Self::Deleted => "deleted",
            Self::Moved => "moved",
            Self::OutOfReach => "out of reach",
        }
    }
}

/// A second ticket for the same occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    pub ticket_id: RecordId,
    pub ticket_ref: TicketRef,
    pub company_id: RecordId,
    /// The connection's epoch.
    pub epoch: u32,
    /// Whether a note on it says that it is closed as a duplicate.
    #[serde(default)]
    pub noted: bool,
    /// Whether a note on the ticket that stays names it.
    #[serde(default)]
    pub noted_on_kept: bool,
}

impl Duplicate {
    /// A ticket that a claimed create made.
    #[must_use]
    pub(crate) fn new(ticket_id: RecordId, claim: &Claim) -> Self {
        Self {
            ticket_id,
            ticket_ref: claim.ticket_ref.clone(),
            company_id: claim.company_id,
            epoch: claim.epoch,
            noted: false,
            noted_on_kept: false,
        }
    }
}
