//! The page "Activity".

use domain::alert::event::Severity;
use domain::alert::record::Record;
use domain::alert::state::AlertState;
use domain::outgoing::block_reason::BlockReason;
use domain::{Kind, RecordId, SourceId, TenantId};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;
use store::{ListedAlert, TimeCursor};

use crate::activity::filter::{ActivityFilter, REASON};
use crate::activity::state::{StateView, title};
use crate::backlog::words::reason_words;
use crate::http::input::capitalized;
use crate::http::problem::Problem;
use crate::page;
use crate::partner_names::PartnerNames;
use crate::paths::{self, with_query};
use crate::step::SetupStep;
use crate::tenants::search::HELP;

#[derive(Serialize)]
pub(super) struct ActivityView {
    pub(super) rows: Vec<AlertRow>,
    pub(super) next: Option<TimeCursor>,
    /// How far the list was looked at, if the page is not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) looked_back_to: Option<Timestamp>,
    #[serde(skip)]
    pub(super) filter: ActivityFilter,
    #[serde(skip)]
    pub(super) options: FilterOptions,
    /// Why the filter cannot be used.
    #[serde(skip)]
    pub(super) problem: Option<Problem>,
}

/// What the list can be filtered by, as pairs of an id and a name.
#[derive(Debug, Default)]
pub(super) struct FilterOptions {
    /// `None` if there are too many to choose from.
    pub(super) tenants: Option<Vec<(String, String)>>,
    pub(super) sources: Vec<(String, String)>,
    pub(super) kinds: Vec<(String, String)>,
}

#[derive(Serialize)]
pub(super) struct AlertRow {
    /// The address of the alert's page.
    path: String,
    title: String,
    tenant: TenantId,
    tenant_name: String,
    source: SourceId,
    kind: Kind,
    #[serde(skip)]
    kind_name: String,
    severity: Severity,
    /// When the source raised it.
    raised_at: Timestamp,
    /// When that was received. The list is in this order.
    received_at: Timestamp,
    #[serde(flatten)]
    pub(super) state: StateView,
    /// The ticket in ConnectWise.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_address: Option<String>,
}

impl AlertRow {
    /// `None` if the record was reduced meanwhile.
    pub(super) fn new(alert: &ListedAlert, record: &Record, names: &PartnerNames) -> Option<Self> {
        let details = record.desired.details.as_ref()?;
        let state = StateView::of(record);
        Some(Self {
            path: with_query(paths::ALERT, &[("id", &alert.pk)]).ok()?,
            title: alert.summary.title.clone(),
            tenant_name: names.tenant(&record.key.tenant),
            tenant: record.key.tenant.clone(),
            source: record.key.source.clone(),
            kind_name: names.kind(&details.kind),
            kind: details.kind.clone(),
            severity: details.severity,
            raised_at: details.raised_at,
            received_at: details.raise_received_at,
            ticket_address: ticket_address(&state, names),
            state,
        })
    }
}

pub(crate) fn ticket_address(state: &StateView, names: &PartnerNames) -> Option<String> {
    names.ticket_address(state.ticket?, state.epoch?)
}

/// A ticket's number, which leads into ConnectWise.
pub(crate) fn ticket_link(ticket: Option<RecordId>, address: Option<&str>) -> Markup {
    html! {
        @match (ticket, address) {
            (Some(ticket), Some(address)) => a href=(address) rel="noreferrer" { "#" (ticket) },
            (Some(ticket), None) => { "#" (ticket) },
            (None, _) => "none",
        }
    }
}

pub(super) fn render(view: &ActivityView) -> Result<Markup, Problem> {
    let filter = &view.filter;
    let pairs = filter.pairs();
    let address = |from: Option<&TimeCursor>| {
        let from = from.map(|from| String::from(from.clone()));
        let from = from.iter().map(|from| ("from", from.as_str()));
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(from)
            .collect();
        match pairs.is_empty() {
            true => Ok(SetupStep::Activity.path().to_owned()),
            false => with_query(SetupStep::Activity.path(), &pairs),
        }
    };
    let (newest, older) = (address(None)?, address(view.next.as_ref())?);
    Ok(html! {
        (filter_form(filter, &view.options, view.problem.as_ref()))
        @if view.problem.is_some() {
            // It is beside its field.
        } @else if view.rows.is_empty() {
            @if view.next.is_none() && !filter.is_set() { p { "No alert has arrived yet. The page " a href=(SetupStep::Sources.path()) { "Sources" } " shows where alerts come from." } }
            @else { p { "No alert matches." } }
        } @else {
            div class="wide" {
                table class="cards" {
                    caption { "Alerts, newest first" }
                    thead { tr {
                        th scope="col" { "Alert" }
                        th scope="col" { "Received" }
                        th scope="col" { "Tenant" }
                        th scope="col" { "State" }
                        th scope="col" { "Ticket" }
                    } }
                    tbody { @for row in &view.rows { (row_markup(row)) } }
                }
            }
        }
        @if let Some(at) = view.looked_back_to { p class="note" { "Alerts since " (page::time(at)) " were searched." } }
        p {
            @if filter.from.is_some() { a href=(newest) { "Newest" } " " }
            @if view.next.is_some() { a href=(older) { @if view.looked_back_to.is_some() { "Search older alerts" } @else { "Older" } } }
        }
    })
}

