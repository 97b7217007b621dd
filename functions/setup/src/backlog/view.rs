//! The page "Waiting alerts".

use std::collections::{BTreeMap, HashMap};

use domain::TenantId;
use domain::alert::kind::KindInfo;
use domain::setup::mapping::Mapping;
use maud::{Markup, html};
use serde::Serialize;

use crate::backlog::count::{Backlog, BacklogCounts};
use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::kind_names::name_of;
use crate::page;
use crate::paths::{self, with_query};
use crate::step::SetupStep;

/// Tenants on one page.
const PAGE: usize = 100;

#[derive(Serialize)]
pub(super) struct BacklogView {
    /// One page of the tenants with an active alert without a ticket, sorted by name.
    tenants: Vec<TenantBacklog>,
    /// The number of those tenants.
    total: usize,
    page: usize,
    pages: usize,
    /// All tenants together, including those of other pages.
    sum: BacklogCounts,
    /// There are more alerts than were counted.
    more: bool,
    /// A description of each code in [`BacklogCounts::others`].
    #[serde(skip)]
    words: BTreeMap<String, String>,
    #[serde(skip)]
    kinds: Vec<KindInfo>,
}

#[derive(Serialize)]
struct TenantBacklog {
    tenant: TenantId,
    name: Option<String>,
    #[serde(flatten)]
    counts: BacklogCounts,
}

impl TenantBacklog {
    /// The name for people.
    fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(self.tenant.as_str())
    }
}

impl BacklogView {
    /// A page of tenants, from 1 on. A page after the last one is the last one.
    pub(super) fn new(
        backlog: Backlog,
        mappings: &HashMap<TenantId, Mapping>,
        kinds: Vec<KindInfo>,
        page: usize,
    ) -> Self {
        let sum = backlog.sum();
        let tenants = backlog
            .tenants
            .into_iter()
            .map(|(tenant, counts)| TenantBacklog {
                name: mappings.get(&tenant).and_then(|of| of.name.clone()),
                tenant,
                counts,
            });
        let mut tenants: Vec<_> = tenants.collect();
        tenants.sort_by_cached_key(|of| (of.title().to_lowercase(), of.tenant.clone()));
        let total = tenants.len();
        let pages = total.div_ceil(PAGE).max(1);
        let page = page.clamp(1, pages);
        let tenants = tenants.into_iter().skip((page - 1) * PAGE).take(PAGE);
        Self {
            tenants: tenants.collect(),
            total,
            page,
            pages,
            sum,
            more: backlog.more,
            words: backlog.words,
            kinds,
        }
    }
}

pub(super) fn render(view: &BacklogView) -> Result<Markup, Problem> {
    let sum = &view.sum;
    let mut rows = Vec::new();
    for of in &view.tenants {
        rows.push(row(view, of)?);
    }
    let path = SetupStep::Waiting.path();
    let address = |page: usize| with_query(path, &[("page", &page.to_string())]);
    let links = page::numbered_links(view.page, view.pages, address)?;
    Ok(html! {
        @if sum.all == 0 { p class="good" { "Every active alert has its ticket." } }
        @else {
            p { "These alerts are active and have no ticket yet. Once a cause is corrected, its alerts become tickets without further action, except those that \
                 were raised more than 48 hours before: these wait here until you release them." }
            @if sum.older > 0 { (older(sum, &view.kinds)) }
            div class="wide" {
                table class="cards" {
                    caption {
                        "Alerts without a ticket, by tenant"
                        @if view.pages > 1 {
                            @let first = (view.page - 1) * PAGE + 1;
                            ": " (first) " to " (first + view.tenants.len() - 1) " of " (view.total)
                        }
                    }
                    thead { tr {
                        th scope="col" { "Tenant" }
                        th scope="col" { "Become tickets now" }
                        th scope="col" { "Blocked" }
                        th scope="col" { "Waiting for you" }
                    } }
                    tbody { @for row in &rows { (row) } }
                }
            }
            (links)
            @if view.more { p class="note" { "There are more alerts than were counted." } }
        }
    })
}

