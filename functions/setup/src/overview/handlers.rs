//! Shows the overview.

use aws::invocation::Invocation;
use axum::Extension;
use serde::Deserialize;

use crate::auth::session::PartnerSession;
use crate::context::AppState;
use crate::http::input::QueryParams;
use crate::http::problem::Problem;
use crate::http::response::PageResponse;
use crate::overview::figures::Period;
use crate::overview::reader::read;
use crate::overview::view::render;
use crate::page;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;

#[derive(Deserialize)]
pub(crate) struct OverviewQuery {
    done: Option<String>,
    /// How many days the figures go back.
    days: Option<String>,
}

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<OverviewQuery>,
) -> Result<PageResponse, Problem> {
    let period = Period::new(query.days.as_deref());
    let view = read(&setup, &session.partner, period, &invocation).await?;
    let content = render(&view)?;
    let flash = FlashQuery::new(query.done);
    let page = page::step(&session, SetupStep::Overview, &flash, &view, &content);
    Ok(page)
}
