//! The open incidents on the overview: what is wrong, and what that means for tickets.

use std::collections::BTreeSet;

use domain::TenantId;
use domain::monitoring::consequence::{consequence, stop_all_tickets};
use domain::monitoring::health::Incident;
use domain::monitoring::issue::{Issue, summarize};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;

use crate::checklist::counted;
use crate::http::input::capitalized;
use crate::page;
use crate::step::SetupStep;

/// Issues of one incident that the page names.
const MAX_NAMED: usize = 5;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct IncidentView {
    pub(super) since: Timestamp,
    /// Whether no alert at all becomes a ticket.
    pub(super) stops_all_tickets: bool,
    /// What is wrong and what that means, as sentences without their ends.
    pub(super) issues: Vec<String>,
    /// How many more issues there are.
    pub(super) unlisted: usize,
}

impl IncidentView {
    pub(super) fn new(incident: &Incident, name: impl Fn(&TenantId) -> String) -> Self {
        let issues = incident.issues.iter().take(MAX_NAMED);
        let stops_all_tickets = stop_all_tickets(&incident.issues);
        let words = |issue: &Issue| match stops_all_tickets {
            // The effect is the same for all, and is said before them.
            true => capitalized(&what(issue, &name)),
            false => {
                let what = capitalized(&what(issue, &name));
                format!("{what}: {}", consequence(issue, &name))
            }
        };
        Self {
            since: incident.since,
            stops_all_tickets,
            issues: issues.map(words).collect(),
            unlisted: incident.issues.len().saturating_sub(MAX_NAMED),
        }
    }
}

fn what(issue: &Issue, name: impl Fn(&TenantId) -> String) -> String {
    if let Issue::Right(right) = issue {
        let title = domain::setup::rights::title(right);
        format!("the API member lacks the right \"{title}\"")
    } else {
        summarize(&BTreeSet::from([issue.clone()]), name, ToString::to_string)
    }
}

/// Each incident. It is red only if no tickets are created.
pub(super) fn render(incidents: &[IncidentView]) -> Markup {
    html! {
        @for of in incidents {
            div class=(if of.stops_all_tickets { "problem" } else { "note" }) {
                @if of.stops_all_tickets { b { "No tickets are created, changed or closed." } " " }
                @if let [only] = of.issues.as_slice() {
                    (only) @if of.stops_all_tickets { ", since " } @else { ". This began on " }
                }
                @else {
                    "Several things in ConnectWise need attention:"
                    ul {
                        @for issue in &of.issues { li { (issue) } }
                        @if of.unlisted > 0 { li { (counted(of.unlisted as u64, "more issue")) } }
                    }
                    "The first began on "
                }
                (page::time(of.since)) ". "
                a href=(SetupStep::Check.path()) { "Check connection" } " says what to correct."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::monitoring::issue::{CompanyIssue, ConnectionRefusal};

    use super::*;

    fn company(n: usize) -> Issue {
        Issue::Company {
            tenant: TenantId::parse(format!("tenant-{n}")).unwrap(),
            why: CompanyIssue::Inactive,
        }
    }

    fn view(issues: impl IntoIterator<Item = Issue>) -> IncidentView {
        let incident = Incident {
            since: "2026-11-02T07:05:00Z".parse().unwrap(),
            issues: issues.into_iter().collect(),
            notified: BTreeSet::new(),
            notified_at: None,
            good: 0,
            waited: 0,
        };
        IncidentView::new(&incident, |id| format!("the customer {id}"))
    }

    #[test]
    fn an_incident_claims_no_more_than_is_true() {
        let refused = view([Issue::Refused(ConnectionRefusal::Keys)]);
        let closing = view([Issue::Right("close_service_tickets.edit".to_owned())]);
        let page = render(&[refused, closing, view([company(1)])]);
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn an_incident_names_some_of_many_issues() {
        let all = view((0..MAX_NAMED + 2).map(company));
        assert_eq!((all.issues.len(), all.unlisted), (MAX_NAMED, 2));
        assert!(!all.stops_all_tickets);
        let page = render(&[all]).into_string();
        assert!(page.contains("2 more issues"), "{page}");
        assert!(page.contains("the customer tenant-4"), "{page}");
        assert!(!page.contains("the customer tenant-5"), "{page}");
    }
}
