//! The partner's tenants: tenants that were seen, each mapped to a ConnectWise company, and switched on or off.
//!
//! A tenant's id may hold any character, so it is named in a query or a form and never in a path.

use std::collections::{BTreeMap, HashMap};

use axum::Extension;
use connectwise::{Client, Company, CompanyStatus, Cursor, Error, SearchText};
use domain::health::CompanyIssue;
use domain::settings::{self, Mapping};
use domain::text::folded_name;
use domain::{PartnerId, RecordId, SourceId, TenantId};
use futures_util::future::try_join_all;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{
    Actor, CompanyScan, MAX_UNMAPPED, PageStart, SaveOutcome, SuggestedCompany, TenantSuggestions,
    Versioned,
};

use aws::invocation::Invocation;

use crate::answer::{ChangeResponse, PageResponse, Problem, saved};
use crate::connected::Connected;
use crate::input::{Input, Picked, QueryParams, filled};
use crate::page::{self, Step};
use crate::session::Session;
use crate::steps::confirm::counted;
use crate::steps::query;
use crate::waiting::{As, Counts};
use crate::{Setup, State};

/// Tenants on one page.
const PAGE: u16 = 100;
/// Where one of them is looked at.
pub(crate) const ONE: &str = "/setup/tenant";
/// Where all companies are read, a part at a time.
pub(crate) const READING: &str = "/setup/suggestions/progress";

#[derive(Deserialize)]
pub(crate) struct Listed {
    from: Option<PageStart>,
    done: Option<String>,
}

#[derive(Serialize)]
struct Tenants {
    tenants: Vec<TenantView>,
    next: Option<PageStart>,
    /// How far the companies were read for suggestions; none before the first time.
    suggestions: Option<Reading>,
    /// There are more alerts than were counted.
    more_waiting: bool,
    /// Sources of which no further tenant is listed.
    at_the_limit: Vec<SourceId>,
}

#[derive(Serialize)]
struct Reading {
    read: u64,
    total: u64,
    finished: bool,
}

#[derive(Serialize)]
struct TenantView {
    tenant: TenantId,
    name: Option<String>,
    company: Option<RecordId>,
    company_name: Option<String>,
    enabled: bool,
    waiting: u64,
    version: u64,
    /// Companies of exactly its name. A person decides.
    suggested: Vec<SuggestedCompany>,
}

#[derive(Deserialize)]
pub(crate) struct TenantQuery {
    tenant: TenantId,
    search: Option<String>,
    after: Option<Cursor>,
}

#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    listed: TenantView,
    /// What becomes of its alerts that wait, once it is mapped and on.
    preview: Counts,
    search: String,
    companies: Vec<CompanyOption>,
    next: Option<Cursor>,
}

/// A company as a person may choose it.
#[derive(Serialize)]
struct CompanyOption {
    id: RecordId,
    identifier: String,
    name: String,
    status: Option<String>,
    /// Why it cannot be chosen.
    unusable: Option<&'static str>,
}

#[derive(Deserialize)]
pub(crate) struct Chosen {
    tenant: TenantId,
    #[serde(default)]
    company: Picked,
    #[serde(default)]
    enabled: bool,
    version: u64,
}

