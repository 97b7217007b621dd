//! What the webhook of a source gets.

use serde::{Deserialize, Serialize};

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
}

impl WebhookScope {
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}
