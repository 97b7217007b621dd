//! The page "Tenants".

use domain::setup::tenant_changes::TenantChanges;
use domain::{SourceId, TenantId};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;
use store::MAX_UNMAPPED;

use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::page;
use crate::paths::{self, with_query};
use crate::step::SetupStep;
use crate::tenants::companies::describe_issue;
use crate::tenants::company_list::CompanyList;
use crate::tenants::place::{ListPlace, PAGE, TenantFilter};
use crate::tenants::row::{TenantRow, company_cell, state_cell};
use crate::tenants::tenant_view::{CompanyChoice, companies_form};

#[derive(Serialize)]
pub(super) struct TenantsView {
    /// Whether a ConnectWise is connected, so that tenants can be mapped.
    #[serde(skip)]
    pub(super) connected: bool,
    pub(super) tenants: Vec<TenantRow>,
    /// The number of all tenants.
    #[serde(skip)]
    pub(super) known: usize,
    /// The number of tenants that are found.
    pub(super) total: usize,
    pub(super) page: usize,
    pub(super) pages: usize,
    pub(super) companies: CompanyReading,
    /// Changes of many tenants that are prepared or being made.
    #[serde(skip)]
    pub(super) unfinished: Option<TenantChanges>,
    /// There are more alerts than were counted.
    pub(super) more_waiting: bool,
    /// Sources whose further tenants are not listed.
    pub(super) at_the_limit: Vec<SourceId>,
    /// The partner's sources, of which a tenant can be added.
    pub(super) sources: Vec<SourceOption>,
    #[serde(skip)]
    pub(super) place: ListPlace,
    /// The companies for the tenant of the open row.
    #[serde(skip)]
    pub(super) open: Option<(TenantId, CompanyChoice)>,
}

#[derive(Serialize)]
pub(super) struct SourceOption {
    pub(super) id: SourceId,
    pub(super) name: String,
}

/// How far the companies are read for suggestions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(super) struct CompanyReading {
    /// Whether it has begun and has not ended.
    pub(super) is_reading: bool,
    pub(super) read: u64,
    pub(super) total: u64,
    pub(super) finished_at: Option<Timestamp>,
}

impl From<CompanyList> for CompanyReading {
    fn from(list: CompanyList) -> Self {
        let Some(scan) = list.scan else {
            return Self::default();
        };
        Self {
            is_reading: scan.finished_at.is_none(),
            read: scan.read,
            total: scan.total.max(scan.read),
            // Without its list, reading begins again.
            finished_at: scan.finished_at.filter(|_| list.index.is_some()),
        }
    }
}

pub(super) fn render_list(view: &TenantsView) -> Result<Markup, Problem> {
    let mut rows = Vec::new();
    for of in &view.tenants {
        rows.push(row(view, of)?);
    }
    let address = |page: usize| view.place.at_page(page).address(&[]);
    let links = page::numbered_links(view.page, view.pages, address)?;
    Ok(html! {
        p { "These are the tenants of your sources. Map each to the ConnectWise company that its tickets belong to, and switch it on. \
            Alerts of a tenant that is not mapped, or is off, wait under " a href=(SetupStep::Waiting.path()) { "Waiting alerts" } "; nothing is lost. \
            They become tickets once the tenant is mapped and on. You must release those that are then older than 48 hours." }
        @if !view.connected { p class="note" { "Connect your ConnectWise first: the companies come from there." } }
        @for source in &view.at_the_limit {
            p class="problem" {
                "The source " (source) " sent alerts of more than " (MAX_UNMAPPED) " tenants that are not mapped. Further tenants are not listed here; their alerts are on "
                a href=(SetupStep::Waiting.path()) { "Waiting alerts" } ". Ask the vendor of the source why there are so many, or map the tenants that are yours."
            }
        }
        @if view.known == 0 {
            p { "There are no tenants yet. A tenant appears here with its first alert, or once its source or you name it." }
        } @else {
            @if view.connected { (many_at_once(view)?) }
            (search_form(&view.place)?)
            @if rows.is_empty() { p role="status" { "No tenant matches." } }
            @else { (table(view, &rows)) }
            (links)
        }
        @if !view.sources.is_empty() { (add_form(&view.sources)) }
    })
}

fn search_form(place: &ListPlace) -> Result<Markup, Problem> {
    Ok(html! {
        form method="get" action=(SetupStep::Tenants.path()) role="search" {
            div class="pair" {
                div {
                    label for="search" { "Search" }
                    input id="search" name="search" type="search" maxlength="100" value=(place.search()) aria-describedby="search-help";
                    small id="search-help" { "A part of a tenant's name or id, or of its company's name." }
                }
                div {
                    label for="show" { "Show" }
                    select id="show" name="show" {
                        option value="" { "All" }
                        @for filter in TenantFilter::ALL {
                            option value=(filter.code()) selected[place.show == Some(filter)] { (filter.title()) }
                        }
                    }
                }
            }
            button { "Show" }
            @if place.is_filtered() { " " a href=(ListPlace::default().address(&[])?) { "Show all" } }
        }
    })
}

