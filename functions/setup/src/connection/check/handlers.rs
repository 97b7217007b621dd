//! Shows the result of the check.

use aws::invocation::Invocation;
use axum::Extension;

use crate::auth::session::PartnerSession;
use crate::connection::check::reader::check;
use crate::connection::check::view::render;
use crate::context::AppState;
use crate::http::input::QueryParams;
use crate::http::problem::Problem;
use crate::http::response::PageResponse;
use crate::page;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;

/// Tests the stored connection. Rights that were missing and are granted now are recorded, and the
/// alerts that were blocked by them are decided again.
pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    QueryParams(flash): QueryParams<FlashQuery>,
    Extension(invocation): Extension<Invocation>,
) -> Result<PageResponse, Problem> {
    let view = check(&setup, &session.partner, &invocation).await?;
    Ok(page::step(
        &session,
        SetupStep::Check,
        &flash,
        &view,
        &render(&view),
    ))
}
