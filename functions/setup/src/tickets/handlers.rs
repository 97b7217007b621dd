//! Shows and saves how tickets look.

use aws::invocation::Invocation;
use axum::Extension;
use domain::alert::kind::with_added;
use store::Actor;

use crate::audit;
use crate::auth::session::PartnerSession;
use crate::connection::client::{Connected, require_connected};
use crate::context::AppState;
use crate::http::input::{Input, QueryParams};
use crate::http::problem::{Problem, saved_version};
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;
use crate::tickets::changes::changes;
use crate::tickets::custom_fields::resolve;
use crate::tickets::form::{TicketsForm, check};
use crate::tickets::lists::ticket_lists;
use crate::tickets::reader::read;
use crate::tickets::view::render;

/// Shows what is chosen, and the options.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    QueryParams(flash): QueryParams<FlashQuery>,
    Extension(invocation): Extension<Invocation>,
) -> Result<PageResponse, Problem> {
    let view = read(&setup, &session.partner, &invocation).await?;
    let content = render(&view);
    let page = page::step(&session, SetupStep::Tickets, &flash, &view, &content);
    Ok(page)
}

/// Saves the choices if ConnectWise has them. One conditional write: if the process dies right
/// after, the choices are saved, and reconcile decides blocked alerts at its next run.
pub(crate) async fn save(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<TicketsForm>,
) -> Result<ChangeResponse, Problem> {
    let (table, partner) = (setup.table(), &session.partner);
    let Connected { connection, client } = require_connected(&setup, partner).await?;
    let stored = table.settings.get(partner).await?;
    if stored.version != form.version {
        return Err(Problem::conflict());
    }
    let settings = stored.value;
    let before = settings.filter(|settings| settings.belongs_to(connection.epoch));
    let before = before
        .ok_or_else(|| Problem::refused_until(SetupStep::Boards, "Choose the boards first."))?;
    let kinds = with_added(&setup.added_kinds(partner).await?);
    let off = form.kinds_off(&before, &kinds)?;
    let after = form.settings(&before, &kinds, connection.epoch)?;
    let after = after.with_kinds_off(off, invocation.now());
    let lists = ticket_lists(&client, &before, invocation.call_ends()).await?;
    let after = resolve(&before, after, &lists)?;
    check(&before, &after, &lists)?;
    saved_version(table.settings.save(partner, &after, stored.version).await?)?;
    let action = (Actor::Partner, "tickets_saved");
    let changes = changes(&before, &after, &lists);
    let changes = changes.iter();
    let detail: Vec<_> = changes
        .map(|(name, words)| (name.as_str(), words.clone()))
        .collect();
    audit::record(&setup, partner, action, &detail, &invocation).await;
    let now = invocation.now();
    setup.schedule().reconcile_and_probe(partner, now).await?;
    let path = SetupStep::Tickets.path();
    Ok(ChangeResponse::next(format!("{path}?done=saved")))
}
