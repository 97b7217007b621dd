//! What a failure asks for, and why an alert cannot go on.

use std::time::Duration;

use crate::alert::blocked::Blocked;

/// What a failure asks of the worker that met it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Try again: after the time that was asked for, or with the caller's own back-off.
    Retry {
        /// What the other side asked for, already capped.
        after: Option<Duration>,
    },
    /// A retry mends nothing: the record says why, and waits until the reason is gone.
    Block {
        /// Why the alert cannot go on.
        reason: Blocked,
    },
    /// It can never work: a person looks at it.
    DeadLetter {
        /// What is wrong with it, for that person.
        reason: String,
    },
}
