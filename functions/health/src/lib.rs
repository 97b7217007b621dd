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

use aws::functions::Function;
use aws::invocation::Invocation;
use aws::mail::Mailer;
use aws_types::SdkConfig;
use connections::Connections;
use domain::PartnerId;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Alerts, Due, Task};

pub use config::Config;
pub use connections::BuildError;
use partner::Run;
use pipeline::Operator;

/// Partners that one tick takes up at most; the others are as due at the next.
const MOST: usize = 500;
/// Partners that one invocation works off.
const GROUP: usize = 20;

/// The function, with its clients.
#[derive(Debug)]
pub struct App {
    due: Due,
    alerts: Alerts,
    connections: Connections,
    mailer: Mailer,
    itself: Function,
    page_origin: String,
    operator: Operator,
    /// How often a connection is tried that is well.
    period: SignedDuration,
}

/// Why an invocation did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// What is due cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// `partners` is no list of partners.
    #[error("the input is no list of partners")]
    Input(#[from] serde_json::Error),
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

/// What an invocation is asked for; anything else is a tick.
#[derive(Deserialize)]
struct Asked {
    partners: Vec<PartnerId>,
}

impl App {
    /// Makes the clients, once, in the init phase.
    ///
    /// # Errors
    /// When an allowed origin is malformed or the HTTP client cannot be made.
    pub fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        Ok(Self {
            due: Due::new(aws, config.connections.config_table.clone()),
            alerts: Alerts::new(aws, config.alerts_table.clone()),
            connections: Connections::build(&config.connections, aws)?,
            mailer: Mailer::new(aws, config.mail_from.clone()),
            itself: Function::new(aws, config.function_name.clone()),
            page_origin: config.page_origin.clone(),
            operator: Operator::new(config, aws),
            period: config.period,
        })
    }

    /// Works off the partners that `{"partners": […]}` names, or whoever is due.
    ///
    /// # Errors
    /// When it cannot be told for whom to work. What fails for one partner is logged, and tried again a minute later.
    pub async fn handle(&self, input: Value, invocation: &Invocation) -> Result<Summary, Fault> {
        let summary = if input.get("partners").is_some() {
            let Asked { partners } = serde_json::from_value(input)?;
            self.work_off(&partners, invocation).await
        } else {
            self.tick(invocation).await?
        };
        tracing::info!(
            due = summary.due,
            asked = summary.asked,
            done = summary.done,
            failed = summary.failed,
            mails = summary.mails,
            mails_failed = summary.mails_failed,
            "connections tried"
        );
        Ok(summary)
    }

    /// The first twenty are worked off here, each further twenty in an invocation of their own.
    async fn tick(&self, invocation: &Invocation) -> Result<Summary, Fault> {
        self.see_to_the_pipeline(invocation).await;
        let due = self.due.due(Task::Health, invocation.now(), MOST).await?;
        let (own, others) = due.split_at(due.len().min(GROUP));
        let asked = join_all(others.chunks(GROUP).map(|group| self.ask(group)));
        let (summary, asked) = tokio::join!(self.work_off(own, invocation), asked);
        Ok(Summary {
            due: due.len(),
            asked: asked.into_iter().filter(|asked| *asked).count(),
            ..summary
        })
    }

    /// Where nobody is found to do it, the partners are as due at the next tick.
    async fn ask(&self, partners: &[PartnerId]) -> bool {
        let input = json!({ "partners": partners });
        let asked = self.itself.invoke_later(&input).await;
        if let Err(fault) = &asked {
            tracing::error!(fault = %fault, partners = partners.len(), "nobody to work them off");
        }
        asked.is_ok()
    }

    /// Side by side, each to its end: one that is slow delays nobody.
    async fn work_off(&self, partners: &[PartnerId], invocation: &Invocation) -> Summary {
        let runs = join_all(partners.iter().map(|partner| self.run(partner, invocation))).await;
        let mut summary = Summary {
            due: partners.len(),
            ..Summary::default()
        };
        for run in runs {
            match run {
                Run::Done(mails) => {
                    summary.done += 1;
                    summary.mails += mails.sent;
                    summary.mails_failed += mails.failed;
                }
                Run::Failed => summary.failed += 1,
                Run::NotOurs => {}
            }
        }
        summary
    }
}
