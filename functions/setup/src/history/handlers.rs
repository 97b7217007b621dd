//! Shows the history, newest entries first.

use aws::invocation::Invocation;
use axum::Extension;
use serde::Deserialize;
use store::PageStart;

use crate::auth::session::PartnerSession;
use crate::context::AppState;
use crate::history::view::{HistoryView, render};
use crate::http::input::QueryParams;
use crate::http::problem::Problem;
use crate::http::response::PageResponse;
use crate::page;
use crate::page::flash::FlashQuery;
use crate::partner_names::PartnerNames;
use crate::step::SetupStep;
use crate::tenants::reader::read_tenants;

/// Entries on one page.
const PAGE: u16 = 50;

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    from: Option<PageStart>,
}

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<HistoryQuery>,
) -> Result<PageResponse, Problem> {
    let access = setup.access();
    let page = access
        .audit
        .page(&session.partner, query.from.as_ref(), PAGE)
        .await?;
    let view = HistoryView {
        entries: page.entries,
        next: page.next,
    };
    let (_, config) = read_tenants(&setup, &session.partner, invocation.now()).await?;
    let names = PartnerNames::read(access, config).await?;
    let content = render(&view, &names)?;
    let flash = FlashQuery::default();
    let page = page::step(&session, SetupStep::History, &flash, &view, &content);
    Ok(page)
}
