//! The pages "Tenants" and of one tenant.

use connectwise::{CompanyRecord, CompanyStatus, RecordCursor};
use domain::setup::mapping::Mapping;
use domain::{RecordId, SourceId, TenantId};
use maud::{Markup, html};
use serde::Serialize;
use store::{CompanyScan, MAX_UNMAPPED, PageStart, SuggestedCompany, TenantSuggestions};

use crate::backlog::count::BacklogCounts;
use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::paths::{self, with_query};
use crate::step::SetupStep;
use crate::tenants::companies::unusable;

#[derive(Serialize)]
pub(super) struct TenantsView {
    /// Whether a ConnectWise is connected, so that tenants can be mapped.
    #[serde(skip)]
    pub(super) connected: bool,
    pub(super) tenants: Vec<TenantRow>,
    pub(super) next: Option<PageStart>,
    /// The progress of reading companies for suggestions; `None` before the first time.
    pub(super) suggestions: Option<CompanyReadProgress>,
    /// There are more alerts than were counted.
    pub(super) more_waiting: bool,
    /// Sources whose further tenants are not listed.
    pub(super) at_the_limit: Vec<SourceId>,
    /// The partner's sources, of which a tenant can be added.
    pub(super) sources: Vec<SourceOption>,
}

#[derive(Serialize)]
pub(super) struct SourceOption {
    pub(super) id: SourceId,
    pub(super) name: String,
}

#[derive(Serialize)]
pub(super) struct CompanyReadProgress {
    read: u64,
    total: u64,
    finished: bool,
}

#[derive(Serialize)]
pub(super) struct TenantRow {
    tenant: TenantId,
    name: Option<String>,
    company: Option<RecordId>,
    company_name: Option<String>,
    enabled: bool,
    /// The number of its alerts without a ticket.
    waiting: u64,
    version: u64,
    /// Companies of exactly its name. A person decides.
    suggested: Vec<SuggestedCompany>,
}

#[derive(Serialize)]
pub(super) struct TenantView {
    #[serde(flatten)]
    pub(super) listed: TenantRow,
    /// What happens to its blocked alerts once it is mapped and switched on.
    pub(super) preview: BacklogCounts,
    pub(super) search: String,
    pub(super) companies: Vec<CompanyOption>,
    pub(super) next: Option<RecordCursor>,
}

#[derive(Serialize)]
pub(super) struct CompanyOption {
    id: RecordId,
    identifier: String,
    name: String,
    status: Option<String>,
    /// Why it cannot be chosen.
    unusable: Option<&'static str>,
}

impl From<&CompanyScan> for CompanyReadProgress {
    fn from(of: &CompanyScan) -> Self {
        Self {
            read: of.read,
            total: of.total,
            finished: of.finished_at.is_some(),
        }
    }
}

impl TenantRow {
    pub(super) fn new(
        tenant: TenantId,
        mapping: Mapping,
        version: u64,
        waiting: u64,
        suggested: Option<TenantSuggestions>,
    ) -> Self {
        let suggested = suggested.filter(|_| mapping.company.is_none());
        Self {
            suggested: suggested.map_or_else(Vec::new, |of| of.companies),
            tenant,
            name: mapping.name,
            company: mapping.company,
            company_name: mapping.company_name,
            enabled: mapping.enabled,
            waiting,
            version,
        }
    }

    /// The name for people.
    fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(self.tenant.as_str())
    }

    fn address(&self) -> Result<String, Problem> {
        with_query(paths::TENANT, &[("tenant", self.tenant.as_str())])
    }
}

impl CompanyOption {
    pub(super) fn new(company: CompanyRecord, statuses: &[CompanyStatus]) -> Self {
        Self {
            unusable: unusable(&company, statuses),
            id: company.id,
            identifier: company.identifier,
            name: company.name,
            status: company.status.map(|status| status.name),
        }
    }
}