/// Those that were seen, with what waits for each.
pub(crate) async fn list(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    QueryParams(asked): QueryParams<Listed>,
) -> Result<PageResponse, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let (page, waiting, connection, suggestions, at_the_limit) = tokio::join!(
        table.tenants.page(partner, asked.from.as_ref(), PAGE),
        setup.waiting(partner, As::Is, invocation.now()),
        setup.access().connections.get(partner),
        table.suggestions.get_scan(partner),
        table.tenants.sources_at_the_limit(partner),
    );
    let (page, mut waiting) = (page?, waiting?);
    let epoch = connection?.value.map(|connection| connection.epoch);
    let suggestions = suggestions?.value.filter(|of| Some(of.epoch) == epoch);
    let ends = page.entries.first().zip(page.entries.last());
    let mut suggested = match ends {
        Some((first, last)) => {
            table
                .suggestions
                .get_range(partner, &first.id, &last.id)
                .await?
        }
        None => BTreeMap::new(),
    };
    suggested.retain(|_, of| Some(of.epoch) == epoch);
    let tenants = page.entries.into_iter().map(|entry| {
        let waiting = waiting.tenants.remove(&entry.id);
        let waiting = waiting.map_or(0, |counts| counts.all);
        let mapping = in_epoch(entry.value, epoch);
        let suggested = suggested.remove(&entry.id);
        tenant_view(entry.id, mapping, entry.version, waiting, suggested)
    });
    let view = Tenants {
        tenants: tenants.collect(),
        next: page.next,
        more_waiting: waiting.more,
        at_the_limit: at_the_limit?,
        suggestions: suggestions.map(|of| Reading {
            read: of.read,
            total: of.total,
            finished: of.finished_at.is_some(),
        }),
    };
    let connected = epoch.is_some();
    let html = draw_list(&view, connected, &session)?;
    Ok(PageResponse::of(
        &view,
        page::step(&session, Step::Tenants, asked.done.as_deref(), &html),
    ))
}

/// One of them, and the companies that a search finds; without one, those that are called like it.
pub(crate) async fn one(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    QueryParams(asked): QueryParams<TenantQuery>,
) -> Result<PageResponse, Problem> {
    let partner = &session.partner;
    let Connected { connection, client } = setup.must_be_connected(partner).await?;
    let (mapping, suggested, waiting, statuses) = tokio::join!(
        setup.table().tenants.get(partner, &asked.tenant),
        setup.table().suggestions.get(partner, &asked.tenant),
        setup.waiting(partner, As::Mapped(&asked.tenant), invocation.now()),
        statuses(&client, &invocation),
    );
    let statuses = statuses?;
    let mapping = mapping?;
    let preview = waiting?.tenants.remove(&asked.tenant).unwrap_or_default();
    let suggested = Some(suggested?.value).filter(|of| of.epoch == connection.epoch);
    let found = mapping.value.unwrap_or_default().in_epoch(connection.epoch);
    let usual = found
        .name
        .clone()
        .unwrap_or_else(|| asked.tenant.to_string());
    let search = filled(asked.search.as_deref()).unwrap_or(&usual).to_owned();
    let text =
        SearchText::parse(&search).map_err(|err| Problem::invalid("search", err.to_string()))?;
    let from = asked.after.unwrap_or(Cursor::START);
    let mut companies = client
        .companies_matching(&text, from, invocation.call_ends())
        .await?;
    if companies.items.is_empty() && asked.after.is_some() {
        // There is none behind that one any more.
        companies = client
            .companies_matching(&text, Cursor::START, invocation.call_ends())
            .await?;
    }
    let view = One {
        listed: tenant_view(asked.tenant, found, mapping.version, preview.all, suggested),
        preview,
        search,
        companies: companies
            .items
            .into_iter()
            .map(|company| as_found(company, &statuses))
            .collect(),
        next: companies.next,
    };
    let html = draw_one(&view, &session)?;
    Ok(PageResponse::of(
        &view,
        page::step(&session, Step::Tenants, None, &html),
    ))
}

