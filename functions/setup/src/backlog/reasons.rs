//! All blocked alerts of a partner by reason, as the overview shows them.

use std::collections::BTreeMap;

use domain::monitoring::waiting::BlockedAlerts;
use domain::outgoing::block_reason::BlockReason;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;

use crate::activity::filter::REASON;
use crate::backlog::words::reason_words;
use crate::http::input::capitalized;
use crate::http::problem::Problem;
use crate::page;
use crate::paths::with_query;
use crate::step::SetupStep;

/// The alerts that are blocked for one reason.
#[derive(Debug, Serialize)]
pub(crate) struct ReasonRow {
    pub(crate) reason: BlockReason,
    words: &'static str,
    alerts: u64,
    /// When the first of them was raised.
    oldest: Timestamp,
    /// The alerts in the list of all alerts.
    path: String,
}

impl ReasonRow {
    /// The reasons, those that a person chose last.
    ///
    /// # Errors
    /// When an address cannot be built.
    pub(crate) fn all(
        blocked: &BTreeMap<BlockReason, BlockedAlerts>,
    ) -> Result<Vec<Self>, Problem> {
        let row = |(reason, of): (&BlockReason, &BlockedAlerts)| {
            Ok(Self {
                reason: *reason,
                words: reason_words(*reason),
                alerts: of.count,
                oldest: of.oldest,
                path: with_query(SetupStep::Activity.path(), &[(REASON, reason.code())])?,
            })
        };
        let rows: Result<Vec<_>, Problem> = blocked.iter().map(row).collect();
        let mut rows = rows?;
        rows.sort_by_key(|row| (row.reason.is_chosen(), row.reason));
        Ok(rows)
    }
}

pub(crate) fn render(rows: &[ReasonRow], is_complete: bool) -> Markup {
    html! {
        @if !rows.is_empty() {
            div class="wide" {
                table class="cards" {
                    caption { "Waiting alerts by reason" }
                    thead { tr {
                        th scope="col" { "Reason" }
                        th scope="col" { "Alerts" }
                        th scope="col" { "Oldest raised" }
                    } }
                    tbody {
                        @for row in rows {
                            tr {
                                th scope="row" { a href=(row.path) { (capitalized(row.words)) } }
                                td data-label="Alerts" { @if !is_complete { "at least " } (row.alerts) }
                                td data-label="Oldest raised" { (page::time(row.oldest)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
