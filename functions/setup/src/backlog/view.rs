//! The page "Waiting alerts".

use std::collections::BTreeMap;

use domain::TenantId;
use maud::{Markup, html};
use serde::Serialize;

use crate::backlog::count::{Backlog, BacklogCounts};
use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::page;
use crate::paths::{self, with_query};
use crate::step::SetupStep;

/// Tenants on one page.
const PAGE: usize = 100;

#[derive(Serialize)]
pub(super) struct BacklogView {
    #[serde(flatten)]
    backlog: Backlog,
    /// All tenants together, including those of other pages.
    sum: BacklogCounts,
    next: Option<TenantId>,
}

impl BacklogView {
    /// The page of tenants that starts after `from`.
    pub(super) fn new(mut backlog: Backlog, from: Option<TenantId>) -> Self {
        let sum = backlog.sum();
        let from = from.and_then(|from| page_start(&backlog.tenants, from));
        backlog
            .tenants
            .retain(|tenant, _| from.as_ref().is_none_or(|from| tenant > from));
        let rest = backlog.tenants.keys().nth(PAGE).cloned();
        let rest = rest.map(|first| backlog.tenants.split_off(&first));
        let last = backlog.tenants.keys().next_back().cloned();
        Self {
            next: last.filter(|_| rest.is_some()),
            backlog,
            sum,
        }
    }
}

/// The tenant after which the page starts. A page after the last tenant would be empty, so the last
/// page is shown instead.
fn page_start(tenants: &BTreeMap<TenantId, BacklogCounts>, from: TenantId) -> Option<TenantId> {
    match tenants.keys().next_back() {
        Some(last) if *last <= from => tenants.keys().rev().nth(PAGE).cloned(),
        Some(_) | None => Some(from),
    }
}

pub(super) fn render(view: &BacklogView) -> Result<Markup, Problem> {
    let BacklogView { backlog, sum, next } = view;
    let next = next
        .as_ref()
        .map(|next| with_query(SetupStep::Waiting.path(), &[("from", next.as_str())]))
        .transpose()?;
    let mut rows = Vec::new();
    for (tenant, counts) in &backlog.tenants {
        rows.push(row(backlog, tenant, counts)?);
    }
    Ok(html! {
        @if sum.all == 0 { p class="good" { "Every active alert has its ticket." } }
        @else {
            p { "These alerts are active and have no ticket yet. Once a cause is corrected, its alerts become tickets without further action." }
            @if sum.older > 0 { (older(sum)) }
            div class="wide" {
                table class="cards" {
                    caption { "Alerts without a ticket" }
                    thead { tr {
                        th scope="col" { "Tenant" }
                        th scope="col" { "Become tickets now" }
                        th scope="col" { "Blocked" }
                        th scope="col" { "Waiting for you" }
                    } }
                    tbody { @for row in &rows { (row) } }
                }
            }
            @if let Some(next) = next { p { a href=(next) { "More tenants" } } }
            @if backlog.more { p class="note" { "There are more alerts than were counted." } }
        }
    })
}

fn row(backlog: &Backlog, tenant: &TenantId, counts: &BacklogCounts) -> Result<Markup, Problem> {
    let name = backlog.names.get(tenant).cloned();
    let name = name.unwrap_or_else(|| tenant.to_string());
    let map = if counts.others.contains_key("unmapped") {
        Some(with_query(paths::TENANT, &[("tenant", tenant.as_str())])?)
    } else {
        None
    };
    Ok(html! {
        tr {
            th scope="row" { (name) }
            td data-label="Become tickets now" { (counts.tickets) }
            td data-label="Blocked" {
                @for (code, count) in counts.others.iter().filter(|(code, _)| *code != "rejected") {
                    div { (count) ": " (backlog.words.get(code).unwrap_or(code)) }
                }
                @if let Some(map) = map { a href=(map) { "Map " (name) } }
            }
            td data-label="Waiting for you" {
                @if counts.older > 0 {
                    (release_form(Some(tenant), "older", &format!("Release {} that are older than 48 hours", counts.older)))
                    small { (kinds(counts)) }
                }
                @if let Some(count) = counts.others.get("rejected") {
                    (release_form(Some(tenant), "rejected", &format!("Retry {count} that ConnectWise rejected")))
                }
            }
        }
    })
}

/// The alerts that need a release because of their age.
fn older(sum: &BacklogCounts) -> Markup {
    html! {
        section aria-label="Alerts older than 48 hours" {
            p class="note" {
                (counted(sum.older, "alert")) " had been raised more than 48 hours before the connection, the tenant, the kind of alert or the source was \
                 switched on. No ticket is created for them unless you release them. " (kinds(sum))
            }
            (release_form(None, "older", &format!("Release all {}", sum.older)))
        }
    }
}

/// "disk 3, cpu 1; the oldest was raised 2026-11-01 07:30:00 UTC."
fn kinds(of: &BacklogCounts) -> Markup {
    let kinds = of.older_kinds.iter();
    let kinds: Vec<_> = kinds
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    html! {
        (kinds.join(", "))
        @if let Some(oldest) = of.oldest { "; the oldest was raised " (page::time(oldest)) "." }
    }
}

fn release_form(tenant: Option<&TenantId>, reason: &str, label: &str) -> Markup {
    html! {
        form method="post" action=(paths::RELEASE) {
            @if let Some(tenant) = tenant { input type="hidden" name="tenant" value=(tenant); }
            input type="hidden" name="reason" value=(reason);
            button class="plain" { (label) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(n: usize) -> TenantId {
        TenantId::parse(format!("t{n:04}")).unwrap()
    }

    #[test]
    fn a_page_after_the_last_tenant_is_the_last_page() {
        let tenants = |count: usize| -> BTreeMap<_, _> {
            (0..count)
                .map(|n| (tenant(n), BacklogCounts::default()))
                .collect()
        };
        for (count, from, start) in [
            (250, 10, Some(10)),
            (250, 248, Some(248)),
            (250, 249, Some(149)),
            (250, 9999, Some(149)),
            (101, 500, Some(0)),
            (100, 500, None),
            (3, 500, None),
            (0, 5, Some(5)),
        ] {
            let found = page_start(&tenants(count), tenant(from));
            assert_eq!(found, start.map(tenant), "{count} {from}");
        }
    }

    #[test]
    fn waiting_alerts_shows_reasons_and_releases() {
        let counts = BacklogCounts {
            all: 6,
            tickets: 1,
            older: 2,
            older_kinds: [(domain::Kind::parse("disk").unwrap(), 2)].into(),
            oldest: Some("2026-11-01T07:30:00Z".parse().unwrap()),
            others: [("rejected".to_owned(), 1), ("unmapped".to_owned(), 2)].into(),
        };
        let words = [("unmapped".to_owned(), "the tenant is not mapped".to_owned())];
        let backlog = Backlog {
            tenants: [(tenant(1), counts)].into(),
            names: [(tenant(1), "Acme Dental".to_owned())].into(),
            words: words.into(),
            more: false,
        };
        let view = BacklogView::new(backlog, None);
        let page = render(&view).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
