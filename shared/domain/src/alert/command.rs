//! What reconcile asks of the one writer of tickets: about one alert, in the life and with the ticket that it saw. Where the record
//! moved on since, the command is void: the next run sees what is there then.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::blocked::BlockedSince;
use crate::alert::event::Order;
use crate::alert::record::{Actual, Op, Open, Recheck, Record};
use crate::alert::resolution::Resolution;
use crate::{AlertKey, RecordId};

/// One thing to be done about one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The alert.
    pub key: AlertKey,
    /// The life that it is about.
    pub occurrence: u32,
    /// The open ticket that was seen; none for an alert that has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<RecordId>,
    /// What is asked.
    #[serde(flatten)]
    pub action: CommandAction,
}

/// What a command asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum CommandAction {
    /// Take the alert for gone, if this is still the newest that was heard of it.
    Resolve {
        /// The newest event that was taken in.
        last: Order,
        /// What shows that it is gone.
        shown: Resolution,
    },
    /// Look at the ticket: ConnectWise lists it otherwise than it is recorded, or not at all.
    Look,
    /// Look for tickets that carry the same token: ConnectWise lists more than one.
    LookForDuplicates,
    /// Retry what ConnectWise refused, if it was not retried since.
    Retry {
        /// When it was refused.
        refused_at: Timestamp,
    },
}

impl Command {
    /// Whether the record is still what the command is about.
    #[must_use]
    pub fn fits(&self, record: &Record) -> bool {
        if let CommandAction::Retry { refused_at } = &self.action {
            let is_the_refusal =
                |blocked: &BlockedSince| blocked.is_refusal() && blocked.since == *refused_at;
            // Whatever it was that was refused, and whichever ticket it was about.
            return record.blocked.as_ref().is_some_and(is_the_refusal);
        }
        let has_ticket = match &record.actual {
            Some(Actual::Open(open)) => self.ticket_id == Some(open.ticket_id),
            // Where a person ended its ticket, that its alert is gone makes the next raise a new one.
            Some(Actual::Closed(_)) | None => self.ticket_id.is_none(),
        };
        let is_newest = match &self.action {
            CommandAction::Resolve { last, shown } => {
                let desired = &record.desired;
                let is_last = desired.last.as_ref() == Some(last);
                desired.active && is_last && desired.is_resolved_by(shown)
            }
            CommandAction::Look | CommandAction::LookForDuplicates => record.open().is_some(),
            CommandAction::Retry { .. } => true,
        };
        self.occurrence == record.occurrence && has_ticket && is_newest
    }

    /// The record with what the command says taken in; as it was where the command is void, or asks only to look.
    ///
    /// The order of events stays: an alert was heard of after this, or it was not. So a repeat that comes late begins the next life,
    /// and is not lost.
    #[must_use]
    pub fn taken_in(&self, mut record: Record, now: Timestamp) -> Record {
        if !self.fits(&record) {
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
            CommandAction::LookForDuplicates => match record.open().cloned() {
                Some(open) => look_for_duplicates(record, &open, now),
                None => record,
            },
        }
    }
}

fn look_for_duplicates(mut record: Record, open: &Open, now: Timestamp) -> Record {
    let ticket_ref = record.ticket_ref();
    let known = record.rechecks.iter_mut();
    match known
        .into_iter()
        .find(|recheck| recheck.is_for(Op::Create, &ticket_ref))
    {
        Some(recheck) => recheck.at = recheck.at.min(now),
        None => record.rechecks.push(Recheck {
            op: Op::Create,
            ticket_ref,
            board_id: open.board_id,
            company_id: open.company_id,
            epoch: open.epoch,
            at: now,
            last: true,
        }),
    }
    record
}

#[cfg(test)]
mod tests;
