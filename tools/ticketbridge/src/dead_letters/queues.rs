//! The queues and their dead-letter queues: receives dead letters, releases them, and moves them.

use anyhow::{Context as _, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message as SqsMessage, MessageSystemAttributeName,
};
use clap::ValueEnum;
use domain::PartnerId;
use domain::outgoing::request::DeliveryRequest;
use domain::wire::message::Message;
use jiff::Timestamp;
use serde::Serialize;

use crate::target::TargetStack;

/// The most messages of one SQS call.
const BATCH: i32 = 10;
/// How long a letter is hidden while the command works on it, in seconds. A letter of an
/// interrupted command is visible again after that.
const HIDDEN_FOR: i32 = 120;
/// SQS's long polling, in seconds.
const WAIT: i32 = 2;
/// The most letters of one command, since all of them stay hidden meanwhile.
const MAX_LETTERS: usize = 10_000;

/// The function that reads a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum QueueConsumer {
    /// Events of sources and commands
    Tickets,
    /// Outgoing events for the webhooks of sources
    Deliveries,
}

impl QueueConsumer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tickets => "tickets",
            Self::Deliveries => "deliveries",
        }
    }
}

/// Which dead letters a command works on.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct LetterFilter {
    /// Only letters of the queue that this function reads
    #[arg(long, value_name = "FUNCTION")]
    pub(super) function: Option<QueueConsumer>,
    /// Only letters whose reason contains these words
    #[arg(long, value_name = "WORDS")]
    pub(super) reason: Option<String>,
}

/// A message of a dead-letter queue.
#[derive(Debug, Clone)]
pub(super) struct DeadLetter {
    pub(super) consumer: QueueConsumer,
    pub(super) message: SqsMessage,
}

pub(super) struct Queues<'a> {
    client: Client,
    target: &'a TargetStack,
}

impl<'a> Queues<'a> {
    pub(super) fn new(target: &'a TargetStack) -> Self {
        let client = Client::new(&target.aws);
        Self { client, target }
    }

    /// Receives the present letters that the filter names. The others are released at once.
    pub(super) async fn receive(&self, filter: &LetterFilter) -> Result<Vec<DeadLetter>> {
        let (mut letters, mut others) = (Vec::new(), Vec::new());
        // Hidden letters are not received again, so the loop ends. Letters that arrive meanwhile
        // wait for the next command.
        let started = Timestamp::now();
        let mut consumers = self.consumers(filter.function)?.into_iter();
        let mut next = consumers.next();
        while let Some(consumer) = next
            && letters.len() < MAX_LETTERS
        {
            let received = self.receive_batch(consumer).await?;
            if received.is_empty() {
                next = consumers.next();
                continue;
            }
            let reason_words = filter.reason.as_deref();
            let matches = |letter: &DeadLetter| {
                reason_words.is_none_or(|words| reason(letter).contains(words))
            };
            let (more, not): (Vec<_>, Vec<_>) = received.into_iter().partition(matches);
            letters.extend(more);
            others.extend(not);
            if Timestamp::now().duration_since(started).as_secs() > i64::from(HIDDEN_FOR) / 2 {
                eprintln!("there are more dead letters: run this again for the rest");
                break;
            }
        }
        self.release(&others).await?;
        Ok(letters)
    }

    /// The consumers whose dead-letter queues are known. A stack of an older release has one.
    fn consumers(&self, only: Option<QueueConsumer>) -> Result<Vec<QueueConsumer>> {
        if let Some(only) = only {
            self.dead_letter_queue_url(only)?;
            return Ok(vec![only]);
        }
        let mut known = QueueConsumer::value_variants().to_vec();
        known.retain(|consumer| self.dead_letter_queue_url(*consumer).is_ok());
        if known.is_empty() {
            self.dead_letter_queue_url(QueueConsumer::Tickets)?;
        }
        Ok(known)
    }

    fn dead_letter_queue_url(&self, consumer: QueueConsumer) -> Result<&str> {
        match consumer {
            QueueConsumer::Tickets => self.target.dead_letter_queue_url(),
            QueueConsumer::Deliveries => self.target.delivery_dead_letter_queue_url(),
        }
    }

    fn queue_url(&self, consumer: QueueConsumer) -> Result<&str> {
        match consumer {
            QueueConsumer::Tickets => self.target.queue_url(),
            QueueConsumer::Deliveries => self.target.delivery_queue_url(),
        }
    }

