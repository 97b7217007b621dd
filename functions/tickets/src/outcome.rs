//! What becomes of a message, and of one step on its way.

use std::time::Duration;

use aws::metrics::{Metric, count};
use domain::Reaction;
use domain::done::WriteEffect;
use domain::record::{ClosedBy, Record};

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its effect is in the table: it may go.
    Done,
    /// It comes back, after this time or the usual back-off.
    Later(Option<Duration>),
    /// It can never work.
    DeadLetter(String),
}

/// What became of one step.
#[derive(Debug)]
pub(crate) enum StepOutcome {
    /// The record as it stands in the table now.
    On(Box<Record>),
    /// Another worker changed the record: read it again.
    Reread,
    /// The record is as it was, and more is known.
    Again,
    /// This message can do no more now.
    End(Outcome),
}

/// Counts what a step did.
pub(crate) fn counted(done: &WriteEffect) {
    let metric = match done {
        WriteEffect::Noted => Metric::TicketsNoted,
        WriteEffect::Patched => Metric::TicketsPatched,
        WriteEffect::Reopened { .. } => Metric::TicketsReopened,
        WriteEffect::Ended(ended) if ended.by == ClosedBy::Us => Metric::TicketsClosed,
        WriteEffect::Repaired => Metric::DuplicateRepaired,
        WriteEffect::Ended(_) => return,
    };
    count(metric, 1);
}

/// What a reaction means for a message whose record is written.
pub(crate) fn react(reaction: Reaction) -> Outcome {
    match reaction {
        Reaction::Retry { after } => Outcome::Later(after),
        Reaction::Block { .. } => Outcome::Done,
        Reaction::DeadLetter { reason } => Outcome::DeadLetter(reason),
    }
}
