//! How Ticketbridge knows that an alert is resolved when no event says so.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::SnapshotId;

/// The reason why an alert counts as resolved without an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Resolution {
    /// A snapshot does not list it.
    Absent {
        snapshot_id: SnapshotId,
        taken_at: Timestamp,
    },
    /// It was not repeated before its expiry.
    Expired { at: Timestamp },
}

impl Resolution {
    /// When the alert was resolved.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Absent { taken_at, .. } => *taken_at,
            Self::Expired { at } => *at,
        }
    }
}
