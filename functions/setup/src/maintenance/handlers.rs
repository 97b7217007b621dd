//! Shows, previews and changes maintenance windows.

use aws::invocation::Invocation;
use axum::Extension;
use domain::{PartnerId, WindowId};
use serde::Deserialize;
use store::Actor;

use crate::auth::session::PartnerSession;
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams, parse_id};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::maintenance::change::{WindowChange, change, new_id, not_found};
use crate::maintenance::form::{ExistingWindowForm, WindowForm};
use crate::maintenance::reader::read_held;
use crate::maintenance::view::{MaintenanceView, render};
use crate::page;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;
use crate::tenants::reader::read_tenants;

#[derive(Deserialize)]
pub(crate) struct MaintenanceQuery {
    /// The window to change.
    window: Option<WindowId>,
    done: Option<String>,
}

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<MaintenanceQuery>,
) -> Result<PageResponse, Problem> {
    let (partner, now) = (&session.partner, invocation.now());
    let form = match &query.window {
        Some(id) => {
            let windows = setup.table().maintenance.get(partner).await?.value;
            let window = windows.get(id).ok_or_else(|| not_found(id))?;
            WindowForm::of(id, window)
        }
        None => WindowForm::default(),
    };
    let view = read_view(&setup, partner, form, now).await?;
    Ok(page_of(&session, &FlashQuery::new(query.done), &view))
}

/// Shows the form again, with the next occurrences of what it describes. It changes nothing.
pub(crate) async fn preview(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<WindowForm>,
) -> Result<PageResponse, Problem> {
    let (partner, now) = (&session.partner, invocation.now());
    let form = read_tenants_of(&setup, partner, form, now).await?;
    let window = form.parse()?;
    let view = read_view(&setup, partner, form, now).await?;
    let view = view.with_preview(&window, now);
    Ok(page_of(&session, &FlashQuery::default(), &view))
}

fn page_of(session: &PartnerSession, flash: &FlashQuery, view: &MaintenanceView) -> PageResponse {
    page::step(session, SetupStep::Maintenance, flash, view, &render(view))
}

pub(crate) async fn save(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<WindowForm>,
) -> Result<ChangeResponse, Problem> {
    let id = match form.id.clone().filter(|id| !id.is_empty()) {
        Some(id) => parse_id("id", id)?,
        None => new_id()?,
    };
    let (partner, now) = (&session.partner, invocation.now());
    let form = read_tenants_of(&setup, partner, form, now).await?;
    let saved = WindowChange::Save(Box::new(form.parse()?));
    make(&setup, &session, (&id, &saved), "saved", &invocation).await
}

pub(crate) async fn end(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ExistingWindowForm>,
) -> Result<ChangeResponse, Problem> {
    let ended = (&form.window, &WindowChange::End);
    make(&setup, &session, ended, "maintenance_ended", &invocation).await
}

pub(crate) async fn delete(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ExistingWindowForm>,
) -> Result<ChangeResponse, Problem> {
    let deleted = (&form.window, &WindowChange::Delete);
    make(
        &setup,
        &session,
        deleted,
        "maintenance_deleted",
        &invocation,
    )
    .await
}

/// The form with the tenants that were typed.
async fn read_tenants_of(
    setup: &Setup,
    partner: &PartnerId,
    form: WindowForm,
    now: jiff::Timestamp,
) -> Result<WindowForm, Problem> {
    if form.tenant_lines.trim().is_empty() {
        return Ok(form);
    }
    let (_, config) = read_tenants(setup, partner, now).await?;
    form.with_typed_tenants(&config.mappings)
}

async fn make(
    setup: &Setup,
    session: &PartnerSession,
    of: (&WindowId, &WindowChange),
    done: &str,
    invocation: &Invocation,
) -> Result<ChangeResponse, Problem> {
    change(setup, &session.partner, Actor::Partner, of, invocation).await?;
    let path = SetupStep::Maintenance.path();
    Ok(ChangeResponse::next(format!("{path}?done={done}")))
}

async fn read_view(
    setup: &Setup,
    partner: &PartnerId,
    form: WindowForm,
    now: jiff::Timestamp,
) -> Result<MaintenanceView, Problem> {
    let windows = setup.table().maintenance.get(partner).await?.value;
    let held = read_held(setup, partner, &windows, now).await?;
    let (_, config) = read_tenants(setup, partner, now).await?;
    Ok(MaintenanceView::new(&windows, &held, &config, form, now))
}
