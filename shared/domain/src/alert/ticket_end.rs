//! How a ticket ended: who closed it, and when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::setup::status_action::StatusAction;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketEnd {
    pub by: ClosedBy,
    /// When, if ConnectWise says so.
    pub at: Option<Timestamp>,
    /// The action that the status asks for to which a person moved it.
    pub action: Option<StatusAction>,
}

impl From<ClosedBy> for TicketEnd {
    fn from(by: ClosedBy) -> Self {
        Self {
            by,
            at: None,
            action: None,
        }
    }
}

/// Who closed a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// Ticketbridge, since the alert was resolved.
    Us,
    Technician,
    Deleted,
    /// A technician moved it to another company or merged it. It is left alone.
    Moved,
    /// The ticket is not ended. It is in a ConnectWise that the connection no longer points at.
    OutOfReach,
}

impl ClosedBy {
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
