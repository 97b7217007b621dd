//! The function `tickets`, which gets messages from the queue or straight from the test.

use std::time::{Duration, Instant};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use domain::AlertKey;
use domain::wire::message::Message;
use jiff::{SignedDuration, Timestamp};
use tickets::BatchInvocation;

use super::PATIENCE;
use super::queue::Queue;

pub(crate) struct Worker {
    pub(crate) app: tickets::TicketsHandler,
    queue: Queue,
    invocations: u32,
}

impl Worker {
    pub(super) fn new(app: tickets::TicketsHandler, queue: Queue) -> Self {
        Self {
            app,
            queue,
            invocations: 0,
        }
    }

    /// A new invocation that ends in so many seconds.
    pub(crate) fn invocation(&mut self, seconds: i64) -> BatchInvocation {
        self.invocation_at(Timestamp::now(), seconds)
    }

    /// A new invocation that begins at `now` and has so many seconds.
    pub(crate) fn invocation_at(&mut self, now: Timestamp, seconds: i64) -> BatchInvocation {
        self.invocations += 1;
        let name = format!("test-{}", self.invocations);
        BatchInvocation::at(&name, now, now + SignedDuration::from_secs(seconds))
    }

    /// Hands over the visible messages once, and deletes those that succeeded as Lambda does.
    pub(crate) async fn work_once(&mut self) {
        let (event, mut messages) = self.queue.receive().await;
        if messages.is_empty() {
            return;
        }
        let invocation = self.invocation(60);
        // Boxed: a test thread has a small stack, and futures of debug builds are large.
        let answer = Box::pin(self.app.handle(event, &invocation)).await;
        let failed = answer.batch_item_failures;
        messages.retain(|message| {
            let id = message.message_id().unwrap();
            failed.iter().all(|failure| failure.item_identifier != id)
        });
        self.queue.delete(&messages).await;
    }

    /// Hands over messages until the queue is empty, delayed ones included.
    pub(crate) async fn work(&mut self) {
        let start = Instant::now();
        loop {
            self.work_once().await;
            if self.queue.count().await == 0 {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "the queue does not empty");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Hands over messages in batches of ten, so many minutes from now, and returns those that
    /// failed. Hours of back-off and settling pass in no time this way.
    pub(crate) async fn handle_at(
        &mut self,
        messages: Vec<SqsMessage>,
        minutes: i64,
    ) -> Vec<SqsMessage> {
        let mut failed = vec![];
        for batch in messages.chunks(10) {
            let now = Timestamp::now() + SignedDuration::from_mins(minutes);
            let invocation = self.invocation_at(now, 60);
            failed.extend(self.handle_batch(batch, &invocation).await);
        }
        failed
    }

    /// Hands over one batch in an invocation, and returns the messages that failed.
    pub(crate) async fn handle_batch(
        &self,
        batch: &[SqsMessage],
        invocation: &BatchInvocation,
    ) -> Vec<SqsMessage> {
        let mut event = SqsEvent::default();
        event.records = batch.to_vec();
        let answer = self.app.handle(event, invocation).await;
        let failures = answer.batch_item_failures;
        let has_failed = |message: &&SqsMessage| {
            let id = message.message_id.as_deref().unwrap();
            failures.iter().any(|failure| failure.item_identifier == id)
        };
        batch.iter().filter(has_failed).cloned().collect()
    }

    /// Hands over messages again and again, `step` minutes later each time, until none fails.
    /// Returns how many times.
    pub(crate) async fn handle_until_done(
        &mut self,
        mut messages: Vec<SqsMessage>,
        mut minutes: i64,
        step: i64,
    ) -> usize {
        let mut times = 0;
        while !messages.is_empty() {
            assert!(times < 20, "always fails: {messages:?}");
            messages = self.handle_at(messages, minutes).await;
            minutes += step;
            times += 1;
        }
        times
    }
}

/// A message as Lambda hands it over, which is in no queue.
pub(crate) fn record_of(message: &Message) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(format!("m-{:x}", digest(&message.to_json())));
    record.receipt_handle = Some("none".into());
    record.body = Some(message.to_json());
    record
}

/// The message that has an alert decided again.
pub(crate) fn reconsider(key: &AlertKey) -> SqsMessage {
    record_of(&Message::Reconsider(key.clone()))
}

fn digest(text: &str) -> u64 {
    text.bytes().fold(7, |sum: u64, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    })
}
