//! The list of a partner's sources.

use maud::{Markup, html};
use serde::Serialize;

use super::{SourceRow, last_message, one_path, product, state};
use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::paths;

#[derive(Serialize)]
pub(crate) struct SourcesView {
    /// Whether the partner may create and change sources.
    pub(crate) can_manage: bool,
    pub(crate) sources: Vec<SourceRow>,
    /// Messages that could not be read and wait for a person.
    pub(crate) waiting: usize,
    /// There are more of them.
    pub(crate) more_waiting: bool,
}

pub(crate) fn render_list(view: &SourcesView) -> Result<Markup, Problem> {
    let mut rows = vec![];
    for of in &view.sources {
        rows.push(row(of, &one_path(&of.id)?));
    }
    Ok(html! {
        p { "A source is a product that posts alerts here. Each has an address and a secret of its own." }
        @if !view.can_manage {
            p class="note" { "The operator of your Ticketbridge manages the sources. This page shows them." }
        }
        @if view.waiting > 0 {
            p class="problem" {
                (counted(view.waiting as u64, "message")) @if view.more_waiting { " or more" }
                " could not be read, so no tickets were created for them. "
                a href=(paths::QUARANTINE) { "Look at the messages" }
            }
        }
        @if rows.is_empty() { p { "There are no sources yet." } }
        @else {
            div class="wide" {
                table class="cards" {
                    caption { "Sources" }
                    thead { tr {
                        th scope="col" { "Source" }
                        th scope="col" { "Product" }
                        th scope="col" { "State" }
                        th scope="col" { "Last message" }
                        th scope="col" { "Not readable in seven days" }
                    } }
                    tbody { @for row in &rows { (row) } }
                }
            }
        }
        @if view.can_manage { p { a href=(paths::NEW_SOURCE) { "Add a source" } } }
    })
}

fn row(of: &SourceRow, path: &str) -> Markup {
    html! {
        tr {
            th scope="row" { a href=(path) { (of.name) } }
            td data-label="Product" { (product(of)) }
            td data-label="State" { (state(of)) }
            td data-label="Last message" { (last_message(of)) }
            td data-label="Not readable in seven days" {
                @if of.rejected == 0 && of.quarantined == 0 { "none" }
                @if of.rejected > 0 { (counted(of.rejected.into(), "alert")) " refused" }
                @if of.rejected > 0 && of.quarantined > 0 { ", " }
                @if of.quarantined > 0 { (counted(of.quarantined.into(), "alert")) " stored" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page;
    use crate::sources::view::{FormatName, example};

    #[test]
    fn the_list_shows_what_each_source_needs() {
        let sources = vec![
            example(FormatName::Unmapped),
            SourceRow {
                enabled: false,
                shared: true,
                ..example(FormatName::CloudEvents)
            },
            SourceRow {
                preset: Some("NinjaOne".to_owned()),
                needs_secret: true,
                last_message_at: None,
                rejected: 0,
                quarantined: 0,
                ..example(FormatName::Mapped)
            },
        ];
        let view = SourcesView {
            can_manage: true,
            sources,
            waiting: 4,
            more_waiting: false,
        };
        insta::assert_snapshot!(page::lines(&render_list(&view).unwrap()));
    }
}
