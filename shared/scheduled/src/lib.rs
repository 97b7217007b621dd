//! Runs a scheduled job for each partner that is due.
//!
//! A tick of the schedule reads which partners are due. It runs the first ones itself and starts
//! further invocations of the same function for the others. Each run holds a lease, so that no
//! partner is processed twice at the same time. Nothing is retried here: a run that is lost is due
//! again at the next tick.
//!
//! A job implements [`ScheduledJob`]. It says when each partner is due next, for example by
//! [`Period`].

mod driver;
mod job;
mod period;

pub use driver::{Driver, DriverError, FunctionConfig, RunSummary};
pub use job::ScheduledJob;
pub use period::Period;
