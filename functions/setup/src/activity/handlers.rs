//! Shows the list of alerts and single alerts, and releases one.

use aws::invocation::Invocation;
use axum::Extension;
use domain::AlertKey;
use domain::alert::blocked::BlockedSince;
use domain::alert::command::{Command, CommandAction};
use domain::wire::message::Message;
use serde::Deserialize;
use store::Actor;

use crate::activity::filter::ActivityFilter;
use crate::activity::{alert_page, reader, view};
use crate::auth::session::PartnerSession;
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page::flash::FlashQuery;
use crate::paths::{self, with_query};
use crate::step::SetupStep;
use crate::{audit, page};

pub(crate) async fn list(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(filter): QueryParams<ActivityFilter>,
) -> Result<PageResponse, Problem> {
    let view = reader::read(&setup, &session.partner, filter, invocation.now()).await?;
    let content = view::render(&view)?;
    let flash = FlashQuery::default();
    let page = page::step(&session, SetupStep::Activity, &flash, &view, &content);
    Ok(page.with_problem(view.problem))
}

#[derive(Deserialize)]
pub(crate) struct AlertQuery {
    /// The key of the alert's item.
    id: String,
    done: Option<String>,
}

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<AlertQuery>,
) -> Result<PageResponse, Problem> {
    let view = reader::read_one(&setup, &session.partner, &query.id, invocation.now()).await?;
    let content = alert_page::render(&view);
    let flash = FlashQuery::new(query.done);
    let (step, title) = (SetupStep::Activity, view.title());
    let page = page::within_step(&session, step, title, &flash, &view, &content);
    Ok(page)
}

#[derive(Deserialize)]
pub(crate) struct AlertForm {
    id: String,
}

/// Releases one alert that waits for a person. Releasing it again is harmless: it is decided by its
/// state at that time.
pub(crate) async fn release(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<AlertForm>,
) -> Result<ChangeResponse, Problem> {
    let record = reader::read_record(&setup, &session.partner, &form.id).await?;
    let blocked = record.blocked.as_ref();
    if !blocked.is_some_and(BlockedSince::can_be_released) {
        return Err(Problem::refused(
            "This alert does not wait for you just now. Load the page again in a minute.",
        ));
    }
    let message = Message::Release(record.key.clone());
    send(&setup, &record.key, "released", message, &invocation).await?;
    next(&form.id, "alert_released")
}

/// Asks for a ticket again for an active alert whose ticket a person ended. The request names the
/// occurrence, so it has one effect however often it is sent.
pub(crate) async fn open_again(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<AlertForm>,
) -> Result<ChangeResponse, Problem> {
    let record = reader::read_record(&setup, &session.partner, &form.id).await?;
    if !record.can_open_again() {
        return Err(Problem::refused(
            "No ticket can be opened again for this alert just now: it has an open ticket, or it is resolved. Load the page again.",
        ));
    }
    let command = Command {
        key: record.key.clone(),
        occurrence: record.occurrence,
        ticket_id: None,
        action: CommandAction::OpenAgain,
    };
    let message = Message::Command(command);
    send(&setup, &record.key, "opened_again", message, &invocation).await?;
    next(&form.id, "alert_opened_again")
}

/// Records the action, then queues the message: nothing happens without a record.
async fn send(
    setup: &Setup,
    key: &AlertKey,
    action: &str,
    message: Message,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let detail = [
        ("tenant", key.tenant.to_string()),
        ("alert", key.alert_id.to_string()),
    ];
    let action = (Actor::Partner, action);
    audit::record(setup, &key.partner, action, &detail, invocation).await;
    setup.queue.send_all(&[message]).await.map_err(|err| {
        tracing::error!(error = %err, "failed to queue a message");
        Problem::unavailable("Nothing was changed. Press the button again in a moment.")
    })
}

fn next(id: &str, done: &str) -> Result<ChangeResponse, Problem> {
    let next = with_query(paths::ALERT, &[("id", id), ("done", done)])?;
    Ok(ChangeResponse::next(next))
}
