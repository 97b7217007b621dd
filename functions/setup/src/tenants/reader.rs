//! Reads tenants with their mappings, suggestions and blocked alerts.

use std::sync::Arc;

use aws::invocation::Invocation;
use connections::PartnerConfig;
use connectwise::{RecordCursor, SearchText};
use domain::setup::tenant_changes::TenantChanges;
use domain::{PartnerId, TenantId};
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::backlog::count::{Assumption, Backlog, CountedTenants, assume, count_backlog};
use crate::connection::client::{Connected, require_connected};
use crate::context::Setup;
use crate::http::input::filled;
use crate::http::problem::Problem;
use crate::tenants::cache::TenantList;
use crate::tenants::companies::{company_statuses, find_companies};
use crate::tenants::company_list::{CompanyList, read_companies};
use crate::tenants::form::{TenantQuery, TenantsQuery};
use crate::tenants::list_view::{SourceOption, TenantsView};
use crate::tenants::place::{ListPlace, TenantFilter};
use crate::tenants::row::{CompanyOption, StoredTenant, TenantRow};
use crate::tenants::tenant_list::read_tenant_list;
use crate::tenants::tenant_view::{CompanyChoice, TenantView};

/// One page of the list.
pub(super) async fn read_list(
    setup: &Setup,
    partner: &PartnerId,
    query: TenantsQuery,
    invocation: &Invocation,
) -> Result<TenantsView, Problem> {
    let table = setup.table();
    let now = invocation.now();
    let (tenants, companies, changes, sources) = tokio::join!(
        read_tenants(setup, partner, now),
        read_companies(setup, partner),
        table.tenant_changes.get(partner),
        read_sources(setup, partner),
    );
    let (entries, config) = tenants?;
    let epoch = config.items.connection.as_ref().map(|of| of.epoch);
    let companies = companies?.of_epoch(epoch);
    let bound: Vec<_> = config.sources.keys().cloned().collect();
    let (at_the_limit, backlog) = tokio::join!(
        table.tenants.at_the_limit(partner, &bound),
        count_backlog(setup, partner, &config, CountedTenants::All, now),
    );
    let backlog = backlog?;
    let known = entries.len();
    let place = query.place;
    let found = select(&entries, epoch, &place, &backlog);
    let total = found.len();
    let (range, page, pages) = place.range(total);
    let shown = found.into_iter().skip(range.start).take(range.len());
    let tenants: Vec<_> = shown
        .map(|stored| {
            let waiting = waiting(&backlog, &stored.id);
            TenantRow::new(stored, waiting, companies.index.as_ref())
        })
        .collect();
    let open = tenants
        .iter()
        .find(|of| Some(&of.tenant) == query.choose.as_ref());
    let open = match open {
        Some(of) => {
            let connected = require_connected(setup, partner).await?;
            let search = query.company.as_deref();
            let choice = read_choice(&connected, of, search, None, invocation).await?;
            Some((of.tenant.clone(), choice))
        }
        None => None,
    };
    Ok(TenantsView {
        connected: epoch.is_some(),
        tenants,
        known,
        total,
        page,
        pages,
        more_waiting: backlog.more,
        at_the_limit: at_the_limit?,
        sources: sources?,
        companies: companies.into(),
        unfinished: changes?.value.filter(TenantChanges::is_unfinished),
        place: place.at_page(page),
        open,
    })
}

/// The tenants of the list at this place, those of all pages.
pub(super) async fn read_shown(
    setup: &Setup,
    partner: &PartnerId,
    place: &ListPlace,
    invocation: &Invocation,
) -> Result<Vec<StoredTenant>, Problem> {
    let now = invocation.now();
    let (entries, config) = read_tenants(setup, partner, now).await?;
    let epoch = config.items.connection.as_ref().map(|of| of.epoch);
    let backlog = match place.show {
        Some(TenantFilter::Waiting) => {
            count_backlog(setup, partner, &config, CountedTenants::All, now).await?
        }
        Some(TenantFilter::Unmapped | TenantFilter::Off) | None => Backlog::default(),
    };
    Ok(select(&entries, epoch, place, &backlog))
}

