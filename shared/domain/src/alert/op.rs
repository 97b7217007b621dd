//! The writes to ConnectWise.

use serde::{Deserialize, Serialize};

/// A write to ConnectWise: exactly one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Posts a ticket.
    Create,
    /// Posts a note.
    Note(NoteKind),
    /// Patches the priority.
    Patch,
    /// Patches type, subtype and item.
    SetType,
    /// Links the ticket to the configuration of the alert's device. A second link is no duplicate,
    /// so its outcome is never looked up.
    Link,
    /// Patches the status to the closing one.
    Close,
    /// Patches the status to an open one.
    Reopen,
    /// Patches the status of a duplicate to the closing one.
    Repair,
}

impl Op {
    /// Whether an effect that comes long after the write was given up changes the record.
    pub(crate) fn can_take_effect_late(self) -> bool {
        matches!(self, Self::Create | Self::Close | Self::Reopen)
    }
}

/// The content of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    Repeats,
    /// The alert is resolved, and a person is to close the ticket.
    Resolved,
    /// The alert is resolved, and Ticketbridge closes the ticket next.
    Closing,
    Reopened,
    /// This ticket is a duplicate and is closed next.
    Duplicate,
    /// This ticket stays; another one is its duplicate.
    Kept,
    /// The source's answer to an action that a technician asked for.
    Answer,
}

impl NoteKind {
    pub const ALL: [Self; 7] = [
        Self::Repeats,
        Self::Resolved,
        Self::Closing,
        Self::Reopened,
        Self::Duplicate,
        Self::Kept,
        Self::Answer,
    ];
}
