//! When partners are due, which run works for them, and what each run leaves for the next one.

mod due;
mod progress;

pub use due::{Due, LeasedRun, ReconcileInput, spread};
pub use progress::{RunProgress, TicketScan};
