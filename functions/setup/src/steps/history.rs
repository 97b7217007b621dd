//! Who changed what.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{Actor, AuditEntry, PageStart};

use crate::State;
use crate::answer::{PageResponse, Problem};
use crate::input::QueryParams;
use crate::page::{self, Step};
use crate::session::Session;

/// Entries on one page.
const PAGE: u16 = 50;

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    from: Option<PageStart>,
}

#[derive(Serialize)]
struct History {
    entries: Vec<AuditEntry>,
    next: Option<PageStart>,
}

/// The newest first.
pub(crate) async fn show(
    setup: State,
    session: Session,
    QueryParams(asked): QueryParams<HistoryQuery>,
) -> Result<PageResponse, Problem> {
    let page = setup
        .access()
        .audit
        .page(&session.partner, asked.from.as_ref(), PAGE)
        .await?;
    let view = History {
        entries: page.entries,
        next: page.next,
    };
    let html = render(&view)?;
    Ok(PageResponse::of(
        &view,
        page::step(&session, Step::History, None, &html),
    ))
}

fn render(view: &History) -> Result<Markup, Problem> {
    let next = view
        .next
        .clone()
        .map(|next| super::query(Step::History.path(), &[("from", &String::from(next))]));
    let next = next.transpose()?;
    Ok(html! {
        @if view.entries.is_empty() { p { "Nothing was changed yet." } }
        @else {
            div class="wide" {
                table class="cards" {
                    caption { "What was changed, the newest first" }
                    thead { tr { th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } } }
                    tbody {
                        @for entry in &view.entries {
                            tr {
                                td data-label="When" { (page::time(entry.at)) }
                                td data-label="Who" { @match entry.who { Actor::Operator => "operator", Actor::Partner => "this page" } }
                                td data-label="What" {
                                    (entry.what.replace('_', " "))
                                    @for (name, value) in &entry.detail { " · " small { (name) ": " (value) } }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(next) = next { p { a href=(next) { "Older" } } }
    })
}
