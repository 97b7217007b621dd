//! In which form the webhook of a source gets its events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFormat {
    /// Each event is posted as a signed CloudEvent.
    #[default]
    CloudEvents,
    /// The receiver is an Alertmanager: the action *Won't fix* silences the alert there. It gets
    /// nothing else.
    Alertmanager,
}

impl WebhookFormat {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudEvents => "cloud_events",
            Self::Alertmanager => "alertmanager",
        }
    }

    #[must_use]
    pub fn is_cloud_events(&self) -> bool {
        *self == Self::CloudEvents
    }
}
