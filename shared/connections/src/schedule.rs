//! Schedules the runs of a partner: reconcile, and the probe of its connection.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use domain::PartnerId;
use domain::monitoring::pipeline::Schedule;
use domain::time::later;
use jiff::{SignedDuration, Timestamp};
use store::{Due, ReconcileInput, RunProgress, spread};

/// The parts of a snapshot arrive one after the other. This long after one, the others may have
/// arrived.
const SNAPSHOT_DELAY: SignedDuration = SignedDuration::from_secs(10);
/// A person often changes several members of a ticket, or several tickets, one after the other.
const CHANGE_DELAY: SignedDuration = SignedDuration::from_secs(5);
/// A new partner's first runs are spread over this many seconds.
const FIRST_RUN_WITHIN: u32 = 900;

#[derive(Debug)]
pub struct RunSchedule {
    due: Due,
    /// Partners whose runs this process knows to be scheduled.
    known: Mutex<HashSet<PartnerId>>,
}

impl RunSchedule {
    pub(crate) fn new(due: Due) -> Self {
        Self {
            due,
            known: Mutex::default(),
        }
    }

    /// Makes sure that runs are scheduled for a partner that this process sees for the first time.
    pub(crate) async fn ensure_scheduled(&self, partner: &PartnerId, now: Timestamp) {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known().insert(partner.clone()) {
            return;
        }
        let delay = SignedDuration::from_secs(i64::from(spread(partner) % FIRST_RUN_WITHIN));
        if self
            .reconcile_and_probe(partner, later(now, delay))
            .await
            .is_err()
        {
            known().remove(partner);
        }
    }

    /// Reads what the partner's last run of reconcile left.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn reconcile_progress(
        &self,
        partner: &PartnerId,
    ) -> Result<RunProgress, store::Error> {
        self.due.read_progress(partner, Schedule::Reconcile).await
    }

    /// Schedules reconcile and a probe at this time or earlier, since the partner's configuration
    /// changed. If the process dies between the two, the probe runs at its usual time.
    pub async fn reconcile_and_probe(
        &self,
        partner: &PartnerId,
        at: Timestamp,
    ) -> Result<(), store::Error> {
        self.reconcile(partner, at).await?;
        self.probe(partner, at).await
    }

    /// Schedules reconcile at this time or earlier.
    pub async fn reconcile(&self, partner: &PartnerId, at: Timestamp) -> Result<(), store::Error> {
        self.bring_forward(partner, Schedule::Reconcile, at).await
    }

    /// Schedules a probe of the connection, and the pending notifications, at this time or earlier.
    pub async fn probe(&self, partner: &PartnerId, at: Timestamp) -> Result<(), store::Error> {
        self.bring_forward(partner, Schedule::Health, at).await
    }

    /// Schedules reconcile soon, since one of its inputs changed.
    pub async fn reconcile_input(
        &self,
        partner: &PartnerId,
        input: ReconcileInput,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let delay = match input {
            ReconcileInput::Snapshots => SNAPSHOT_DELAY,
            ReconcileInput::Tickets => CHANGE_DELAY,
        };
        let at = later(now, delay);
        self.due.record_input(partner, input, now, at).await
    }

    async fn bring_forward(
        &self,
        partner: &PartnerId,
        task: Schedule,
        at: Timestamp,
    ) -> Result<(), store::Error> {
        let written = self.due.bring_forward(partner, task, at).await;
        written.inspect_err(|err| {
            tracing::warn!(
                partner = %partner,
                task = ?task,
                error = %err,
                "failed to schedule a run sooner"
            );
        })
    }
}
