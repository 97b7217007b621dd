//! The pages "Map tenants by a CSV file" and of changes of many tenants.

use domain::setup::tenant_changes::{
    CHANGES_OF_PART, ChangeOrigin, ChangeOutcome, TenantChange, TenantChanges,
};
use maud::{Markup, html};
use serde::Serialize;

use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::page;
use crate::paths::{self, with_query};
use crate::step::SetupStep;
use crate::tenants::companies::describe_issue;
use crate::tenants::csv_file::MAX_LINES;

pub(super) const TITLE: &str = "Changes of tenants";

#[derive(Serialize)]
pub(super) struct ImportView {
    /// Whether the companies were read, so that a file can be compared with them.
    pub(super) has_companies: bool,
}

/// The changes that were prepared last.
#[derive(Default, Serialize)]
pub(super) struct ChangesView {
    /// `None` if there are none.
    changes: Option<TenantChanges>,
    /// One page of them. `None` if they are unreadable, since others were prepared.
    rows: Option<Vec<TenantChange>>,
    page: u32,
    version: u64,
}

impl ChangesView {
    pub(super) fn new(
        changes: TenantChanges,
        rows: Option<Vec<TenantChange>>,
        page: u32,
        version: u64,
    ) -> Self {
        let has_rows = changes.parts > 0;
        Self {
            rows: if has_rows { rows } else { Some(vec![]) },
            changes: Some(changes),
            page,
            version,
        }
    }
}

pub(super) fn title(changes: &TenantChanges) -> &'static str {
    match changes.origin {
        ChangeOrigin::ExactMatches => "All exact matches",
        ChangeOrigin::Csv => "Changes from the file",
    }
}

pub(super) fn render_import(view: &ImportView) -> Markup {
    html! {
        p { "Download the list, change it in a spreadsheet, and send it back as a CSV file. You see what will change before anything is changed." }
        p { a href=(paths::EXPORT_TENANTS) download { "Download all tenants (CSV)" } }
        ul {
            li { b { "Tenant id" } ": as it is listed. A line whose tenant is not listed is an error." }
            li { b { "Company id" } ": the number or the short name of a company in ConnectWise. Leave it empty to find the company by its name." }
            li { b { "Company name" } ": counts only without a company id. If both are empty, the tenant keeps its company." }
            li { b { "Tickets" } ": \"on\" or \"off\". If it is empty, a tenant that is newly mapped is switched on, and any other stays as it is." }
            li { "Tenant names are not changed. A file unmaps no tenant." }
        }
        @if view.has_companies {
            form method="post" action=(paths::IMPORT_TENANTS) enctype="multipart/form-data" {
                label for="file" { "CSV file" }
                input id="file" name="file" type="file" accept=".csv,text/csv" required aria-describedby="file-help";
                small id="file-help" { "At most " (MAX_LINES) " lines and 2 MB, in UTF-8." }
                button { "Show what will change" }
            }
        } @else {
            p class="note" { "Ticketbridge must read your companies before it can compare a file with them." }
            form method="post" action=(paths::READ_COMPANIES) { button { "Read the companies" } }
        }
        p { a href=(SetupStep::Tenants.path()) { "All tenants" } }
    }
}

pub(super) fn render(view: &ChangesView) -> Result<Markup, Problem> {
    let all_tenants = html! { p { a href=(SetupStep::Tenants.path()) { "All tenants" } } };
    let Some(changes) = &view.changes else {
        return Ok(html! { p { "No changes are prepared." } (all_tenants) });
    };
    let Some(rows) = &view.rows else {
        return Ok(html! {
            p class="problem" { "Other changes were prepared meanwhile. Prepare these again." }
            @if changes.is_running() { (stop_form()) }
            (all_tenants)
        });
    };
    let is_preview = changes.confirmed_at.is_none() && changes.changes > 0;
    if is_preview {
        return Ok(html! {
            (preview(changes))
            (line_errors(changes))
            (selection(view, changes, rows))
            (all_tenants)
        });
    }
    let address = |page: usize| with_query(paths::TENANT_CHANGES, &[("page", &page.to_string())]);
    let links = page::numbered_links(view.page as usize, changes.parts as usize, address)?;
    Ok(html! {
        @if changes.finished_at.is_some() { (result(changes)) }
        @else if changes.is_running() { (progress(changes)) }
        @else { (preview(changes)) }
        @if changes.finished_at.is_none() { (line_errors(changes)) }
        @if !rows.is_empty() { (table(view, changes, rows)) (links) }
        (all_tenants)
    })
}

