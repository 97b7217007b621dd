//! The pages of messages that could not be read.

use std::collections::BTreeMap;

use domain::SourceId;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;
use store::PageStart;

use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::page;
use crate::paths::{self, with_query};
use crate::sources::view::{MessageRow, one_path};
use crate::step::SetupStep;

#[derive(Serialize)]
pub(super) struct MessagesView {
    /// Whether the partner may replay and discard.
    #[serde(skip)]
    pub(super) can_manage: bool,
    /// Only messages of this source.
    pub(super) source: Option<SourceId>,
    pub(super) messages: Vec<MessageRow>,
    /// How long each is stored.
    pub(super) retention_days: u64,
    #[serde(skip)]
    pub(super) names: BTreeMap<SourceId, String>,
    pub(super) next: Option<PageStart>,
}

#[derive(Serialize)]
pub(super) struct MessageView {
    #[serde(skip)]
    pub(super) can_manage: bool,
    pub(super) id: String,
    pub(super) source: SourceId,
    pub(super) name: String,
    pub(super) received_at: Timestamp,
    pub(super) field: String,
    pub(super) problem: String,
    pub(super) text: String,
}

/// What a replay did so far. The address carries it from part to part.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct ReplayCounts {
    /// Messages that were read as a whole.
    pub(super) replayed: usize,
    /// Messages that still cannot be read.
    pub(super) left: usize,
}

/// The page between two parts of a replay.
#[derive(Serialize)]
pub(super) struct ProgressView {
    pub(super) source: SourceId,
    pub(super) after: PageStart,
    #[serde(flatten)]
    pub(super) so_far: ReplayCounts,
    /// Messages that the next parts replay.
    pub(super) to_do: usize,
    pub(super) more_to_do: bool,
}

impl MessagesView {
    fn name<'a>(&'a self, source: &'a SourceId) -> &'a str {
        self.names
            .get(source)
            .map_or(source.as_str(), String::as_str)
    }
}

pub(super) fn render_list(view: &MessagesView) -> Result<Markup, Problem> {
    let mut rows = vec![];
    for message in &view.messages {
        let path = with_query(paths::QUARANTINED, &[("id", &message.id)])?;
        rows.push(row(view, message, &path));
    }
    let older = match (&view.next, &view.source) {
        (None, _) => None,
        (Some(next), source) => {
            let next = String::from(next.clone());
            let mut pairs = vec![("from", next.as_str())];
            pairs.extend(source.as_ref().map(|source| ("source", source.as_str())));
            Some(with_query(paths::QUARANTINE, &pairs)?)
        }
    };
    let of_source =
        |source: &SourceId| with_query(paths::QUARANTINE, &[("source", source.as_str())]);
    let mut sources = BTreeMap::<&SourceId, u64>::new();
    for message in &view.messages {
        *sources.entry(&message.source).or_default() += 1;
    }
    let mut replays = vec![];
    for (source, count) in &sources {
        replays.push((*source, *count, of_source(source)?, one_path(source)?));
    }
    Ok(html! {
        h2 { "Messages that could not be read" }
        @if rows.is_empty() { p { "No message waits." } }
        @else {
            p {
                "No ticket was created for these messages. Correct the mapping of the source, or ask the vendor to send what is missing. \
                 Then replay the messages: they are read again as if they had just arrived. Each is stored for " (counted(view.retention_days, "day")) "."
            }
        }
        @for (source, count, only, of) in &replays {
            p {
                a href=(of) { (view.name(source)) } ": " (counted(*count, "message"))
                @if view.source.is_none() { " · " a href=(only) aria-label={ "Only messages of " (view.name(source)) } { "Only these" } }
            }
            @if view.can_manage { (replay_form(source, &format!("Replay all of {}", view.name(source)))?) }
        }
        @if !rows.is_empty() {
            div class="wide" {
                table class="cards" {
                    caption { "Newest first" }
                    thead { tr { th scope="col" { "Received" } th scope="col" { "Source" } th scope="col" { "Why" } } }
                    tbody { @for row in &rows { (row) } }
                }
            }
        }
        @if let Some(older) = older { p { a href=(older) { "Older messages" } } }
        @if view.source.is_some() { p { a href=(paths::QUARANTINE) { "Messages of all sources" } } }
        p { a href=(SetupStep::Sources.path()) { "All sources" } }
    })
}

fn row(view: &MessagesView, message: &MessageRow, path: &str) -> Markup {
    html! {
        tr {
            td data-label="Received" { a href=(path) { (page::time(message.received_at)) } }
            td data-label="Source" { (view.name(&message.source)) }
            td data-label="Why" { (reason(&message.field, &message.problem)) }
        }
    }
}