fn row_markup(row: &AlertRow) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href=(row.path) { (row.title) }
                br; small { (row.kind_name) ", " (row.severity) }
            }
            td data-label="Received" { (page::time(row.received_at)) }
            td data-label="Tenant" { (row.tenant_name) }
            td data-label="State" { b { (title(row.state.state)) } br; small { (row.state.words) (page::until(row.state.waits_until)) } }
            td data-label="Ticket" { (ticket_link(row.state.ticket, row.ticket_address.as_deref())) }
        }
    }
}

fn filter_form(
    filter: &ActivityFilter,
    options: &FilterOptions,
    problem: Option<&Problem>,
) -> Markup {
    let states = AlertState::ALL.map(|state| (state.code().to_owned(), title(state).to_owned()));
    let state = filter.state.map(AlertState::code);
    let reasons = BlockReason::ALL.map(|of| (of.code().to_owned(), capitalized(reason_words(of))));
    let day = |day: Option<jiff::civil::Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let of_field = |field: &str| problem.filter(|of| of.field.as_deref() == Some(field));
    let of_until = of_field("until");
    let has_more = filter.reason.is_some()
        || filter.source.is_some()
        || filter.kind.is_some()
        || filter.since.is_some()
        || filter.until.is_some();
    html! {
        form method="get" action=(SetupStep::Activity.path()) role="search" {
            div class="pair" {
                div {
                    label for="search" { "Search" }
                    input id="search" name="search" type="search" value=(filter.search) aria-describedby="search-help";
                    small id="search-help" { "A part of a title, a device or an alert id, or a ticket number." }
                }
                (choice("state", "State", &states, state))
                @match &options.tenants {
                    Some(tenants) => (choice("tenant", "Tenant", tenants, filter.tenant.as_deref())),
                    None => (tenant_field(filter, of_field("tenant"))),
                }
            }
            details open[has_more] {
                summary { "More filters" }
                div class="pair" {
                    (choice(REASON, "Why it waits", &reasons, filter.reason.map(BlockReason::code)))
                    (choice("source", "Source", &options.sources, filter.source.as_ref().map(SourceId::as_str)))
                    (choice("kind", "Kind", &options.kinds, filter.kind.as_ref().map(Kind::as_str)))
                    div { label for="since" { "From day (UTC)" } input id="since" name="since" type="date" value=(day(filter.since)); }
                    div {
                        label for="until" { "To day (UTC)" }
                        input id="until" name="until" type="date" value=(day(filter.until)) aria-describedby=[of_until.map(|_| "until-problem")]
                            aria-invalid=[of_until.map(|_| "true")];
                        @if let Some(problem) = of_until { p class="problem" id="until-problem" role="alert" { (problem.detail) } }
                    }
                }
            }
            button { "Show" }
            @if filter.is_set() { " " a href=(SetupStep::Activity.path()) { "Show all" } }
        }
    }
}

/// The field for a tenant where there are too many to choose from.
fn tenant_field(filter: &ActivityFilter, problem: Option<&Problem>) -> Markup {
    html! {
        div {
            label for="tenant" { "Tenant" }
            input id="tenant" name="tenant" type="search" maxlength="200" value=[filter.tenant.as_deref()]
                aria-describedby=(if problem.is_some() { "tenant-problem tenant-help" } else { "tenant-help" })
                aria-invalid=[problem.map(|_| "true")];
            @if let Some(problem) = problem { p class="problem" id="tenant-problem" role="alert" { (problem.detail) } }
            small id="tenant-help" { (HELP) }
        }
    }
}

fn choice(name: &str, label: &str, options: &[(String, String)], chosen: Option<&str>) -> Markup {
    html! {
        div {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                option value="" { "All" }
                @for (id, text) in options { option value=(id) selected[chosen == Some(id)] { (text) } }
                // A tenant that is no longer listed can still be asked for.
                @if let Some(chosen) = chosen.filter(|chosen| options.iter().all(|(id, _)| id != chosen)) {
                    option value=(chosen) selected { (chosen) }
                }
            }
        }
    }
}
