//! Why a step's calls to ConnectWise failed.

use std::time::Duration;

use connections::NoClient;
use connectwise::Error;
use domain::breaker::CallOutcome;
use domain::record::{Op, Refusal};
use domain::{Blocked, Reaction, Target};

/// Why a step was not done, or may not have been.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error(transparent)]
    NoClient(#[from] NoClient),
    /// A read before the write failed: nothing was written.
    #[error("reading failed: {0}")]
    Read(Error),
    #[error("writing failed: {0}")]
    Write(Error),
    /// The write was answered, but its effect could not be read.
    #[error("reading the ticket after the write failed: {0}")]
    Unverified(Error),
    /// Too little time is left for the answer of a write: nothing was written.
    #[error("too little time is left for a write")]
    NoTime,
    /// The record has no text for the ticket or note: nothing was written.
    #[error("the record has no text for the ticket or note")]
    NoText,
    /// ConnectWise answered 200, but the ticket is not closed, or not open.
    #[error("the ticket did not take the status")]
    StatusWithoutEffect,
    /// ConnectWise answered 200, but the ticket has another priority.
    #[error("the ticket did not take the priority")]
    PriorityWithoutEffect,
}

/// ConnectWise's words about a write without effect: it reports none.
const NO_WORDS: &str = "";

impl TicketError {
    pub(crate) fn reaction(&self) -> Reaction {
        match self {
            Self::NoClient(err) => err.reaction(),
            Self::Read(err) | Self::Write(err) | Self::Unverified(err) => err.reaction(),
            Self::NoTime => Reaction::Retry {
                after: Some(Duration::from_secs(1)),
            },
            Self::NoText => Reaction::Retry { after: None },
            Self::StatusWithoutEffect => Reaction::Block {
                reason: Blocked::TargetGone(Target::Status),
            },
            Self::PriorityWithoutEffect => Reaction::Block {
                reason: Blocked::TargetGone(Target::Priority),
            },
        }
    }

    /// What ConnectWise refused for this alert alone, if the alert is blocked for this reason.
    pub(crate) fn refusal(&self, op: Option<Op>, reason: &Blocked) -> Option<Refusal> {
        let words = match (reason, self) {
            (Blocked::TargetGone(_), Self::StatusWithoutEffect | Self::PriorityWithoutEffect) => {
                NO_WORDS
            }
            (
                Blocked::TargetGone(_),
                Self::Read(Error::TargetGone { words, .. })
                | Self::Write(Error::TargetGone { words, .. })
                | Self::Unverified(Error::TargetGone { words, .. }),
            )
            | (Blocked::Rejected(words), _) => words,
            (_, _) => return None,
        };
        let words = words.to_owned();
        Some(Refusal { op, words })
    }

    pub(crate) fn may_have_been_done(&self) -> bool {
        match self {
            Self::Write(err) => err.may_have_been_done(),
            Self::Unverified(_) => true,
            Self::NoClient(_)
            | Self::Read(_)
            | Self::NoTime
            | Self::NoText
            | Self::StatusWithoutEffect
            | Self::PriorityWithoutEffect => false,
        }
    }

    /// What the failure says about the connection. A failure that raises a suspicion says nothing
    /// until a plain read confirms it.
    pub(crate) fn call_outcome(&self) -> CallOutcome {
        match self {
            Self::NoClient(err) => err.call_outcome(),
            Self::Read(err) | Self::Write(err) | Self::Unverified(err) => match err.suspects() {
                Some(_) => CallOutcome::Nothing,
                None => err.call_outcome(),
            },
            Self::NoTime | Self::NoText => CallOutcome::Nothing,
            Self::StatusWithoutEffect | Self::PriorityWithoutEffect => CallOutcome::Works,
        }
    }

    /// The call whose failure means that nothing was written.
    pub(crate) fn call(&self) -> Option<&Error> {
        match self {
            Self::Read(err) | Self::Write(err) => Some(err),
            Self::NoClient(_)
            | Self::Unverified(_)
            | Self::NoTime
            | Self::NoText
            | Self::StatusWithoutEffect
            | Self::PriorityWithoutEffect => None,
        }
    }
}
