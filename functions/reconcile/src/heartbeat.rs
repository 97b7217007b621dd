//! A sign of each tick, and a look whether the other schedule leaves its own.

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use domain::pipeline::Schedule;

use crate::{App, Summary};

impl App {
    /// Without it a tick does what it does all the same.
    pub(crate) async fn heartbeat(&self, invocation: &Invocation) {
        count(Metric::ReconcileTicks, 1);
        let now = invocation.now();
        match self
            .connections
            .table
            .ticked(Schedule::Reconcile, now)
            .await
        {
            Ok(ticks) if ticks.missed(Schedule::Health, now) => {
                tracing::error!("health schedule missed its ticks");
                count(Metric::SchedulesMissed, 1);
            }
            Ok(_) => {}
            Err(err) => tracing::warn!(error = %err, "failed to record the tick"),
        }
    }
}

/// Counts what an invocation did.
pub(crate) fn counted(summary: &Summary) {
    count(Metric::AlertsReleased, summary.released);
    count(Metric::ReconcileFailures, summary.failed);
}