pub(super) fn render_list(view: &TenantsView) -> Result<Markup, Problem> {
    let next = view.next.clone().map(String::from);
    let next = next
        .map(|next| with_query(SetupStep::Tenants.path(), &[("from", &next)]))
        .transpose()?;
    let mut rows = Vec::new();
    for of in &view.tenants {
        let address = of.address()?;
        let change = html! {
            @if view.connected { a href=(address) { @if of.company.is_some() { "Change " } @else { "Map " } (of.title()) } }
        };
        rows.push(row(of, view.more_waiting, &change));
    }
    Ok(html! {
        p { "These are the tenants of your sources. Map each to the ConnectWise company that its tickets belong to, and switch it on. \
            Alerts of a tenant that is not mapped, or is off, wait here; nothing is lost." }
        @if !view.connected { p class="note" { "Connect your ConnectWise first: the companies come from there." } }
        @for source in &view.at_the_limit {
            p class="problem" {
                "The source " (source) " sent alerts of more than " (MAX_UNMAPPED) " tenants that are not mapped. Further tenants are not listed here; their alerts are on "
                a href=(SetupStep::Waiting.path()) { "Waiting alerts" } ". Ask the vendor of the source why there are so many, or map the tenants that are yours."
            }
        }
        @if rows.is_empty() {
            p { "There are no tenants yet. A tenant appears here with its first alert, or once its source or you name it." }
        } @else {
            div class="wide" {
                table class="cards" {
                    caption { "Tenants" }
                    thead { tr {
                        th scope="col" { "Tenant" }
                        th scope="col" { "Company in ConnectWise" }
                        th scope="col" { "Tickets" }
                        th scope="col" { "Alerts waiting" }
                        th scope="col" { "Change" }
                    } }
                    tbody { @for row in &rows { (row) } }
                }
            }
        }
        @if let Some(next) = next {
            p { a href=(next) { "More tenants" } }
        }
        @if !view.sources.is_empty() { (add_form(&view.sources)) }
        @if view.connected { (suggestions(view.suggestions.as_ref())) }
    })
}

fn row(of: &TenantRow, more_waiting: bool, change: &Markup) -> Markup {
    html! {
        tr {
            th scope="row" {
                (of.title())
                @if of.name.is_some() { br; small { (of.tenant) } }
            }
            td data-label="Company" { (company_cell(of)) }
            td data-label="Tickets" {
                @if of.company.is_none() { span class="soft" { "not mapped" } }
                @else if of.enabled { span class="good" { "on" } }
                @else { span class="warn" { "off" } }
            }
            td data-label="Alerts waiting" { (of.waiting) @if more_waiting { " or more" } }
            td { (change) }
        }
    }
}

