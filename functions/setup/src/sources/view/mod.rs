//! The pages "Sources": the list, a new source, and one source. This file has what they share.

mod credentials;
pub(super) mod list;
pub(super) mod new_source;
mod settings;
pub(super) mod source;
pub(super) mod source_model;
mod vendor;

use domain::SourceId;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;
use store::{ListEntry, QuarantinedMessage};

use crate::http::problem::Problem;
use crate::page;
use crate::paths::{self, with_query};

#[derive(Clone, Serialize)]
pub(super) struct SourceRow {
    pub(super) id: SourceId,
    pub(super) name: String,
    pub(super) enabled: bool,
    /// Whether it posts for other partners too.
    pub(super) shared: bool,
    pub(super) format: FormatName,
    /// The preset's name for people.
    pub(super) preset: Option<String>,
    /// When the last authenticated message was received, to the minute.
    pub(super) last_message_at: Option<Timestamp>,
    /// Alerts of the last seven days that were refused.
    pub(super) rejected: u32,
    /// Alerts of the last seven days that could not be read and were stored.
    pub(super) quarantined: u32,
    pub(super) needs_secret: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormatName {
    CloudEvents,
    Mapped,
    Unmapped,
}

/// A message that could not be read.
#[derive(Serialize)]
pub(super) struct MessageRow {
    pub(super) id: String,
    pub(super) source: SourceId,
    pub(super) received_at: Timestamp,
    pub(super) field: String,
    pub(super) problem: String,
}

impl From<&ListEntry<String, QuarantinedMessage>> for MessageRow {
    fn from(entry: &ListEntry<String, QuarantinedMessage>) -> Self {
        Self {
            id: entry.id.clone(),
            source: entry.value.source.clone(),
            received_at: entry.value.received_at,
            field: entry.value.field.clone(),
            problem: entry.value.problem.clone(),
        }
    }
}

pub(crate) fn one_path(source: &SourceId) -> Result<String, Problem> {
    with_query(paths::SOURCE, &[("source", source.as_str())])
}

fn authentication_path(source: &SourceId) -> Result<String, Problem> {
    with_query(paths::SOURCE_AUTHENTICATION, &[("source", source.as_str())])
}

fn mapping_path(source: &SourceId) -> Result<String, Problem> {
    with_query(paths::SOURCE_MAPPING, &[("source", source.as_str())])
}

fn last_message(of: &SourceRow) -> Markup {
    html! { @match of.last_message_at { Some(at) => (page::time(at)), None => "none yet" } }
}

fn product(of: &SourceRow) -> &str {
    match (&of.preset, of.format) {
        (Some(preset), _) => preset,
        (None, FormatName::CloudEvents) => "CloudEvents",
        (None, FormatName::Mapped | FormatName::Unmapped) => "Other",
    }
}

fn state(of: &SourceRow) -> Markup {
    html! {
        @if !of.enabled { span class="warn" { "switched off" } }
        @else if of.needs_secret { span class="warn" { "needs its secret" } }
        @else if of.format == FormatName::Unmapped { span class="warn" { "needs a mapping" } }
        @else { span class="good" { "ready" } }
    }
}

/// A source for the tests of its pages.
#[cfg(test)]
fn example(format: FormatName) -> SourceRow {
    SourceRow {
        id: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
        name: "Backup & more".to_owned(),
        enabled: true,
        shared: false,
        format,
        preset: None,
        last_message_at: Some("2026-11-22T07:30:00Z".parse().unwrap()),
        rejected: 1,
        quarantined: 2,
        needs_secret: false,
    }
}
