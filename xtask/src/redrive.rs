//! `cargo xtask redrive`: dead letters go back into the queue, once what made them dead is mended.
//!
//! Sent, then deleted: whatever is interrupted in between is in both places, and an event that is taken in twice is taken in once.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message as Letter, MessageSystemAttributeName,
};
use domain::PartnerId;
use domain::message::Message;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::history::History;
use crate::place::{Place, Where};

/// SQS hands over and takes at most so many in one call.
const BATCH: i32 = 10;
/// How long a letter is hidden while it is looked at or moved, in seconds; one that an interrupted command held is back after that.
const HELD: i32 = 120;
/// How long SQS looks for more, in seconds.
const LOOKS_FOR: i32 = 2;
/// So many are moved by one command: each is held meanwhile.
const MOST: usize = 10_000;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Where,
    /// Shows what is there, and moves nothing
    #[arg(long)]
    dry_run: bool,
    /// Only letters whose reason has these words
    #[arg(long)]
    reason: Option<String>,
}

/// What became of the letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Redriven {
    /// How many were there.
    pub(crate) seen: usize,
    /// How many went back into the queue.
    pub(crate) moved: usize,
}

/// Shows the dead letters, and moves them back.
///
/// # Errors
/// When the stack is not found, or SQS fails; running it again goes on.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let place = options.place.open().await?;
    redrive(&place, options).await.map(drop)
}

/// As `run`, where everything is found already.
pub(crate) async fn redrive(place: &Place, options: &Options) -> Result<Redriven> {
    let queues = Queues {
        client: Client::new(&place.aws),
        place,
    };
    let history = History::of(place)?;
    let mut letters = queues.look(options.reason.as_deref()).await?;
    let seen = letters.len();
    for line in told(&letters) {
        println!("{line}");
    }
    if options.dry_run {
        queues.let_go(&letters).await?;
        return Ok(Redriven { seen, moved: 0 });
    }
    let (mut moved, mut of_partners) = (0, BTreeMap::new());
    let mut all_moved = Ok(());
    while !letters.is_empty() && all_moved.is_ok() {
        let rest = letters.split_off(letters.len().min(10));
        let moving = try_join_all(letters.iter().map(|letter| queues.move_back(letter)));
        all_moved = moving.await.map(drop);
        if all_moved.is_ok() {
            moved += letters.len();
            println!("moved {moved} of {seen}");
            count_by_partner(&letters, &mut of_partners);
        }
        letters = rest;
    }
    for (partner, letters) in of_partners {
        let detail = [("letters", letters.to_string())];
        history.add(&partner, "dead_letters_moved", &detail).await;
    }
    all_moved?;
    Ok(Redriven { seen, moved })
}

struct Queues<'a> {
    client: Client,
    place: &'a Place,
}

impl Queues<'_> {
    /// Takes the letters that are there now. Those that are not asked for are let go at once.
    async fn look(&self, desired: Option<&str>) -> Result<Vec<Letter>> {
        let (mut letters, mut others) = (Vec::new(), Vec::new());
        // What is held is not handed over again, so this ends; what dies meanwhile is for the next time.
        let begun = Timestamp::now();
        while letters.len() < MOST {
            let received = self
                .client
                .receive_message()
                .queue_url(self.place.dead_letter_queue_url()?)
                .max_number_of_messages(BATCH)
                .visibility_timeout(HELD)
                .wait_time_seconds(LOOKS_FOR)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send()
                .await
                .context("cannot read the dead letters")?;
            let received = received.messages.unwrap_or_default();
            if received.is_empty() {
                break;
            }
            let is_wanted =
                |letter: &Letter| desired.is_none_or(|words| reason(letter).contains(words));
            let (more, not): (Vec<_>, Vec<_>) = received.into_iter().partition(is_wanted);
            letters.extend(more);
            others.extend(not);
            if Timestamp::now().duration_since(begun).as_secs() > i64::from(HELD) / 2 {
                println!("there are more than can be held at once: run this again for the rest");
                break;
            }
        }
        self.let_go(&others).await?;
        Ok(letters)
    }

    /// Shows letters to others again.
    async fn let_go(&self, letters: &[Letter]) -> Result<()> {
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
            call.queue_url(self.place.dead_letter_queue_url()?)
                .set_entries(Some(entries))
                .send()
                .await
                .context("cannot let the dead letters go: they are back in two minutes")?;
        }
        Ok(())
    }

    /// The body and whose it is go back, the reason does not: if it dies again, it gets another.
    async fn move_back(&self, letter: &Letter) -> Result<()> {
        self.client
            .send_message()
            .queue_url(self.place.queue_url()?)
            .message_body(letter.body().unwrap_or_default())
            .set_message_group_id(group(letter))
            .send()
            .await
            .context("cannot send a letter back to the queue: it is still a dead letter")?;
        let delete = self.client.delete_message();
        delete
            .queue_url(self.place.dead_letter_queue_url()?)
            .receipt_handle(letter.receipt_handle().unwrap_or_default())
            .send()
            .await
            .context(
                "cannot delete a letter that is back in the queue: redriving it again does no harm",
            )?;
        Ok(())
    }
}

