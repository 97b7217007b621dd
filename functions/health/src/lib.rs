//! On a schedule: tries the partners' connections, closes their breakers, and tells a person when one is in trouble.
//!
//! It takes no input but what the tables and ConnectWise say, so a run that dies, is repeated or comes late changes nothing but the
//! time. It writes nothing to ConnectWise, no ticket's record, and no message to the queue.

mod config;
mod mails;
mod pacing;
mod partner;
mod pipeline;
mod probe;
mod rights;
mod tell;

use aws::invocation::Invocation;
use aws::mail::Mailer;
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
use pipeline::Operator;

/// The function, with its clients.
#[derive(Debug)]
pub struct App {
    runs: PartnerRuns,
    alerts: Alerts,
    connections: Connections,
    mailer: Mailer,
    page_origin: String,
    operator: Operator,
    /// How often a connection is tried that is well.
    period: SignedDuration,
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
    /// Mails that SES took.
    pub mails: usize,
    /// Mails that it did not take: they are sent by a later tick.
    pub mails_failed: usize,
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
                Task::Health,
                pacing::wait(config.period),
            ),
            alerts: Alerts::new(aws, config.alerts_table.clone()),
            connections: Connections::build(&config.connections, aws)?,
            mailer: Mailer::new(aws, config.mail_from.clone()),
            page_origin: config.page_origin.clone(),
            operator: Operator::new(config, aws),
            period: config.period,
        })
    }

    /// Works off the partners that `{"partners": […]}` names, or whoever is due.
    ///
    /// # Errors
    /// When it cannot be told for whom to work. What fails for one partner is logged, and tried again a minute later.
    pub async fn handle(&self, input: Value, invocation: &Invocation) -> Result<Summary, RunError> {
        let named = partner_runs::requested_partners(input)?;
        if named.is_none() {
            self.watch_pipeline(invocation).await;
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
        for mails in made.runs {
            summary.mails += mails.sent;
            summary.mails_failed += mails.failed;
        }
        tracing::info!(
            due = summary.due,
            asked = summary.asked,
            done = summary.done,
            failed = summary.failed,
            mails = summary.mails,
            mails_failed = summary.mails_failed,
            "health run finished"
        );
        Ok(summary)
    }
}
