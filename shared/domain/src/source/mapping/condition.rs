//! Conditions on one place of a message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::alert_text::{Alert, text_of};
use super::pointer::Pointer;
use super::rule::fold;

/// A condition on one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Pointer>,
    /// In the whole body, not in the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at_body: Option<Pointer>,
    /// The texts of which it has one, without regard to case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) is: Vec<String>,
    /// Whether the place is absent, null or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) is_absent: Option<bool>,
}

impl Condition {
    /// # Errors
    /// Says what is missing or too much.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.at.is_some() == self.at_body.is_some() {
            return Err("a condition has exactly one of `at` and `at_body`");
        }
        if self.is.is_empty() == self.is_absent.is_none() {
            return Err("a condition has exactly one of `is` and `is_absent`");
        }
        Ok(())
    }

    pub(super) fn applies(&self, within: Alert<'_>) -> bool {
        let value = match (&self.at, &self.at_body) {
            (Some(at), _) => at.find(within.alert),
            (None, Some(at)) => at.find(within.body),
            (None, None) => return false,
        };
        let text = value.and_then(text_of).filter(|text| !text.is_empty());
        match (self.is_absent, text) {
            (Some(is_absent), text) => is_absent == text.is_none(),
            (None, Some(text)) => {
                let text = fold(&text);
                self.is.iter().any(|is| fold(is) == text)
            }
            (None, None) => false,
        }
    }
}
