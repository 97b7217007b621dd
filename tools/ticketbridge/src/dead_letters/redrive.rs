//! `ticketbridge redrive`: moves dead letters back into the queue after their cause is fixed.
//!
//! A message is sent first and deleted then. A message that was interrupted in between is in both
//! queues, and an event that arrives twice takes effect once.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message as DeadLetter, MessageSystemAttributeName,
};
use domain::PartnerId;
use domain::wire::message::Message;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::aws_environment::AwsEnvironment;
use crate::history::HistoryWriter;
use crate::target::{TargetOptions, TargetStack};

/// The most messages of one SQS call.
const BATCH: i32 = 10;
/// How long a letter is hidden while the command works on it, in seconds. A letter of an
/// interrupted command is visible again after that.
const HIDDEN_FOR: i32 = 120;
/// SQS's long polling, in seconds.
const WAIT: i32 = 2;
/// The most letters of one command, since all of them stay hidden meanwhile.
const MAX_LETTERS: usize = 10_000;

#[derive(Debug, Clone, Default, clap::Args)]
pub struct RedriveOptions {
    #[command(flatten)]
    target: TargetOptions,
    /// Lists the dead letters and moves none
    #[arg(long)]
    dry_run: bool,
    /// Only letters whose reason contains these words
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RedriveSummary {
    /// The letters in the dead-letter queue.
    pub found: usize,
    /// The letters that went back into the queue.
    pub moved: usize,
}

/// # Errors
/// When the stack is not found, or SQS fails. Running the command again continues it.
pub async fn run(options: &RedriveOptions, aws: &AwsEnvironment) -> Result<()> {
    let target = options.target.open(aws).await?;
    redrive(&target, options).await.map(drop)
}

/// As [`run`], on a stack that was found already.
pub async fn redrive(target: &TargetStack, options: &RedriveOptions) -> Result<RedriveSummary> {
    let queues = Queues {
        client: Client::new(&target.aws),
        target,
    };
    let history = HistoryWriter::new(target)?;
    let mut letters = queues.receive(options.reason.as_deref()).await?;
    let found = letters.len();
    for line in summary(&letters) {
        println!("{line}");
    }
    if options.dry_run {
        queues.release(&letters).await?;
        return Ok(RedriveSummary { found, moved: 0 });
    }
    let (mut moved, mut by_partner) = (0, BTreeMap::new());
    let mut result = Ok(());
    while !letters.is_empty() && result.is_ok() {
        let rest = letters.split_off(letters.len().min(10));
        let moving = try_join_all(letters.iter().map(|letter| queues.move_back(letter)));
        result = moving.await.map(drop);
        if result.is_ok() {
            moved += letters.len();
            println!("moved {moved} of {found}");
            count_by_partner(&letters, &mut by_partner);
        }
        letters = rest;
    }
    for (partner, letters) in by_partner {
        let detail = [("letters", letters.to_string())];
        history.add(&partner, "dead_letters_moved", &detail).await;
    }
    result?;
    Ok(RedriveSummary { found, moved })
}

struct Queues<'a> {
    client: Client,
    target: &'a TargetStack,
}

impl Queues<'_> {
    /// Receives the present letters with this reason. The others are released at once.
    async fn receive(&self, reason_words: Option<&str>) -> Result<Vec<DeadLetter>> {
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
                println!("there are more dead letters: run this again for the rest");
                break;
            }
        }
        self.release(&others).await?;
        Ok(letters)
    }

    /// Makes letters visible again.
    async fn release(&self, letters: &[DeadLetter]) -> Result<()> {
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
    async fn move_back(&self, letter: &DeadLetter) -> Result<()> {
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
fn group(letter: &DeadLetter) -> Option<String> {
    let attributes = letter.attributes();
    let group = attributes.and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId));
    group.cloned().or_else(|| {
        let message = Message::from_json(letter.body()?).ok()?;
        Some(message.partner().to_string())
    })
}

/// Counts the letters of each partner. A letter without a partner is not counted.
fn count_by_partner(letters: &[DeadLetter], count: &mut BTreeMap<PartnerId, usize>) {
    let partners = letters.iter().filter_map(group);
    for partner in partners.filter_map(|partner| PartnerId::parse(partner).ok()) {
        *count.entry(partner).or_default() += 1;
    }
}

/// Letters that SQS itself moved, after too many receives, have no reason attribute.
fn reason(letter: &DeadLetter) -> &str {
    let attributes = letter.message_attributes();
    let reason = attributes.and_then(|all| all.get("reason"));
    reason
        .and_then(|reason| reason.string_value())
        .unwrap_or("received too often")
}

fn sent_at(letter: &DeadLetter) -> Option<Timestamp> {
    let attributes = letter.attributes()?;
    let at = attributes.get(&MessageSystemAttributeName::SentTimestamp)?;
    Timestamp::from_millisecond(at.parse().ok()?).ok()
}

/// The number of letters, the age of the oldest, and the number for each reason.
fn summary(letters: &[DeadLetter]) -> Vec<String> {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for letter in letters {
        *reasons.entry(reason(letter)).or_default() += 1;
    }
    let count = letters.len();
    let oldest = letters.iter().filter_map(sent_at).min();
    let mut lines = vec![match oldest {
        _ if count == 0 => "no dead letters".to_owned(),
        None => format!("dead letters: {count}"),
        Some(oldest) => format!("dead letters: {count}, the oldest of {oldest:.0}"),
    }];
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    lines.extend(
        reasons
            .iter()
            .map(|(reason, count)| format!("  {count:6}  {reason}")),
    );
    lines
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::types::MessageAttributeValue;
    use domain::{AlertId, AlertKey, SourceId, TenantId};

    use super::*;

    fn letter(body: &str, reason: Option<&str>, sent: &str) -> DeadLetter {
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

    #[test]
    fn the_summary_counts_letters_by_reason() {
        let letters = [
            letter("", Some("not valid JSON"), "1800000060000"),
            letter("", Some("envelope version 2"), "1800000000000"),
            letter("", Some("envelope version 2"), "1800000120000"),
            letter("", None, "1800000120000"),
        ];
        assert_eq!(
            summary(&letters),
            [
                "dead letters: 4, the oldest of 2027-01-15T08:00:00Z",
                "       2  envelope version 2",
                "       1  not valid JSON",
                "       1  received too often",
            ]
        );
        assert_eq!(summary(&[]), ["no dead letters"]);
    }

    #[test]
    fn a_letter_keeps_its_partner_as_message_group() {
        let key = AlertKey {
            partner: PartnerId::parse("acme").unwrap(),
            tenant: TenantId::parse("t").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse("a").unwrap(),
        };
        let body = Message::Reconsider(key).to_json();
        assert_eq!(group(&letter(&body, None, "0")).as_deref(), Some("acme"));
        assert_eq!(group(&letter("poison", None, "0")), None);
        let grouped = DeadLetter::builder()
            .body("poison")
            .attributes(MessageSystemAttributeName::MessageGroupId, "northwind");
        let grouped = grouped.build();
        assert_eq!(group(&grouped).as_deref(), Some("northwind"));
        let letters = [
            letter(&body, None, "0"),
            letter(&body, None, "1"),
            letter("poison", None, "0"),
            grouped,
        ];
        let [acme, northwind] = ["acme", "northwind"].map(|id| PartnerId::parse(id).unwrap());
        let mut count = BTreeMap::new();
        count_by_partner(&letters, &mut count);
        assert_eq!(count, [(acme, 2), (northwind, 1)].into());
    }
}
