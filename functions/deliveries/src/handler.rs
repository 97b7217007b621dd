//! The function's two inputs: a batch of messages, and a tick of its schedule.

use aws::invocation::Invocation;
use aws::queue::QueueSender;
use aws::secrets::Secrets;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use aws_types::SdkConfig;
use domain::outgoing::cloud_event::OutgoingCloudEvent;
use domain::outgoing::request::{DeliveryRequest, UnreadableRequest};
use futures_util::future::join_all;
use public_http::{HttpBuildError, InvalidReceiverOrigin, ReceiverOrigins};
use serde_json::Value;
use store::{Deliveries, Delivery};
use tracing::Instrument as _;

use crate::Config;
use crate::answers::AnswerSender;
use crate::deliverer::Deliverer;
use crate::sender::Sender;
use crate::tick::tick;

/// The Lambda function, with its clients.
#[derive(Debug)]
pub struct DeliveriesHandler {
    deliverer: Deliverer,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("WEBHOOK_ORIGINS: {0}")]
    Origins(#[from] InvalidReceiverOrigin),
    #[error(transparent)]
    Http(#[from] HttpBuildError),
}

/// Why an invocation failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    #[error("the batch of messages is not readable: {0}")]
    Input(#[from] serde_json::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Why a message is received again.
#[derive(Debug, thiserror::Error)]
enum MessageError {
    #[error(transparent)]
    Unreadable(#[from] UnreadableRequest),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl DeliveriesHandler {
    /// Creates the clients, once, in the init phase.
    ///
    /// # Errors
    /// When a listed origin is malformed or the HTTP client cannot be built.
    pub fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        let origins = ReceiverOrigins::new(&config.webhook_origins)?;
        Ok(Self {
            deliverer: Deliverer {
                deliveries: Deliveries::new(aws, config.deliveries_table.clone()),
                answers: AnswerSender::new(QueueSender::new(aws, config.queue_url.clone())),
                secrets: Secrets::new(aws),
                source_secret_prefix: config.source_secret_prefix.clone(),
                sender: Sender::new(origins)?,
            },
        })
    }

    /// Processes a batch of messages, whose response names those that SQS shows again. Any other
    /// input is a tick of the schedule.
    ///
    /// # Errors
    /// When the batch is malformed, or the list of due receivers cannot be read.
    pub async fn handle(
        &self,
        input: Value,
        invocation: &Invocation,
    ) -> Result<Value, HandleError> {
        if input.get("Records").is_none() {
            let summary = tick(&self.deliverer, invocation).await?;
            return Ok(serde_json::to_value(summary)?);
        }
        let event: SqsEvent = serde_json::from_value(input)?;
        let messages = event.records.iter();
        let failures = join_all(messages.map(|message| self.process(message, invocation)));
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failures.await.into_iter().flatten().collect();
        Ok(serde_json::to_value(response)?)
    }

    async fn process(
        &self,
        message: &SqsMessage,
        invocation: &Invocation,
    ) -> Option<BatchItemFailure> {
        let message_id = message.message_id.clone().unwrap_or_default();
        let span = tracing::info_span!("message", message.id = message_id);
        let body = message.body.as_deref().unwrap_or_default();
        let result = self.deliver(body, invocation).instrument(span).await;
        let err = result.err()?;
        tracing::error!(message.id = message_id, error = %err, "failed to process a message");
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = message_id;
        Some(failure)
    }

    /// Stores the events of a message, then delivers what is pending of their alert. If the process
    /// dies in between, the message is received again, and a stored event is stored once.
    async fn deliver(&self, body: &str, invocation: &Invocation) -> Result<(), MessageError> {
        let request = DeliveryRequest::from_json(body)?;
        let DeliveryRequest { key, kind, events } = request;
        let deliveries = &self.deliverer.deliveries;
        let (source, queue) = (&key.source, key.item_key());
        for event in &events {
            let event = OutgoingCloudEvent::new(&key, kind.as_ref(), event);
            let delivery = Delivery::new(source, Some(key.clone()), &event, invocation.now());
            deliveries.add(&delivery).await?;
        }
        if deliveries.receiver(source).await?.failures.is_down() {
            // The tick probes the receiver. This alert waits for it like all others.
            deliveries
                .schedule(source, &queue, invocation.now())
                .await?;
            return Ok(());
        }
        self.deliverer.deliver(source, &queue, invocation).await?;
        Ok(())
    }
}
