//! The answers of receivers to actions: `tickets` writes them as notes.

use aws::queue::{self, QueueSender};
use domain::alert::source_answer::SourceAnswer;
use domain::outgoing::cloud_event::OutgoingCloudEvent;
use domain::text::cut_to_bytes;
use domain::wire::message::Message;
use serde::Deserialize;
use store::Delivery;

/// The longest note, in bytes. The record keeps it until it is written.
const MAX_NOTE: usize = 1000;

/// Sends answers to the queue of `tickets`.
#[derive(Debug)]
pub(crate) struct AnswerSender {
    queue: QueueSender,
}

/// The body of an answer. Other members are ignored.
#[derive(Deserialize)]
struct AnswerBody {
    note: Option<String>,
}

impl AnswerSender {
    pub(crate) fn new(queue: QueueSender) -> Self {
        Self { queue }
    }

    /// Sends the note of an answer, if it has one. If the process dies right after, the delivery is
    /// made again and answered again: the alert's record takes the first answer.
    pub(crate) async fn send(
        &self,
        delivery: &Delivery,
        answer: &[u8],
    ) -> Result<(), queue::Error> {
        let Some(answer) = read(delivery, answer) else {
            return Ok(());
        };
        self.queue.send_all(&[Message::Answer(answer)]).await?;
        tracing::info!(source = %delivery.source, delivery.id, "queued the answer to an action");
        Ok(())
    }
}

/// The answer with its note. `None` if the body has none.
fn read(delivery: &Delivery, answer: &[u8]) -> Option<SourceAnswer> {
    let body: AnswerBody = serde_json::from_slice(answer).ok()?;
    let text = cut_to_bytes(body.note?.trim(), MAX_NOTE);
    let event: OutgoingCloudEvent = serde_json::from_str(&delivery.body).ok()?;
    (!text.is_empty()).then_some(SourceAnswer {
        key: delivery.key.clone()?,
        ticket_id: event.data.ticket?.number,
        asked_at: event.time,
        text,
    })
}