fn table(view: &TenantsView, rows: &[Markup]) -> Markup {
    let first = (view.page - 1) * PAGE + 1;
    let last = first + view.tenants.len() - 1;
    html! {
        div class="wide" {
            table class="cards" {
                caption {
                    "Tenants by name" @if view.total > 1 { ": " (first) " to " (last) " of " (view.total) }
                }
                thead { tr {
                    th scope="col" { "Tenant" }
                    th scope="col" { "Company in ConnectWise" }
                    th scope="col" { "Tickets" }
                    th scope="col" { "Alerts waiting" }
                    th scope="col" { "Change" }
                } }
                tbody { @for row in rows { (row) } }
            }
        }
    }
}

fn row(view: &TenantsView, of: &TenantRow) -> Result<Markup, Problem> {
    let id = of.tenant.as_str();
    let list = view.place.query()?;
    let own_page = with_query(paths::TENANT, &[("tenant", id), ("list", &list)])?;
    let choose = view.place.address(&[("choose", id)])? + "#choose";
    let open = view
        .open
        .as_ref()
        .filter(|(tenant, _)| *tenant == of.tenant);
    Ok(html! {
        tr {
            th scope="row" {
                @if view.connected { a href=(own_page) { (of.title()) } } @else { (of.title()) }
                @if of.name.is_some() { br; small { (of.tenant) } }
            }
            td data-label="Company" { (company_cell(of)) (suggestions(of, &list)) }
            td data-label="Tickets" { (state_cell(of)) }
            td data-label="Alerts waiting" { (of.waiting) @if view.more_waiting { " or more" } }
            td {
                @if view.connected && open.is_none() {
                    a href=(choose) { @if of.company.is_some() { "Change " } @else { "Map " } (of.title()) }
                }
            }
        }
        @if let Some((_, choice)) = open { (open_row(view, of, choice, &list)?) }
    })
}

/// A button for each suggested company that can be used.
fn suggestions(of: &TenantRow, list: &str) -> Markup {
    html! {
        @for suggested in &of.suggested {
            @match suggested.issue {
                Some(issue) => div {
                    "suggested: " (suggested.name) " " small { "(" (suggested.company) ")" }
                    div class="bad" { (describe_issue(issue)) }
                },
                None => form method="post" action=(paths::TENANT) {
                    input type="hidden" name="tenant" value=(of.tenant);
                    input type="hidden" name="company" value=(suggested.company);
                    @if of.on_after_choice { input type="hidden" name="enabled" value="true"; }
                    input type="hidden" name="version" value=(of.version);
                    input type="hidden" name="list" value=(list);
                    button class="plain" { "Confirm " (suggested.name) " (" (suggested.company) ")" }
                    div { small { @if suggested.exact { "same name" } @else { "similar name" } } }
                },
            }
        }
    }
}

/// The row below a tenant in which its company is chosen.
fn open_row(
    view: &TenantsView,
    of: &TenantRow,
    choice: &CompanyChoice,
    list: &str,
) -> Result<Markup, Problem> {
    let place = &view.place;
    let (show, page) = (place.show.map(TenantFilter::code), view.page.to_string());
    Ok(html! {
        tr id="choose" {
            td colspan="5" {
                form method="get" action={ (SetupStep::Tenants.path()) "#choose" } role="search" aria-label={ "Company of " (of.title()) } {
                    @for (name, value) in [("search", Some(place.search())), ("show", show), ("page", Some(page.as_str()))] {
                        @if let Some(value) = value { input type="hidden" name=(name) value=(value); }
                    }
                    input type="hidden" name="choose" value=(of.tenant);
                    label for="company" { "Company name or id contains" }
                    input id="company" name="company" type="search" maxlength="100" value=(choice.search);
                    button { "Search" }
                }
                (companies_form(of, choice, list, &format!("Company of {}", of.title())))
                @if choice.next.is_some() { p { "More companies match. Search for a longer part of the name." } }
                p { a href=(place.address(&[])?) { "Cancel" } }
            }
        }
    })
}

