//! The page "History".

use maud::{Markup, html};
use serde::Serialize;
use store::{Actor, AuditEntry, PageStart};

use crate::http::problem::Problem;
use crate::page;
use crate::paths::with_query;
use crate::step::SetupStep;

#[derive(Serialize)]
pub(super) struct HistoryView {
    pub(super) entries: Vec<AuditEntry>,
    pub(super) next: Option<PageStart>,
}

pub(super) fn render(view: &HistoryView) -> Result<Markup, Problem> {
    let next = view
        .next
        .clone()
        .map(|next| with_query(SetupStep::History.path(), &[("from", &String::from(next))]));
    let next = next.transpose()?;
    Ok(html! {
        @if view.entries.is_empty() { p { "Nothing was changed yet." } }
        @else {
            div class="wide" {
                table class="cards" {
                    caption { "Changes, newest first" }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_shows_who_changed_what() {
        let entry = |who, what: &str| AuditEntry {
            at: "2026-11-02T07:05:00Z".parse().unwrap(),
            who,
            what: what.to_owned(),
            detail: [("tenant".to_owned(), "acme".to_owned())].into(),
        };
        let view = HistoryView {
            entries: vec![
                entry(Actor::Partner, "tenant_saved"),
                entry(Actor::Operator, "link_made"),
            ],
            next: None,
        };
        insta::assert_snapshot!(crate::page::lines(&render(&view).unwrap()));
    }
}
