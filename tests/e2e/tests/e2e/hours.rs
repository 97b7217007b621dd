//! Messages handed over at any time, so that hours of back-off and settling pass in no time.

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use domain::AlertKey;
use domain::message::Message;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tickets::BatchInvocation;

use crate::world::World;

/// A message that is in nobody's queue.
pub(crate) fn message(message: &Message) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(format!("m-{:x}", digest(&message.to_json())));
    record.receipt_handle = Some("none".into());
    record.body = Some(message.to_json());
    record
}

pub(crate) fn reconsider(key: &AlertKey) -> SqsMessage {
    message(&Message::Reconsider(key.clone()))
}

fn digest(text: &str) -> u64 {
    text.bytes().fold(7, |sum: u64, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    })
}

impl World {
    /// Posts events through the door and takes their messages out of the queue.
    pub(crate) async fn taken(&self, events: &[Value]) -> Vec<SqsMessage> {
        for event in events {
            self.post(event).await;
        }
        let mut taken = vec![];
        while taken.len() < events.len() {
            let (event, messages) = self.receive().await;
            for message in messages {
                let sqs = aws_sdk_sqs::Client::new(&self.aws);
                let delete = sqs.delete_message().queue_url(&self.queue_url);
                let receipt = message.receipt_handle.unwrap();
                delete.receipt_handle(receipt).send().await.unwrap();
            }
            taken.extend(event.records);
        }
        taken
    }

    /// Hands messages to the function in batches of ten, at a time so many minutes from now; returns those that come back.
    pub(crate) async fn hand_over(
        &mut self,
        messages: Vec<SqsMessage>,
        minutes: i64,
    ) -> Vec<SqsMessage> {
        let mut back = vec![];
        for batch in messages.chunks(10) {
            let now = Timestamp::now() + SignedDuration::from_mins(minutes);
            let invocation = self.invocation_at(now, 60);
            back.extend(self.hand_batch(batch, &invocation).await);
        }
        back
    }

    /// Hands over one batch, in an invocation of its own; returns what comes back.
    pub(crate) async fn hand_batch(
        &self,
        batch: &[SqsMessage],
        invocation: &BatchInvocation,
    ) -> Vec<SqsMessage> {
        let mut event = SqsEvent::default();
        event.records = batch.to_vec();
        let answer = self.tickets.handle(event, invocation).await;
        let failed = answer.batch_item_failures;
        let comes_back = |message: &&SqsMessage| {
            let id = message.message_id.as_deref().unwrap();
            failed.iter().any(|failure| failure.item_identifier == id)
        };
        batch.iter().filter(comes_back).cloned().collect()
    }

    /// Hands messages over again and again, some minutes later each time, until none comes back.
    pub(crate) async fn until_done(
        &mut self,
        mut messages: Vec<SqsMessage>,
        mut minutes: i64,
        step: i64,
    ) {
        for _ in 0..20 {
            if messages.is_empty() {
                return;
            }
            messages = self.hand_over(messages, minutes).await;
            minutes += step;
        }
        assert!(messages.is_empty(), "they come back for ever: {messages:?}");
    }
}
