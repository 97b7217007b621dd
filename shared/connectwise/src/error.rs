//! What can go wrong in a call, named by situation, and what each situation asks for.
//!
//! All classifications match without a wildcard: a new situation must be classified by a person. How a status and a body
//! become one of these is in `verdict`.
//!
//! What a failure says of the whole connection holds for a plain read only. A firewall can refuse one ticket for its text,
//! so a refusal of any other call is a [`Suspicion`], which a plain read confirms or not.

use std::time::Duration;

use domain::breaker::CallOutcome;
use domain::{Blocked, Reaction, TicketTarget};

/// Why a call did not bring what it was made for.
///
/// Causes from below are kept as text without addresses or queries, so an error can be compared, cloned and logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The connection could not be made: not a byte of the request was sent.
    #[error("ConnectWise could not be connected to: {cause}")]
    NotSent {
        /// What the network said.
        cause: String,
    },
    /// The deadline left no time for the call: nothing was sent.
    #[error("the deadline left no time to call ConnectWise")]
    DeadlineTooShort,
    /// The request went out, and no whole answer came in time.
    #[error("ConnectWise did not answer within {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The request went out, or part of it, and the connection broke before an answer's head came.
    #[error("the connection to ConnectWise broke before an answer: {cause}")]
    NoAnswer {
        /// What the network said.
        cause: String,
    },
    /// Too many calls; nothing was done.
    #[error("ConnectWise asks to wait {retry_after:?}")]
    Throttled {
        /// What ConnectWise asked for: at least a second, at most an hour.
        retry_after: Duration,
    },
    /// ConnectWise, or something before it, failed.
    #[error("ConnectWise failed with {status}: {words}")]
    ServerError {
        /// The HTTP status.
        status: u16,
        /// ConnectWise's own words, on one line; may be empty.
        words: String,
    },
    /// The keys are wrong, expired or revoked.
    #[error("ConnectWise refuses the API keys")]
    KeysRefused,
    /// The `clientId` is missing, unknown or refused.
    #[error("ConnectWise refuses the clientId")]
    ClientIdRefused,
    /// The call reached no codebase: company id or site is wrong, or something in between answered.
    #[error("ConnectWise could not route the call ({status}): {words}")]
    NotRouted {
        /// The HTTP status.
        status: u16,
        /// The answer's own words, on one line; may be empty.
        words: String,
    },
    /// This ConnectWise has no such endpoint, or not with this method.
    #[error("ConnectWise has no endpoint {path}")]
    EndpointMissing {
        /// The path below the API's base.
        path: String,
    },
    /// The call is forbidden, and the answer does not say that it is for want of a right.
    #[error("ConnectWise forbids the call: {words}")]
    Forbidden {
        /// The right that the call needs, one of [`crate::rights`].
        right: &'static str,
        /// The answer's own words, on one line; may be empty.
        words: String,
    },
    /// The API member's security role lacks a right, in ConnectWise's own words.
    #[error("the API member lacks the right {right}")]
    MissingRight {
        /// The right that the call needs, one of [`crate::rights`].
        right: &'static str,
    },
    /// The record that the call was about does not exist (any more).
    #[error("a record is gone: {what}")]
    NotFound {
        /// ConnectWise's own words, such as "Ticket 1255787 not found".
        what: String,
    },
    /// What the ticket should point at is gone or does not belong there.
    #[error("the {target} is not usable: {words}")]
    TargetGone {
        /// Which of the ticket's references.
        target: TicketTarget,
        /// ConnectWise's own words, on one line.
        words: String,
    },
    /// ConnectWise refuses what was sent, and another attempt would be refused alike.
    #[error("ConnectWise rejected the call: {words}")]
    Rejected {
        /// ConnectWise's own words, on one line, at most 500 characters.
        words: String,
    },
    /// The record is in use by somebody else just now.
    #[error("the record is in use: {words}")]
    Conflict {
        /// ConnectWise's own words, on one line.
        words: String,
    },
    /// The answer points elsewhere; keys are never carried along.
    #[error("ConnectWise answered with a redirect ({status}), which is not followed")]
    RedirectRefused {
        /// The HTTP status.
        status: u16,
    },
    /// The host's name leads to an address that may not be spoken to: nothing was sent.
    #[error("the host is refused: {cause}")]
    HostRefused {
        /// Which rule it breaks.
        cause: String,
    },
    /// The answer to a call that succeeded is larger than anything we ask for.
    #[error("ConnectWise answered more than {limit} bytes or pages")]
    AnswerTooLarge {
        /// The limit that it broke.
        limit: usize,
    },
    /// The answer is cut off, or is not what the endpoint is documented to give.
    #[error("ConnectWise's answer ({status}) cannot be read: {cause}")]
    AnswerUnreadable {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it; never its content.
        cause: String,
    },
}

