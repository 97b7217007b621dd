//! What the webhook of a source gets.

use serde::{Deserialize, Serialize};

use crate::setup::status_action::ActionKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookScope {
    /// The source has no webhook.
    #[default]
    Nothing,
    /// What becomes of its alerts.
    Events,
    /// Also the actions that technicians ask for.
    EventsAndActions,
    /// The action *Won't fix* alone.
    WontFix,
}

impl WebhookScope {
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }

    /// Whether it includes what becomes of alerts.
    #[must_use]
    pub fn has_events(self) -> bool {
        match self {
            Self::Events | Self::EventsAndActions => true,
            Self::Nothing | Self::WontFix => false,
        }
    }

    /// Whether it includes an action.
    #[must_use]
    pub fn has_action(self, action: ActionKind) -> bool {
        match self {
            Self::Nothing | Self::Events => false,
            Self::EventsAndActions => true,
            Self::WontFix => action == ActionKind::WontFix,
        }
    }

    /// Whether it includes any action.
    #[must_use]
    pub fn has_actions(self) -> bool {
        ActionKind::ALL
            .into_iter()
            .any(|action| self.has_action(action))
    }
}