    async fn receive_batch(&self, consumer: QueueConsumer) -> Result<Vec<DeadLetter>> {
        let received = self
            .client
            .receive_message()
            .queue_url(self.dead_letter_queue_url(consumer)?)
            .max_number_of_messages(BATCH)
            .visibility_timeout(HIDDEN_FOR)
            .wait_time_seconds(WAIT)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .context("cannot read the dead letters")?;
        let messages = received.messages.unwrap_or_default().into_iter();
        let letter = |message| DeadLetter { consumer, message };
        Ok(messages.map(letter).collect())
    }

    /// Makes letters visible again.
    pub(super) async fn release(&self, letters: &[DeadLetter]) -> Result<()> {
        for batch in letters.chunk_by(|one, other| one.consumer == other.consumer) {
            self.release_of_one_queue(batch).await?;
        }
        Ok(())
    }

    async fn release_of_one_queue(&self, letters: &[DeadLetter]) -> Result<()> {
        for batch in letters.chunks(10) {
            let Some(first) = batch.first() else {
                return Ok(());
            };
            let entries = batch.iter().enumerate().map(|(n, letter)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(n.to_string())
                    .receipt_handle(letter.message.receipt_handle().unwrap_or_default())
                    .visibility_timeout(0)
                    .build()
            });
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            let call = self.client.change_message_visibility_batch();
            call.queue_url(self.dead_letter_queue_url(first.consumer)?)
                .set_entries(Some(entries))
                .send()
                .await
                .context("cannot make the dead letters visible: they will be after two minutes")?;
        }
        Ok(())
    }

    /// Sends the body and the message group, but not the reason: a letter that fails again gets
    /// a new one.
    pub(super) async fn move_back(&self, letter: &DeadLetter) -> Result<()> {
        self.client
            .send_message()
            .queue_url(self.queue_url(letter.consumer)?)
            .message_body(letter.message.body().unwrap_or_default())
            .set_message_group_id(group(letter))
            .send()
            .await
            .context("cannot send a letter to the queue: it is still a dead letter")?;
        self.client
            .delete_message()
            .queue_url(self.dead_letter_queue_url(letter.consumer)?)
            .receipt_handle(letter.message.receipt_handle().unwrap_or_default())
            .send()
            .await
            .context("cannot delete a letter that was sent: moving it again is harmless")?;
        Ok(())
    }
}

/// The message group: the queue is fair between groups, and each partner is one. Letters that
/// the consumer itself sent have the partner only in their body.
pub(super) fn group(letter: &DeadLetter) -> Option<String> {
    let attributes = letter.message.attributes();
    let group = attributes.and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId));
    group.cloned().or_else(|| {
        let partner = partner_in(letter)?;
        Some(partner.to_string())
    })
}

fn partner_in(letter: &DeadLetter) -> Option<PartnerId> {
    match letter.consumer {
        QueueConsumer::Tickets => {
            let message = Message::from_json(letter.message.body()?).ok()?;
            Some(message.partner().clone())
        }
        QueueConsumer::Deliveries => Some(delivery_request(letter)?.key.partner),
    }
}

/// The request in a letter of `deliveries`, if it can be read.
pub(super) fn delivery_request(letter: &DeadLetter) -> Option<DeliveryRequest> {
    match letter.consumer {
        QueueConsumer::Tickets => None,
        QueueConsumer::Deliveries => DeliveryRequest::from_json(letter.message.body()?).ok(),
    }
}

/// Letters that SQS itself moved, after too many receives, have no reason attribute.
pub(super) fn reason(letter: &DeadLetter) -> &str {
    let attributes = letter.message.message_attributes();
    let reason = attributes.and_then(|all| all.get("reason"));
    reason
        .and_then(|reason| reason.string_value())
        .unwrap_or("received too often")
}

