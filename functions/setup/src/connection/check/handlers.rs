//! Shows which rights are needed, and the result of the check.

use aws::invocation::Invocation;
use axum::Extension;
use serde::Deserialize;

use crate::auth::session::PartnerSession;
use crate::connection::check::reader::{before_check, check};
use crate::connection::check::view::render;
use crate::context::AppState;
use crate::http::input::QueryParams;
use crate::http::problem::Problem;
use crate::http::response::PageResponse;
use crate::page;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;

#[derive(Deserialize)]
pub(crate) struct CheckQuery {
    /// Whether to call ConnectWise, which can take several seconds.
    #[serde(default)]
    now: bool,
}

/// Shows the page at once, or tests the stored connection. Rights that were missing and are granted now are recorded, and the
/// alerts that were blocked by them are decided again.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    QueryParams(flash): QueryParams<FlashQuery>,
    QueryParams(query): QueryParams<CheckQuery>,
    Extension(invocation): Extension<Invocation>,
) -> Result<PageResponse, Problem> {
    let partner = &session.partner;
    let view = if query.now {
        check(&setup, partner, &invocation).await?
    } else {
        before_check(&setup, partner).await?
    };
    Ok(page::step(
        &session,
        SetupStep::Check,
        &flash,
        &view,
        &render(&view, &flash),
    ))
}
