//! The mapping of a source: how the JSON that a product posts becomes events.
//!
//! A mapping is a document of JSON Pointers, tables and constants. It has no expressions and no
//! loops, so its run time is bounded by the size of the document and of the body. `ingest` applies
//! it after authentication, and `setup` applies the same function for the page.
//!
//! What does not map is not lost: [`apply::map`] returns it as unmapped, with the reason.

mod alert_text;
pub mod apply;
pub mod check;
mod condition;
mod pointer;
pub mod preview;
#[cfg(test)]
mod properties;
mod rule;
mod template;
#[cfg(test)]
mod tests;
mod time;
mod unwrap;
mod xml;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::digest;
use crate::wire::invalid_field::InvalidField;

pub use condition::Condition;
pub use pointer::Pointer;
pub use rule::Rule;
pub use time::Zone;
pub use unwrap::Unwrap;

/// The longest document, in bytes of JSON.
pub const MAX_DOCUMENT: usize = 16 * 1024;

/// How the body of a request of one source becomes events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventMapping {
    /// How the body becomes JSON.
    #[serde(default, skip_serializing_if = "Unwrap::is_json")]
    pub unwrap: Unwrap,
    /// The list of alerts in the body. Absent means that the body is one alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Pointer>,
    /// A body that meets one of these is a test message: it is answered and has no other effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ping: Vec<Condition>,
    /// What an alert's message reports: the first rule that applies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<ChangeRule>,
    /// What it reports if no rule applies.
    pub change_otherwise: ChangeOtherwise,
    /// Identifies the alert. The same in every message about it.
    pub alert_id: Rule,
    /// Identifies the customer.
    pub tenant: Rule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_name: Option<Rule>,
    pub kind: Rule,
    /// One of `critical`, `high`, `medium`, `low`, `informational`.
    pub severity: Rule,
    pub title: Rule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Rule>,
    /// When it happened. Without it, the time of receipt counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Rule>,
    /// The time of a resolve, if it is not `time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_time: Option<Rule>,
    /// The time zone of times that state none.
    #[serde(default, skip_serializing_if = "Zone::is_utc")]
    pub zone: Zone,
    /// How long after its last message an alert expires, for sources that never report a resolve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_hours: Option<u32>,
}

/// Reads a sample as a mapping reads a body, if no envelope is to be unwrapped.
///
/// # Errors
/// When it is neither JSON nor XML.
pub fn read_sample(text: &str) -> Result<Value, InvalidField> {
    unwrap::json_or_xml(text)
}

impl EventMapping {
    /// A digest of the document. A page shows what a mapping does, and a person then saves that one.
    #[must_use]
    pub fn digest(&self) -> String {
        // A mapping came from JSON, so it can be written.
        let text = serde_json::to_string(self).unwrap_or_default();
        digest(&["mapping", &text], 32)
    }
}

/// A condition, and what the message then reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeRule {
    #[serde(flatten)]
    pub when: Condition,
    pub then: Change,
}

/// What a message reports about its alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The alert is active. A source that reports a state and not an event uses this as well: a
    /// repeat of an active alert creates no second ticket, not even if a technician closed the
    /// first.
    Raised,
    /// Details of an active alert changed. If the alert was resolved, this has no effect.
    Updated,
    Resolved,
    /// The message is no alert.
    Ignored,
}

/// What a message reports if no rule applies to it. It is never ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeOtherwise {
    Raised,
    /// The message is stored for a person.
    Quarantine,
}
