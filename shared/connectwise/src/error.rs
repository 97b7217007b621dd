//! Why a call fails, and the one classification of each failure.
//!
//! All matches are exhaustive, so that a new variant must be classified. `refusal` turns a status
//! and a body into an [`Error`].

use std::time::Duration;

use domain::connection::breaker::CallOutcome;
use domain::{Blocked, Reaction, TicketTarget};

/// Why a call failed.
///
/// Lower errors are kept as text without addresses and queries, so an error can be compared, cloned
/// and logged. `words` are ConnectWise's own words, on one line, at most 500 characters, and may be
/// empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No byte of the request was sent.
    #[error("failed to connect to ConnectWise: {cause}")]
    NotSent { cause: String },
    /// Nothing was sent.
    #[error("too little time is left to call ConnectWise")]
    DeadlineTooShort,
    /// The request was sent, and no whole response came in time.
    #[error("ConnectWise did not answer within {after:?}")]
    TimedOut { after: Duration },
    /// The request was sent, at least in part, and the connection broke before the response's head.
    #[error("the connection to ConnectWise broke before a response: {cause}")]
    NoAnswer { cause: String },
    /// Too many calls. ConnectWise did nothing.
    #[error("ConnectWise asks to wait {retry_after:?}")]
    Throttled {
        /// At least a second, at most an hour.
        retry_after: Duration,
    },
    /// ConnectWise, or a proxy before it, failed.
    #[error("ConnectWise failed with {status}: {words}")]
    ServerError { status: u16, words: String },
    /// The keys are wrong, expired or revoked.
    #[error("ConnectWise refuses the API keys")]
    KeysRefused,
    /// The `clientId` is missing, unknown or refused.
    #[error("ConnectWise refuses the clientId")]
    ClientIdRefused,
    /// The call reached no codebase: the company id or the site is wrong, or a proxy answered.
    #[error("ConnectWise could not route the call ({status}): {words}")]
    NotRouted { status: u16, words: String },
    /// This ConnectWise has no such endpoint, or not with this method.
    #[error("ConnectWise has no endpoint {path}")]
    EndpointMissing {
        /// The path below the API's base.
        path: String,
    },
    /// The call is forbidden, and the response does not say that a right is missing.
    #[error("ConnectWise forbids the call: {words}")]
    Forbidden {
        /// The right that the call needs, one of [`domain::setup::rights`].
        right: &'static str,
        words: String,
    },
    /// ConnectWise says that the API member's security role lacks a right.
    #[error("the API member lacks the right {right}")]
    MissingRight {
        /// The right that the call needs, one of [`domain::setup::rights`].
        right: &'static str,
    },
    /// The call's record does not exist, or exists no more.
    #[error("record not found: {what}")]
    NotFound {
        /// ConnectWise's own words, such as "Ticket 1255787 not found".
        what: String,
    },
    /// A record that the ticket refers to does not exist, or does not belong there.
    #[error("the {target} is not usable: {words}")]
    TargetMissing { target: TicketTarget, words: String },
    /// ConnectWise refuses the request, and would refuse a repetition too.
    #[error("ConnectWise rejected the call: {words}")]
    Rejected { words: String },
    /// Another user or process uses the record at the moment.
    #[error("the record is in use: {words}")]
    Conflict { words: String },
    /// The client follows no redirect, because the keys would go along.
    #[error("ConnectWise answered with a redirect ({status}), which is not followed")]
    RedirectRefused { status: u16 },
    /// The host's name resolves to an address that is not allowed. Nothing was sent.
    #[error("the host is refused: {cause}")]
    HostRefused { cause: String },
    /// A successful response is larger than any expected one.
    #[error("ConnectWise answered more than {limit} bytes or pages")]
    AnswerTooLarge { limit: usize },
    /// The response is cut off, or is not what the endpoint is documented to return.
    #[error("ConnectWise's response ({status}) is unreadable: {cause}")]
    AnswerUnreadable {
        status: u16,
        /// Never quotes the response.
        cause: String,
    },
}

/// The classification of a failure: whether to retry, what it says about the connection, and
/// whether a write may have taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whether and when to retry. A write asks [`Self::write`] first: a write of unknown outcome is
    /// searched for, never repeated.
    pub reaction: Reaction,
    /// What the failure says about the connection, if it is that of a plain read. For any other
    /// call see [`Self::unconfirmed`].
    pub outcome: CallOutcome,
    /// Whether a write that failed like this may have taken effect.
    pub write: WriteOutcome,
    /// What the failure makes doubtful beside its call. A firewall can refuse one ticket for its
    /// text, so a refusal counts against the connection only once a plain read with the same keys
    /// is refused too. Otherwise it is a refusal of this call alone.
    pub suspicion: Option<Suspicion>,
}

/// Whether a failed write may have taken effect.
///
/// ConnectWise has no idempotency key. It was seen to create tickets whose call it answered with a
/// time-out or a 500. So each failure that does not prove the contrary is
/// [`WriteOutcome::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    NotDone,
    /// It took effect, will take effect within minutes, or never will.
    Unknown,
}

/// What a refusal of one call makes doubtful beside that call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// The keys or the `clientId`.
    Keys,
    /// Whether ConnectWise answered at all, and not a proxy or firewall before it.
    Route,
    /// A right of the API member.
    Right {
        /// One of [`domain::setup::rights`].
        right: &'static str,
        /// Whether ConnectWise itself says that a right is missing.
        named: bool,
    },
}

impl Failure {
    /// A failure that is certain not to have written anything and makes nothing else doubtful.
    #[must_use]
    pub fn not_done(reaction: Reaction, outcome: CallOutcome) -> Self {
        Self {
            reaction,
            outcome,
            write: WriteOutcome::NotDone,
            suspicion: None,
        }
    }

