//! On a schedule: finds the alerts that may go on, those that are gone and tickets that are not as they are recorded, and asks the
//! queue's consumer to decide about them again.
//!
//! It takes no input but what the tables and ConnectWise say, so a run that dies, is repeated or comes late changes nothing but the
//! time. It writes no ticket, and no record but those that the table forgot.

mod closing;
mod config;
mod heartbeat;
mod import;
mod pacing;
mod partner;
mod targets;

use aws::invocation::Invocation;
use aws::queue::QueueSender;
use aws_types::SdkConfig;
use connections::Connections;
use connections::partner_runs::{self, PartnerRuns};
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::Value;
use store::{Alerts, Leased, Task};

pub use config::Config;
pub use connections::BuildError;
pub use connections::partner_runs::RunError;

/// The function, with its clients.
#[derive(Debug)]
pub struct App {
    runs: PartnerRuns,
    alerts: Alerts,
    connections: Connections,
    queue: QueueSender,
    /// How often a partner is looked after when nothing happens.
    period: SignedDuration,
    /// How far a source's snapshots may lag behind its events.
    snapshot_lag: SignedDuration,
}

/// What an invocation did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Partners that it took up, itself and by the invocations that it asked for.
    pub due: usize,
    /// Invocations that it asked for.
    pub asked: usize,
    /// Partners that it worked off. Those that were in other hands, or due no more, are not counted.
    pub done: usize,
    /// Partners whose run failed.
    pub failed: usize,
    /// Alerts that it asked to be decided again.
    pub released: usize,
    /// Commands that it gave: alerts that are gone, and tickets to look at.
    pub commands: usize,
    /// Partners of which more is left than may go at once.
    pub left: usize,
}

impl App {
    /// Makes the clients, once, in the init phase.
    ///
    /// # Errors
    /// When an allowed origin is malformed or the HTTP client cannot be made.
    pub fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        Ok(Self {
            runs: PartnerRuns::new(
                aws,
                config.connections.config_table.clone(),
                config.function_name.clone(),
                Task::Reconcile,
                pacing::AGAIN,
            ),
            alerts: Alerts::new(aws, config.alerts_table.clone()),
            connections: Connections::build(&config.connections, aws)?,
            queue: QueueSender::new(aws, config.queue_url.clone()),
            period: config.period,
            snapshot_lag: config.snapshot_lag,
        })
    }

    /// Works off the partners that `{"partners": […]}` names, or whoever is due.
    ///
    /// # Errors
    /// When it cannot be told for whom to work. What fails for one partner is logged, and tried again a minute later.
    pub async fn handle(&self, input: Value, invocation: &Invocation) -> Result<Summary, RunError> {
        let named = partner_runs::requested_partners(input)?;
        if named.is_none() {
            self.heartbeat(invocation).await;
        }
        let run = async |leased: &Leased| self.run(leased, invocation).await;
        let made = self.runs.run_due(named, invocation, run).await?;
        let mut summary = Summary {
            due: made.due,
            asked: made.asked,
            done: made.runs.len(),
            failed: made.failed,
            ..Summary::default()
        };
        for run in made.runs {
            summary.released += run.released;
            summary.commands += run.commands;
            summary.left += usize::from(run.left);
        }
        heartbeat::counted(&summary);
        tracing::info!(
            due = summary.due,
            asked = summary.asked,
            done = summary.done,
            failed = summary.failed,
            released = summary.released,
            commands = summary.commands,
            left = summary.left,
            "reconcile run finished"
        );
        Ok(summary)
    }
}
