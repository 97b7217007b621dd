//! What a technician asks for by moving a ticket to a status, as the partner maps its statuses.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::later;

/// The actions to which a partner can map a status.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// A technician works on the alert.
    Acknowledge,
    /// The alert gets no ticket for some days.
    WontFix,
    /// The source is to act, whatever that means to it.
    Act,
}

impl ActionKind {
    pub const ALL: [Self; 3] = [Self::Acknowledge, Self::WontFix, Self::Act];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::WontFix => "wont_fix",
            Self::Act => "act",
        }
    }
}

/// An action with the partner's choice about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum StatusAction {
    Acknowledge,
    WontFix { days: u32 },
    Act,
}

impl StatusAction {
    #[must_use]
    pub fn kind(self) -> ActionKind {
        match self {
            Self::Acknowledge => ActionKind::Acknowledge,
            Self::WontFix { .. } => ActionKind::WontFix,
            Self::Act => ActionKind::Act,
        }
    }

    /// Until when an alert gets no ticket if the action was asked for at this time. `None` if it
    /// does not matter for tickets.
    #[must_use]
    pub fn no_ticket_until(self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::WontFix { days } => {
                Some(later(at, SignedDuration::from_hours(24 * i64::from(days))))
            }
            Self::Acknowledge | Self::Act => None,
        }
    }
}

/// An action that a technician asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedAction {
    #[serde(flatten)]
    pub action: StatusAction,
    /// When the ticket was first seen in the status.
    pub at: Timestamp,
    /// What the source answered. The first answer counts.
    #[serde(default, skip_serializing_if = "ActionAnswer::is_none")]
    pub answer: ActionAnswer,
}

/// The source's answer to an action, which becomes a note.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ActionAnswer {
    #[default]
    None,
    /// The text for the note.
    Pending { text: String },
    /// The note is written.
    Noted,
}

impl ActionAnswer {
    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl RequestedAction {
    #[must_use]
    pub fn new(action: StatusAction, at: Timestamp) -> Self {
        Self {
            action,
            at,
            answer: ActionAnswer::None,
        }
    }

    /// The action that a ticket's status asks for. It is the one before if the ticket stayed in the
    /// status.
    #[must_use]
    pub(crate) fn seen(
        before: Option<&Self>,
        seen: Option<StatusAction>,
        now: Timestamp,
    ) -> Option<Self> {
        let seen = seen?;
        let before = before.filter(|before| before.action.kind() == seen.kind());
        Some(before.cloned().unwrap_or_else(|| Self::new(seen, now)))
    }

    /// Until when the alert gets no ticket. `None` if the action is another.
    #[must_use]
    pub fn no_ticket_until(&self) -> Option<Timestamp> {
        self.action.no_ticket_until(self.at)
    }

    #[must_use]
    pub(crate) fn is_unanswered(&self) -> bool {
        self.answer.is_none()
    }

    /// The text of the answer, as long as no note has it.
    #[must_use]
    pub fn pending_answer(&self) -> Option<&str> {
        match &self.answer {
            ActionAnswer::Pending { text } => Some(text),
            ActionAnswer::None | ActionAnswer::Noted => None,
        }
    }
}
