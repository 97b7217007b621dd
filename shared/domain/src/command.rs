//! What reconcile asks of the one writer of tickets: about one alert, in the life and with the ticket that it saw. Where the record
//! moved on since, the command is void: the next run sees what is there then.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AlertKey, RecordId, SnapshotId};

/// One thing to be done about one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The alert.
    pub key: AlertKey,
    /// The life that it is about.
    pub episode: u32,
    /// The open ticket that was seen; none for an alert that has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<RecordId>,
    /// What is asked.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What a command asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Take the alert for gone: this shows it.
    Gone(Gone),
    /// Look at the ticket: ConnectWise lists it otherwise than it is recorded, or not at all.
    Look,
    /// Look for tickets that carry the same token: ConnectWise lists more than one.
    LookForDuplicates,
}

/// What shows that an alert is gone, beside an event that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "shown_by", rename_all = "snake_case")]
pub enum Gone {
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
