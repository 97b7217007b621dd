//! The page "Overview".

use domain::{PartnerId, SourceId};
use maud::{Markup, html};
use serde::Serialize;

use crate::checklist::counted;
use crate::held;
use crate::held::view::HeldClosingsView;
use crate::sources::inactivity_view::{
    InactiveSourceView, InactiveTenantsView, render_source, render_tenants,
};
use crate::step::SetupStep;

#[derive(Serialize)]
pub(super) struct OverviewView {
    pub(super) partner: PartnerId,
    pub(super) name: Option<String>,
    pub(super) live: bool,
    /// The problem of a live connection.
    pub(super) issue: Option<IssueView>,
    /// Sources that have been quiet for too long.
    pub(super) inactive: Vec<InactiveSourceView>,
    /// Tenants for which a source has sent nothing for too long.
    pub(super) inactive_tenants: Vec<InactiveTenantsView>,
    pub(super) rejected: Vec<UnreadableAlertsView>,
    pub(super) waiting: Vec<WaitingMessagesView>,
    pub(super) held: Vec<HeldClosingsView>,
    pub(super) steps: Vec<StepRow>,
}

#[derive(Serialize)]
pub(super) struct IssueView {
    pub(super) words: String,
    /// For people.
    pub(super) since: String,
}

/// Alerts of one source that could not be read in the last days.
#[derive(Serialize)]
pub(super) struct UnreadableAlertsView {
    pub(super) source: SourceId,
    pub(super) name: String,
    pub(super) alerts: u32,
    /// For people.
    pub(super) since: String,
    pub(super) field: String,
    pub(super) problem: String,
}

/// Messages of one source that its mapping could not read, and that wait for a person.
#[derive(Serialize)]
pub(super) struct WaitingMessagesView {
    pub(super) source: SourceId,
    pub(super) name: String,
    pub(super) messages: u32,
    /// There may be more of them.
    pub(super) more: bool,
    /// When the oldest was received, for people.
    pub(super) since: String,
    /// Of the newest message.
    pub(super) field: String,
    pub(super) problem: String,
    /// The page of the messages.
    pub(super) path: String,
}

#[derive(Serialize)]
pub(super) struct StepRow {
    path: &'static str,
    title: &'static str,
    done: bool,
    words: String,
}

impl StepRow {
    pub(super) fn new(step: SetupStep, done: bool, words: String) -> Self {
        Self {
            path: step.path(),
            title: step.title(),
            done,
            words,
        }
    }
}

pub(super) fn render(view: &OverviewView) -> Markup {
    let next = view.steps.iter().find(|step| !step.done);
    html! {
        @if let Some(issue) = &view.issue {
            p class="problem" { "No tickets are created: " (issue.words) ", since " (issue.since) ". " a href=(SetupStep::Check.path()) { "Check connection" } " says what to correct." }
        } @else if view.live {
            p class="good" { "Live: alerts become tickets." }
        }
        @for inactive in &view.inactive { (render_source(inactive)) }
        @for inactive in &view.inactive_tenants { (render_tenants(inactive)) }
        @for rejected in &view.rejected {
            p class="problem" {
                (counted(u64::from(rejected.alerts), "alert")) " of " b { (rejected.name) }
                " could not be read since " (rejected.since) " and got no ticket. Last reason: " code { (rejected.field) } ": " (rejected.problem)
                ". Ask the vendor of " (rejected.name) " to correct this."
            }
        }
        @for waiting in &view.waiting {
            p class="problem" {
                (counted(waiting.messages.into(), "message")) @if waiting.more { " or more" } " of " b { (waiting.name) }
                " could not be read since " (waiting.since) ", so no tickets were created. No alert is lost: each message is stored for 14 days. Last reason: "
                code { (waiting.field) } ": " (waiting.problem)
                ". " a href=(waiting.path) { "Look at the messages of " (waiting.name) }
            }
        }
        (held::view::render(&view.held))
        div class="wide" {
            table class="cards" {
                caption { "The steps" }
                thead { tr { th scope="col" { "Step" } th scope="col" { "Done" } th scope="col" { "State" } } }
                tbody {
                    @for step in &view.steps {
                        tr {
                            th scope="row" { a href=(step.path) { (step.title) } }
                            td data-label="Done" { @if step.done { span class="good" { "yes" } } @else { span class="warn" { "not yet" } } }
                            td data-label="State" { (step.words) }
                        }
                    }
                }
            }
        }
        @if let Some(next) = next { p { a href=(next.path) { "Next: " (next.title) } } }
    }
}

#[cfg(test)]
mod tests {
    use domain::TenantId;

    use super::*;
    use crate::sources::inactivity_view::InactiveTenantRow;

    fn view() -> OverviewView {
        OverviewView {
            partner: PartnerId::parse("northwind").unwrap(),
            name: Some("Northwind IT".to_owned()),
            live: false,
            issue: None,
            inactive: vec![],
            inactive_tenants: vec![],
            rejected: vec![],
            waiting: vec![],
            held: vec![],
            steps: vec![
                StepRow::new(
                    SetupStep::Connection,
                    true,
                    "to na.myconnectwise.net".to_owned(),
                ),
                StepRow::new(SetupStep::Boards, false, "not chosen yet".to_owned()),
            ],
        }
    }

    #[test]
    fn overview_leads_to_the_next_step() {
        let page = render(&view());
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn overview_shows_issues_and_unreadable_alerts() {
        let since = "2026-11-02 07:05 UTC";
        let view = OverviewView {
            live: true,
            issue: Some(IssueView {
                words: "ConnectWise refuses the keys".to_owned(),
                since: since.to_owned(),
            }),
            inactive: vec![InactiveSourceView {
                source: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
                name: "Scanner".to_owned(),
                since: since.to_owned(),
            }],
            inactive_tenants: vec![InactiveTenantsView {
                source: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
                name: "Backup".to_owned(),
                tenants: ["Acme Dental", "Grove & Sons"]
                    .map(|name| InactiveTenantRow {
                        tenant: TenantId::parse("acme").unwrap(),
                        name: name.to_owned(),
                        since: "2026-11-02".to_owned(),
                    })
                    .into(),
                more: 3,
                path: "source?source=src_abcdefghijklmnopqrstuvwxyz".to_owned(),
            }],
            rejected: vec![UnreadableAlertsView {
                source: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
                name: "Scanner".to_owned(),
                alerts: 1,
                since: since.to_owned(),
                field: "data.kind".to_owned(),
                problem: "unknown kind".to_owned(),
            }],
            waiting: vec![WaitingMessagesView {
                source: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
                name: "Alertmanager".to_owned(),
                messages: 3,
                more: false,
                since: since.to_owned(),
                field: "tenant".to_owned(),
                problem: "the message has none".to_owned(),
                path: "source-messages?source=src_abcdefghijklmnopqrstuvwxyz".to_owned(),
            }],
            ..view()
        };
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
