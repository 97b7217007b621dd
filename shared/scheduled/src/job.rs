use std::fmt::{Debug, Display};
use std::ops::AddAssign;

use aws::invocation::Invocation;
use domain::monitoring::pipeline::Schedule;
use jiff::{SignedDuration, Timestamp};
use store::LeasedRun;

/// A job that runs again and again for each partner.
pub trait ScheduledJob {
    /// The schedule that starts it. It names the job's items in the table.
    const SCHEDULE: Schedule;

    /// What runs did. The driver adds up the runs of an invocation.
    type Totals: Debug + Default + AddAssign;

    /// Why a run failed.
    type Error: Display;

    /// The delay before a failed run is repeated.
    fn retry_after(&self) -> SignedDuration;

    /// Runs once at each tick, before the partners.
    fn on_tick(&self, invocation: &Invocation) -> impl Future<Output = ()>;

    /// Runs the job for one partner. Returns what it did, and when the partner is due again.
    ///
    /// # Errors
    /// The driver logs the error, and repeats the run after [`retry_after`](Self::retry_after).
    fn run(
        &self,
        leased: &LeasedRun,
        invocation: &Invocation,
    ) -> impl Future<Output = Result<(Self::Totals, Timestamp), Self::Error>>;
}