/// The queue serves partners in turn by it. What `tickets` parked itself has it in its body alone.
fn group(letter: &Letter) -> Option<String> {
    let kept = letter.attributes();
    let kept = kept.and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId));
    kept.cloned().or_else(|| {
        let message = Message::from_json(letter.body()?).ok()?;
        Some(message.partner().to_string())
    })
}

/// Counts the letters of each partner. A letter without a partner is not counted.
fn count_by_partner(letters: &[Letter], count: &mut BTreeMap<PartnerId, usize>) {
    let partners = letters.iter().filter_map(group);
    for partner in partners.filter_map(|partner| PartnerId::parse(partner).ok()) {
        *count.entry(partner).or_default() += 1;
    }
}

/// Why it is dead. What SQS itself laid aside has no reason of ours.
fn reason(letter: &Letter) -> &str {
    let attributes = letter.message_attributes();
    let reason = attributes.and_then(|all| all.get("reason"));
    reason
        .and_then(|reason| reason.string_value())
        .unwrap_or("received too often")
}

fn sent_at(letter: &Letter) -> Option<Timestamp> {
    let attributes = letter.attributes()?;
    let at = attributes.get(&MessageSystemAttributeName::SentTimestamp)?;
    Timestamp::from_millisecond(at.parse().ok()?).ok()
}

/// How many there are, since when, and why.
fn told(letters: &[Letter]) -> Vec<String> {
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

    fn letter(body: &str, why: Option<&str>, sent: &str) -> Letter {
        let why = why.map(|why| {
            let value = MessageAttributeValue::builder().data_type("String");
            value.string_value(why).build().unwrap()
        });
        let mut letter = Letter::builder()
            .body(body)
            .attributes(MessageSystemAttributeName::SentTimestamp, sent);
        if let Some(why) = why {
            letter = letter.message_attributes("reason", why);
        }
        letter.build()
    }

    #[test]
    fn what_is_there_is_told_by_reason_and_age() {
        let letters = [
            letter("", Some("not a Ticketbridge message"), "1800000060000"),
            letter("", Some("envelope version 2"), "1800000000000"),
            letter("", Some("envelope version 2"), "1800000120000"),
            letter("", None, "1800000120000"),
        ];
        assert_eq!(
            told(&letters),
            [
                "dead letters: 4, the oldest of 2027-01-15T08:00:00Z",
                "       2  envelope version 2",
                "       1  not a Ticketbridge message",
                "       1  received too often",
            ]
        );
        assert_eq!(told(&[]), ["no dead letters"]);
    }

    #[test]
    fn a_letter_goes_back_as_its_partners() {
        let key = AlertKey {
            partner: PartnerId::parse("acme").unwrap(),
            tenant: TenantId::parse("t").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse("a").unwrap(),
        };
        let body = Message::Reconsider(key).to_json();
        assert_eq!(group(&letter(&body, None, "0")).as_deref(), Some("acme"));
        assert_eq!(group(&letter("poison", None, "0")), None);
        let kept = Letter::builder()
            .body("poison")
            .attributes(MessageSystemAttributeName::MessageGroupId, "northwind");
        let kept = kept.build();
        assert_eq!(group(&kept).as_deref(), Some("northwind"));
        let letters = [
            letter(&body, None, "0"),
            letter(&body, None, "1"),
            letter("poison", None, "0"),
            kept,
        ];
        let [acme, northwind] = ["acme", "northwind"].map(|id| PartnerId::parse(id).unwrap());
        let mut count = BTreeMap::new();
        count_by_partner(&letters, &mut count);
        assert_eq!(count, [(acme, 2), (northwind, 1)].into());
    }
}
