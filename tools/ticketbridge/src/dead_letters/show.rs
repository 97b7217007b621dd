//! `ticketbridge dead-letters show`: each dead letter with its queue, reason, partner and age.

use anyhow::Result;
use domain::outgoing::cloud_event::OutgoingCloudEvent;
use domain::outgoing::request::DeliveryRequest;
use jiff::Timestamp;
use serde::Serialize;

use super::queues::{
    DeadLetter, LetterFilter, QueueConsumer, Queues, delivery_request, group, reason, sent_at,
};
use super::redrive::summary;
use crate::context::CommandContext;
use crate::output::{CommandOutcome, table, time};
use crate::target::ResourceNames;

/// The begin of a message, in characters, for people.
const EXCERPT: usize = 60;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ShowOptions {
    #[command(flatten)]
    filter: LetterFilter,
    #[command(flatten)]
    names: ResourceNames,
}

#[derive(Serialize)]
struct LetterView {
    id: String,
    /// The function that reads its queue.
    function: QueueConsumer,
    reason: String,
    partner: Option<String>,
    /// When it was first sent.
    sent_at: Option<Timestamp>,
    body: String,
    /// What people read in place of the body.
    #[serde(skip)]
    excerpt: String,
}

impl LetterView {
    fn new(letter: &DeadLetter) -> Self {
        let body = letter.message.body().unwrap_or_default();
        let excerpt = match delivery_request(letter) {
            Some(request) => outgoing_events(&request),
            None => body.chars().take(EXCERPT).collect(),
        };
        Self {
            id: letter.message.message_id().unwrap_or_default().to_owned(),
            function: letter.consumer,
            reason: reason(letter).to_owned(),
            partner: group(letter),
            sent_at: sent_at(letter),
            body: body.to_owned(),
            excerpt,
        }
    }
}

/// The types of the events, and the alert that they are about.
fn outgoing_events(request: &DeliveryRequest) -> String {
    let DeliveryRequest { key, kind, events } = request;
    let types = events.iter().filter_map(|event| {
        let event = OutgoingCloudEvent::new(key, kind.as_ref(), event);
        let kind = serde_json::to_value(event.kind).ok()?;
        kind.as_str().map(str::to_owned)
    });
    let types = types.collect::<Vec<_>>().join(", ");
    format!("{types} of alert {}, tenant {}", key.alert_id, key.tenant)
}

pub(super) async fn run(options: &ShowOptions, context: &CommandContext) -> Result<CommandOutcome> {
    let target = context.open(&options.names).await?;
    let queues = Queues::new(&target);
    let letters = queues.receive(&options.filter).await?;
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
            letter.function.name().to_owned(),
            letter.partner.clone().unwrap_or_else(|| "-".to_owned()),
            letter.reason.clone(),
            letter.excerpt.clone(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return summary.to_owned();
    }
    let table = table(["SENT", "FUNCTION", "PARTNER", "REASON", "MESSAGE"], rows);
    format!("{summary}\n\n{table}")
}

#[cfg(test)]
mod tests {
    use super::super::queues::tests::{body_of_acme, letter, outgoing_letter};
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
            outgoing_letter("1800000120000"),
        ];
        let views: Vec<_> = letters.iter().map(LetterView::new).collect();
        insta::assert_snapshot!(render(&summary(&letters).join("\n"), &views));
        assert_eq!(render("no dead letters", &[]), "no dead letters");
    }
}
