//! All blocked alerts of a partner by reason, as the overview shows them.

use std::collections::BTreeMap;

use domain::monitoring::waiting::BlockedAlerts;
use domain::outgoing::block_reason::BlockReason;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;

use crate::activity::filter::REASON;
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

/// Why alerts are blocked, in words that can follow "because".
pub(crate) fn reason_words(reason: BlockReason) -> &'static str {
    match reason {
        BlockReason::NotSetUp => "the set-up is not confirmed",
        BlockReason::Unmapped => "the tenant is not mapped",
        BlockReason::TenantDisabled => "the tenant is switched off",
        BlockReason::KindDisabled => "the kind of alert is switched off",
        BlockReason::ConnectionBroken => "ConnectWise refuses the connection",
        BlockReason::ConnectionUnavailable => "ConnectWise does not answer",
        BlockReason::Throttled => "ConnectWise limits the rate of calls",
        BlockReason::Deferred => {
            "several attempts failed; the next attempt follows in some minutes"
        }
        BlockReason::MissingRight => "the API member lacks a right",
        BlockReason::TargetMissing => {
            "ConnectWise does not accept a board, status, type, company, team or owner"
        }
        BlockReason::Rejected => "ConnectWise rejected the ticket",
        BlockReason::OlderThanBackfill => "the alert was raised too long ago",
        BlockReason::Maintenance => "a maintenance window applies",
        BlockReason::Flapping => {
            "the alert is raised and resolved again and again, so its ticket stays open"
        }
        BlockReason::Storm => "the alert is part of a storm, which has one ticket",
        BlockReason::WontFix => "a technician said that the alert is not to be fixed",
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