impl Error {
    /// What this failure asks of the worker. A write asks [`Self::may_have_been_done`] first: what is uncertain must be
    /// searched for, never repeated.
    #[must_use]
    pub fn reaction(&self) -> Reaction {
        match self {
            Self::NotSent { .. }
            | Self::DeadlineTooShort
            | Self::TimedOut { .. }
            | Self::NoAnswer { .. }
            | Self::ServerError { .. }
            | Self::Conflict { .. }
            | Self::AnswerTooLarge { .. }
            | Self::AnswerUnreadable { .. }
            // These come from something before ConnectWise, which may be gone in a minute.
            | Self::NotRouted { .. }
            | Self::EndpointMissing { .. }
            | Self::RedirectRefused { .. }
            | Self::Forbidden { .. } => Reaction::Retry { after: None },
            Self::Throttled { retry_after } => Reaction::Retry {
                after: Some(*retry_after),
            },
            // Verdicts on the connection: thousands of messages must not hammer a locked account.
            Self::KeysRefused | Self::ClientIdRefused | Self::HostRefused { .. } => {
                block(Blocked::ConnectionBroken)
            }
            Self::MissingRight { right } => block(Blocked::MissingRight((*right).to_owned())),
            Self::TargetGone { target, .. } => block(Blocked::TargetGone(*target)),
            // Whoever deletes or merges a ticket is not fought; callers that expect it look for `NotFound` before they ask.
            Self::NotFound { what } => block(Blocked::Rejected(what.clone())),
            Self::Rejected { words } => block(Blocked::Rejected(words.clone())),
        }
    }

    /// What this failure of a plain read tells of the whole connection. Of any other call it is that only where nothing is
    /// [suspected](Self::suspects).
    #[must_use]
    pub fn call_outcome(&self) -> CallOutcome {
        match self {
            Self::TimedOut { .. } => CallOutcome::Fails { timed_out: true },
            Self::NotSent { .. }
            | Self::NoAnswer { .. }
            | Self::ServerError { .. }
            | Self::NotRouted { .. }
            | Self::EndpointMissing { .. }
            | Self::RedirectRefused { .. }
            | Self::Forbidden { .. }
            | Self::AnswerTooLarge { .. }
            | Self::AnswerUnreadable { .. } => CallOutcome::Fails { timed_out: false },
            Self::Throttled { retry_after } => CallOutcome::Throttled {
                after: *retry_after,
            },
            Self::KeysRefused | Self::ClientIdRefused | Self::HostRefused { .. } => {
                CallOutcome::Refused
            }
            Self::MissingRight { right } => CallOutcome::MissingRight(right),
            Self::NotFound { .. }
            | Self::TargetGone { .. }
            | Self::Rejected { .. }
            | Self::Conflict { .. } => CallOutcome::Works,
            Self::DeadlineTooShort => CallOutcome::Nothing,
        }
    }

    /// What this refusal of one call makes doubtful beside that call. It counts against the connection only once a plain read
    /// with the same keys is refused too; otherwise it is a refusal of this call alone.
    #[must_use]
    pub fn suspects(&self) -> Option<Suspicion> {
        match self {
            Self::KeysRefused | Self::ClientIdRefused => Some(Suspicion::Keys),
            Self::NotRouted { .. }
            | Self::EndpointMissing { .. }
            | Self::RedirectRefused { .. } => Some(Suspicion::Route),
            Self::AnswerUnreadable { status, .. } if is_refusal(*status) => Some(Suspicion::Route),
            Self::Forbidden { right, .. } => Some(Suspicion::Right {
                right,
                named: false,
            }),
            Self::MissingRight { right } => Some(Suspicion::Right { right, named: true }),
            Self::NotSent { .. }
            | Self::DeadlineTooShort
            | Self::TimedOut { .. }
            | Self::NoAnswer { .. }
            | Self::Throttled { .. }
            | Self::ServerError { .. }
            | Self::NotFound { .. }
            | Self::TargetGone { .. }
            | Self::Rejected { .. }
            | Self::Conflict { .. }
            | Self::HostRefused { .. }
            | Self::AnswerTooLarge { .. }
            | Self::AnswerUnreadable { .. } => None,
        }
    }

