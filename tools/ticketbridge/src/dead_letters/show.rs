//! `ticketbridge dead-letters show`: each dead letter with its reason, partner and age.

use anyhow::Result;
use aws_sdk_sqs::types::Message as DeadLetter;
use jiff::Timestamp;
use serde::Serialize;

use super::queues::{Queues, group, reason, sent_at};
use super::redrive::summary;
use crate::context::CommandContext;
use crate::output::{CommandOutcome, table, time};
use crate::target::ResourceNames;

/// The begin of a message, in characters, for people.
const EXCERPT: usize = 60;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ShowOptions {
    /// Only letters whose reason contains these words
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,
    #[command(flatten)]
    names: ResourceNames,
}

#[derive(Serialize)]
struct LetterView {
    id: String,
    reason: String,
    partner: Option<String>,
    /// When it was first sent.
    sent_at: Option<Timestamp>,
    body: String,
}

impl LetterView {
    fn new(letter: &DeadLetter) -> Self {
        Self {
            id: letter.message_id().unwrap_or_default().to_owned(),
            reason: reason(letter).to_owned(),
            partner: group(letter),
            sent_at: sent_at(letter),
            body: letter.body().unwrap_or_default().to_owned(),
        }
    }
}

pub(super) async fn run(options: &ShowOptions, context: &CommandContext) -> Result<CommandOutcome> {
    let target = context.open(&options.names).await?;
    let queues = Queues::new(&target);
    let letters = queues.receive(options.reason.as_deref()).await?;
    queues.release(&letters).await?;
    let views = letters.iter().map(LetterView::new);
    let mut views: Vec<_> = views.collect();
    views.sort_by_key(|letter| letter.sent_at);
    let text = || {
        let summary = summary(&letters).join("\n");
        render(&summary, &views)
    };
    context.format.print(&views, text)?;
    Ok(CommandOutcome::Done)
}

fn render(summary: &str, letters: &[LetterView]) -> String {
    let rows = letters.iter().map(|letter| {
        [
            letter.sent_at.map_or_else(|| "-".to_owned(), time),
            letter.partner.clone().unwrap_or_else(|| "-".to_owned()),
            letter.reason.clone(),
            letter.body.chars().take(EXCERPT).collect(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return summary.to_owned();
    }
    let table = table(["SENT", "PARTNER", "REASON", "MESSAGE"], rows);
    format!("{summary}\n\n{table}")
}

#[cfg(test)]
mod tests {
    use super::super::queues::tests::{body_of_acme, letter};
    use super::*;

    #[test]
    fn letters_are_shown_with_reason_and_partner() {
        let letters = [
            letter(
                &body_of_acme(),
                Some("written by a newer release"),
                "1800000060000",
            ),
            letter("this is not\nJSON", None, "1800000000000"),
        ];
        let views: Vec<_> = letters.iter().map(LetterView::new).collect();
        insta::assert_snapshot!(render(&summary(&letters).join("\n"), &views));
        assert_eq!(render("no dead letters", &[]), "no dead letters");
    }
}
