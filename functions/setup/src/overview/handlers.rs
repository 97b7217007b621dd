//! Shows the overview.

use aws::invocation::Invocation;
use axum::Extension;

use crate::auth::session::PartnerSession;
use crate::context::AppState;
use crate::http::input::QueryParams;
use crate::http::problem::Problem;
use crate::http::response::PageResponse;
use crate::overview::reader::read;
use crate::overview::view::render;
use crate::page;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(flash): QueryParams<FlashQuery>,
) -> Result<PageResponse, Problem> {
    let view = read(&setup, &session.partner, &invocation).await?;
    let content = render(&view);
    let page = page::step(&session, SetupStep::Overview, &flash, &view, &content);
    Ok(page)
}