/// Maps a tenant and switches it on or off. If the process dies after the save, what waits goes on at the partner's next turn.
pub(crate) async fn choose(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(chosen): Input<Chosen>,
) -> Result<ChangeResponse, Problem> {
    let (table, partner, now) = (setup.table(), &session.partner, invocation.now());
    let before = table.tenants.get(partner, &chosen.tenant).await?;
    let mapping = before.value.unwrap_or_default();
    let company = match chosen.company.0 {
        None if chosen.enabled => {
            return Err(Problem::invalid(
                "company",
                "Choose a company before you switch it on.",
            ));
        }
        None => None,
        // What is mapped already can be switched off, whatever became of the company.
        Some(id) if !chosen.enabled && mapping.company == Some(id) => {
            mapping.company_name.clone().map(|name| settings::Company {
                id,
                name,
                epoch: mapping.epoch.unwrap_or_default(),
            })
        }
        Some(id) => {
            let Connected { connection, client } = setup.must_be_connected(partner).await?;
            let company = match client.company(id, invocation.call_ends()).await {
                Ok(company) => company,
                Err(Error::NotFound { .. }) => {
                    return Err(Problem::invalid(
                        "company",
                        "ConnectWise has no such company.",
                    ));
                }
                Err(err) => return Err(err.into()),
            };
            let statuses = statuses(&client, &invocation).await?;
            if let Some(why) = unusable(&company, &statuses) {
                return Err(Problem::invalid(
                    "company",
                    format!(
                        "{} is {why}, so no ticket can be made for it. Choose another company, or change this one in ConnectWise first.",
                        company.name
                    ),
                ));
            }
            Some(settings::Company {
                id,
                name: company.name,
                epoch: connection.epoch,
            })
        }
    };
    let name = company.as_ref().map(|company| company.name.clone());
    let mapping = mapping.chosen(company, chosen.enabled, now);
    let version = saved(
        table
            .tenants
            .save(partner, &chosen.tenant, &mapping, chosen.version)
            .await?,
    )?;
    let detail = [
        ("tenant", chosen.tenant.to_string()),
        ("company", name.unwrap_or_else(|| "none".to_owned())),
        (
            "tickets",
            if chosen.enabled { "on" } else { "off" }.to_owned(),
        ),
    ];
    setup
        .done(
            partner,
            Actor::Partner,
            "tenant_saved",
            &detail,
            &invocation,
        )
        .await;
    setup.connections.changed(partner, now).await?;
    Ok(ChangeResponse::next("/setup/tenants?done=saved").with("version", version))
}

/// Reads companies for as long as a request may, and notes those that are called as a tenant is. Reading a part again changes nothing:
/// if the process dies, it goes on behind the last part that was saved.
pub(crate) async fn read_companies(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let Connected { connection, client } = setup.must_be_connected(partner).await?;
    let stored = table.suggestions.get_scan(partner).await?;
    let (mut version, stored) = (stored.version, stored.value);
    let unfinished = stored.filter(|of| of.epoch == connection.epoch && of.finished_at.is_none());
    let mut reading = match unfinished {
        Some(unfinished) => unfinished,
        None => CompanyScan {
            epoch: connection.epoch,
            total: client.company_count(invocation.call_ends()).await?,
            ..CompanyScan::default()
        },
    };
    let tenants = table.tenants.get_all(partner).await?;
    let mut names: HashMap<String, Vec<TenantId>> = HashMap::new();
    for (tenant, mapping) in tenants {
        if mapping.clone().in_epoch(connection.epoch).company.is_none() {
            let name = mapping.name.unwrap_or_else(|| tenant.to_string());
            names.entry(folded_name(&name)).or_default().push(tenant);
        }
    }
    let statuses = statuses(&client, &invocation).await?;
    let begun = tokio::time::Instant::now();
    while reading.finished_at.is_none() && begun.elapsed() < crate::LONG {
        let from = reading.next.map_or(Cursor::START, Cursor::after);
        let part = client.company_page(from, invocation.call_ends()).await?;
        reading.read += part.items.len() as u64;
        let found = suggestions(&names, &statuses, part.items);
        let mut found = found.into_iter();
        loop {
            let some: Vec<_> = found.by_ref().take(AT_A_TIME).collect();
            if some.is_empty() {
                break;
            }
            let saves = some.iter().map(|(tenant, companies)| {
                save_suggested(&setup, partner, tenant, connection.epoch, companies)
            });
            try_join_all(saves).await?;
        }
        reading.next = part.next.map(Cursor::id);
        if part.next.is_none() {
            reading.finished_at = Some(invocation.now());
        }
        version = match table
            .suggestions
            .save_scan(partner, &reading, version)
            .await?
        {
            SaveOutcome::Saved { version } => version,
            // Another window reads: it goes on from what that one saved.
            SaveOutcome::Conflict => break,
        };
    }
    let next = match reading.finished_at {
        Some(_) => "/setup/tenants?done=suggested",
        None => READING,
    };
    let total = reading.total.max(reading.read);
    Ok(ChangeResponse::next(next)
        .with("done", reading.read)
        .with("total", total)
        .with(
            "doing",
            format!("{} of {total} companies read", reading.read),
        ))
}

