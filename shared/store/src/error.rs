//! Errors of table operations, and the reaction that they call for.

use std::error::Error as StdError;
use std::fmt::Debug;

use aws_sdk_dynamodb::error::SdkError;
use domain::Reaction;
use domain::text::chain;

/// Why a table operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// DynamoDB did not answer, or refused the request: throttled, timed out, not allowed.
    #[error("DynamoDB {operation} failed: {cause}")]
    Call {
        /// The API operation.
        operation: &'static str,
        /// The whole error chain of the SDK.
        cause: String,
    },
    /// An item cannot be parsed, or a value cannot be stored as an item.
    #[error("the item {key} is not readable: {problem}")]
    Malformed { key: String, problem: String },
}

impl Error {
    /// What a worker does on this error. An unreadable item is retried as well: it holds an alert's
    /// history, and a person or a newer version repairs it.
    #[must_use]
    pub fn reaction(&self) -> Reaction {
        match self {
            Self::Call { .. } | Self::Malformed { .. } => Reaction::Retry { after: None },
        }
    }

    pub(crate) fn call<E, R>(operation: &'static str, err: &SdkError<E, R>) -> Self
    where
        E: StdError + 'static,
        R: Debug,
    {
        let cause = chain(err);
        Self::Call { operation, cause }
    }

    pub(crate) fn malformed(key: impl Into<String>, err: &impl std::fmt::Display) -> Self {
        Self::Malformed {
            key: key.into(),
            problem: err.to_string(),
        }
    }
}
