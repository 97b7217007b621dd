//! Shows tenants, maps them, and reads companies for suggestions.

use aws::invocation::Invocation;
use axum::Extension;
use domain::PartnerId;
use domain::setup::mapping::{ChosenCompany, Mapping};
use domain::wire::tenant_list::{NamedTenant, clean_name};
use store::{Actor, AddedTenant};

use crate::auth::session::PartnerSession;
use crate::connection::client::{Connected, require_connected};
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams, filled, parse_id};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;
use crate::tenants::companies::usable_company;
use crate::tenants::company_list::read_more;
use crate::tenants::form::{NewTenantForm, TenantForm, TenantQuery, TenantsQuery};
use crate::tenants::list_view::render_list;
use crate::tenants::reader::{read_list, read_one};
use crate::tenants::tenant_view::render_one;
use crate::{audit, page, paths};

/// Lists the tenants that sent alerts, with the number of blocked alerts of each.
pub(crate) async fn list(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<TenantsQuery>,
) -> Result<PageResponse, Problem> {
    let flash = FlashQuery::new(query.done.clone());
    let view = read_list(&setup, &session.partner, query, &invocation).await?;
    let content = render_list(&view)?;
    let page = page::step(&session, SetupStep::Tenants, &flash, &view, &content);
    Ok(page)
}

/// Shows one tenant, and the companies that a search finds; at first, those with its name.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<TenantQuery>,
) -> Result<PageResponse, Problem> {
    let view = read_one(&setup, &session.partner, query, &invocation).await?;
    let content = render_one(&view)?;
    let flash = FlashQuery::default();
    let (step, title) = (SetupStep::Tenants, view.listed.title());
    let page = page::within_step(&session, step, title, &flash, &view, &content);
    Ok(page)
}

/// The company of a tenant, and whether its alerts become tickets, for the history.
fn words_of(mapping: &Mapping) -> (String, String) {
    let company = match (&mapping.company_name, mapping.company) {
        (Some(name), Some(_)) => name.clone(),
        (None, Some(id)) => id.to_string(),
        (_, None) => "none".to_owned(),
    };
    let tickets = if mapping.enabled { "on" } else { "off" };
    (company, tickets.to_owned())
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
    let before = table.tenants.get(partner, &form.tenant).await?;
    let mapping = before.value.unwrap_or_default();
    let (company_before, tickets_before) = words_of(&mapping);
    let company = chosen_company(&setup, partner, &form, &mapping, &invocation).await?;
    let mapping = mapping.with_choice(company, form.enabled, now);
    let saved = table
        .tenants
        .save(partner, &form.tenant, &mapping, form.version)
        .await?;
    let version = saved_version(saved)?;
    let (company, tickets) = words_of(&mapping);
    let action = (Actor::Partner, "tenant_saved");
    let detail = [
        ("tenant", form.tenant.to_string()),
        ("company", audit::changed(&company_before, &company)),
        ("tickets", audit::changed(&tickets_before, &tickets)),
    ];
    audit::record(&setup, partner, action, &detail, &invocation).await;
    setup.schedule().reconcile_and_probe(partner, now).await?;
    let next = form.list.address(&[("done", "saved")])?;
    Ok(ChangeResponse::next(next).with("version", version))
}

/// Lists a tenant ahead of its first alert, not mapped.
pub(crate) async fn add(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<NewTenantForm>,
) -> Result<ChangeResponse, Problem> {
    let (table, partner, source) = (setup.table(), &session.partner, &form.source);
    let sources = setup.access().partner_sources.get_all(partner).await?;
    if !sources.contains_key(source) {
        return Err(Problem::invalid("source", "Choose one of your sources."));
    }
    let tenant = NamedTenant {
        id: parse_id("tenant", form.tenant.trim().to_owned())?,
        name: filled(form.name.as_deref()).and_then(clean_name),
    };
    match table.tenants.add(partner, source, &tenant).await? {
        AddedTenant::Added => {}
        AddedTenant::Exists => {
            let words = "A tenant with this id is listed already.";
            return Err(Problem::invalid("tenant", words));
        }
        AddedTenant::TooMany => {
            let words = "This source has too many tenants that are not mapped. Map some first.";
            return Err(Problem::invalid("source", words));
        }
    }
    let action = (Actor::Partner, "tenant_added");
    let detail = [
        ("tenant", tenant.id.to_string()),
        ("source", source.to_string()),
    ];
    audit::record(&setup, partner, action, &detail, &invocation).await;
    Ok(ChangeResponse::next("tenants?done=tenant_added"))
}

/// The company to map; `None` unmaps the tenant.
async fn chosen_company(
    setup: &Setup,
    partner: &PartnerId,
    form: &TenantForm,
    mapping: &Mapping,
    invocation: &Invocation,
) -> Result<Option<ChosenCompany>, Problem> {
    let Some(id) = form.company.0 else {
        if form.enabled {
            let words = "Choose a company before you switch the tenant on.";
            return Err(Problem::invalid("company", words));
        }
        return Ok(None);
    };
    if !form.enabled && mapping.company == Some(id) {
        // A mapped tenant can be switched off whatever the state of its company.
        return Ok(Some(ChosenCompany {
            id,
            name: mapping.company_name.clone().unwrap_or_default(),
            epoch: mapping.epoch.unwrap_or_default(),
        }));
    }
    let Connected { connection, client } = require_connected(setup, partner).await?;
    let company = usable_company(&client, id, invocation).await?;
    Ok(Some(ChosenCompany {
        id,
        name: company.name,
        epoch: connection.epoch,
    }))
}

/// Reads companies for as long as a request may take.
pub(crate) async fn read_companies(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let connected = require_connected(&setup, partner).await?;
    let reading = read_more(&setup, partner, &connected, &invocation).await?;
    let next = match reading.finished_at {
        Some(_) => "tenants?done=suggested",
        None => paths::READ_COMPANIES,
    };
    let total = reading.total.max(reading.read);
    let doing = format!("{} of {total} companies read", reading.read);
    Ok(ChangeResponse::next(next)
        .with("done", reading.read)
        .with("total", total)
        .with("doing", doing))
}
