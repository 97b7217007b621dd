//! The queues: between `ingest` and `tickets`, between `tickets` and `deliveries`, and the
//! dead-letter queues.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry,
};
use aws_types::SdkConfig;
use domain::PartnerId;
use domain::text::chain;
use domain::wire::message::Message;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::metrics::{Metric, count};

/// SQS accepts at most this many messages in one call.
const MAX_BATCH: usize = 10;
/// SQS accepts at most 1 MiB in one call. The margin is for attributes and groups.
const MAX_BATCH_BYTES: usize = 1024 * 1024 - 16 * 1024;

/// Concurrent calls of one [`QueueSender::send_all`]. A thousand messages need a hundred calls,
/// which one after the other would take too long for the sender.
const MAX_CONCURRENT_CALLS: usize = 16;
/// Attempts for messages that SQS refuses while it accepts others of the same call. The SDK retries
/// calls that fail as a whole.
const MAX_ATTEMPTS: u32 = 4;
/// The pause before the second attempt. It grows with each attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("SQS {operation} failed: {cause}")]
    Call {
        operation: &'static str,
        /// The whole chain of the SDK's error.
        cause: String,
    },
    /// SQS accepted only a part of the messages.
    #[error("SQS refused {refused} of {sent} messages, first with {code}")]
    Partial {
        refused: usize,
        sent: usize,
        code: String,
    },
}

/// Sends messages to the queue.
#[derive(Debug, Clone)]
pub struct QueueSender {
    client: Client,
    url: String,
}

impl QueueSender {
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// Sends all messages in concurrent calls of at most ten. Messages that SQS refuses are retried
    /// a few times. If the process dies in between, or a message is refused every time, the caller
    /// has not confirmed anything. So the messages are sent again, and folding one twice has the
    /// same result as folding it once.
    ///
    /// # Errors
    /// Unless SQS accepted every message.
    pub async fn send_all(&self, messages: &[Message]) -> Result<(), Error> {
        stream::iter(batches(messages))
            .map(|batch| self.send(batch))
            .buffer_unordered(MAX_CONCURRENT_CALLS)
            .try_collect()
            .await
            .inspect_err(count_failure)
    }

    /// Sends one text, for a partner. If the process dies right after, the caller sends it again, and
    /// its receiver must bear that.
    ///
    /// # Errors
    /// Unless SQS accepted it.
    pub async fn send_text(&self, partner: &PartnerId, text: String) -> Result<(), Error> {
        let call = self.client.send_message().queue_url(&self.url);
        let call = call.message_body(text).message_group_id(partner.as_str());
        let sent = call.send().await;
        sent.map_err(|err| call_failed("SendMessage", &err))
            .inspect_err(count_failure)?;
        Ok(())
    }

    /// Sends the messages of one call, and retries those that SQS refused.
    async fn send(&self, mut batch: Vec<SendMessageBatchRequestEntry>) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            let call = self.client.send_message_batch().queue_url(&self.url);
            let answer = call.set_entries(Some(batch.clone())).send().await;
            let answer = answer.map_err(|err| call_failed("SendMessageBatch", &err))?;
            let sent = batch.len();
            let is_accepted = |entry: &SendMessageBatchRequestEntry| {
                answer
                    .successful()
                    .iter()
                    .any(|accepted| accepted.id() == entry.id())
            };
            batch.retain(|entry| !is_accepted(entry));
            if batch.is_empty() {
                return Ok(());
            }
            let first = answer.failed().first();
            let mut failed = answer.failed().iter();
            let is_final = failed.any(BatchResultErrorEntry::sender_fault);
            if attempt == MAX_ATTEMPTS || is_final {
                return Err(Error::Partial {
                    refused: batch.len(),
                    sent,
                    code: first.map_or("no result", |first| first.code()).to_owned(),
                });
            }
            tokio::time::sleep(RETRY_PAUSE * attempt).await;
            attempt += 1;
        }
    }
}

fn batches(messages: &[Message]) -> Vec<Vec<SendMessageBatchRequestEntry>> {
    let mut batches = vec![];
    let mut batch: Vec<SendMessageBatchRequestEntry> = vec![];
    let mut bytes = 0;
    for message in messages {
        let body = message.to_json();
        if batch.len() == MAX_BATCH || (bytes + body.len() > MAX_BATCH_BYTES && !batch.is_empty()) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += body.len();
        let entry = SendMessageBatchRequestEntry::builder()
            .id(batch.len().to_string())
            .message_body(body)
            // A standard queue with groups is fair: many messages of one partner do not delay the
            // others.
            .message_group_id(message.partner().as_str());
        // The builder requires only id and body, which are set.
        batch.extend(entry.build());
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// Delays messages that the consumer received.
#[derive(Debug, Clone)]
pub struct QueueConsumer {
    client: Client,
    url: String,
}

impl QueueConsumer {
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// Hides a received message for this time, at most 12 hours. If the process dies before, the
    /// message returns when its visibility time-out ends.
    pub async fn delay(&self, receipt: &str, delay: Duration) -> Result<(), Error> {
        let seconds = i32::try_from(delay.as_secs().min(12 * 3600)).unwrap_or_default();
        let call = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt);
        call.visibility_timeout(seconds)
            .send()
            .await
            .map_err(|err| call_failed("ChangeMessageVisibility", &err))
            .inspect_err(count_failure)?;
        Ok(())
    }
}

#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
    url: String,
}

impl DeadLetters {
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// Counts the messages approximately, those that are received at the moment included.
    pub async fn waiting(&self) -> Result<u32, Error> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = call
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .map_err(|err| call_failed("GetQueueAttributes", &err))
            .inspect_err(count_failure)?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name| {
            attributes
                .get(name)
                .and_then(|count| count.parse::<u32>().ok())
        };
        Ok(names.iter().filter_map(count).sum())
    }

    /// Sends a message with its attribute `reason`. If the process dies right after, the message is
    /// received and sent here again: a person sees it twice, and nothing is lost.
    pub async fn send_to_dlq(
        &self,
        body: &str,
        message_id: &str,
        reason: &str,
    ) -> Result<(), Error> {
        let mut send = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body);
        for (name, value) in [("reason", reason), ("original_message_id", message_id)] {
            let value = if value.is_empty() { "unknown" } else { value };
            if let Ok(value) = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
            {
                send = send.message_attributes(name, value);
            }
        }
        send.send()
            .await
            .map_err(|err| call_failed("SendMessage", &err))
            .inspect_err(count_failure)?;
        count(Metric::DeadLetters, 1);
        Ok(())
    }
}

fn count_failure(_: &Error) {
    count(Metric::QueueFailures, 1);
}

fn call_failed<E, R>(operation: &'static str, err: &SdkError<E, R>) -> Error
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    Error::Call {
        operation,
        cause: chain(err),
    }
}

#[cfg(test)]
mod tests {
    use domain::{AlertId, AlertKey, PartnerId, SourceId, TenantId};

    use super::*;

    #[test]
    fn more_than_ten_messages_are_split() {
        let key = AlertKey {
            partner: PartnerId::parse("acme").unwrap(),
            tenant: TenantId::parse("t").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse("a").unwrap(),
        };
        let messages = vec![Message::Reconsider(key); 23];
        let sizes: Vec<_> = batches(&messages).iter().map(Vec::len).collect();
        assert_eq!(sizes, [10, 10, 3]);
        let ids: Vec<_> = batches(&messages)[2]
            .iter()
            .map(|entry| entry.id().to_owned())
            .collect();
        assert_eq!(ids, ["0", "1", "2"]);
        assert!(batches(&[]).is_empty());
    }
}
