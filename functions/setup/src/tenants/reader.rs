//! Reads tenants with their mappings, suggestions and blocked alerts.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use connectwise::SearchText;
use domain::PartnerId;
use domain::setup::mapping::Mapping;
use futures_util::future::try_join_all;
use store::PageStart;

use crate::backlog::count::{Assumption, count_backlog};
use crate::connection::client::{Connected, require_connected};
use crate::context::Setup;
use crate::http::input::filled;
use crate::http::problem::Problem;
use crate::tenants::companies::{company_statuses, find_companies};
use crate::tenants::form::TenantQuery;
use crate::tenants::view::{CompanyOption, SourceOption, TenantRow, TenantView, TenantsView};

/// Tenants on one page.
const PAGE: u16 = 100;

/// The mapping in the connection's epoch, if there is a connection.
pub(crate) fn in_epoch(mapping: Mapping, epoch: Option<u32>) -> Mapping {
    match epoch {
        Some(epoch) => mapping.in_epoch(epoch),
        None => mapping,
    }
}

/// One page of the list, from this start on.
pub(super) async fn read_list(
    setup: &Setup,
    partner: &PartnerId,
    from: Option<&PageStart>,
    invocation: &Invocation,
) -> Result<TenantsView, Problem> {
    let table = setup.table();
    let (page, backlog, connection, suggestions, at_the_limit, sources) = tokio::join!(
        table.tenants.page(partner, from, PAGE),
        count_backlog(setup, partner, Assumption::None, invocation.now()),
        setup.access().connections.get(partner),
        table.suggestions.get_scan(partner),
        table.tenants.sources_at_the_limit(partner),
        read_sources(setup, partner),
    );
    let (page, mut backlog) = (page?, backlog?);
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
        let counts = backlog.tenants.remove(&entry.id);
        let waiting = counts.map_or(0, |counts| counts.all);
        let mapping = in_epoch(entry.value, epoch);
        let suggested = suggested.remove(&entry.id);
        TenantRow::new(entry.id, mapping, entry.version, waiting, suggested)
    });
    Ok(TenantsView {
        connected: epoch.is_some(),
        tenants: tenants.collect(),
        next: page.next,
        more_waiting: backlog.more,
        at_the_limit: at_the_limit?,
        sources: sources?,
        suggestions: suggestions.as_ref().map(Into::into),
    })
}

async fn read_sources(
    setup: &Setup,
    partner: &PartnerId,
) -> Result<Vec<SourceOption>, store::Error> {
    let access = setup.access();
    let sources = access.partner_sources.get_all(partner).await?;
    let options = sources.into_keys().map(async |id| {
        let named = access.sources.get(&id).await?.value;
        let name = named.map_or_else(|| id.to_string(), |named| named.name);
        Ok(SourceOption { id, name })
    });
    try_join_all(options).await
}

/// One tenant, and the companies that the search finds; without a search, those with its name.
pub(super) async fn read_one(
    setup: &Setup,
    partner: &PartnerId,
    query: TenantQuery,
    invocation: &Invocation,
) -> Result<TenantView, Problem> {
    let (table, tenant) = (setup.table(), query.tenant);
    let Connected { connection, client } = require_connected(setup, partner).await?;
    let assumption = Assumption::Mapped(&tenant);
    let (stored, suggested, backlog, statuses) = tokio::join!(
        table.tenants.get(partner, &tenant),
        table.suggestions.get(partner, &tenant),
        count_backlog(setup, partner, assumption, invocation.now()),
        company_statuses(&client, invocation),
    );
    let (stored, mut backlog, statuses) = (stored?, backlog?, statuses?);
    let preview = backlog.tenants.remove(&tenant).unwrap_or_default();
    let suggested = Some(suggested?.value).filter(|of| of.epoch == connection.epoch);
    let mapping = stored.value.unwrap_or_default().in_epoch(connection.epoch);
    let usual = mapping.name.clone();
    let usual = usual.unwrap_or_else(|| tenant.to_string());
    let search = filled(query.search.as_deref()).unwrap_or(&usual).to_owned();
    let text =
        SearchText::parse(&search).map_err(|err| Problem::invalid("search", err.to_string()))?;
    let companies = find_companies(&client, &text, query.after, invocation).await?;
    Ok(TenantView {
        listed: TenantRow::new(tenant, mapping, stored.version, preview.all, suggested),
        preview,
        search,
        companies: companies
            .items
            .into_iter()
            .map(|company| CompanyOption::new(company, &statuses))
            .collect(),
        next: companies.next,
    })
}
