//! Why a step's calls to ConnectWise failed.

use std::time::Duration;

use connections::ClientError;
use connectwise::{Error, Failure, WriteOutcome};
use domain::alert::blocked::CallRefusal;
use domain::alert::record::Op;
use domain::connection::breaker::CallOutcome;
use domain::{Blocked, Reaction, TicketTarget};

/// Why a step was not done, or may not have been.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error(transparent)]
    NoClient(#[from] ClientError),
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
    /// ConnectWise answered 200, but the ticket has another type.
    #[error("the ticket did not take the type")]
    TypeWithoutEffect,
}

/// ConnectWise's words about a write without effect: it reports none.
const NO_WORDS: &str = "";

impl TicketError {
    /// Classifies the failure of the step. What a plain read must confirm first is left out.
    pub(crate) fn classify(&self) -> Failure {
        match self {
            Self::NoClient(err) => err.classify(),
            Self::Read(err) => Failure {
                write: WriteOutcome::NotDone,
                ..err.classify().unconfirmed()
            },
            Self::Write(err) => err.classify().unconfirmed(),
            Self::Unverified(err) => Failure {
                write: WriteOutcome::Unknown,
                ..err.classify().unconfirmed()
            },
            Self::NoTime => Failure::not_done(
                Reaction::Retry {
                    after: Some(Duration::from_secs(1)),
                },
                CallOutcome::Nothing,
            ),
            Self::NoText => {
                Failure::not_done(Reaction::Retry { after: None }, CallOutcome::Nothing)
            }
            Self::StatusWithoutEffect => without_effect(TicketTarget::Status),
            Self::PriorityWithoutEffect => without_effect(TicketTarget::Priority),
            Self::TypeWithoutEffect => without_effect(TicketTarget::Type),
        }
    }

    /// What ConnectWise refused for this alert alone, if the alert is blocked for this reason.
    pub(crate) fn refusal(&self, op: Option<Op>, reason: &Blocked) -> Option<CallRefusal> {
        let words = match (reason, self) {
            (
                Blocked::TargetMissing(_),
                Self::StatusWithoutEffect | Self::PriorityWithoutEffect | Self::TypeWithoutEffect,
            ) => NO_WORDS,
            (
                Blocked::TargetMissing(_),
                Self::Read(Error::TargetMissing { words, .. })
                | Self::Write(Error::TargetMissing { words, .. })
                | Self::Unverified(Error::TargetMissing { words, .. }),
            )
            | (Blocked::Rejected(words), _) => words,
            (_, _) => return None,
        };
        let words = words.to_owned();
        Some(CallRefusal {
            op,
            words,
            record: None,
        })
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
            | Self::PriorityWithoutEffect
            | Self::TypeWithoutEffect => None,
        }
    }
}

/// ConnectWise answered well, but the ticket did not change.
fn without_effect(target: TicketTarget) -> Failure {
    let reason = Blocked::TargetMissing(target);
    Failure::not_done(Reaction::Block { reason }, CallOutcome::Works)
}
