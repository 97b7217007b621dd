//! The dead-letter queue and the event queue: receives dead letters, releases them, and moves them.

use anyhow::{Context as _, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message as DeadLetter, MessageSystemAttributeName,
};
use domain::wire::message::Message;
use jiff::Timestamp;

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

pub(super) struct Queues<'a> {
    client: Client,
    target: &'a TargetStack,
}

impl<'a> Queues<'a> {
    pub(super) fn new(target: &'a TargetStack) -> Self {
        let client = Client::new(&target.aws);
        Self { client, target }
    }

    /// Receives the present letters with this reason. The others are released at once.
    pub(super) async fn receive(&self, reason_words: Option<&str>) -> Result<Vec<DeadLetter>> {
        let (mut letters, mut others) = (Vec::new(), Vec::new());
        // Hidden letters are not received again, so the loop ends. Letters that arrive meanwhile
        // wait for the next command.
        let started = Timestamp::now();
        while letters.len() < MAX_LETTERS {
            let received = self
                .client
                .receive_message()
                .queue_url(self.target.dead_letter_queue_url()?)
                .max_number_of_messages(BATCH)
                .visibility_timeout(HIDDEN_FOR)
                .wait_time_seconds(WAIT)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send()
                .await
                .context("cannot read the dead letters")?;
            let received = received.messages.unwrap_or_default();
            if received.is_empty() {
                break;
            }
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

    /// Makes letters visible again.
    pub(super) async fn release(&self, letters: &[DeadLetter]) -> Result<()> {
        for batch in letters.chunks(10) {
            let entries = batch.iter().enumerate().map(|(n, letter)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(n.to_string())
                    .receipt_handle(letter.receipt_handle().unwrap_or_default())
                    .visibility_timeout(0)
                    .build()
            });
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            let call = self.client.change_message_visibility_batch();
            call.queue_url(self.target.dead_letter_queue_url()?)
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
            .queue_url(self.target.queue_url()?)
            .message_body(letter.body().unwrap_or_default())
            .set_message_group_id(group(letter))
            .send()
            .await
            .context("cannot send a letter to the queue: it is still a dead letter")?;
        self.client
            .delete_message()
            .queue_url(self.target.dead_letter_queue_url()?)
            .receipt_handle(letter.receipt_handle().unwrap_or_default())
            .send()
            .await
            .context("cannot delete a letter that was sent: moving it again is harmless")?;
        Ok(())
    }
}

/// The message group: the queue is fair between groups, and each partner is one. Letters that
/// `tickets` itself sent have the partner only in their body.
pub(super) fn group(letter: &DeadLetter) -> Option<String> {
    let attributes = letter.attributes();
    let group = attributes.and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId));
    group.cloned().or_else(|| {
        let message = Message::from_json(letter.body()?).ok()?;
        Some(message.partner().to_string())
    })
}

/// Letters that SQS itself moved, after too many receives, have no reason attribute.
pub(super) fn reason(letter: &DeadLetter) -> &str {
    let attributes = letter.message_attributes();
    let reason = attributes.and_then(|all| all.get("reason"));
    reason
        .and_then(|reason| reason.string_value())
        .unwrap_or("received too often")
}

pub(super) fn sent_at(letter: &DeadLetter) -> Option<Timestamp> {
    let attributes = letter.attributes()?;
    let at = attributes.get(&MessageSystemAttributeName::SentTimestamp)?;
    Timestamp::from_millisecond(at.parse().ok()?).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use aws_sdk_sqs::types::MessageAttributeValue;
    use domain::{AlertId, AlertKey, PartnerId, SourceId, TenantId};

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
        let mut letter = DeadLetter::builder()
            .body(body)
            .attributes(MessageSystemAttributeName::SentTimestamp, sent);
        if let Some(reason) = reason {
            letter = letter.message_attributes("reason", reason);
        }
        letter.build()
    }

    pub(in crate::dead_letters) fn body_of_acme() -> String {
        let key = AlertKey {
            partner: PartnerId::parse("acme").unwrap(),
            tenant: TenantId::parse("t").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse("a").unwrap(),
        };
        Message::Reconsider(key).to_json()
    }

    #[test]
    fn a_letter_keeps_its_partner_as_message_group() {
        let body = body_of_acme();
        assert_eq!(group(&letter(&body, None, "0")).as_deref(), Some("acme"));
        assert_eq!(group(&letter("poison", None, "0")), None);
        let grouped = DeadLetter::builder()
            .body("poison")
            .attributes(MessageSystemAttributeName::MessageGroupId, "northwind")
            .build();
        assert_eq!(group(&grouped).as_deref(), Some("northwind"));
    }
}