fn preview(changes: &TenantChanges) -> Markup {
    let (included, left_out) = (changes.included() as u64, changes.left_out.len() as u64);
    html! {
        p { "Nothing is changed yet. Look over the list, then confirm it." }
        ul {
            li { b { (counted(included, "tenant")) } @if included == 1 { " changes" } @else { " change" } }
            @if left_out > 0 { li { b { (counted(left_out, "tenant")) } @if left_out == 1 { " is left out" } @else { " are left out" } } }
            @if changes.unchanged > 0 { li { (counted(changes.unchanged as u64, "line")) @if changes.unchanged == 1 { " changes nothing" } @else { " change nothing" } } }
            @if changes.invalid > 0 { li class="bad" { (counted(changes.invalid as u64, "line")) " cannot be used" } }
        }
    }
}

/// The list with a box for each tenant. Every button saves the boxes of this page; the first is the
/// one that a browser presses for the enter key. A page can be long, so the buttons are above the
/// list too.
fn selection(view: &ChangesView, changes: &TenantChanges, rows: &[TenantChange]) -> Markup {
    let show = |page: u32, words: &str| {
        html! { button class="plain" name="show" value=(page) { (words) } }
    };
    let buttons = html! {
        div class="actions" {
            (show(view.page, "Update the count"))
            button { "Confirm " (counted(changes.included() as u64, "change")) }
        }
        @if changes.parts > 1 {
            div class="actions" {
                @if view.page > 1 { (show(view.page - 1, "Previous")) }
                span { "Page " (view.page) " of " (changes.parts) }
                @if view.page < changes.parts { (show(view.page + 1, "Next")) }
            }
        }
    };
    html! {
        form method="post" action=(paths::TENANT_CHANGES) {
            input type="hidden" name="version" value=(view.version);
            input type="hidden" name="page" value=(view.page);
            p {
                "Untick a tenant to leave it out: it stays as it is."
                @if changes.parts > 1 { " Tenants on the other pages are changed too, unless you leave them out there." }
            }
            (buttons)
            (table(view, changes, rows))
            (buttons)
        }
    }
}

fn progress(changes: &TenantChanges) -> Markup {
    let done = changes.applied + changes.refused;
    html! {
        form method="post" action=(paths::MAKE_CHANGES) data-progress=(paths::MAKE_CHANGES) {
            label for="making" { "Changing tenants" }
            progress id="making" max=(changes.included().max(1)) value=(done) {}
            p data-doing { (done) " of " (counted(changes.included() as u64, "tenant")) }
            p { "It continues by itself while this page is open; without JavaScript, press Continue. You may leave the page and come back: it continues where it stopped." }
            button { "Continue" }
        }
        (stop_form())
    }
}

fn stop_form() -> Markup {
    html! {
        form method="post" action=(paths::STOP_CHANGES) { button class="plain" { "Stop" } }
    }
}

fn result(changes: &TenantChanges) -> Markup {
    let left = changes
        .included()
        .saturating_sub(changes.applied + changes.refused);
    html! {
        p class="done" role="status" { (counted(changes.applied as u64, "tenant")) @if changes.applied == 1 { " was changed." } @else { " were changed." } }
        @if changes.refused > 0 {
            p class="problem" {
                (counted(changes.refused as u64, "tenant")) @if changes.refused == 1 { " was" } @else { " were" }
                " not changed. The list says why; correct the cause, or change the tenant on its own page."
            }
        }
        @if !changes.left_out.is_empty() { p { (counted(changes.left_out.len() as u64, "tenant")) @if changes.left_out.len() == 1 { " was" } @else { " were" } " left out." } }
        @if left > 0 { p class="note" { "The changes were stopped: " (counted(left as u64, "tenant")) " stayed as before. Prepare the changes again to continue." } }
    }
}

fn line_errors(changes: &TenantChanges) -> Markup {
    if changes.invalid == 0 {
        return html! {};
    }
    html! {
        section aria-label="Lines that cannot be used" {
            h2 { "Lines that cannot be used" }
            p { "Correct them in the file and send it again, or confirm the other lines." }
            ul { @for err in &changes.errors { li { "Line " (err.line) ": " (err.problem) } } }
            @if changes.invalid > changes.errors.len() { p { "These are the first " (changes.errors.len()) " of " (changes.invalid) "." } }
        }
    }
}

