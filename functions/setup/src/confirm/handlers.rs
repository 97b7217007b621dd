//! Shows the preview, and confirms.

use aws::invocation::Invocation;
use axum::Extension;
use domain::PartnerId;
use domain::setup::settings::Settings;
use serde::Deserialize;
use store::{Actor, Connection, Versioned};

use crate::audit;
use crate::auth::session::PartnerSession;
use crate::backlog::count::{Assumption, CountedTenants, assume, count_backlog};
use crate::checklist::{MissingPart, missing_parts};
use crate::confirm::readiness::check;
use crate::confirm::view::{ConfirmView, render};
use crate::connection::client::require_connected;
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::{ChangeResponse, PageResponse};
use crate::overview::reader::read_issue;
use crate::page;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;
use crate::tenants::reader::read_tenants;

#[derive(Deserialize)]
pub(crate) struct ConfirmForm {
    version: u64,
}

/// Shows what will happen to the blocked alerts.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(flash): QueryParams<FlashQuery>,
) -> Result<PageResponse, Problem> {
    let partner = &session.partner;
    let StoredSetup {
        connection,
        missing,
        ..
    } = StoredSetup::read(&setup, partner).await?;
    let assumption = Assumption {
        confirmed: true,
        ..Assumption::default()
    };
    let now = invocation.now();
    let (_, config) = read_tenants(&setup, partner, now).await?;
    let is_confirmed = connection.value.as_ref().is_some_and(|of| of.confirmed);
    let issue = match is_confirmed {
        true => read_issue(&setup, partner, &config).await?,
        false => None,
    };
    let backlog = if missing.is_empty() {
        let config = assume(config, assumption, now);
        Some(count_backlog(&setup, partner, &config, CountedTenants::All, now).await?)
    } else {
        None
    };
    let view = ConfirmView::new(connection, issue, missing, backlog);
    let content = render(&view);
    let page = page::step(&session, SetupStep::Confirm, &flash, &view, &content);
    Ok(page)
}

/// Confirms, unless something is missing or ConnectWise is not ready. One conditional write. If the
/// process dies after it, blocked alerts are decided at the partner's next reconcile run.
/// Confirming again changes nothing: the backfill starts once.
pub(crate) async fn confirm(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ConfirmForm>,
) -> Result<ChangeResponse, Problem> {
    let (partner, now) = (&session.partner, invocation.now());
    let stored = StoredSetup::read(&setup, partner).await?;
    let (Some(connection), Some(settings), []) = (
        stored.connection.value,
        stored.settings,
        stored.missing.as_slice(),
    ) else {
        let missing: Vec<_> = stored.missing.iter().map(|missing| missing.what).collect();
        return Err(Problem::refused(format!(
            "Still missing: {}.",
            missing.join("; ")
        )));
    };
    if connection.confirmed {
        return Ok(ChangeResponse::next(SetupStep::Confirm.path()));
    }
    let connected = require_connected(&setup, partner).await?;
    check(&connected.client, &settings, &invocation).await?;
    let connection = Connection {
        confirmed: true,
        confirmed_at: Some(now),
        ..connection
    };
    let saved = setup
        .access()
        .connections
        .save(partner, &connection, form.version)
        .await?;
    let version = saved_version(saved)?;
    let action = (Actor::Partner, "confirmed");
    audit::record(&setup, partner, action, &[], &invocation).await;
    setup.schedule().reconcile_and_probe(partner, now).await?;
    Ok(ChangeResponse::next("confirm?done=confirmed").with("version", version))
}

struct StoredSetup {
    connection: Versioned<Option<Connection>>,
    settings: Option<Settings>,
    missing: Vec<MissingPart>,
}

impl StoredSetup {
    async fn read(setup: &Setup, partner: &PartnerId) -> Result<Self, Problem> {
        let access = setup.access();
        let (connection, settings, contacts) = tokio::join!(
            access.connections.get(partner),
            setup.table().settings.get(partner),
            access.contacts.get(partner),
        );
        let (connection, settings) = (connection?, settings?.value);
        let has_contact = contacts?.value.has_emergency_contact();
        let missing = missing_parts(connection.value.as_ref(), settings.as_ref(), has_contact);
        Ok(Self {
            connection,
            settings,
            missing,
        })
    }
}
