//! The answers of receivers to actions: `tickets` writes them as notes.

use aws::queue::{self, QueueSender};
use domain::alert::command::{Command, CommandAction};
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
struct Answer {
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
        let Some(command) = command(delivery, answer) else {
            return Ok(());
        };
        self.queue.send_all(&[Message::Command(command)]).await?;
        tracing::info!(source = %delivery.source, delivery.id, "queued the answer to an action");
        Ok(())
    }
}

/// The command to write an answer's note. `None` if the body is no such answer.
fn command(delivery: &Delivery, answer: &[u8]) -> Option<Command> {
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    let note = answer.note?;
    let note = note.trim();
    let event: OutgoingCloudEvent = serde_json::from_str(&delivery.body).ok()?;
    let ticket = event.data.ticket?;
    let text = cut_to_bytes(note, MAX_NOTE);
    (!text.is_empty()).then_some(Command {
        key: delivery.key.clone()?,
        occurrence: 0,
        ticket_id: Some(ticket.number),
        action: CommandAction::Answer {
            asked_at: event.time,
            text,
        },
    })
}
