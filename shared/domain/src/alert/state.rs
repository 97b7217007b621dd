//! The states of an alert, as people filter by them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// A ticket is open for it.
    Open,
    /// It has no ticket yet, and waits for a cause to end.
    Waiting,
    /// ConnectWise refused a call for it.
    Failed,
    /// A worker has it, or its message is still in the queue.
    InProgress,
    /// Its ticket ended.
    Closed,
    /// It was resolved before a ticket was created.
    Resolved,
}

impl AlertState {
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::Waiting,
        Self::Failed,
        Self::InProgress,
        Self::Closed,
        Self::Resolved,
    ];

    /// The state in JSON and in queries.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::InProgress => "in_progress",
            Self::Closed => "closed",
            Self::Resolved => "resolved",
        }
    }

    /// The state that a code means.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_state_in_json() {
        for state in AlertState::ALL {
            let json = serde_json::to_value(state).unwrap();
            assert_eq!(json, state.code());
            assert_eq!(AlertState::parse(state.code()), Some(state));
        }
        assert_eq!(AlertState::parse("in-progress"), None);
    }
}