pub(super) fn sent_at(letter: &DeadLetter) -> Option<Timestamp> {
    let attributes = letter.message.attributes()?;
    let at = attributes.get(&MessageSystemAttributeName::SentTimestamp)?;
    Timestamp::from_millisecond(at.parse().ok()?).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use aws_sdk_sqs::types::MessageAttributeValue;
    use aws_types::SdkConfig;
    use domain::outgoing::events::{OutgoingEvent, OutgoingEventKind, ReportedTicket};
    use domain::outgoing::request::ReportedEvent;
    use domain::{AlertId, AlertKey, SourceId, TenantId};

    use super::*;

    pub(in crate::dead_letters) fn letter(
        body: &str,
        reason: Option<&str>,
        sent: &str,
    ) -> DeadLetter {
        let reason = reason.map(|reason| {
            let value = MessageAttributeValue::builder().data_type("String");
            value.string_value(reason).build().unwrap()
        });
        let mut message = SqsMessage::builder()
            .body(body)
            .attributes(MessageSystemAttributeName::SentTimestamp, sent);
        if let Some(reason) = reason {
            message = message.message_attributes("reason", reason);
        }
        DeadLetter {
            consumer: QueueConsumer::Tickets,
            message: message.build(),
        }
    }

    fn key_of_acme() -> AlertKey {
        AlertKey {
            partner: PartnerId::parse("acme").unwrap(),
            tenant: TenantId::parse("t").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse("a").unwrap(),
        }
    }

    pub(in crate::dead_letters) fn body_of_acme() -> String {
        Message::Reconsider(key_of_acme()).to_json()
    }

    /// A letter of `deliveries` with two events.
    pub(in crate::dead_letters) fn outgoing_letter(sent: &str) -> DeadLetter {
        let ticket = ReportedTicket {
            number: 77,
            epoch: 1,
        };
        let events = [
            OutgoingEventKind::TicketCreated(ticket),
            OutgoingEventKind::AlertReleased,
        ];
        let events = events.into_iter().zip(1..).map(|(what, sequence)| {
            let at = Timestamp::UNIX_EPOCH;
            let event = OutgoingEvent { sequence, at, what };
            ReportedEvent { event, link: None }
        });
        let request = DeliveryRequest {
            key: key_of_acme(),
            kind: None,
            events: events.collect(),
        };
        DeadLetter {
            consumer: QueueConsumer::Deliveries,
            ..letter(&request.to_json(), None, sent)
        }
    }

    fn target(outputs: &[&str]) -> TargetStack {
        let outputs = outputs.iter();
        let outputs = outputs.map(|name| ((*name).to_owned(), format!("https://{name}")));
        let outputs: BTreeMap<_, _> = outputs.collect();
        let aws = SdkConfig::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .build();
        TargetStack::new(aws, outputs)
    }

    #[test]
    fn a_letter_keeps_its_partner_as_message_group() {
        let body = body_of_acme();
        assert_eq!(group(&letter(&body, None, "0")).as_deref(), Some("acme"));
        assert_eq!(group(&letter("poison", None, "0")), None);
        assert_eq!(group(&outgoing_letter("0")).as_deref(), Some("acme"));
        let grouped = SqsMessage::builder()
            .body("poison")
            .attributes(MessageSystemAttributeName::MessageGroupId, "northwind")
            .build();
        let grouped = DeadLetter {
            message: grouped,
            ..letter("", None, "0")
        };
        assert_eq!(group(&grouped).as_deref(), Some("northwind"));
    }

    #[test]
    fn a_letter_goes_back_to_the_queue_that_it_came_from() {
        let outputs = [
            "QueueUrl",
            "DeadLetterQueueUrl",
            "DeliveryQueueUrl",
            "DeliveryDeadLetterQueueUrl",
        ];
        let target = target(&outputs);
        let queues = Queues::new(&target);
        let urls = queues.consumers(None).unwrap().into_iter().map(|consumer| {
            let dead = queues.dead_letter_queue_url(consumer).unwrap();
            (dead.to_owned(), queues.queue_url(consumer).unwrap())
        });
        let expected = [
            ("https://DeadLetterQueueUrl".to_owned(), "https://QueueUrl"),
            (
                "https://DeliveryDeadLetterQueueUrl".to_owned(),
                "https://DeliveryQueueUrl",
            ),
        ];
        assert_eq!(urls.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_the_dead_letter_queues_that_are_known_are_read() {
        use QueueConsumer::{Deliveries, Tickets};
        let consumers = |outputs: &[&str], only| Queues::new(&target(outputs)).consumers(only);
        let (events, outgoing) = ("DeadLetterQueueUrl", "DeliveryDeadLetterQueueUrl");
        assert_eq!(consumers(&[events], None).unwrap(), [Tickets]);
        assert_eq!(consumers(&[outgoing], None).unwrap(), [Deliveries]);
        let both = [events, outgoing];
        assert_eq!(consumers(&both, Some(Deliveries)).unwrap(), [Deliveries]);
        let err = consumers(&[events], Some(Deliveries)).unwrap_err();
        assert!(
            err.to_string().contains("--delivery-dead-letter-queue-url"),
            "{err}"
        );
        let err = consumers(&[], None).unwrap_err();
        assert!(err.to_string().contains("--dead-letter-queue-url"), "{err}");
    }
}