fn table(view: &ChangesView, changes: &TenantChanges, rows: &[TenantChange]) -> Markup {
    let first = (view.page as usize - 1) * CHANGES_OF_PART + 1;
    let has_outcome = changes.confirmed_at.is_some();
    html! {
        div class="wide" {
            table class="cards" {
                caption { "Tenants by name: " (first) " to " (first + rows.len() - 1) " of " (changes.changes) }
                thead { tr {
                    @if !has_outcome { th scope="col" { "Change" } }
                    th scope="col" { "Tenant" }
                    th scope="col" { "Company in ConnectWise" }
                    th scope="col" { "Tickets" }
                    @if has_outcome { th scope="col" { "Result" } }
                } }
                tbody {
                    @for (place, row) in TenantChanges::places(view.page - 1).zip(rows) {
                        @let is_left_out = changes.left_out.contains(&place);
                        tr {
                            @if !has_outcome {
                                td {
                                    label data-label="Change" {
                                        input type="checkbox" name="included[]" value=(place) checked[!is_left_out] aria-label={ "Change " (row.title()) };
                                    }
                                }
                            }
                            th scope="row" { (row.title()) @if row.name.is_some() { br; small { (row.tenant) } } }
                            td data-label="Company" { (row.company_name) " " small { "(" (row.company) ")" } }
                            td data-label="Tickets" { @if row.enabled { span class="good" { "on" } } @else { span class="warn" { "off" } } }
                            @if has_outcome {
                                td data-label="Result" { @if is_left_out { span class="soft" { "left out" } } @else { (outcome(row)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn outcome(row: &TenantChange) -> Markup {
    html! {
        @match row.outcome {
            None => span class="soft" { "not changed yet" },
            Some(ChangeOutcome::Applied) => span class="good" { "changed" },
            Some(ChangeOutcome::Conflict) => span class="bad" { "not changed: another person changed it meanwhile" },
            Some(ChangeOutcome::Unusable(issue)) => span class="bad" { "not changed: the company is " (describe_issue(issue)) },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::TenantId;
    use domain::monitoring::issue::CompanyIssue;
    use domain::setup::tenant_changes::LineError;
    use jiff::Timestamp;

    use super::*;

    fn changes() -> TenantChanges {
        TenantChanges {
            origin: ChangeOrigin::Csv,
            prepared_at: Timestamp::UNIX_EPOCH,
            epoch: 1,
            parts: 2,
            changes: 103,
            unchanged: 1,
            invalid: 1,
            errors: vec![LineError {
                line: 7,
                problem: "ConnectWise has no company \"99\".".to_owned(),
            }],
            left_out: BTreeSet::from([101]),
            confirmed_at: None,
            next: 0,
            applied: 0,
            refused: 0,
            finished_at: None,
        }
    }

    fn row(id: &str, outcome: Option<ChangeOutcome>) -> TenantChange {
        TenantChange {
            tenant: TenantId::parse(id).unwrap(),
            name: Some("Acme".to_owned()),
            version: 1,
            company: 301,
            company_name: "Acme Dental".to_owned(),
            enabled: true,
            outcome,
        }
    }

    #[test]
    fn changes_are_previewed_with_the_lines_that_cannot_be_used() {
        let rows = vec![row("a", None), row("b", None), row("c", None)];
        let view = ChangesView::new(changes(), Some(rows), 2, 4);
        insta::assert_snapshot!(page::lines(&render(&view).unwrap()));
    }

    #[test]
    fn changes_that_were_stopped_say_what_is_left() {
        let stopped = TenantChanges {
            confirmed_at: Some(Timestamp::UNIX_EPOCH),
            finished_at: Some(Timestamp::UNIX_EPOCH),
            parts: 1,
            changes: 5,
            left_out: BTreeSet::from([4]),
            applied: 1,
            refused: 2,
            ..changes()
        };
        let rows = vec![
            row("a", Some(ChangeOutcome::Applied)),
            row("b", Some(ChangeOutcome::Conflict)),
            row("c", Some(ChangeOutcome::Unusable(CompanyIssue::Inactive))),
            row("d", None),
            row("e", None),
        ];
        let view = ChangesView::new(stopped, Some(rows), 1, 9);
        insta::assert_snapshot!(page::lines(&render(&view).unwrap()));
    }
}
