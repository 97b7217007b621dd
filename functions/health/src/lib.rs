//! Runs on a schedule. It probes the partners' connections, closes their breakers, and notifies a
//! person of what is broken.
//!
//! Its only input is what the tables and ConnectWise say. A run that dies, is repeated or comes
//! late changes nothing but the time. It writes nothing to ConnectWise and no alert record. The only
//! messages that it puts on the queue are those of alerts about inactive sources.

mod blocked_counts;
mod config;
mod connection_case;
mod delivery;
mod job;
mod mails;
mod missing_rights;
mod monitoring;
mod monitoring_mail;
mod notifications;
mod notifier;
mod partner_run;
mod probe_plan;
mod prober;
mod run_result;
mod source_alerts;
mod source_watch;
mod weekly_report;

use aws_types::SdkConfig;
use scheduled::Driver;

pub use config::Config;
pub use connections::BuildError;
pub use job::HealthJob;
pub use run_result::{HealthError, HealthTotals};

/// Creates the clients, once, in the init phase.
///
/// # Errors
/// When an allowed origin is malformed or the HTTP client cannot be built.
pub fn driver(config: &Config, aws: &SdkConfig) -> Result<Driver<HealthJob>, BuildError> {
    let table = config.connections.config_table.clone();
    let job = HealthJob::build(config, aws)?;
    Ok(Driver::new(job, aws, table, config.function.clone()))
}
