//! A queue in the emulator, which must be empty when its test ends.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
};
use domain::AlertKey;
use domain::alert::command::{Command, CommandAction};
use domain::wire::message::Message as QueueMessage;
use serde_json::{Value, json};

use super::account::emulator_url;

/// The three counts that together are all messages of a queue.
const COUNTS: [QueueAttributeName; 3] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    QueueAttributeName::ApproximateNumberOfMessagesDelayed,
];

/// An expected number that every number of messages matches.
const ANY_NUMBER: u32 = u32::MAX;

#[derive(Clone)]
pub(crate) struct Queue {
    pub(crate) url: String,
    sqs: aws_sdk_sqs::Client,
    leftovers: Arc<LeftoverCheck>,
}

impl Queue {
    pub(super) async fn create(sqs: &aws_sdk_sqs::Client, account_id: &str, name: &str) -> Self {
        let created = sqs.create_queue().queue_name(name).send().await.unwrap();
        let url = created.queue_url.unwrap();
        let leftovers = LeftoverCheck {
            url: url.clone(),
            account_id: account_id.to_owned(),
            expected: AtomicU32::new(0),
        };
        Self {
            url,
            sqs: sqs.clone(),
            leftovers: Arc::new(leftovers),
        }
    }

    /// Says that the test ends with this many messages in the queue. Without it, none may be left.
    pub(crate) fn expect_leftovers(&self, count: u32) {
        self.leftovers.expected.store(count, Ordering::Relaxed);
    }

    /// Says that any number of messages may be left, where it depends on the machine's speed.
    pub(crate) fn allow_leftovers(&self) {
        self.expect_leftovers(ANY_NUMBER);
    }

    /// How many messages the queue has: visible, in flight and delayed ones.
    pub(crate) async fn count(&self) -> u32 {
        let call = self.sqs.get_queue_attributes().queue_url(&self.url);
        let call = call.set_attribute_names(Some(COUNTS.to_vec()));
        let attributes = call.send().await.unwrap().attributes.unwrap_or_default();
        let count = |name| {
            let count = attributes.get(name);
            count.map_or(0, |count| count.parse::<u32>().unwrap())
        };
        COUNTS.iter().map(count).sum()
    }

    pub(crate) async fn send(&self, body: &str) {
        let send = self.sqs.send_message().queue_url(&self.url);
        send.message_body(body).send().await.unwrap();
    }

    /// Receives up to ten messages, as Lambda hands them to the function.
    pub(crate) async fn receive(&self) -> (SqsEvent, Vec<Message>) {
        let receive = self.sqs.receive_message().queue_url(&self.url);
        let receive = receive
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let messages = receive.send().await.unwrap().messages.unwrap_or_default();
        let mut event = SqsEvent::default();
        event.records = messages.iter().map(record).collect();
        (event, messages)
    }

    /// Makes received messages visible again at once, as the end of their visibility timeout does.
    pub(crate) async fn make_visible(&self, messages: &[Message]) {
        for message in messages {
            let change = self.sqs.change_message_visibility().queue_url(&self.url);
            let change = change.receipt_handle(message.receipt_handle().unwrap());
            change.visibility_timeout(0).send().await.unwrap();
        }
    }

    /// Deletes up to ten received messages.
    pub(crate) async fn delete(&self, messages: &[Message]) {
        if messages.is_empty() {
            return;
        }
        let entry = |(n, message): (usize, &Message)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(n.to_string())
                .receipt_handle(message.receipt_handle().unwrap())
                .build()
                .unwrap()
        };
        let delete = self.sqs.delete_message_batch().queue_url(&self.url);
        let delete = delete.set_entries(Some(messages.iter().enumerate().map(entry).collect()));
        let failed = delete.send().await.unwrap().failed;
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// Receives and deletes all visible messages.
    pub(crate) async fn take_records(&self) -> Vec<SqsMessage> {
        let mut taken = vec![];
        loop {
            let (event, messages) = self.receive().await;
            if messages.is_empty() {
                return taken;
            }
            self.delete(&messages).await;
            taken.extend(event.records);
        }
    }

    /// Receives and deletes all visible messages, and parses them.
    pub(crate) async fn take_messages(&self) -> Vec<QueueMessage> {
        let records = self.take_records().await.into_iter();
        let parse = |record: SqsMessage| QueueMessage::from_json(&record.body.unwrap()).unwrap();
        records.map(parse).collect()
    }

