//! What a worker does after a failed call.

use std::time::Duration;

use crate::alert::blocked::Blocked;

/// What a worker does after a failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Retry: after this time, or with the caller's own back-off.
    Retry {
        /// The time that ConnectWise asked for, capped.
        after: Option<Duration>,
    },
    /// A retry does not help. The record stores the reason until it no longer applies.
    Block { reason: Blocked },
    /// The message can never be processed. A person looks at it in the dead-letter queue.
    DeadLetter {
        /// The reason, for that person.
        reason: String,
    },
}