    /// Whether something answered and did not say whether the call was carried out.
    #[must_use]
    pub fn is_unclear_answer(&self) -> bool {
        match self {
            Self::RedirectRefused { .. }
            | Self::AnswerUnreadable { .. }
            | Self::AnswerTooLarge { .. }
            | Self::ServerError { .. } => true,
            Self::NotSent { .. }
            | Self::DeadlineTooShort
            | Self::TimedOut { .. }
            | Self::NoAnswer { .. }
            | Self::Throttled { .. }
            | Self::KeysRefused
            | Self::ClientIdRefused
            | Self::NotRouted { .. }
            | Self::EndpointMissing { .. }
            | Self::Forbidden { .. }
            | Self::MissingRight { .. }
            | Self::NotFound { .. }
            | Self::TargetGone { .. }
            | Self::Rejected { .. }
            | Self::Conflict { .. }
            | Self::HostRefused { .. } => false,
        }
    }

    /// The answer in a few words, for a person who is told that this one call was refused.
    #[must_use]
    pub fn answered(&self) -> String {
        let with = |status: u16, words: &str| match words {
            "" => status.to_string(),
            words => format!("{status}, {words}"),
        };
        match self {
            Self::KeysRefused => "401".to_owned(),
            Self::NotRouted { status, words } => with(*status, words),
            Self::RedirectRefused { status } => with(*status, "a redirect"),
            Self::Forbidden { words, .. } => with(403, words),
            Self::AnswerUnreadable { status, cause } => with(*status, cause),
            Self::ClientIdRefused
            | Self::EndpointMissing { .. }
            | Self::MissingRight { .. }
            | Self::NotSent { .. }
            | Self::DeadlineTooShort
            | Self::TimedOut { .. }
            | Self::NoAnswer { .. }
            | Self::Throttled { .. }
            | Self::ServerError { .. }
            | Self::NotFound { .. }
            | Self::TargetGone { .. }
            | Self::Rejected { .. }
            | Self::Conflict { .. }
            | Self::HostRefused { .. }
            | Self::AnswerTooLarge { .. } => self.to_string(),
        }
    }

    /// Whether a write that failed so may have been done all the same, now or minutes later.
    ///
    /// ConnectWise has no idempotency key and was seen to create tickets that it answered with a time-out or a 500, so
    /// everything that does not prove the contrary is uncertain.
    #[must_use]
    pub fn may_have_been_done(&self) -> bool {
        match self {
            Self::TimedOut { .. }
            | Self::NoAnswer { .. }
            | Self::ServerError { .. }
            | Self::AnswerTooLarge { .. } => true,
            // 303, and in practice 302, is what a server answers after the deed; 307 and 308 come before it.
            Self::RedirectRefused { status } => !matches!(status, 307 | 308),
            // The head of the answer is known: a refusal stays one, whatever became of its body.
            Self::AnswerUnreadable { status, .. } => !is_refusal(*status),
            Self::NotSent { .. }
            | Self::DeadlineTooShort
            | Self::Throttled { .. }
            | Self::KeysRefused
            | Self::ClientIdRefused
            | Self::NotRouted { .. }
            | Self::EndpointMissing { .. }
            | Self::Forbidden { .. }
            | Self::MissingRight { .. }
            | Self::NotFound { .. }
            | Self::TargetGone { .. }
            | Self::Rejected { .. }
            | Self::Conflict { .. }
            | Self::HostRefused { .. } => false,
        }
    }
}

/// What a refusal of one call makes doubtful beside that call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// The keys or the `clientId`.
    Keys,
    /// The way to ConnectWise: something else may have answered.
    Route,
    /// A right of the API member.
    Right {
        /// Which, one of [`crate::rights`].
        right: &'static str,
        /// Whether ConnectWise itself says that a right is missing.
        named: bool,
    },
}

fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status)
}

fn block(reason: Blocked) -> Reaction {
    Reaction::Block { reason }
}