fn company_cell(of: &TenantRow) -> Markup {
    html! {
        @if let Some(company) = of.company {
            (of.company_name.as_deref().unwrap_or("")) " " small { "(" (company) ")" }
        } @else {
            @for suggested in &of.suggested {
                form method="post" action=(paths::TENANT) {
                    input type="hidden" name="tenant" value=(of.tenant);
                    input type="hidden" name="company" value=(suggested.company);
                    input type="hidden" name="enabled" value="true";
                    input type="hidden" name="version" value=(of.version);
                    button class="plain" { "Confirm " (suggested.name) " (" (suggested.company) ")" }
                }
            }
        }
    }
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

fn suggestions(progress: Option<&CompanyReadProgress>) -> Markup {
    let action = paths::READ_COMPANIES;
    html! {
        h2 { "Suggestions" }
        p { "Ticketbridge can read all your companies and suggest those of exactly the same name. You confirm each." }
        @if let Some(of) = progress.filter(|of| !of.finished) {
            form method="post" action=(action) data-progress=(action) {
                label for="reading" { "Reading companies" }
                progress id="reading" max=(of.total.max(1)) value=(of.read) {}
                p data-doing { (of.read) " of " (of.total) " companies read" }
                button { "Continue" }
            }
        } @else {
            form method="post" action=(action) { button { "Suggest companies by name" } }
        }
    }
}

pub(super) fn render_one(view: &TenantView) -> Result<Markup, Problem> {
    let of = &view.listed;
    let next = match view.next {
        Some(next) => Some(with_query(
            paths::TENANT,
            &[
                ("tenant", of.tenant.as_str()),
                ("search", &view.search),
                ("after", &next.id().to_string()),
            ],
        )?),
        None => None,
    };
    Ok(html! {
        h2 { (of.title()) }
        dl {
            dt { "Id" } dd { (of.tenant) }
            dt { "Company" } dd {
                @match of.company {
                    Some(company) => { (of.company_name.as_deref().unwrap_or("")) " (" (company) ")" }
                    None => "not mapped",
                }
            }
            dt { "Tickets" } dd { @if of.enabled && of.company.is_some() { "on" } @else { "off" } }
        }
        @if view.preview.all > 0 { (preview(&view.preview)) }
        @if let Some(company) = of.company { (mapped_forms(of, company)) }
        h2 { "Choose a company" }
        form method="get" action=(paths::TENANT) role="search" {
            input type="hidden" name="tenant" value=(of.tenant);
            label for="search" { "Company name or id contains" }
            input id="search" name="search" type="search" maxlength="100" value=(view.search);
            button { "Search" }
        }
        @if view.companies.is_empty() { p { "No company found. Search for a part of its name." } }
        @else { (companies_form(view)) }
        @if let Some(next) = next { p { a href=(next) { "More companies" } } }
        p { a href=(SetupStep::Tenants.path()) { "All tenants" } }
    })
}

fn preview(counts: &BacklogCounts) -> Markup {
    html! {
        p class="note" {
            (counted(counts.all, "alert")) @if counts.all == 1 { " waits. " } @else { " wait. " }
            "Once the tenant is mapped and on, tickets are created for " (counts.tickets) " of them."
            @if counts.older > 0 { " " (counts.older) " of them are older than 48 hours and wait until you release them." }
            @if !counts.others.is_empty() { " The others wait for other reasons." }
        }
    }
}

fn mapped_forms(of: &TenantRow, company: RecordId) -> Markup {
    html! {
        form method="post" action=(paths::TENANT) {
            input type="hidden" name="tenant" value=(of.tenant);
            input type="hidden" name="company" value=(company);
            input type="hidden" name="version" value=(of.version);
            @if !of.enabled { input type="hidden" name="enabled" value="true"; }
            button { @if of.enabled { "Switch off" } @else { "Switch on" } }
        }
        form method="post" action=(paths::TENANT) {
            input type="hidden" name="tenant" value=(of.tenant);
            input type="hidden" name="version" value=(of.version);
            button class="plain" { "Unmap" }
        }
    }
}

fn companies_form(view: &TenantView) -> Markup {
    let of = &view.listed;
    html! {
        form method="post" action=(paths::TENANT) {
            input type="hidden" name="tenant" value=(of.tenant);
            input type="hidden" name="version" value=(of.version);
            fieldset {
                legend { "Companies" }
                @for company in &view.companies {
                    label class="choice" {
                        input type="radio" name="company" value=(company.id) required disabled[company.unusable.is_some()]
                            checked[of.company == Some(company.id)];
                        span {
                            (company.name) " " small { "(" (company.identifier) ", " (company.id) ")" }
                            @if let Some(why) = company.unusable { " " span class="bad" { (why) } }
                            @if let Some(status) = &company.status { " " small { (status) } }
                        }
                    }
                }
            }
            label class="choice" {
                input type="checkbox" name="enabled" value="true" checked;
                span { "Create tickets for its alerts" }
            }
            button { "Save" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(id: &str, company: Option<RecordId>, suggested: &[&str]) -> TenantRow {
        TenantRow {
            tenant: TenantId::parse(id).unwrap(),
            name: company.map(|_| "Acme Dental".to_owned()),
            company,
            company_name: company.map(|_| "Acme Dental Ltd".to_owned()),
            enabled: company.is_some(),
            waiting: 2,
            version: 1,
            suggested: suggested
                .iter()
                .map(|name| SuggestedCompany {
                    company: 302,
                    name: (*name).to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn tenants_shows_mapped_and_suggested_companies() {
        let view = TenantsView {
            connected: true,
            tenants: vec![
                tenant("acme", Some(301), &[]),
                tenant("baker & sons", None, &["Baker & Sons"]),
            ],
            next: None,
            suggestions: Some(CompanyReadProgress {
                read: 40,
                total: 90,
                finished: false,
            }),
            more_waiting: false,
            at_the_limit: vec![SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap()],
            sources: vec![SourceOption {
                id: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
                name: "Scanner".to_owned(),
            }],
        };
        let page = render_list(&view).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn a_tenant_shows_companies_and_its_preview() {
        let view = TenantView {
            listed: tenant("acme", Some(301), &[]),
            preview: BacklogCounts {
                all: 3,
                tickets: 1,
                older: 2,
                ..BacklogCounts::default()
            },
            search: "Acme".to_owned(),
            companies: vec![CompanyOption {
                id: 301,
                identifier: "AcmeDental".to_owned(),
                name: "Acme Dental Ltd".to_owned(),
                status: Some("Inactive".to_owned()),
                unusable: Some("inactive in ConnectWise"),
            }],
            next: None,
        };
        let page = render_one(&view).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