fn add_form(sources: &[SourceOption]) -> Markup {
    html! {
        h2 { "Add a tenant" }
        p { "Add a tenant before its first alert, and map it. The id must be exactly the one that the source sends." }
        form method="post" action=(SetupStep::Tenants.path()) {
            label for="new-tenant" { "Id at the source" }
            input id="new-tenant" name="tenant" required maxlength="256" autocomplete="off";
            label for="new-name" { "Name" }
            input id="new-name" name="name" maxlength="100" autocomplete="off";
            label for="new-source" { "Source" }
            select id="new-source" name="source" required {
                @for source in sources { option value=(source.id) { (source.name) } }
            }
            button { "Add" }
        }
    }
}

/// Suggestions, and what changes many tenants.
fn many_at_once(view: &TenantsView) -> Result<Markup, Problem> {
    let (of, read) = (&view.companies, paths::READ_COMPANIES);
    let export = format!("{}?{}", paths::EXPORT_TENANTS, view.place.query()?);
    Ok(html! {
        section aria-label="Many tenants at once" {
            p {
                "Ticketbridge can read all your companies and suggest those of the same or a similar name. Case, accents, punctuation and legal forms \
                such as Ltd or GmbH make no difference. You confirm each, or all exact matches after you have looked over the list."
            }
            @if let Some(changes) = &view.unfinished {
                p class="note" { a href=(paths::TENANT_CHANGES) {
                    @if changes.is_running() { "Changes of " (counted(changes.included() as u64, "tenant")) " are not finished" }
                    @else { "Look over " (counted(changes.changes as u64, "prepared change")) }
                } }
            }
            @if of.is_reading {
                form method="post" action=(read) data-progress=(read) {
                    label for="reading" { "Reading companies" }
                    progress id="reading" max=(of.total.max(1)) value=(of.read) {}
                    p data-doing { (of.read) " of " (of.total) " companies read" }
                    button { "Continue" }
                }
            } @else {
                div class="actions" {
                    @if of.finished_at.is_some() {
                        form method="post" action=(paths::EXACT_MATCHES) { button { "Look over all exact matches" } }
                        form method="post" action=(read) { button class="plain" { "Read the companies again" } }
                    } @else {
                        form method="post" action=(read) { button { "Suggest companies by name" } }
                    }
                    a href=(paths::IMPORT_TENANTS) { "Map tenants by a CSV file" }
                    a href=(export) download { @if view.place.is_filtered() { "Download these tenants (CSV)" } @else { "Download all tenants (CSV)" } }
                }
                @if let Some(at) = of.finished_at { p { small { (of.read) " companies were read on " (page::time(at)) "." } } }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use domain::monitoring::issue::CompanyIssue;

    use super::*;
    use crate::tenants::row::CompanyOption;
    use crate::tenants::row::tests::tenant;

    fn view() -> TenantsView {
        TenantsView {
            connected: true,
            tenants: vec![
                tenant("acme", Some(301), &[]),
                tenant(
                    "baker & sons",
                    None,
                    &[
                        ("Baker & Sons", None),
                        ("Baker", Some(CompanyIssue::Inactive)),
                    ],
                ),
            ],
            known: 202,
            total: 202,
            page: 3,
            pages: 3,
            companies: CompanyReading {
                is_reading: true,
                read: 40,
                total: 90,
                finished_at: None,
            },
            unfinished: None,
            more_waiting: false,
            at_the_limit: vec![SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap()],
            sources: vec![SourceOption {
                id: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
                name: "Scanner".to_owned(),
            }],
            place: ListPlace::default().at_page(3),
            open: None,
        }
    }

    #[test]
    fn tenants_shows_mapped_and_suggested_companies() {
        let page = render_list(&view()).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn a_company_is_chosen_within_the_row() {
        let choice = CompanyChoice {
            search: "Baker".to_owned(),
            companies: vec![CompanyOption {
                id: 302,
                identifier: "Baker".to_owned(),
                name: "Baker & Sons".to_owned(),
                status: None,
                unusable: None,
            }],
            next: None,
        };
        let view = TenantsView {
            open: Some((TenantId::parse("baker & sons").unwrap(), choice)),
            ..view()
        };
        let page = crate::page::lines(&render_list(&view).unwrap());
        let (_, row) = page.split_once("<tr id=\"choose\">").unwrap();
        let (row, _) = row.split_once("</tr>").unwrap();
        insta::assert_snapshot!(row);
    }

    #[test]
    fn a_filter_without_a_match_is_not_an_empty_list() {
        let view = TenantsView {
            tenants: vec![],
            total: 0,
            page: 1,
            pages: 1,
            ..view()
        };
        let page = render_list(&view).unwrap().into_string();
        assert!(page.contains("No tenant matches.") && !page.contains("no tenants yet"));
        let page = render_list(&TenantsView { known: 0, ..view })
            .unwrap()
            .into_string();
        assert!(page.contains("There are no tenants yet."));
    }
}
