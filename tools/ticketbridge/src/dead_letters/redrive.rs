//! `ticketbridge dead-letters redrive`: moves dead letters back into their queues after their cause
//! is fixed.
//!
//! A message is sent first and deleted then. A message that was interrupted in between is in both
//! queues. An event that arrives twice takes effect once, and an outgoing event is stored once.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::PartnerId;
use futures_util::future::try_join_all;
use serde::Serialize;

use super::queues::{DeadLetter, LetterFilter, QueueConsumer, Queues, group, reason, sent_at};
use crate::context::CommandContext;
use crate::history::HistoryWriter;
use crate::output::{CommandOutcome, OutputFormat};
use crate::target::{ResourceNames, TargetStack};

/// Letters that are moved at once.
const BATCH: usize = 10;

#[derive(Debug, Clone, Default, clap::Args)]
pub struct RedriveOptions {
    /// Shows the letters by reason, and moves none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    filter: LetterFilter,
    #[command(flatten)]
    names: ResourceNames,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RedriveSummary {
    /// The letters in the dead-letter queues.
    pub found: usize,
    /// The letters that went back into their queues.
    pub moved: usize,
}

/// # Errors
/// When the stack is not found, or SQS fails. Running the command again continues it.
pub async fn run(options: &RedriveOptions, context: &CommandContext) -> Result<CommandOutcome> {
    let target = context.open(&options.names).await?;
    let summary = redrive(&target, options, context.format).await?;
    context.format.print_json(&summary)?;
    Ok(CommandOutcome::Done)
}

/// As [`run`], on a stack that was found already.
pub async fn redrive(
    target: &TargetStack,
    options: &RedriveOptions,
    format: OutputFormat,
) -> Result<RedriveSummary> {
    let queues = Queues::new(target);
    let history = HistoryWriter::new(target)?;
    let mut letters = queues.receive(&options.filter).await?;
    let found = letters.len();
    for line in summary(&letters) {
        format.report(&line);
    }
    if options.dry_run {
        queues.release(&letters).await?;
        return Ok(RedriveSummary { found, moved: 0 });
    }
    let (mut moved, mut by_partner) = (0, BTreeMap::new());
    let mut result = Ok(());
    while !letters.is_empty() && result.is_ok() {
        let rest = letters.split_off(letters.len().min(BATCH));
        let moving = try_join_all(letters.iter().map(|letter| queues.move_back(letter)));
        result = moving.await.map(drop);
        if result.is_ok() {
            moved += letters.len();
            format.report(&format!("moved {moved} of {found}"));
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

/// Counts the letters of each partner. A letter without a partner is not counted.
fn count_by_partner(letters: &[DeadLetter], count: &mut BTreeMap<PartnerId, usize>) {
    let partners = letters.iter().filter_map(group);
    for partner in partners.filter_map(|partner| PartnerId::parse(partner).ok()) {
        *count.entry(partner).or_default() += 1;
    }
}

/// The number of letters, the age of the oldest, and the number for each function and reason.
pub(super) fn summary(letters: &[DeadLetter]) -> Vec<String> {
    let mut reasons: BTreeMap<(QueueConsumer, &str), usize> = BTreeMap::new();
    for letter in letters {
        let of = (letter.consumer, reason(letter));
        *reasons.entry(of).or_default() += 1;
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
        reasons.iter().map(|((consumer, reason), count)| {
            format!("  {count:6}  {}: {reason}", consumer.name())
        }),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::super::queues::tests::{body_of_acme, letter, outgoing_letter};
    use super::*;

    #[test]
    fn the_summary_counts_letters_by_reason() {
        let letters = [
            letter("", Some("not valid JSON"), "1800000060000"),
            letter("", Some("written by a newer release"), "1800000000000"),
            letter("", Some("written by a newer release"), "1800000120000"),
            letter("", None, "1800000120000"),
            outgoing_letter("1800000120000"),
        ];
        assert_eq!(
            summary(&letters),
            [
                "dead letters: 5, the oldest of 2027-01-15T08:00:00Z",
                "       2  tickets: written by a newer release",
                "       1  tickets: not valid JSON",
                "       1  tickets: received too often",
                "       1  deliveries: received too often",
            ]
        );
        assert_eq!(summary(&[]), ["no dead letters"]);
    }

    #[test]
    fn letters_are_counted_by_partner() {
        let body = body_of_acme();
        let letters = [
            letter(&body, None, "0"),
            outgoing_letter("1"),
            letter("poison", None, "0"),
        ];
        let mut count = BTreeMap::new();
        count_by_partner(&letters, &mut count);
        assert_eq!(count, [(PartnerId::parse("acme").unwrap(), 2)].into());
    }
}
