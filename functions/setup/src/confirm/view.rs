//! The page "Confirm".

use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;
use store::{Connection, Versioned};

use crate::backlog::count::{Backlog, BacklogCounts};
use crate::checklist::{MissingPart, counted};
use crate::overview::view::IssueView;
use crate::page;
use crate::step::SetupStep;

#[derive(Serialize)]
pub(super) struct ConfirmView {
    confirmed: bool,
    confirmed_at: Option<Timestamp>,
    /// What keeps alerts from becoming tickets although the set-up is confirmed.
    issue: Option<IssueView>,
    version: u64,
    missing: Vec<MissingPart>,
    waiting: Option<BacklogCounts>,
    /// Tenants with alerts that become tickets.
    tenants: usize,
    tenants_unmapped: usize,
    tenants_disabled: usize,
    /// There are more alerts than were counted.
    more_waiting: bool,
    /// The alerts that wait for anything else, by its description.
    #[serde(skip)]
    others: Vec<(String, u64)>,
}

impl ConfirmView {
    pub(super) fn new(
        connection: Versioned<Option<Connection>>,
        issue: Option<IssueView>,
        missing: Vec<MissingPart>,
        backlog: Option<Backlog>,
    ) -> Self {
        let Versioned { value, version } = connection;
        let blocked_by = |reason| {
            let backlog = backlog.as_ref();
            backlog.map_or(0, |backlog| backlog.tenants_blocked_by(reason))
        };
        Self {
            confirmed: value
                .as_ref()
                .is_some_and(|connection| connection.confirmed),
            confirmed_at: value.and_then(|connection| connection.confirmed_at),
            issue,
            version,
            missing,
            tenants: backlog.as_ref().map_or(0, Backlog::tenants_with_tickets),
            tenants_unmapped: blocked_by("unmapped"),
            tenants_disabled: blocked_by("tenant_disabled"),
            more_waiting: backlog.as_ref().is_some_and(|backlog| backlog.more),
            others: backlog.as_ref().map_or_else(Vec::new, other_reasons),
            waiting: backlog.map(|backlog| backlog.sum()),
        }
    }
}

/// The reasons that have no line of their own, each with the number of its alerts.
fn other_reasons(backlog: &Backlog) -> Vec<(String, u64)> {
    let others = backlog.sum().others.into_iter();
    let others =
        others.filter(|(code, _)| !["unmapped", "tenant_disabled"].contains(&code.as_str()));
    let described = others.map(|(code, count)| {
        let words = backlog.words.get(&code).cloned();
        (words.unwrap_or(code), count)
    });
    described.collect()
}

pub(super) fn render(view: &ConfirmView) -> Markup {
    html! {
        @if view.confirmed {
            p class=[view.issue.is_none().then_some("good")] { "Ticketbridge is live" @if let Some(at) = view.confirmed_at { " since " (page::time(at)) } "." }
            @if let Some(issue) = &view.issue {
                p class="problem" {
                    (issue.sentence())
                    a href=(SetupStep::Overview.path()) { "Overview" } " says what it means for tickets, and what to do."
                }
            }
        } @else {
            p { "When you confirm, alerts become tickets: alerts of the last 48 hours that are still active, and all new alerts." }
        }
        @if !view.missing.is_empty() {
            p class="note" { "Still missing:" }
            ul { @for missing in &view.missing { li { a href=(missing.path) { (missing.what) } } } }
        }
        @if let Some(waiting) = view.waiting.as_ref().filter(|of| of.all > 0) {
            h2 { @if view.confirmed { "Alerts without a ticket" } @else { "What will happen" } }
            (preview(view, waiting))
        } @else if view.waiting.is_some() {
            p class=[view.confirmed.then_some("good")] {
                @if view.confirmed { "Every active alert has its ticket." } @else { "No alert waits now." }
            }
        }
        @if !view.confirmed && view.missing.is_empty() {
            form method="post" action=(SetupStep::Confirm.path()) {
                input type="hidden" name="version" value=(view.version);
                button { "Confirm and go live" }
            }
        }
    }
}

