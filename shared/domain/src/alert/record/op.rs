//! The writes to ConnectWise.

use serde::{Deserialize, Serialize};

use crate::ClaimId;

/// A write to ConnectWise: exactly one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// POST a ticket.
    Create,
    /// POST a note.
    Note(NoteKind),
    /// PATCH the priority.
    Patch,
    /// PATCH the status to a closed one.
    Close,
    /// PATCH the status to an open one.
    Reopen,
    /// PATCH the status of a duplicate to a closed one.
    Repair,
}

impl Op {
    /// Whether an effect that comes long after the write was given up changes what is recorded.
    pub(super) fn can_take_effect_late(self) -> bool {
        matches!(self, Self::Create | Self::Close | Self::Reopen)
    }
}

/// What a note tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// The alert was repeated.
    Repeats,
    /// The alert is resolved, and a person closes the ticket.
    Resolved,
    /// The alert is resolved, and the ticket is closed next.
    Closing,
    /// The ticket was reopened.
    Reopened,
    /// This ticket is a duplicate, and is closed next.
    Duplicate,
    /// This ticket stays, and has a duplicate.
    Kept,
}

impl NoteKind {
    /// The mark by which a read finds the note that was written under a claim.
    #[must_use]
    pub fn mark(self, claim: &ClaimId) -> String {
        let kind = match self {
            Self::Repeats => "repeats",
            Self::Resolved => "resolved",
            Self::Closing => "closing",
            Self::Reopened => "reopened",
            Self::Duplicate => "duplicate",
            Self::Kept => "kept",
        };
        format!("[tb {kind} {claim}]")
    }
}
