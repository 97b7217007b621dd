//! What the source's events ask for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Kind;
use crate::alert::event::{EventOrder, Severity};
use crate::alert::kind::Category;
use crate::alert::resolution::Resolution;

/// What the events ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Desired {
    /// The newest event taken in; none in a record that no event has touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<EventOrder>,
    /// When an event that says that the alert is active was last received, or one that ended it: also a repeat that is not the newest by
    /// its own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_received_at: Option<Timestamp>,
    /// Whether the alert is there.
    pub active: bool,
    /// What the last raise said; none where only a resolve was ever seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<AlertDetails>,
    /// What shows that it is gone, where no event says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

/// What a standing alert looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertDetails {
    /// What sort of alert.
    pub kind: Kind,
    /// The board category of the kind.
    pub category: Category,
    /// How bad it is now.
    pub severity: Severity,
    /// When this life of the alert began.
    pub raised_at: Timestamp,
    /// When the event that began it was received.
    pub raise_received_at: Timestamp,
    /// When the last event before that occurred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_event_at: Option<Timestamp>,
    /// How often it was repeated in this life.
    pub repeats: u32,
    /// Gone by itself at this time, unless repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Desired {
    /// Whether this still shows that the alert is resolved. Snapshots lag behind events: an event that is not the newest may have
    /// said since that the alert is active, or that it expires later.
    #[must_use]
    pub(crate) fn is_resolved_by(&self, resolution: &Resolution) -> bool {
        match resolution {
            Resolution::Absent { taken_at, .. } => {
                self.last_received_at.is_none_or(|at| at < *taken_at)
            }
            Resolution::Expired { at } => {
                let details = self.details.as_ref();
                details.and_then(|details| details.expires_at) == Some(*at)
            }
        }
    }
}
