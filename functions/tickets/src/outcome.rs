//! What becomes of a message, and of one step on its way.

use std::time::Duration;

use domain::Reaction;
use domain::record::Record;

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
pub(crate) enum Stepped {
    /// The record as it stands in the table now.
    On(Box<Record>),
    /// Another worker changed the record: read it again.
    Reread,
    /// The record is as it was, and more is known.
    Again,
    /// This message can do no more now.
    End(Outcome),
}

/// What a reaction means for a message whose record is written.
pub(crate) fn react(reaction: Reaction) -> Outcome {
    match reaction {
        Reaction::Retry { after } => Outcome::Later(after),
        Reaction::Block { .. } => Outcome::Done,
        Reaction::DeadLetter { reason } => Outcome::DeadLetter(reason),
    }
}
