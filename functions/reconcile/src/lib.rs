//! Runs on a schedule. It finds the blocked alerts that may go on, the alerts that are resolved,
//! and the tickets that differ from their records, and asks the consumer of the queue to decide
//! about them again.
//!
//! Its only input is what the tables and ConnectWise say. A run that dies, is repeated or comes
//! late changes nothing but the time. It writes no ticket, and no records but those that a restored
//! table lacks. In ConnectWise it registers callbacks, so that it is due when a ticket changes.

mod callbacks;
mod closing;
mod commands;
mod config;
mod error;
mod importer;
mod job;
mod pacing;
mod releaser;
mod resolved;
mod run_context;
mod storms;
mod targets;
mod ticket_comparer;

use aws_types::SdkConfig;
use scheduled::Driver;

pub use config::Config;
pub use connections::BuildError;
pub use error::ReconcileError;
pub use job::{ReconcileJob, ReconcileTotals};

/// Creates the clients, once, in the init phase.
///
/// # Errors
/// When an allowed origin is malformed or the HTTP client cannot be built.
pub fn driver(config: &Config, aws: &SdkConfig) -> Result<Driver<ReconcileJob>, BuildError> {
    let table = config.connections.config_table.clone();
    let job = ReconcileJob::build(config, aws)?;
    Ok(Driver::new(job, aws, table, config.function.clone()))
}