    /// Receives and deletes all visible messages, which must be reconsiderations or retries, and
    /// returns their alerts.
    pub(crate) async fn take_reconsidered(&self) -> Vec<AlertKey> {
        let messages = self.take_messages().await.into_iter();
        let key = |message| match message {
            QueueMessage::Reconsider(key) => key,
            QueueMessage::Command(Command {
                key,
                action: CommandAction::Retry { .. },
                ..
            }) => key,
            other @ (QueueMessage::Event(_)
            | QueueMessage::Snapshot(_)
            | QueueMessage::Rejected(_)
            | QueueMessage::Quarantine(_)
            | QueueMessage::SourceReport(_)
            | QueueMessage::Tenants(_)
            | QueueMessage::Release(_)
            | QueueMessage::Command(_)
            | QueueMessage::Answer(_)) => {
                unreachable!("{other:?}")
            }
        };
        messages.map(key).collect()
    }

    /// Takes the queue's only message.
    pub(crate) async fn take_only(&self) -> Value {
        let (_, messages) = self.receive().await;
        assert_eq!(messages.len(), 1);
        self.delete(&messages).await;
        serde_json::from_str(messages[0].body().unwrap()).unwrap()
    }

    /// Body and reason of each dead letter. The letters stay in the queue.
    pub(crate) async fn dead_letters(&self) -> Vec<(String, String)> {
        let receive = self.sqs.receive_message().queue_url(&self.url);
        let receive = receive
            .max_number_of_messages(10)
            .message_attribute_names("All")
            .visibility_timeout(0);
        let messages = receive.send().await.unwrap().messages.unwrap_or_default();
        let letter = |message: Message| {
            let attributes = message.message_attributes.unwrap_or_default();
            let reason = attributes
                .get("reason")
                .and_then(|value| value.string_value())
                .unwrap_or_default();
            (message.body.unwrap_or_default(), reason.to_owned())
        };
        messages.into_iter().map(letter).collect()
    }
}

fn record(message: &Message) -> SqsMessage {
    let attributes = message.attributes.clone().unwrap_or_default();
    let attributes = attributes.into_iter();
    let mut record = SqsMessage::default();
    record.message_id = message.message_id.clone();
    record.receipt_handle = message.receipt_handle.clone();
    record.body = message.body.clone();
    record.attributes = attributes
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect::<HashMap<_, _>>();
    record
}

/// Checks at the end of a test that its queue has as many messages as the test said.
///
/// The check runs in `drop`, so no test can leave it out. `drop` cannot await, so it asks the
/// emulator over a blocking socket.
struct LeftoverCheck {
    url: String,
    account_id: String,
    expected: AtomicU32,
}

impl LeftoverCheck {
    /// The number of messages in the queue. The emulator reads the account from the credential and
    /// checks no signature.
    fn count(&self) -> u32 {
        let emulator = emulator_url();
        let host = emulator.trim_start_matches("http://").trim_end_matches('/');
        let body = json!({
            "QueueUrl": self.url,
            "AttributeNames": COUNTS.map(|name| name.as_str().to_owned()),
        });
        let body = body.to_string();
        let request = format!(
            "POST / HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: AmazonSQS.GetQueueAttributes\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={}/20260101/us-east-1/sqs/aws4_request, \
             SignedHeaders=host, Signature=none\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.account_id,
            body.len(),
        );
        let mut stream = TcpStream::connect(host).unwrap();
        let timeout = Some(Duration::from_secs(10));
        stream.set_read_timeout(timeout).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, json) = answer.split_once("\r\n\r\n").unwrap();
        let json: Value = serde_json::from_str(json).unwrap();
        let count = |name: &QueueAttributeName| {
            let count = json["Attributes"][name.as_str()].as_str();
            let count = count.expect(&answer);
            count.parse::<u32>().unwrap()
        };
        COUNTS.iter().map(count).sum()
    }
}

impl Drop for LeftoverCheck {
    fn drop(&mut self) {
        // A test that fails already must show its own message.
        let expected = *self.expected.get_mut();
        if std::thread::panicking() || expected == ANY_NUMBER {
            return;
        }
        let left = self.count();
        let name = self.url.rsplit('/').next().unwrap_or_default();
        assert_eq!(
            left, expected,
            "messages are left in the queue {name} at the end of the test"
        );
    }
}
