//! How Ticketbridge knows that an alert is resolved when no event says so.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::SnapshotId;

/// What shows that an alert is gone, beside an event that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Resolution {
    /// It is not in the complete list of active alerts.
    Absent {
        /// Which list.
        snapshot_id: SnapshotId,
        /// When it was taken.
        taken_at: Timestamp,
    },
    /// It was not repeated until the time at which it said it would end.
    Expired {
        /// That time.
        at: Timestamp,
    },
}

impl Resolution {
    /// When the alert was gone, by what shows it.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Absent { taken_at, .. } => *taken_at,
            Self::Expired { at } => *at,
        }
    }
}
