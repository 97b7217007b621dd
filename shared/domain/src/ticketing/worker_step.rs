//! The loop of a worker, as far as it is pure: from a message and the stored record to the next
//! read or write. The worker makes it, stores what follows, and asks again.

use jiff::{SignedDuration, Timestamp};

use crate::alert::event::Payload;
use crate::alert::record::{Claim, OpenTicket, Recheck, Record};
use crate::connection::view::ConnectionView;
use crate::ticketing::alert_request::AlertRequest;
use crate::ticketing::decide::decide;
use crate::ticketing::decision::{Decision, Idle};
use crate::ticketing::ticket_text::unreachable_ticket_text;
use crate::ticketing::ticket_write::TicketWrite;
use crate::{Blocked, RecordId};

/// More steps for one message than any alert needs. It bounds the damage of a bug.
pub const MAX_STEPS: usize = 16;

/// What a worker knows beside its message and the record.
#[derive(Debug, Clone, Copy)]
pub struct WorkerContext<'a> {
    pub view: &'a ConnectionView,
    /// How long ConnectWise may take to show a ticket whose creation it did not confirm.
    pub settle: SignedDuration,
    /// How long a record is kept whole after its ticket was closed.
    pub retention: SignedDuration,
    /// Whether enough time is left for the calls of a step.
    pub has_time: bool,
    pub now: Timestamp,
}

/// The next step of a worker. The record in it is the stored one with the request applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerStep {
    /// Nothing is left to do. Store the record if it changed, then delete the message.
    Finish {
        record: Record,
        idle: Idle,
        /// Whether the record is written even if it did not change.
        rewrites: bool,
    },
    /// Store the record if it changed. The message is received again after this time.
    Wait {
        record: Record,
        until: Timestamp,
    },
    /// Block the alert, then delete the message.
    Block {
        record: Record,
        reason: Blocked,
    },
    /// Too little time is left. The message is received again.
    OutOfTime,
    /// The ticket needs a text that another message has. This one is received again.
    AwaitText,
    /// Read the ticket, as a command asks.
    Inspect {
        record: Record,
        open: OpenTicket,
    },
    /// Search for the ticket of a create whose outcome is unknown.
    Search {
        record: Record,
        claim: Claim,
    },
    /// Read the ticket of a write whose outcome is unknown.
    Verify {
        record: Record,
        claim: Claim,
        ticket_id: RecordId,
    },
    /// Search for the late effect of a write that was given up.
    Recheck {
        record: Record,
        recheck: Recheck,
    },
    FindPriorTickets {
        record: Record,
    },
    DetectExistingTickets {
        record: Record,
    },
    /// Decide whether the alert gets a ticket of its own, and ask again.
    AdmitNewAlert {
        record: Record,
    },
    /// Store the record with a claim, then make the write.
    Write {
        record: Record,
        write: TicketWrite,
        /// The text of the ticket or note.
        text: Option<Payload>,
    },
}

/// Names the next step of the worker that processes this request.
#[must_use]
pub fn next_step(
    request: &AlertRequest,
    stored: &Record,
    context: &WorkerContext<'_>,
) -> WorkerStep {
    let WorkerContext {
        view, settle, now, ..
    } = *context;
    let record = request.apply(stored.clone(), view, settle, now);
    let inspected = request.ticket_to_inspect(&record, view, now).cloned();
    if let Some(open) = inspected.filter(|_| context.has_time) {
        return WorkerStep::Inspect { record, open };
    }
    let decision = decide(&record, view, settle, now);
    if calls_connectwise(&decision) && !context.has_time {
        return WorkerStep::OutOfTime;
    }
    match (decision, record.claim.clone()) {
        (Decision::Nothing(idle), _) => finish(request, stored, record, idle, context),
        (Decision::Wait { until }, _) => {
            // The record need not keep a text that is needed later: the message has it.
            let record = record.unblock_claimed();
            WorkerStep::Wait { record, until }
        }
        (Decision::Block(reason), _) => WorkerStep::Block { record, reason },
        (Decision::Search, Some(claim)) => WorkerStep::Search { record, claim },
        (Decision::Verify(ticket_id), Some(claim)) => WorkerStep::Verify {
            record,
            claim,
            ticket_id,
        },
        // Only the outcome of a claimed write is looked up.
        (Decision::Search | Decision::Verify(_), None) => WorkerStep::Wait { record, until: now },
        (Decision::Recheck(recheck), _) => WorkerStep::Recheck { record, recheck },
        (Decision::FindPriorTickets, _) => WorkerStep::FindPriorTickets { record },
        (Decision::DetectExistingTickets, _) => WorkerStep::DetectExistingTickets { record },
        (Decision::AdmitNewAlert, _) => WorkerStep::AdmitNewAlert { record },
        (Decision::Write(write), _) => {
            let text = record.text(request.event()).cloned();
            let text = text.or_else(|| unreachable_ticket_text(&record));
            match (&write, &text) {
                // The message that raised the alert is still in the queue. It has the text.
                (TicketWrite::Create(_), None) => WorkerStep::AwaitText,
                _ => WorkerStep::Write {
                    record,
                    write,
                    text,
                },
            }
        }
    }
}

fn finish(
    request: &AlertRequest,
    stored: &Record,
    record: Record,
    idle: Idle,
    context: &WorkerContext<'_>,
) -> WorkerStep {
    let WorkerContext { retention, now, .. } = *context;
    let record = if let Idle::NotedRecently { until } = idle {
        record.with_title_note_at(until)
    } else {
        record
    };
    let record = record.with_nothing_to_do(request.event());
    let record = record.shrink(retention, now);
    // Reconcile looked at a record that is to be kept whole for longer, since the retention was
    // shorter when it was written. Only a new write gives it a later time.
    let is_looked_at_early =
        *request == AlertRequest::Reconsider && record.shrinks_at(retention).is_some();
    WorkerStep::Finish {
        rewrites: record == *stored && is_looked_at_early,
        record,
        idle,
    }
}

fn calls_connectwise(decision: &Decision) -> bool {
    match decision {
        Decision::Search
        | Decision::Verify(_)
        | Decision::Recheck(_)
        | Decision::FindPriorTickets
        | Decision::DetectExistingTickets
        | Decision::Write(_) => true,
        Decision::Nothing(_)
        | Decision::Wait { .. }
        | Decision::Block(_)
        | Decision::AdmitNewAlert => false,
    }
}

#[cfg(test)]
mod tests;