fn row(view: &BacklogView, of: &TenantBacklog) -> Result<Markup, Problem> {
    let (tenant, counts) = (&of.tenant, &of.counts);
    let alerts = with_query(paths::WAITING_TENANT, &[("tenant", tenant.as_str())])?;
    let map = if counts.others.contains_key("unmapped") {
        Some(with_query(paths::TENANT, &[("tenant", tenant.as_str())])?)
    } else {
        None
    };
    Ok(html! {
        tr {
            th scope="row" {
                a href=(alerts) { (of.title()) }
                @if of.name.is_some() { br; small { (tenant) } }
            }
            td data-label="Become tickets now" { (counts.tickets) }
            td data-label="Blocked" {
                @for (code, count) in counts.others.iter().filter(|(code, _)| *code != "rejected") {
                    div { (count) ": " (view.words.get(code).unwrap_or(code)) }
                }
                @if let Some(map) = map { a href=(map) { "Map " (of.title()) } }
            }
            td data-label="Waiting for you" { (release_forms(tenant, counts, &view.kinds)) }
        }
    })
}

/// Buttons that release a tenant's alerts together.
pub(super) fn release_forms(
    tenant: &TenantId,
    counts: &BacklogCounts,
    kinds: &[KindInfo],
) -> Markup {
    html! {
        @if counts.older > 0 {
            (release_form(Some(tenant), "older", &format!("Release {} older than 48 hours", counted(counts.older, "alert"))))
            small { (older_kinds(counts, kinds)) }
        }
        @if let Some(count) = counts.others.get("rejected") {
            (release_form(Some(tenant), "rejected", &format!("Retry {} that ConnectWise rejected", counted(*count, "alert"))))
        }
    }
}

/// The alerts that need a release because of their age.
fn older(sum: &BacklogCounts, kinds: &[KindInfo]) -> Markup {
    let (was, effect) = match sum.older {
        1 => ("was", "No ticket is created for it unless you release it."),
        _ => (
            "were",
            "No tickets are created for them unless you release them.",
        ),
    };
    html! {
        section aria-label="Alerts older than 48 hours" {
            p class="note" {
                (counted(sum.older, "alert")) " " (was) " raised more than 48 hours before the set-up was confirmed, or before the tenant, the kind of alert or the \
                 source was switched on. " (effect) " " (older_kinds(sum, kinds))
            }
            (release_form(None, "older", &format!("Release {}", counted(sum.older, "alert"))))
        }
    }
}

/// "3 of Disk, 1 of CPU. The oldest was raised on 2026-11-01 07:30:00 UTC."
fn older_kinds(of: &BacklogCounts, kinds: &[KindInfo]) -> Markup {
    let counts = of.older_kinds.iter();
    let counts: Vec<_> = counts
        .map(|(kind, count)| format!("{count} of {}", name_of(kind, kinds)))
        .collect();
    let raised = match of.older {
        1 => "It was raised on ",
        _ => "The oldest was raised on ",
    };
    html! {
        (counts.join(", ")) "."
        @if let Some(oldest) = of.oldest { " " (raised) (page::time(oldest)) "." }
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
    fn tenants_are_sorted_by_name_and_shown_by_page() {
        let shown = |count: usize, page: usize| {
            let tenants = (0..count).map(|n| (tenant(n), BacklogCounts::default()));
            let backlog = Backlog {
                tenants: tenants.collect(),
                ..Backlog::default()
            };
            // The names are in the reverse order of the ids.
            let name = |n: usize| Mapping {
                name: Some(format!("Customer {:04}", count - n)),
                ..Mapping::default()
            };
            let mappings = (0..count).map(|n| (tenant(n), name(n))).collect();
            let view = BacklogView::new(backlog, &mappings, vec![], page);
            let first = view.tenants.first().map(|of| of.title().to_owned());
            (first, view.tenants.len(), view.page, view.pages)
        };
        let first = |n: usize| Some(format!("Customer {n:04}"));
        for (count, page, expected) in [
            (0, 1, (None, 0, 1, 1)),
            (100, 2, (first(1), 100, 1, 1)),
            (250, 1, (first(1), 100, 1, 3)),
            (250, 3, (first(201), 50, 3, 3)),
            (250, 99, (first(201), 50, 3, 3)),
        ] {
            assert_eq!(shown(count, page), expected, "{count} {page}");
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
            words: words.into(),
            more: false,
        };
        let named = Mapping {
            name: Some("Acme Dental".to_owned()),
            ..Mapping::default()
        };
        let view = BacklogView::new(
            backlog,
            &[(tenant(1), named)].into(),
            domain::alert::kind::with_added(&[]),
            1,
        );
        let page = render(&view).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
