//! Shows, confirms and makes changes of many tenants, and reads and writes them as a CSV file.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use domain::PartnerId;
use domain::setup::tenant_changes::{CHANGES_OF_PART, ChangeOrigin, TenantChanges};
use domain::text::cut_to_bytes;
use serde::Deserialize;
use store::{Actor, Versioned};

use crate::auth::session::PartnerSession;
use crate::context::{AppState, Setup};
use crate::http::input::{FileInput, Input, QueryParams};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;
use crate::tenants::changes::make::make_some;
use crate::tenants::changes::view::{ChangesView, ImportView, render, render_import};
use crate::tenants::changes::{prepare, view};
use crate::tenants::company_list::read_companies;
use crate::tenants::csv_file;
use crate::tenants::form::TenantsQuery;
use crate::tenants::reader::read_shown;
use crate::{audit, page, paths};

/// Longest list of names in the history, in bytes.
const MAX_NAMES: usize = 500;

#[derive(Deserialize)]
pub(crate) struct ChangesQuery {
    /// From 1 on.
    page: Option<u32>,
    done: Option<String>,
}

/// The changes that the person looked over.
#[derive(Deserialize)]
pub(crate) struct ConfirmForm {
    version: u64,
    /// The page of the list whose boxes were sent, from 1 on. Without it no change is left out.
    page: Option<u32>,
    /// The places in the list of the ticked boxes.
    #[serde(default)]
    included: BTreeSet<usize>,
    /// Saves the boxes and shows this page, in place of confirming.
    show: Option<u32>,
}

/// The tenants of the list as a CSV file, those of all pages.
pub(crate) async fn export(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<TenantsQuery>,
) -> Result<Response, Problem> {
    let shown = read_shown(&setup, &session.partner, &query.place, &invocation).await?;
    let file = csv_file::write(&shown).map_err(|err| {
        tracing::error!(error = %err, "failed to write a CSV file");
        Problem::unavailable("The file could not be written.")
    })?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"tenants.csv\"",
        ),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    Ok((headers, file).into_response())
}

/// Shows the form for a CSV file.
pub(crate) async fn show_import(
    setup: AppState,
    session: PartnerSession,
) -> Result<PageResponse, Problem> {
    let partner = &session.partner;
    let (connection, companies) = tokio::join!(
        setup.access().connections.get(partner),
        read_companies(&setup, partner),
    );
    let epoch = connection?.value.map(|connection| connection.epoch);
    let view = ImportView {
        has_companies: companies?.of_epoch(epoch).index.is_some(),
    };
    let (step, title) = (SetupStep::Tenants, "Map tenants by a CSV file");
    let flash = FlashQuery::default();
    let content = render_import(&view);
    let page = page::within_step(&session, step, title, &flash, &view, &content);
    Ok(page)
}

/// Prepares the changes that a CSV file asks for.
pub(crate) async fn import(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    FileInput(file): FileInput,
) -> Result<ChangeResponse, Problem> {
    prepare::of_file(&setup, &session.partner, &file, &invocation).await?;
    Ok(ChangeResponse::next(paths::TENANT_CHANGES))
}

/// Prepares the mapping of all tenants whose name is that of exactly one company.
pub(crate) async fn prepare_exact(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    prepare::exact_matches(&setup, &session.partner, &invocation).await?;
    Ok(ChangeResponse::next(paths::TENANT_CHANGES))
}

/// Shows the changes that were prepared last: what they will do, their progress, or what became of
/// them.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    QueryParams(query): QueryParams<ChangesQuery>,
) -> Result<PageResponse, Problem> {
    let (partner, store) = (&session.partner, &setup.table().tenant_changes);
    let Versioned { value, version } = store.get(partner).await?;
    let (title, view) = match value {
        None => (view::TITLE, ChangesView::default()),
        Some(changes) => {
            let part = query.page.unwrap_or(1).clamp(1, changes.parts.max(1)) - 1;
            let rows = store.get_part(partner, changes.prepared_at, part).await?;
            let title = view::title(&changes);
            (title, ChangesView::new(changes, rows, part + 1, version))
        }
    };
    let content = render(&view)?;
    let (step, flash) = (SetupStep::Tenants, FlashQuery::new(query.done));
    let page = page::within_step(&session, step, title, &flash, &view, &content);
    Ok(page)
}

