//! Shows the list of alerts and single alerts, and releases one.

use aws::invocation::Invocation;
use axum::Extension;
use domain::alert::blocked::BlockedSince;
use domain::wire::message::Message;
use serde::Deserialize;
use store::Actor;

use crate::activity::filter::ActivityFilter;
use crate::activity::{alert_page, reader, view};
use crate::auth::session::PartnerSession;
use crate::context::AppState;
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
    QueryParams(filter): QueryParams<ActivityFilter>,
) -> Result<PageResponse, Problem> {
    let view = reader::read(&setup, &session.partner, filter).await?;
    let content = view::render(&view)?;
    let flash = FlashQuery::default();
    let page = page::step(&session, SetupStep::Activity, &flash, &view, &content);
    Ok(page)
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
    QueryParams(query): QueryParams<AlertQuery>,
) -> Result<PageResponse, Problem> {
    let view = reader::read_one(&setup, &session.partner, &query.id).await?;
    let content = alert_page::render(&view);
    let flash = FlashQuery::new(query.done);
    let page = page::step(&session, SetupStep::Activity, &flash, &view, &content);
    Ok(page)
}

#[derive(Deserialize)]
pub(crate) struct ReleaseForm {
    id: String,
}

/// Releases one alert that waits for a person. Releasing it again is harmless: it is decided by its
/// state at that time.
pub(crate) async fn release(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<ReleaseForm>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let record = reader::read_record(&setup, partner, &form.id).await?;
    let blocked = record.blocked.as_ref();
    if !blocked.is_some_and(BlockedSince::can_be_released) {
        return Err(Problem::refused(
            "This alert does not wait for you just now. Load the page again in a minute.",
        ));
    }
    let action = (Actor::Partner, "released");
    let detail = [
        ("tenant", record.key.tenant.to_string()),
        ("alert", record.key.alert_id.to_string()),
    ];
    // Recorded before the message is sent: nothing is released without a record.
    audit::record(&setup, partner, action, &detail, &invocation).await;
    let message = Message::Release(record.key);
    setup.queue.send_all(&[message]).await.map_err(|err| {
        tracing::error!(error = %err, "failed to queue a message");
        Problem::unavailable("The alert was not released. Press the button again in a moment.")
    })?;
    let next = with_query(
        paths::ALERT,
        &[("id", &form.id), ("done", "alert_released")],
    )?;
    Ok(ChangeResponse::next(next))
}
