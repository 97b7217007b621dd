//! The desired state: what the source's events ask for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Kind;
use crate::alert::event::{EventOrder, Severity};
use crate::alert::kind::Category;
use crate::alert::resolution::Resolution;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Desired {
    /// The newest folded event. `None` if there was no event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<EventOrder>,
    /// When an event was last received that says that the alert is active, or one that resolved it.
    /// A repeat counts too if it is not the newest by its own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_received_at: Option<Timestamp>,
    pub active: bool,
    /// From the last raise. `None` if only a resolve was ever received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<AlertDetails>,
    /// Why the alert counts as resolved, if no event says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

/// The details of an active alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertDetails {
    pub kind: Kind,
    pub category: Category,
    pub severity: Severity,
    /// When this occurrence was raised, by the source's clock.
    pub raised_at: Timestamp,
    /// When that event was received.
    pub raise_received_at: Timestamp,
    /// When the event before it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_event_at: Option<Timestamp>,
    /// How often it was repeated in this occurrence.
    pub repeats: u32,
    /// When it expires, unless it is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Desired {
    /// Whether this still shows that the alert is resolved. Snapshots lag behind events: an event
    /// that is not the newest may have said since that the alert is active, or that it expires
    /// later.
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