/// Why a message could not be read. Without a mapping no field of it is wrong.
pub(crate) fn reason(field: &str, problem: &str) -> Markup {
    html! { @if field != "mapping" { code { (field) } ": " } (problem) }
}

/// The address that replays the messages of a source, from the start or after a part.
pub(super) fn replay_path(
    source: &SourceId,
    part: Option<(&PageStart, ReplayCounts)>,
) -> Result<String, Problem> {
    let mut pairs = vec![("source", source.to_string())];
    if let Some((after, so_far)) = part {
        pairs.push(("after", String::from(after.clone())));
        pairs.push(("replayed", so_far.replayed.to_string()));
        pairs.push(("left", so_far.left.to_string()));
    }
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    with_query(paths::REPLAY_ALL, &pairs)
}

fn replay_form(source: &SourceId, words: &str) -> Result<Markup, Problem> {
    let action = replay_path(source, None)?;
    Ok(html! { form method="post" action=(action) { button { (words) } } })
}

/// The page's script continues the work. Without it, a person presses the button.
pub(super) fn render_progress(view: &ProgressView) -> Result<Markup, Problem> {
    let ReplayCounts { replayed, left } = view.so_far;
    let part = (&view.after, view.so_far);
    let action = replay_path(&view.source, Some(part))?;
    Ok(html! {
        h2 { "Replaying messages" }
        p role="status" {
            (counted(replayed as u64, "message")) " replayed so far. "
            @if left > 0 { (counted(left as u64, "message")) " still cannot be read. " }
            (counted(view.to_do as u64, "message")) @if view.more_to_do { " or more" } " to do."
        }
        form method="post" action=(action) data-progress=(action) { button { "Continue" } }
        p { "You may leave this page. Messages that were not replayed still wait, and none is replayed twice." }
    })
}

pub(super) fn render_one(view: &MessageView) -> Result<Markup, Problem> {
    let all = with_query(paths::QUARANTINE, &[("source", view.source.as_str())])?;
    let button = |action: &str, words: &str, is_plain: bool| {
        html! {
            form method="post" action=(paths::QUARANTINED) {
                input type="hidden" name="id" value=(view.id);
                input type="hidden" name="action" value=(action);
                button class=[is_plain.then_some("plain")] { (words) }
            }
        }
    };
    Ok(html! {
        h2 { "A message of " (view.name) }
        dl {
            dt { "Received" } dd { (page::time(view.received_at)) }
            dt { "Why" } dd { (reason(&view.field, &view.problem)) }
        }
        pre tabindex="0" role="region" aria-label="The message" { (view.text) }
        @if view.can_manage {
            form method="post" action=(paths::SOURCE_SAMPLE) {
                input type="hidden" name="source" value=(view.source);
                input type="hidden" name="message" value=(view.id);
                button class="plain" { "Use it for the mapping" }
            }
            (button("replay", "Replay it", false))
            (button("discard", "Discard it", true))
        }
        p { a href=(one_path(&view.source)?) { "The source " (view.name) } }
        p { a href=(all) { "All messages of " (view.name) } }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_listed_with_their_reasons() {
        let source = SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap();
        let message = MessageRow {
            id: "2026-11-22T07:30:00.000Z#0123".to_owned(),
            source: source.clone(),
            received_at: "2026-11-22T07:30:00Z".parse().unwrap(),
            field: "tenant".to_owned(),
            problem: "the message has none".to_owned(),
        };
        let view = MessagesView {
            can_manage: true,
            source: None,
            names: [(source, "Backup & more".to_owned())].into(),
            retention_days: 14,
            next: PageStart::try_from(message.id.clone()).ok(),
            messages: vec![message],
        };
        let page = render_list(&view).unwrap();
        insta::assert_snapshot!(page::lines(&page));
    }

    #[test]
    fn a_part_of_a_replay_shows_what_is_done_and_goes_on() {
        let view = ProgressView {
            source: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
            after: PageStart::try_from("2026-11-22T07:30:00.000Z#0123".to_owned()).unwrap(),
            so_far: ReplayCounts {
                replayed: 120,
                left: 1,
            },
            to_do: 300,
            more_to_do: true,
        };
        let page = render_progress(&view).unwrap();
        insta::assert_snapshot!(page::lines(&page));
    }

    #[test]
    fn a_message_is_shown_as_text() {
        let view = MessageView {
            can_manage: true,
            id: "2026-11-22T07:30:00.000Z#0123".to_owned(),
            source: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
            name: "Backup & more".to_owned(),
            received_at: "2026-11-22T07:30:00Z".parse().unwrap(),
            field: "tenant".to_owned(),
            problem: "the message has none".to_owned(),
            text: r#"{"title":"<b>"}"#.to_owned(),
        };
        let page = render_one(&view).unwrap();
        insta::assert_snapshot!(page::lines(&page));
    }
}
