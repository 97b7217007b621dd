//! What can go wrong with a table, and what it asks for.

use std::error::Error as StdError;
use std::fmt::Debug;

use aws_sdk_dynamodb::error::SdkError;
use domain::Reaction;
use domain::text::chain;

/// What went wrong with a table.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// DynamoDB could not be asked, or refused: throttled, timed out, not allowed.
    #[error("DynamoDB {operation} failed: {cause}")]
    Call {
        /// The API's operation.
        operation: &'static str,
        /// What the SDK says, its whole chain.
        cause: String,
    },
    /// An item is not what this code wrote or can read.
    #[error("the item {key} is not readable: {problem}")]
    Malformed {
        /// The item's key.
        key: String,
        /// Where it is wrong.
        problem: String,
    },
}

impl Error {
    /// What the failure asks of the worker that met it. An unreadable item is retried too: it holds an alert's history, and a
    /// person or a newer version mends it.
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

    pub(crate) fn malformed(key: impl Into<String>, err: &serde_dynamo::Error) -> Self {
        Self::Malformed {
            key: key.into(),
            problem: err.to_string(),
        }
    }
}
