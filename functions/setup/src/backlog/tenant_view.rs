//! The page with the waiting alerts of one tenant.

use domain::alert::event::Severity;
use domain::alert::forecast::Forecast;
use domain::alert::kind::KindInfo;
use domain::alert::record::{AlertDetails, Record};
use domain::text::cut_to_chars;
use domain::{Kind, TenantId};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;
use store::BlockedAlert;

use crate::backlog::count::BacklogCounts;
use crate::backlog::view::release_forms;
use crate::backlog::words::describe;
use crate::checklist::counted;
use crate::http::input::sentence;
use crate::http::problem::Problem;
use crate::kind_names::name_of;
use crate::page;
use crate::paths::{self, with_query};
use crate::step::SetupStep;

/// Longest text of an alert here, in characters: a page has a hundred. The alert's own page is
/// linked.
const MAX_TEXT: usize = 1_000;

#[derive(Serialize)]
pub(super) struct WaitingTenantView {
    pub(super) tenant: TenantId,
    pub(super) name: Option<String>,
    pub(super) counts: BacklogCounts,
    pub(super) alerts: Vec<WaitingAlert>,
    pub(super) total: usize,
    pub(super) page: usize,
    pub(super) pages: usize,
    /// There are more alerts than were looked at.
    pub(super) more: bool,
    #[serde(skip)]
    pub(super) kinds: Vec<KindInfo>,
}

#[derive(Serialize)]
pub(super) struct WaitingAlert {
    /// The key of its item.
    id: String,
    title: String,
    description: Option<String>,
    device: Option<String>,
    kind: Kind,
    #[serde(skip)]
    kind_name: String,
    severity: Severity,
    raised_at: Timestamp,
    /// What it waits for, as a sentence.
    waits: String,
    /// When it no longer waits, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_until: Option<Timestamp>,
    can_release: bool,
}

impl WaitingTenantView {
    /// The name for people.
    pub(super) fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(self.tenant.as_str())
    }

    fn address(&self, page: usize) -> Result<String, Problem> {
        let page = page.to_string();
        with_query(
            paths::WAITING_TENANT,
            &[("tenant", self.tenant.as_str()), ("page", &page)],
        )
    }
}

impl WaitingAlert {
    /// Its record has the texts. It may be changed or absent meanwhile.
    pub(super) fn new(
        alert: &BlockedAlert,
        details: AlertDetails,
        fate: &Forecast,
        record: Option<&Record>,
        kinds: &[KindInfo],
    ) -> Self {
        let payload = record.and_then(|record| record.payload.as_ref());
        let summary = record.and_then(|record| record.summary.as_ref());
        let title = payload
            .map(|payload| payload.title.clone())
            .or_else(|| summary.map(|summary| summary.title.clone()));
        Self {
            id: alert.key.item_key(),
            title: title.unwrap_or_else(|| alert.key.alert_id.to_string()),
            description: payload.map(|of| cut_to_chars(&of.description, MAX_TEXT)),
            device: summary.and_then(|summary| summary.device.clone()),
            kind_name: name_of(&details.kind, kinds),
            kind: details.kind,
            severity: details.severity,
            raised_at: details.raised_at,
            waits_until: match fate {
                Forecast::Blocked(reason) => reason.ends_at(),
                Forecast::Ticket | Forecast::TooOld => None,
            },
            waits: match fate {
                Forecast::Ticket => "It becomes a ticket within a few minutes.".to_owned(),
                Forecast::TooOld => "It was raised too long ago.".to_owned(),
                Forecast::Blocked(reason) => sentence(&describe(reason)),
            },
            can_release: alert.blocked.can_be_released(),
        }
    }
}

pub(super) fn render_tenant(view: &WaitingTenantView) -> Result<Markup, Problem> {
    let map = with_query(paths::TENANT, &[("tenant", view.tenant.as_str())])?;
    let has_releasable = view.alerts.iter().any(|alert| alert.can_release);
    let mut rows = vec![];
    for alert in &view.alerts {
        rows.push(row(alert, has_releasable)?);
    }
    let links = page::numbered_links(view.page, view.pages, |page| view.address(page))?;
    let table = html! {
        div class="wide" {
            table class="cards" {
                caption { (counted(view.total as u64, "alert")) " without a ticket, newest first" }
                thead { tr {
                    @if has_releasable { th scope="col" { "Release" } }
                    th scope="col" { "Alert" }
                    th scope="col" { "Raised" }
                    th scope="col" { "Waits" }
                } }
                tbody { @for row in &rows { (row) } }
            }
        }
    };
    Ok(html! {
        @if rows.is_empty() { p class="good" { "Every active alert of this tenant has its ticket." } }
        @else {
            @if view.counts.others.contains_key("unmapped") {
                p class="note" { "The tenant is not mapped to a company. " a href=(map) { "Map " (view.title()) } }
            }
            (release_forms(&view.tenant, &view.counts, &view.kinds))
            @if has_releasable {
                form method="post" action=(paths::RELEASE) {
                    input type="hidden" name="tenant" value=(view.tenant);
                    (table)
                    button { "Release the chosen alerts" }
                }
            } @else { (table) }
            (links)
            @if view.more { p class="note" { "There are more alerts than were counted." } }
        }
        p class="actions" { a href=(map) { "The tenant's company" } a href=(SetupStep::Waiting.path()) { "All waiting alerts" } }
    })
}

fn row(alert: &WaitingAlert, has_releasable: bool) -> Result<Markup, Problem> {
    let address = with_query(paths::ALERT, &[("id", &alert.id)])?;
    Ok(html! {
        tr {
            @if has_releasable {
                td {
                    @if alert.can_release {
                        label data-label="Release" { input type="checkbox" name="alerts[]" value=(alert.id) aria-label={ "Release " (alert.title) }; }
                    } @else { span class="soft" data-label="Release" { "–" } }
                }
            }
            th scope="row" {
                a href=(address) { (alert.title) }
                br; small { (alert.kind_name) ", " (alert.severity) @if let Some(device) = &alert.device { ", " (device) } }
                @if let Some(description) = alert.description.as_ref().filter(|text| !text.is_empty()) {
                    details { summary { "Description" } pre { (description) } }
                }
            }
            td data-label="Raised" { (page::time(alert.raised_at)) }
            td data-label="Waits" { (alert.waits) (page::until(alert.waits_until)) }
        }
    })
}