/// Of tenants with many companies of their name, enough to see that.
const SUGGESTED: usize = 3;
/// Suggestions that are stored side by side.
const AT_A_TIME: usize = 16;

/// The companies that can be used and have exactly the name of a tenant.
fn suggestions(
    names: &HashMap<String, Vec<TenantId>>,
    statuses: &[CompanyStatus],
    companies: Vec<Company>,
) -> BTreeMap<TenantId, Vec<SuggestedCompany>> {
    let mut found: BTreeMap<TenantId, Vec<SuggestedCompany>> = BTreeMap::new();
    for company in companies {
        let tenants = names.get(&folded_name(&company.name));
        let Some(tenants) = tenants.filter(|_| company.unfit(statuses).is_none()) else {
            continue;
        };
        for tenant in tenants {
            found
                .entry(tenant.clone())
                .or_default()
                .push(SuggestedCompany {
                    company: company.id,
                    name: company.name.clone(),
                });
        }
    }
    found
}

/// Adds companies to what is suggested for a tenant. Adding them again changes nothing.
async fn save_suggested(
    setup: &Setup,
    partner: &PartnerId,
    tenant: &TenantId,
    epoch: u32,
    companies: &[SuggestedCompany],
) -> Result<(), Problem> {
    let table = setup.table();
    let first = with_companies(TenantSuggestions::default(), epoch, companies);
    if table.suggestions.save(partner, tenant, &first, 0).await? != SaveOutcome::Conflict {
        return Ok(());
    }
    let Versioned { value, version } = table.suggestions.get(partner, tenant).await?;
    let suggested = with_companies(value.clone(), epoch, companies);
    if suggested != value {
        // Another window that was faster found the same companies.
        table
            .suggestions
            .save(partner, tenant, &suggested, version)
            .await?;
    }
    Ok(())
}

fn with_companies(
    of_tenant: TenantSuggestions,
    epoch: u32,
    companies: &[SuggestedCompany],
) -> TenantSuggestions {
    let mut suggested = match of_tenant.epoch == epoch {
        true => of_tenant,
        false => TenantSuggestions {
            epoch,
            companies: vec![],
        },
    };
    let known = &mut suggested.companies;
    for company in companies {
        if known.len() < SUGGESTED && known.iter().all(|of| of.company != company.company) {
            known.push(company.clone());
        }
    }
    suggested
}

/// The statuses of companies. An API member that may not read them chooses without them: ConnectWise refuses the ticket then, and that is
/// reported.
async fn statuses(client: &Client, invocation: &Invocation) -> Result<Vec<CompanyStatus>, Problem> {
    match client.company_statuses(invocation.call_ends()).await {
        Ok(statuses) => Ok(statuses),
        Err(err @ (Error::MissingRight { .. } | Error::Forbidden { .. })) => {
            tracing::warn!(error = %err, "failed to read the statuses of companies");
            Ok(vec![])
        }
        Err(err) => Err(err.into()),
    }
}

/// Why no ticket can be made for a company, in words for a person.
fn unusable(company: &Company, statuses: &[CompanyStatus]) -> Option<&'static str> {
    company.unfit(statuses).map(|why| match why {
        CompanyIssue::Missing => "not found in ConnectWise",
        CompanyIssue::Deleted => "deleted in ConnectWise",
        CompanyIssue::Disallowed => "in a status with which ConnectWise saves no tickets",
        CompanyIssue::Inactive => "inactive in ConnectWise",
    })
}

/// The mapping as it holds over the connection of this epoch, if there is one.
pub(crate) fn in_epoch(mapping: Mapping, epoch: Option<u32>) -> Mapping {
    match epoch {
        Some(epoch) => mapping.in_epoch(epoch),
        None => mapping,
    }
}

