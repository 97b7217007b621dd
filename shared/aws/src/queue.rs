//! The queue between the door and the tickets, and the place for what can never work.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry,
};
use aws_types::SdkConfig;
use domain::message::Message;
use domain::text::chain;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::metrics::{Metric, count};

/// SQS takes at most so many messages in one call.
const BATCH: usize = 10;
/// SQS takes at most so many bytes in one call, attributes and groups included; the margin covers those.
const BATCH_BYTES: usize = 1024 * 1024 - 16 * 1024;

/// So many calls of one [`Outbox::send_all`] are under way at once: a thousand messages are a hundred calls, which one after another
/// would outlast the sender's patience.
const CALLS_AT_ONCE: usize = 16;
/// How often messages are sent that SQS refuses while it takes others of the same call. The SDK repeats calls that fail as a whole.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; longer before each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// Why messages were not all taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQS could not be asked, or refused the call.
    #[error("SQS {operation} failed: {cause}")]
    Call {
        /// The API's operation.
        operation: &'static str,
        /// What the SDK says, its whole chain.
        cause: String,
    },
    /// SQS took some and refused others.
    #[error("SQS refused {refused} of {sent} messages, first with {code}")]
    Partial {
        /// How many were refused.
        refused: usize,
        /// How many were sent in the call.
        sent: usize,
        /// The first refusal's code.
        code: String,
    },
}

/// The queue, as the door sees it.
#[derive(Debug, Clone)]
pub struct QueueSender {
    client: Client,
    url: String,
}

impl QueueSender {
    /// A sender to the queue at this address.
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// Sends all messages, in calls of at most ten, of which several are under way at once. What SQS did not take is sent again, a
    /// few times. If the process dies in between, or any is refused to the end, the caller has promised nothing: what was sent
    /// already is sent again, and folding it twice is folding it once.
    ///
    /// # Errors
    /// Unless SQS took every one.
    pub async fn send_all(&self, messages: &[Message]) -> Result<(), Error> {
        stream::iter(batches(messages))
            .map(|batch| self.send(batch))
            .buffer_unordered(CALLS_AT_ONCE)
            .try_collect()
            .await
            .inspect_err(counted)
    }

    /// Sends one call's messages, and again those that SQS did not take.
    async fn send(&self, mut batch: Vec<SendMessageBatchRequestEntry>) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            let call = self.client.send_message_batch().queue_url(&self.url);
            let answer = call.set_entries(Some(batch.clone())).send().await;
            let answer = answer.map_err(|err| call_failed("SendMessageBatch", &err))?;
            let sent = batch.len();
            let is_taken = |entry: &SendMessageBatchRequestEntry| {
                answer
                    .successful()
                    .iter()
                    .any(|taken| taken.id() == entry.id())
            };
            batch.retain(|entry| !is_taken(entry));
            if batch.is_empty() {
                return Ok(());
            }
            let first = answer.failed().first();
            let mut failed = answer.failed().iter();
            let is_final = failed.any(BatchResultErrorEntry::sender_fault);
            if attempt == ATTEMPTS || is_final {
                return Err(Error::Partial {
                    refused: batch.len(),
                    sent,
                    code: first.map_or("no answer", |first| first.code()).to_owned(),
                });
            }
            tokio::time::sleep(PAUSE * attempt).await;
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
        if batch.len() == BATCH || (bytes + body.len() > BATCH_BYTES && !batch.is_empty()) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += body.len();
        let entry = SendMessageBatchRequestEntry::builder()
            .id(batch.len().to_string())
            .message_body(body)
            // A standard queue with groups is fair: one partner's storm does not hold up the others.
            .message_group_id(message.partner().as_str());
        // The builder asks only for id and body, and both are there.
        batch.extend(entry.build());
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// The queue, as its consumer sees it: it may put a message off, and never sends one.
#[derive(Debug, Clone)]
pub struct QueueConsumer {
    client: Client,
    url: String,
}

impl QueueConsumer {
    /// The consumer's side of the queue at this address.
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// Hides a message that was received for so long, 12 hours at most. If the process dies before, the message comes back when
    /// its visibility ends.
    ///
    /// # Errors
    /// When SQS could not be asked.
    pub async fn delay(&self, receipt: &str, delay: Duration) -> Result<(), Error> {
        let seconds = i32::try_from(delay.as_secs().min(12 * 3600)).unwrap_or_default();
        let call_it = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt);
        call_it
            .visibility_timeout(seconds)
            .send()
            .await
            .map_err(|err| call_failed("ChangeMessageVisibility", &err))
            .inspect_err(counted)?;
        Ok(())
    }
}

/// Where messages go that can never work.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
    url: String,
}

impl DeadLetters {
    /// A sender to the dead-letter queue at this address.
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// How many there are, those that somebody looks at included: about as many, as SQS says itself.
    ///
    /// # Errors
    /// When SQS could not be asked.
    pub async fn waiting(&self) -> Result<u32, Error> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let ask = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = ask
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .map_err(|err| call_failed("GetQueueAttributes", &err))
            .inspect_err(counted)?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name| {
            attributes
                .get(name)
                .and_then(|count| count.parse::<u32>().ok())
        };
        Ok(names.iter().filter_map(count).sum())
    }

    /// Parks a message with the reason as its attribute `reason`. If the process dies right after, the message is received and
    /// parked again: a person sees it twice, and nothing is lost.
    ///
    /// # Errors
    /// When SQS did not take it.
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
            .inspect_err(counted)?;
        count(Metric::DeadLetters, 1);
        Ok(())
    }
}

fn counted(_: &Error) {
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
