//! Writes that were given up, and when ConnectWise is searched for a late effect of them.

use std::ops::Deref;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::claim::Claim;
use crate::alert::op::Op;
use crate::time::later;
use crate::{RecordId, TicketRef};

/// A write that was given up can still take effect. ConnectWise is searched again after an hour, and
/// for the last time 23 hours later.
const FIRST_RECHECK: SignedDuration = SignedDuration::from_hours(1);
const LAST_RECHECK: SignedDuration = SignedDuration::from_hours(23);
/// A search that gave no answer is repeated after this time.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(30);

/// A write that was given up: no effect was visible after the settling time. ConnectWise may still
/// perform it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recheck {
    /// The write. Only a create, a close and a reopen are searched for again.
    pub op: Op,
    pub ticket_ref: TicketRef,
    /// The board of the write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board_id: Option<RecordId>,
    /// The company of the write.
    pub company_id: RecordId,
    /// The connection's epoch.
    pub epoch: u32,
    /// When to search again.
    pub at: Timestamp,
    /// Whether that is the last search.
    pub last: bool,
}

impl Recheck {
    #[must_use]
    pub fn is_for(&self, op: Op, ticket_ref: &TicketRef) -> bool {
        self.op == op && self.ticket_ref == *ticket_ref
    }

    pub(crate) fn new(claim: &Claim, at: Timestamp, last: bool) -> Self {
        Self {
            op: claim.op,
            ticket_ref: claim.ticket_ref.clone(),
            board_id: claim.board_id,
            company_id: claim.company_id,
            epoch: claim.epoch,
            at,
            last,
        }
    }
}

/// The rechecks of one alert, at most one for each write to each ticket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rechecks(Vec<Recheck>);

impl Deref for Rechecks {
    type Target = [Recheck];

    fn deref(&self) -> &[Recheck] {
        &self.0
    }
}

impl FromIterator<Recheck> for Rechecks {
    fn from_iter<I: IntoIterator<Item = Recheck>>(rechecks: I) -> Self {
        Self(rechecks.into_iter().collect())
    }
}

impl<const N: usize> PartialEq<[Recheck; N]> for Rechecks {
    fn eq(&self, other: &[Recheck; N]) -> bool {
        self.0 == other
    }
}

impl Rechecks {
    pub fn push(&mut self, recheck: Recheck) {
        self.0.push(recheck);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Recheck) -> bool) {
        self.0.retain(keep);
    }

    pub(super) fn contains(&self, op: Op, ticket_ref: &TicketRef) -> bool {
        self.iter().any(|recheck| recheck.is_for(op, ticket_ref))
    }

    /// Adds a search that is due now, or moves the planned one forward.
    pub(crate) fn search_now(&mut self, now: Recheck) {
        let planned = self
            .0
            .iter_mut()
            .find(|known| known.is_for(now.op, &now.ticket_ref));
        match planned {
            Some(planned) => planned.at = planned.at.min(now.at),
            None => self.push(now),
        }
    }

    /// Sets the epoch of every recheck.
    pub(super) fn set_epoch(&mut self, epoch: u32) {
        for recheck in &mut self.0 {
            recheck.epoch = epoch;
        }
    }

    /// Schedules the first search again.
    pub(super) fn restart(&mut self, op: Op, ticket_ref: &TicketRef, now: Timestamp) {
        for recheck in &mut self.0 {
            if recheck.is_for(op, ticket_ref) {
                recheck.at = later(now, FIRST_RECHECK);
                recheck.last = false;
            }
        }
    }

    /// Adds the claimed write, or schedules its first search again.
    pub(super) fn give_up(&mut self, claim: &Claim, now: Timestamp) {
        if !self.contains(claim.op, &claim.ticket_ref) {
            self.push(Recheck::new(claim, now, false));
        }
        self.restart(claim.op, &claim.ticket_ref, now);
    }

    /// After a search: removes the recheck if that was the last one, else schedules the last one.
    pub(super) fn complete(&mut self, done: &Recheck) {
        let is_it = |recheck: &Recheck| recheck.is_for(done.op, &done.ticket_ref);
        self.retain(|recheck| !is_it(recheck) || !recheck.last);
        for recheck in self.0.iter_mut().filter(|recheck| is_it(recheck)) {
            recheck.at = later(recheck.at, LAST_RECHECK);
            recheck.last = true;
        }
    }

    /// After a search that gave no answer.
    pub(super) fn delay(&mut self, due: &Recheck, now: Timestamp) {
        for recheck in &mut self.0 {
            if recheck.is_for(due.op, &due.ticket_ref) {
                recheck.at = later(now, RETRY_AFTER);
            }
        }
    }
}