/// Saves which changes are left out, and confirms the others as they were shown. If the process dies
/// right after, the next request makes them.
pub(crate) async fn confirm(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ConfirmForm>,
) -> Result<ChangeResponse, Problem> {
    let (partner, store) = (&session.partner, &setup.table().tenant_changes);
    let changes = prepared(&setup, partner).await?.value;
    if changes.confirmed_at.is_some() || changes.changes == 0 {
        return Err(Problem::refused(
            "These changes are made already, or there are none.",
        ));
    }
    let changes = match form.page {
        Some(page) => changes.with_included(page.max(1) - 1, &form.included),
        None => changes,
    };
    if let Some(page) = form.show {
        let saved = store.save(partner, &changes, form.version).await?;
        saved_version(saved)?;
        let page = page.to_string();
        let next = paths::with_query(paths::TENANT_CHANGES, &[("page", &page)])?;
        return Ok(ChangeResponse::next(next));
    }
    if changes.included() == 0 {
        let words = "Every tenant is left out. Tick at least one.";
        return Err(Problem::invalid("included[]", words));
    }
    let (names, names_left_out) = names(&setup, partner, &changes).await?;
    let mut detail = vec![
        ("changes", changes.included().to_string()),
        ("from", origin(&changes).to_owned()),
        ("tenants", names),
    ];
    if !changes.left_out.is_empty() {
        detail.push(("left_out", changes.left_out.len().to_string()));
        detail.push(("tenants_left_out", names_left_out));
    }
    let confirmed = TenantChanges {
        confirmed_at: Some(invocation.now()),
        ..changes
    };
    let saved = store.save(partner, &confirmed, form.version).await?;
    saved_version(saved)?;
    // Recorded before the changes are made: nothing is changed without a record.
    let action = (Actor::Partner, "tenants_changed");
    audit::record(&setup, partner, action, &detail, &invocation).await;
    Ok(ChangeResponse::next(paths::MAKE_CHANGES))
}

/// Makes confirmed changes for as long as a request may take.
pub(crate) async fn make(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let changes = prepared(&setup, partner).await?;
    if changes.value.confirmed_at.is_none() {
        return Err(Problem::refused(
            "Look over the changes and confirm them first.",
        ));
    }
    let is_running = changes.value.is_running();
    let made = match is_running {
        true => make_some(&setup, partner, changes, &invocation).await?,
        false => changes.value,
    };
    if is_running {
        setup
            .schedule()
            .reconcile_and_probe(partner, invocation.now())
            .await?;
    }
    let next = match made.is_running() {
        true => paths::MAKE_CHANGES,
        false => paths::TENANT_CHANGES,
    };
    let done = made.applied + made.refused;
    let doing = format!("{done} of {} tenants", made.included());
    Ok(ChangeResponse::next(next)
        .with("done", done)
        .with("total", made.included())
        .with("doing", doing)
        .with("applied", made.applied)
        .with("refused", made.refused))
}

/// Stops changes before all are made. Those that were made stay.
pub(crate) async fn stop(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let (partner, store) = (&session.partner, &setup.table().tenant_changes);
    for _ in 0..3 {
        let Versioned { value, version } = prepared(&setup, partner).await?;
        if !value.is_running() {
            return Ok(ChangeResponse::next(paths::TENANT_CHANGES));
        }
        let detail = [
            ("applied", value.applied.to_string()),
            ("changes", value.included().to_string()),
        ];
        let stopped = TenantChanges {
            finished_at: Some(invocation.now()),
            ..value
        };
        // A conflict is with a request that makes changes at this moment.
        if saved_version(store.save(partner, &stopped, version).await?).is_ok() {
            let action = (Actor::Partner, "tenant_changes_stopped");
            audit::record(&setup, partner, action, &detail, &invocation).await;
            return Ok(ChangeResponse::next(paths::TENANT_CHANGES));
        }
    }
    Err(Problem::conflict())
}

async fn prepared(setup: &Setup, partner: &PartnerId) -> Result<Versioned<TenantChanges>, Problem> {
    let Versioned { value, version } = setup.table().tenant_changes.get(partner).await?;
    let value = value.ok_or_else(|| Problem::refused("No changes are prepared."))?;
    Ok(Versioned { value, version })
}

fn origin(changes: &TenantChanges) -> &'static str {
    match changes.origin {
        ChangeOrigin::ExactMatches => "exact matches",
        ChangeOrigin::Csv => "a file",
    }
}

/// The first tenants by name that are changed, and that are left out, for the history.
async fn names(
    setup: &Setup,
    partner: &PartnerId,
    changes: &TenantChanges,
) -> Result<(String, String), Problem> {
    let store = &setup.table().tenant_changes;
    let (mut included, mut left_out) = (vec![], vec![]);
    let first_left_out = changes
        .left_out
        .first()
        .map(|place| place / CHANGES_OF_PART);
    for part in (0..changes.parts)
        .filter(|part| *part == 0 || usize::try_from(*part).ok() == first_left_out)
    {
        let rows = store.get_part(partner, changes.prepared_at, part).await?;
        let rows = rows.unwrap_or_default();
        for (place, row) in TenantChanges::places(part).zip(rows) {
            let names = match changes.left_out.contains(&place) {
                true => &mut left_out,
                false => &mut included,
            };
            names.push(row.title().to_owned());
        }
    }
    let list = |names: &[String]| cut_to_bytes(&names.join(", "), MAX_NAMES);
    Ok((list(&included), list(&left_out)))
}
