//! What a check found.

use std::error::Error;

use domain::text::chain;
use serde::Serialize;

/// The longest cause of a failed read in a line, in characters.
const MAX_CAUSE: usize = 160;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Ok,
    /// It works, but something is missing that will matter.
    Warning,
    /// Tickets, mails or data are at risk now.
    Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) check: String,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to_do: Option<String>,
}

impl Level {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "PROBLEM",
        }
    }
}

impl Finding {
    pub(super) fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            check: check.into(),
            found: found.into(),
            to_do: None,
        }
    }

    pub(super) fn warning(
        check: impl Into<String>,
        found: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            to_do: Some(to_do.into()),
            ..Self::ok(check, found)
        }
    }

    pub(super) fn problem(
        check: impl Into<String>,
        found: impl Into<String>,
        to_do: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Problem,
            ..Self::warning(check, found, to_do)
        }
    }

    /// Something could not be read: whether it is healthy is unknown.
    pub(super) fn unread(check: impl Into<String>, permission: &str, err: &impl Error) -> Self {
        let cause = chain(err);
        Self::unread_since(check, permission, &cause)
    }

    /// As [`Finding::unread`], for this cause.
    pub(super) fn unread_since(check: impl Into<String>, permission: &str, cause: &str) -> Self {
        let cause: String = cause.chars().take(MAX_CAUSE).collect();
        let to_do = format!("Check that your credentials have {permission}.");
        Self::warning(check, format!("could not be read: {cause}"), to_do)
    }

    /// The template's resource is not in the stack.
    pub(super) fn missing(check: impl Into<String>, logical_id: &str) -> Self {
        let found = format!("{logical_id} is not in the stack");
        Self::problem(check, found, "Deploy the template again.")
    }
}