/// All tenants with their versions, and the configuration with the same mappings.
pub(crate) async fn read_tenants(
    setup: &Setup,
    partner: &PartnerId,
    now: Timestamp,
) -> Result<(Arc<TenantList>, PartnerConfig), store::Error> {
    let (entries, config) = tokio::join!(
        read_tenant_list(setup, partner, now),
        setup.connections.shared_config(partner),
    );
    let (entries, config) = (entries?, config?);
    let mappings = entries.iter().map(|of| (of.id.clone(), of.value.clone()));
    let config = PartnerConfig {
        mappings: mappings.collect(),
        ..config
    };
    Ok((entries, config))
}

/// The tenants that are shown, sorted by name.
fn select(
    entries: &TenantList,
    epoch: Option<u32>,
    place: &ListPlace,
    backlog: &Backlog,
) -> Vec<StoredTenant> {
    let stored = entries.iter().map(|of| StoredTenant::of(of, epoch));
    let is_shown = |of: &StoredTenant| {
        let company = of.mapping.company_name.as_deref().unwrap_or_default();
        let passes = match place.show {
            None => true,
            Some(TenantFilter::Unmapped) => of.mapping.company.is_none(),
            Some(TenantFilter::Off) => of.mapping.company.is_some() && !of.mapping.enabled,
            Some(TenantFilter::Waiting) => waiting(backlog, &of.id) > 0,
        };
        passes && place.finds([of.mapping.title(&of.id), of.id.as_str(), company])
    };
    let mut found: Vec<_> = stored.filter(is_shown).collect();
    found.sort_by_cached_key(|of| (of.mapping.title(&of.id).to_lowercase(), of.id.clone()));
    found
}

fn waiting(backlog: &Backlog, tenant: &TenantId) -> u64 {
    backlog.tenants.get(tenant).map_or(0, |counts| counts.all)
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
    let (tenant, now) = (query.tenant, invocation.now());
    let connected = require_connected(setup, partner).await?;
    let epoch = connected.connection.epoch;
    let (stored, config, companies) = tokio::join!(
        setup.table().tenants.get(partner, &tenant),
        setup.connections.shared_config(partner),
        read_companies(setup, partner),
    );
    let (stored, mut config) = (stored?, config?);
    let companies: CompanyList = companies?.of_epoch(Some(epoch));
    let mapping = stored.value.unwrap_or_default();
    config.mappings.insert(tenant.clone(), mapping.clone());
    let confirmed = connected.connection.confirmed;
    let assumption = Assumption {
        confirmed: true,
        mapped: Some(&tenant),
    };
    let config = assume(config, assumption, now);
    let counted = CountedTenants::One(&tenant);
    let mut backlog = count_backlog(setup, partner, &config, counted, now).await?;
    let preview = backlog.tenants.remove(&tenant).unwrap_or_default();
    let stored = StoredTenant::new(tenant, mapping, stored.version, Some(epoch));
    let listed = TenantRow::new(stored, preview.all, companies.index.as_ref());
    let search = query.search.as_deref();
    let choice = read_choice(&connected, &listed, search, query.after, invocation).await?;
    Ok(TenantView {
        listed,
        confirmed,
        preview,
        reasons: backlog.words,
        choice,
        list: query.list,
    })
}

/// The companies that a person can choose for a tenant. Without a search these are the suggested
/// ones and those that ConnectWise finds by the tenant's name.
async fn read_choice(
    Connected { client, .. }: &Connected,
    of: &TenantRow,
    search: Option<&str>,
    after: Option<RecordCursor>,
    invocation: &Invocation,
) -> Result<CompanyChoice, Problem> {
    let typed = filled(search);
    let search = typed.unwrap_or(of.title()).to_owned();
    let text =
        SearchText::parse(&search).map_err(|err| Problem::invalid("search", err.to_string()))?;
    let (found, statuses) = tokio::join!(
        find_companies(client, &text, after, invocation),
        company_statuses(client, invocation),
    );
    let (found, statuses) = (found?, statuses?);
    let mut companies: Vec<_> = found
        .items
        .into_iter()
        .map(|company| CompanyOption::new(company, &statuses))
        .collect();
    if typed.is_none() && after.is_none() {
        let is_new = |id| companies.iter().all(|company| company.id != id);
        let suggested = of.suggested.iter().filter(|of| is_new(of.company));
        let suggested: Vec<CompanyOption> = suggested.map(Into::into).collect();
        companies.extend(suggested);
    }
    Ok(CompanyChoice {
        search,
        companies,
        next: found.next,
    })
}