fn preview(view: &ConfirmView, waiting: &BacklogCounts) -> Markup {
    html! {
        ul {
            @if waiting.tickets > 0 {
                li { b { (counted(waiting.tickets, "alert")) } " of " (counted(view.tenants as u64, "tenant")) " "
                    @if waiting.tickets == 1 { "becomes a ticket" } @else { "become tickets" } }
            }
            @if let Some(unmapped) = waiting.others.get("unmapped") {
                li { (counted(*unmapped, "alert")) " of "
                    (counted(view.tenants_unmapped as u64, "tenant"))
                    @if *unmapped == 1 { " waits" } @else { " wait" } " until you "
                    a href=(SetupStep::Tenants.path()) {
                        @if view.tenants_unmapped == 1 { "map it" } @else { "map them" }
                    } }
            }
            @if let Some(disabled) = waiting.others.get("tenant_disabled") {
                li { (counted(*disabled, "alert")) " of " (counted(view.tenants_disabled as u64, "tenant")) " switched off: no "
                    @if *disabled == 1 { "ticket" } @else { "tickets" } }
            }
            @if waiting.older > 0 {
                li { (counted(waiting.older, "older alert")) ": no ticket unless you "
                    a href=(SetupStep::Waiting.path()) { @if waiting.older == 1 { "release it" } @else { "release them" } } }
            }
            @for (words, count) in &view.others {
                li { (counted(*count, "alert")) ": no "
                    @if *count == 1 { "ticket" } @else { "tickets" } ", because " (words) }
            }
            @if view.more_waiting { li { "There are more alerts than were counted." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> ConfirmView {
        let nothing = Versioned {
            value: None,
            version: 1,
        };
        ConfirmView::new(nothing, None, vec![], None)
    }

    #[test]
    fn confirm_lists_the_missing_parts() {
        let view = ConfirmView {
            missing: crate::checklist::missing_parts(None, None, false),
            ..view()
        };
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn confirm_says_nothing_of_tickets_that_none_becomes() {
        let nothing = ConfirmView {
            confirmed: true,
            waiting: Some(BacklogCounts::default()),
            ..view()
        };
        let page = render(&nothing).into_string();
        assert!(
            page.contains("Every active alert has its ticket."),
            "{page}"
        );
        assert!(!page.contains("0 alerts"), "{page}");
        let before = render(&ConfirmView {
            confirmed: false,
            ..nothing
        });
        let page = before.into_string();
        assert!(page.contains("No alert waits now."), "{page}");
        assert!(!page.contains("0 alerts"), "{page}");
        let older = ConfirmView {
            waiting: Some(BacklogCounts {
                all: 1,
                older: 1,
                ..BacklogCounts::default()
            }),
            ..view()
        };
        let page = render(&older).into_string();
        assert!(page.contains("1 older alert"), "{page}");
        assert!(!page.contains("0 alerts"), "{page}");
    }

    #[test]
    fn confirm_of_a_live_partner_names_an_open_issue() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let live = ConfirmView {
            confirmed: true,
            confirmed_at: Some(at("2026-11-20T08:00:00Z")),
            ..view()
        };
        assert!(render(&live).into_string().contains("class=\"good\""));
        let broken = ConfirmView {
            issue: Some(IssueView {
                words: "ConnectWise refuses the keys".to_owned(),
                since: Some(at("2026-11-22T09:30:00Z")),
            }),
            ..live
        };
        insta::assert_snapshot!(crate::page::lines(&render(&broken)));
    }

    #[test]
    fn confirm_previews_what_will_happen() {
        let view = ConfirmView {
            waiting: Some(BacklogCounts {
                all: 8,
                tickets: 3,
                older: 1,
                others: [
                    ("unmapped".to_owned(), 2),
                    ("tenant_disabled".to_owned(), 1),
                ]
                .into(),
                ..BacklogCounts::default()
            }),
            others: vec![("the kind of alert is switched off".to_owned(), 1)],
            tenants: 2,
            tenants_unmapped: 1,
            tenants_disabled: 1,
            ..view()
        };
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
