//! The outcome of a message, and of one step on its way.

use std::time::Duration;

use aws::metrics::{Metric, count};
use domain::Reaction;
use domain::alert::record::{ClosedBy, Record};
use domain::ticketing::write_effect::WriteEffect;

use crate::made_write::MadeWrite;

/// The outcome of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MessageOutcome {
    /// Its effect is in the table. SQS deletes it.
    Done,
    /// It is received again, after this time or the usual back-off.
    Later(Option<Duration>),
    /// It can never be processed, for this reason.
    DeadLetter(String),
}

/// The outcome of one step.
#[derive(Debug)]
pub(crate) enum StepOutcome {
    /// The record was written, and is now this.
    Written(Box<Record>),
    /// A ticket was written to. The outcome is recorded next.
    Made(Box<MadeWrite>),
    /// Another worker changed the record: read it again.
    Reread,
    /// The record is unchanged, but the case knows more: decide again.
    Again,
    /// The message ends here.
    End(MessageOutcome),
}

/// Counts the effect of a write in the metrics.
pub(crate) fn count_effect(effect: &WriteEffect) {
    let metric = match effect {
        WriteEffect::Noted => Metric::TicketsNoted,
        WriteEffect::Patched { .. } | WriteEffect::TypeSet(_) => Metric::TicketsPatched,
        WriteEffect::Reopened { .. } => Metric::TicketsReopened,
        WriteEffect::Ended(ended) if ended.by == ClosedBy::Us => Metric::TicketsClosed,
        WriteEffect::Repaired => Metric::DuplicateRepaired,
        WriteEffect::Ended(_)
        | WriteEffect::LeftOpen(_)
        | WriteEffect::Linked
        | WriteEffect::LinkPostponed => return,
    };
    count(metric, 1);
}

/// The outcome of a message whose record is written.
pub(crate) fn outcome_of(reaction: Reaction) -> MessageOutcome {
    match reaction {
        Reaction::Retry { after } => MessageOutcome::Later(after),
        Reaction::Block { .. } => MessageOutcome::Done,
        Reaction::DeadLetter { reason } => MessageOutcome::DeadLetter(reason),
    }
}
