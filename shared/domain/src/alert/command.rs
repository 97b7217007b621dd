//! Commands: what reconcile or a person asks of the ticket worker, about one alert, with the occurrence
//! and the ticket that were seen. If the record has changed since, the command is void; the next run
//! sees the new state, and so does the person.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::blocked::BlockedSince;
use crate::alert::event::EventOrder;
use crate::alert::record::{Actual, Op, OpenTicket, Recheck, Record};
use crate::alert::resolution::Resolution;
use crate::{AlertKey, RecordId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub key: AlertKey,
    pub occurrence: u32,
    /// The open ticket that reconcile saw. `None` if there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<RecordId>,
    #[serde(flatten)]
    pub action: CommandAction,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum CommandAction {
    /// Count the alert as resolved, if this is still its newest event.
    Resolve {
        /// The newest folded event.
        last: EventOrder,
        /// The reason.
        shown: Resolution,
    },
    /// Look at the ticket. ConnectWise's list differs from the record, or does not have the ticket.
    Look,
    /// Look for tickets with the same reference. ConnectWise lists more than one.
    LookForDuplicates,
    /// Retry a refused write, if it was not retried since.
    Retry { refused_at: Timestamp },
    /// A person wants a ticket again for an active alert whose ticket a person ended.
    OpenAgain,
}

impl Command {
    /// Whether the record is still in the state that the command is about.
    #[must_use]
    pub fn applies_to(&self, record: &Record) -> bool {
        if let CommandAction::Retry { refused_at } = &self.action {
            let is_the_refusal =
                |blocked: &BlockedSince| blocked.is_refusal() && blocked.since == *refused_at;
            // The occurrence and the ticket do not matter for a refusal.
            return record.blocked.as_ref().is_some_and(is_the_refusal);
        }
        let has_ticket = match &record.actual {
            Some(Actual::Open(open)) => self.ticket_id == Some(open.ticket_id),
            // If a person closed the ticket, the command only makes the next raise a new
            // occurrence.
            Some(Actual::Closed(_)) | None => self.ticket_id.is_none(),
        };
        let is_newest = match &self.action {
            CommandAction::Resolve { last, shown } => {
                let desired = &record.desired;
                let is_last = desired.last.as_ref() == Some(last);
                desired.active && is_last && desired.is_resolved_by(shown)
            }
            CommandAction::Look | CommandAction::LookForDuplicates => record.open().is_some(),
            CommandAction::OpenAgain => record.can_open_again(),
            CommandAction::Retry { .. } => true,
        };
        self.occurrence == record.occurrence && has_ticket && is_newest
    }

    /// Applies the command. The record is unchanged if the command is void or only asks to look.
    ///
    /// The order of events is kept. So a repeat that arrives late starts the next occurrence and is
    /// not lost.
    #[must_use]
    pub fn apply(&self, mut record: Record, now: Timestamp) -> Record {
        if !self.applies_to(&record) {
            return record;
        }
        match &self.action {
            CommandAction::Resolve { shown, .. } => {
                record.desired.active = false;
                record.desired.resolution = Some(shown.clone());
                record
            }
            CommandAction::Look => record,
            CommandAction::Retry { .. } => record.released(),
            CommandAction::OpenAgain => record.opened_again(now),
            CommandAction::LookForDuplicates => match record.open().cloned() {
                Some(open) => look_for_duplicates(record, &open, now),
                None => record,
            },
        }
    }
}

fn look_for_duplicates(mut record: Record, open: &OpenTicket, now: Timestamp) -> Record {
    let ticket_ref = record.ticket_ref();
    record.rechecks.search_now(Recheck {
        op: Op::Create,
        ticket_ref,
        board_id: open.board_id,
        company_id: open.company_id,
        epoch: open.epoch,
        at: now,
        last: true,
    });
    record
}

#[cfg(test)]
mod tests;
