//! The actual state: the ticket of an alert, as it is recorded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::claim::Claim;
use crate::alert::event::Severity;
use crate::alert::key::TicketRef;
use crate::alert::ticket_end::ClosedBy;
use crate::setup::status_action::RequestedAction;
use crate::ticketing::manual_change::{ManualChange, TicketFields};
use crate::{AlertKey, Kind, RecordId};

/// The ticket of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Actual {
    /// A ticket that is open, as far as is known.
    Open(OpenTicket),
    /// A ticket that Ticketbridge no longer changes.
    Closed(ClosedTicket),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTicket {
    pub ticket_id: RecordId,
    /// The board, when it was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board_id: Option<RecordId>,
    pub company_id: RecordId,
    /// The epoch of the connection, which identifies the ConnectWise.
    pub epoch: u32,
    pub opened_at: Timestamp,
    /// The severity for which its priority was set.
    pub severity: Severity,
    /// The kind for which its type was set. `None` if that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_note_at: Option<Timestamp>,
    /// How many repeats its notes report.
    #[serde(default)]
    pub noted_repeats: u32,
    /// Whether a note says that the alert is resolved.
    #[serde(default)]
    pub noted_resolved: bool,
    /// Whether the ticket was reopened and has no note about that yet.
    #[serde(default)]
    pub owes_reopened_note: bool,
    /// When a note about a changed title is due, if no repeat is noted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title_note_at: Option<Timestamp>,
    /// Its reference, if that is not the reference of the current occurrence: it was reopened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_ref: Option<TicketRef>,
    /// Its fields after Ticketbridge last set one. `None` if it was found by its reference: a person
    /// may have changed it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Box<TicketFields>>,
    /// What a person did with it, if it was not closed for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_change: Option<ManualChange>,
    /// The action that its status asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<RequestedAction>,
    /// When it is next linked to the configuration of its device. Absent if nothing is to be linked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedTicket {
    pub ticket_id: RecordId,
    /// The occurrence for which it was created.
    pub occurrence: u32,
    /// The epoch of the connection, which identifies the ConnectWise.
    pub epoch: u32,
    /// When the end was recorded.
    pub at: Timestamp,
    /// When it was closed, according to ConnectWise, else when that was recorded.
    pub ended_at: Timestamp,
    pub by: ClosedBy,
    /// The company, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_id: Option<RecordId>,
    /// Its reference, if that is not the reference of its occurrence: it was reopened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_ref: Option<TicketRef>,
    /// The action that its last status asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<RequestedAction>,
}

impl OpenTicket {
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
            kind: claim.kind.clone(),
            last_note_at: None,
            noted_repeats: 0,
            noted_resolved: false,
            owes_reopened_note: false,
            title_note_at: None,
            ticket_ref: None,
            made: None,
            manual_change: None,
            action: None,
            link_at: claim.links_configuration.then_some(now),
        }
    }

    /// `occurrence` is the current one of the record.
    #[must_use]
    pub fn ticket_ref(&self, key: &AlertKey, occurrence: u32) -> TicketRef {
        let own = || TicketRef::new(key, occurrence);
        self.ticket_ref.clone().unwrap_or_else(own)
    }

    /// A ticket of an earlier occurrence that was reopened under this claim, or was found open
    /// after it.
    #[must_use]
    pub fn reopened(
        ticket_id: RecordId,
        board_id: Option<RecordId>,
        claim: &Claim,
        now: Timestamp,
    ) -> Self {
        Self {
            // Its priority is not known any more, so it is set again.
            severity: Severity::Informational,
            // Nor is its type, which a person may have chosen.
            kind: None,
            last_note_at: Some(now),
            owes_reopened_note: true,
            ticket_ref: Some(claim.ticket_ref.clone()),
            ..Self::new(ticket_id, board_id, claim, now)
        }
    }
}

impl Actual {
    #[must_use]
    pub fn open(&self) -> Option<&OpenTicket> {
        match self {
            Self::Open(open) => Some(open),
            Self::Closed(_) => None,
        }
    }
}

impl ClosedTicket {
    #[must_use]
    pub fn ticket_ref(&self, key: &AlertKey) -> TicketRef {
        let own = || TicketRef::new(key, self.occurrence);
        self.ticket_ref.clone().unwrap_or_else(own)
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
