//! Given-up writes and duplicate tickets.

use super::op::Op;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::RecordId;
use crate::alert::key::TicketRef;

/// A write that was given up: no effect of it was seen after the settling time. ConnectWise may still do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recheck {
    /// The write. Only a create, a close and a reopen are looked for again.
    pub op: Op,
    /// The token of the ticket.
    pub ticket_ref: TicketRef,
    /// The board that it was to go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board_id: Option<RecordId>,
    /// The company that it would be for.
    pub company_id: RecordId,
    /// The connection's epoch.
    pub epoch: u32,
    /// When to search again.
    pub at: Timestamp,
    /// Whether that is the last time.
    pub last: bool,
}

/// A ticket too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Its number.
    pub ticket_id: RecordId,
    /// What it carries.
    pub ticket_ref: TicketRef,
    /// The company that it was made for.
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

impl Recheck {
    /// Whether it looks for the write of this kind to the ticket with this reference.
    #[must_use]
    pub fn is_for(&self, op: Op, ticket_ref: &TicketRef) -> bool {
        self.op == op && self.ticket_ref == *ticket_ref
    }
}