    /// Leaves out what a plain read must confirm before it counts against the connection. For the
    /// failure of any call that is not a plain read.
    #[must_use]
    pub fn unconfirmed(self) -> Self {
        match self.suspicion {
            Some(_) => Self {
                outcome: CallOutcome::Nothing,
                ..self
            },
            None => self,
        }
    }

    /// Whether a write that failed like this may have taken effect.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        self.write == WriteOutcome::Unknown
    }
}

impl Error {
    /// Classifies the failure of a call.
    #[must_use]
    pub fn classify(&self) -> Failure {
        match self {
            Self::NotSent { .. } => fails(WriteOutcome::NotDone, None),
            Self::DeadlineTooShort => Failure::not_done(retry(None), CallOutcome::Nothing),
            Self::TimedOut { .. } => Failure {
                outcome: CallOutcome::Fails { timed_out: true },
                ..fails(WriteOutcome::Unknown, None)
            },
            Self::NoAnswer { .. } | Self::ServerError { .. } | Self::AnswerTooLarge { .. } => {
                fails(WriteOutcome::Unknown, None)
            }
            Self::Throttled { retry_after } => Failure::not_done(
                retry(Some(*retry_after)),
                CallOutcome::Throttled {
                    after: *retry_after,
                },
            ),
            // A proxy or firewall may have answered, and may stop doing so within a minute.
            Self::NotRouted { .. } | Self::EndpointMissing { .. } => {
                fails(WriteOutcome::NotDone, Some(Suspicion::Route))
            }
            // A server answers 303, and in practice 302, after the write; 307 and 308 before it.
            Self::RedirectRefused { status } => {
                let write = match status {
                    307 | 308 => WriteOutcome::NotDone,
                    _ => WriteOutcome::Unknown,
                };
                fails(write, Some(Suspicion::Route))
            }
            // The status is known: a refusal is one even if its body cannot be read.
            Self::AnswerUnreadable { status, .. } if is_refusal(*status) => {
                fails(WriteOutcome::NotDone, Some(Suspicion::Route))
            }
            Self::AnswerUnreadable { .. } => fails(WriteOutcome::Unknown, None),
            Self::Forbidden { right, .. } => {
                let named = false;
                let suspicion = Suspicion::Right { right, named };
                fails(WriteOutcome::NotDone, Some(suspicion))
            }
            Self::MissingRight { right } => Failure {
                suspicion: Some(Suspicion::Right { right, named: true }),
                ..Failure::not_done(
                    block(Blocked::MissingRight((*right).to_owned())),
                    CallOutcome::MissingRight(right),
                )
            },
            // Retries of thousands of messages would hammer a locked account.
            Self::KeysRefused | Self::ClientIdRefused => Failure {
                suspicion: Some(Suspicion::Keys),
                ..connection_broken()
            },
            Self::HostRefused { .. } => connection_broken(),
            Self::Conflict { .. } => Failure::not_done(retry(None), CallOutcome::Works),
            Self::TargetMissing { target, .. } => works_but(Blocked::TargetMissing(*target)),
            // A ticket that a person deleted or merged is not made again. Callers that expect a
            // missing record look for `NotFound` before they classify.
            Self::NotFound { what } => works_but(Blocked::Rejected(what.clone())),
            Self::Rejected { words } => works_but(Blocked::Rejected(words.clone())),
        }
    }

    /// Whether the same call may work in a few minutes, without anyone changing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::NotSent { .. }
            | Self::DeadlineTooShort
            | Self::TimedOut { .. }
            | Self::NoAnswer { .. }
            | Self::Throttled { .. }
            | Self::ServerError { .. } => true,
            Self::KeysRefused
            | Self::ClientIdRefused
            | Self::NotRouted { .. }
            | Self::EndpointMissing { .. }
            | Self::Forbidden { .. }
            | Self::MissingRight { .. }
            | Self::NotFound { .. }
            | Self::TargetMissing { .. }
            | Self::Rejected { .. }
            | Self::Conflict { .. }
            | Self::RedirectRefused { .. }
            | Self::HostRefused { .. }
            | Self::AnswerTooLarge { .. }
            | Self::AnswerUnreadable { .. } => false,
        }
    }

    /// Whether a response came that does not say whether the call was carried out.
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
            | Self::TargetMissing { .. }
            | Self::Rejected { .. }
            | Self::Conflict { .. }
            | Self::HostRefused { .. } => false,
        }
    }

    /// Describes the response in a few words, for a person who reads that this call was refused.
    #[must_use]
    pub fn answer_summary(&self) -> String {
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
            | Self::TargetMissing { .. }
            | Self::Rejected { .. }
            | Self::Conflict { .. }
            | Self::HostRefused { .. }
            | Self::AnswerTooLarge { .. } => self.to_string(),
        }
    }
}

/// ConnectWise is unreachable or in trouble.
fn fails(write: WriteOutcome, suspicion: Option<Suspicion>) -> Failure {
    Failure {
        reaction: retry(None),
        outcome: CallOutcome::Fails { timed_out: false },
        write,
        suspicion,
    }
}

fn connection_broken() -> Failure {
    Failure::not_done(block(Blocked::ConnectionBroken), CallOutcome::Refused)
}

/// The connection works, and ConnectWise refuses this call.
fn works_but(reason: Blocked) -> Failure {
    Failure::not_done(block(reason), CallOutcome::Works)
}

fn retry(after: Option<Duration>) -> Reaction {
    Reaction::Retry { after }
}

fn block(reason: Blocked) -> Reaction {
    Reaction::Block { reason }
}

fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status)
}