fn tenant_view(
    tenant: TenantId,
    mapping: Mapping,
    version: u64,
    waiting: u64,
    suggested: Option<TenantSuggestions>,
) -> TenantView {
    let suggested = suggested.filter(|_| mapping.company.is_none());
    TenantView {
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

fn as_found(company: Company, statuses: &[CompanyStatus]) -> CompanyOption {
    CompanyOption {
        unusable: unusable(&company, statuses),
        id: company.id,
        identifier: company.identifier,
        name: company.name,
        status: company.status.map(|status| status.name),
    }
}

fn address_of(tenant: &TenantId) -> Result<String, Problem> {
    query(ONE, &[("tenant", tenant.as_str())])
}

fn draw_list(view: &Tenants, connected: bool, session: &Session) -> Result<Markup, Problem> {
    let mut rows = Vec::new();
    for of in &view.tenants {
        rows.push((of, address_of(&of.tenant)?));
    }
    let next = view.next.clone().map(String::from);
    let next = next
        .map(|next| query(Step::Tenants.path(), &[("from", &next)]))
        .transpose()?;
    let reading = view.suggestions.as_ref().filter(|of| !of.finished);
    Ok(html! {
        p { "These tenants have sent alerts. Map each to the ConnectWise company that its tickets belong to, and switch it on. \
            Alerts of a tenant that is not mapped, or is off, wait here; nothing is lost." }
        @if !connected { p class="note" { "Connect your ConnectWise first: the companies come from there." } }
        @for source in &view.at_the_limit {
            p class="problem" {
                "The source " (source) " sent alerts of more than " (MAX_UNMAPPED) " tenants that are not mapped. Further ones are not listed here; their alerts are on "
                a href=(Step::Waiting.path()) { "Waiting alerts" } ". Ask the vendor of the source why there are so many, or map those that are yours."
            }
        }
        @if view.tenants.is_empty() {
            p { "None yet. They appear with their first alert." }
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
                    tbody {
                        @for (of, address) in &rows {
                            tr {
                                th scope="row" {
                                    (title(of))
                                    @if of.name.is_some() { br; small { (of.tenant) } }
                                }
                                td data-label="Company" { (company_cell(of, session)) }
                                td data-label="Tickets" {
                                    @if of.company.is_none() { span class="soft" { "not mapped" } }
                                    @else if of.enabled { span class="good" { "on" } }
                                    @else { span class="warn" { "off" } }
                                }
                                td data-label="Alerts waiting" { (of.waiting) @if view.more_waiting { " or more" } }
                                td { @if connected { a href=(address) {
                                    @if of.company.is_some() { "Change " } @else { "Map " } (title(of))
                                } } }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(next) = next {
            p { a href=(next) { "More tenants" } }
        }
        @if connected {
            h2 { "Suggestions" }
            p { "Ticketbridge can read all your companies and suggest those of exactly the same name. You confirm each." }
            @if let Some(of) = reading {
                form method="post" action=(session.action(READING)) data-progress=(session.action(READING)) {
                    label for="reading" { "Reading companies" }
                    progress id="reading" max=(of.total.max(1)) value=(of.read) {}
                    p data-doing { (of.read) " of " (of.total) " companies read" }
                    button { "Go on" }
                }
            } @else {
                form method="post" action=(session.action(READING)) { button { "Suggest companies by name" } }
            }
        }
    })
}

/// What people call it.
fn title(of: &TenantView) -> &str {
    of.name.as_deref().unwrap_or(of.tenant.as_str())
}

fn company_cell(of: &TenantView, session: &Session) -> Markup {
    html! {
        @if let Some(company) = of.company {
            (of.company_name.as_deref().unwrap_or("")) " " small { "(" (company) ")" }
        } @else {
            @for suggested in &of.suggested {
                form method="post" action=(session.action(ONE)) {
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

fn draw_one(view: &One, session: &Session) -> Result<Markup, Problem> {
    let of = &view.listed;
    let next = match view.next {
        Some(next) => Some(query(
            ONE,
            &[
                ("tenant", of.tenant.as_str()),
                ("search", &view.search),
                ("after", &next.id().to_string()),
            ],
        )?),
        None => None,
    };
    Ok(html! {
        h2 { (title(of)) }
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
        @if view.preview.all > 0 {
            p class="note" {
                (counted(view.preview.all, "alert")) @if view.preview.all == 1 { " waits. " } @else { " wait. " }
                "Mapped and switched on, " (view.preview.tickets) " become tickets"
                @if view.preview.older > 0 { ", and " (view.preview.older) " older than 48 hours wait until you release them" }
                @if !view.preview.others.is_empty() { ", and the others wait for something else" }
                "."
            }
        }
        @if let Some(company) = of.company {
            form method="post" action=(session.action(ONE)) {
                input type="hidden" name="tenant" value=(of.tenant);
                input type="hidden" name="company" value=(company);
                input type="hidden" name="version" value=(of.version);
                @if !of.enabled { input type="hidden" name="enabled" value="true"; }
                button { @if of.enabled { "Switch off" } @else { "Switch on" } }
            }
            form method="post" action=(session.action(ONE)) {
                input type="hidden" name="tenant" value=(of.tenant);
                input type="hidden" name="version" value=(of.version);
                button class="plain" { "Unmap" }
            }
        }
        h2 { "Choose a company" }
        form method="get" action=(ONE) role="search" {
            input type="hidden" name="tenant" value=(of.tenant);
            label for="search" { "Company name or id contains" }
            input id="search" name="search" type="search" maxlength="100" value=(view.search);
            button { "Search" }
        }
        @if view.companies.is_empty() { p { "No company found. Search for a part of its name." } }
        @else {
            form method="post" action=(session.action(ONE)) {
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
                    span { "Make tickets of its alerts" }
                }
                button { "Save" }
            }
        }
        @if let Some(next) = next { p { a href=(next) { "More companies" } } }
        p { a href=(Step::Tenants.path()) { "All tenants" } }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn company(id: RecordId, name: &str) -> Company {
        serde_json::from_value(serde_json::json!({ "id": id, "name": name })).unwrap()
    }

    fn statuses() -> Vec<CompanyStatus> {
        let statuses = json!([
            { "id": 1 }, { "id": 2, "inactiveFlag": true }, { "id": 3, "disallowSavingFlag": true },
        ]);
        serde_json::from_value(statuses).unwrap()
    }

    #[test]
    fn a_suggestion_has_exactly_the_tenants_name_can_be_used_and_comes_once() {
        let acme = TenantId::parse("acme").unwrap();
        let names = HashMap::from([(folded_name("Acme Dental"), vec![acme.clone()])]);
        let with_status = |id, status: u32| {
            let company =
                json!({ "id": id, "name": "Acme Dental", "status": { "id": status, "name": "x" } });
            serde_json::from_value(company).unwrap()
        };
        let companies = vec![
            company(1, "ACME dental "),
            company(2, "Acme Dental Group"),
            company(1, "Acme Dental"),
            company(3, "Acme  Dental"),
            with_status(4, 1),
            with_status(5, 2),
            with_status(6, 3),
            with_status(7, 9),
        ];
        let found = suggestions(&names, &statuses(), companies);
        let numbers = |of: &TenantSuggestions| -> Vec<RecordId> {
            of.companies.iter().map(|of| of.company).collect()
        };
        let once = with_companies(TenantSuggestions::default(), 2, &found[&acme]);
        assert_eq!((numbers(&once), once.epoch), (vec![1, 4, 7], 2));
        assert_eq!(with_companies(once.clone(), 2, &found[&acme]), once);
        // Those of another ConnectWise are replaced.
        let elsewhere = with_companies(once, 3, &found[&acme][2..]);
        assert_eq!((numbers(&elsewhere), elsewhere.epoch), (vec![4, 7], 3));
    }
}
