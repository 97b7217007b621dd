//! The queue's consumer: fold each event into its alert's record, decide, and apply. The only writer of tickets to ConnectWise.
//!
//! A message is acknowledged only after its effect is in DynamoDB. This function never sends to the queue that it reads; it may
//! put a message off, and park in the dead-letter queue what can never work.

mod alert;
mod batch;
mod calls;
mod config;
mod invocation;
mod outcome;
mod perform;
mod unfinished;

use aws::queue::{DeadLetters, QueueConsumer};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_types::SdkConfig;
use connections::Connections;
use jiff::SignedDuration;
use store::Alerts;

pub use config::Config;
pub use invocation::Invocation;
use unfinished::LastSignal;

/// The function, with its clients.
#[derive(Debug)]
pub struct App {
    alerts: Alerts,
    connections: Connections,
    consumer: QueueConsumer,
    dead_letters: DeadLetters,
    settle: SignedDuration,
    last_signal: LastSignal,
}

impl App {
    /// Makes the clients, once, in the init phase.
    ///
    /// # Errors
    /// When an allowed origin is malformed or the HTTP client cannot be made.
    pub fn build(config: &Config, aws: &SdkConfig) -> Result<Self, connections::BuildError> {
        Ok(Self {
            alerts: Alerts::new(aws, config.alerts_table.clone()),
            connections: Connections::build(&config.connections, aws)?,
            consumer: QueueConsumer::new(aws, config.queue_url.clone()),
            dead_letters: DeadLetters::new(aws, config.dead_letter_queue_url.clone()),
            settle: config.settle,
            last_signal: LastSignal::default(),
        })
    }

    /// Works off one batch. Messages that are not done are named in the answer and come back.
    pub async fn handle(&self, event: SqsEvent, invocation: &Invocation) -> SqsBatchResponse {
        batch::work(self, event, invocation).await
    }
}
