//! Shows tenants, maps them, and reads companies for suggestions.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use axum::Extension;
use connectwise::{Cursor, SearchText};
use domain::settings::{Company, Mapping};
use domain::{PartnerId, TenantId};
use serde::Deserialize;
use store::{Actor, PageStart};

use crate::auth::session::PartnerSession;
use crate::backlog::count::{Assumption, count_backlog};
use crate::connection::client::{Connected, require_connected};
use crate::context::{AppState, Setup};
use crate::http::input::{Input, OptionalId, QueryParams, filled};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;
use crate::tenants::reader::{company_statuses, find_companies, in_epoch, usable_company};
use crate::tenants::suggestions::read_more;
use crate::tenants::view::{
    CompanyOption, TenantRow, TenantView, TenantsView, render_list, render_one,
};
use crate::{audit, page, paths};

/// Tenants on one page.
const PAGE: u16 = 100;

#[derive(Deserialize)]
pub(crate) struct TenantsQuery {
    from: Option<PageStart>,
    done: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct TenantQuery {
    tenant: TenantId,
    search: Option<String>,
    after: Option<Cursor>,
}

#[derive(Deserialize)]
pub(crate) struct TenantForm {
    tenant: TenantId,
    #[serde(default)]
    company: OptionalId,
    #[serde(default)]
    enabled: bool,
    version: u64,
}

/// Lists the tenants that sent alerts, with the number of blocked alerts of each.
pub(crate) async fn list(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<TenantsQuery>,
) -> Result<PageResponse, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let (page, backlog, connection, suggestions, at_the_limit) = tokio::join!(
        table.tenants(partner, query.from.as_ref(), PAGE),
        count_backlog(&setup, partner, Assumption::None, invocation.now()),
        setup.access().connection(partner),
        table.suggestions_to_change(partner),
        table.sources_at_the_limit(partner),
    );
    let (page, mut backlog) = (page?, backlog?);
    let epoch = connection?.map(|connection| connection.epoch);
    let suggestions = suggestions?.value.filter(|of| Some(of.epoch) == epoch);
    let ends = page.entries.first().zip(page.entries.last());
    let mut suggested = match ends {
        Some((first, last)) => {
            table
                .suggested_between(partner, &first.id, &last.id)
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
    let view = TenantsView {
        tenants: tenants.collect(),
        next: page.next,
        more_waiting: backlog.more,
        at_the_limit: at_the_limit?,
        suggestions: suggestions.as_ref().map(Into::into),
    };
    let content = render_list(&view, epoch.is_some(), &session)?;
    let flash = FlashQuery::new(query.done);
    Ok(page::step(
        &session,
        SetupStep::Tenants,
        &flash,
        &view,
        &content,
    ))
}

/// Shows one tenant, and the companies that a search finds; at first, those with its name.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<TenantQuery>,
) -> Result<PageResponse, Problem> {
    let (table, partner, tenant) = (setup.table(), &session.partner, query.tenant);
    let Connected { connection, client } = require_connected(&setup, partner).await?;
    let assumption = Assumption::Mapped(&tenant);
    let (stored, suggested, backlog, statuses) = tokio::join!(
        table.mapping_to_change(partner, &tenant),
        table.suggested(partner, &tenant),
        count_backlog(&setup, partner, assumption, invocation.now()),
        company_statuses(&client, &invocation),
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
    let companies = find_companies(&client, &text, query.after, &invocation).await?;
    let view = TenantView {
        listed: TenantRow::new(tenant, mapping, stored.version, preview.all, suggested),
        preview,
        search,
        companies: companies
            .items
            .into_iter()
            .map(|company| CompanyOption::new(company, &statuses))
            .collect(),
        next: companies.next,
    };
    let content = render_one(&view, &session)?;
    let flash = FlashQuery::default();
    Ok(page::step(
        &session,
        SetupStep::Tenants,
        &flash,
        &view,
        &content,
    ))
}

/// Maps a tenant, and switches it on or off. If the process dies after the save, the tenant's
/// blocked alerts are decided at the partner's next reconcile run.
pub(crate) async fn save(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<TenantForm>,
) -> Result<ChangeResponse, Problem> {
    let (table, partner, now) = (setup.table(), &session.partner, invocation.now());
    let before = table.mapping_to_change(partner, &form.tenant).await?;
    let mapping = before.value.unwrap_or_default();
    let company = chosen_company(&setup, partner, &form, &mapping, &invocation).await?;
    let name = company.as_ref().map(|company| company.name.clone());
    let mapping = mapping.chosen(company, form.enabled, now);
    let saved = table
        .save_mapping(partner, &form.tenant, &mapping, form.version)
        .await?;
    let version = saved_version(saved)?;
    let tickets = if form.enabled { "on" } else { "off" };
    let action = (Actor::Partner, "tenant_saved");
    let detail = [
        ("tenant", form.tenant.to_string()),
        ("company", name.unwrap_or_else(|| "none".to_owned())),
        ("tickets", tickets.to_owned()),
    ];
    audit::record(&setup, partner, action, &detail, &invocation).await;
    setup.connections.changed(partner, now).await?;
    Ok(ChangeResponse::next("/setup/tenants?done=saved").with("version", version))
}

/// The company to map; `None` unmaps the tenant.
async fn chosen_company(
    setup: &Setup,
    partner: &PartnerId,
    form: &TenantForm,
    mapping: &Mapping,
    invocation: &Invocation,
) -> Result<Option<Company>, Problem> {
    let Some(id) = form.company.0 else {
        if form.enabled {
            let words = "Choose a company before you switch the tenant on.";
            return Err(Problem::invalid("company", words));
        }
        return Ok(None);
    };
    if !form.enabled && mapping.company == Some(id) {
        // A mapped tenant can be switched off whatever the state of its company.
        return Ok(mapping.company_name.clone().map(|name| Company {
            id,
            name,
            epoch: mapping.epoch.unwrap_or_default(),
        }));
    }
    let Connected { connection, client } = require_connected(setup, partner).await?;
    let company = usable_company(&client, id, invocation).await?;
    Ok(Some(Company {
        id,
        name: company.name,
        epoch: connection.epoch,
    }))
}

/// Reads companies for as long as a request may take, and saves those that have a tenant's name.
pub(crate) async fn read_companies(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let connected = require_connected(&setup, partner).await?;
    let reading = read_more(&setup, partner, &connected, &invocation).await?;
    let next = match reading.finished_at {
        Some(_) => "/setup/tenants?done=suggested",
        None => paths::READ_COMPANIES,
    };
    let total = reading.total.max(reading.read);
    let doing = format!("{} of {total} companies read", reading.read);
    Ok(ChangeResponse::next(next)
        .with("done", reading.read)
        .with("total", total)
        .with("doing", doing))
}
