//! The page "Test ticket".

use domain::alert::kind::Category;
use domain::setup::mapping::Mapping;
use domain::{RecordId, TenantId};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Serialize;

use crate::activity::view::ticket_link;
use crate::overview::view::IssueView;
use crate::step::SetupStep;
use crate::tenants::search::{HELP, MAX_OPTIONS};
use crate::test_ticket::state::TestState;
use crate::{page, paths};

const PATH: &str = SetupStep::Test.path();

#[derive(Debug, Serialize)]
pub(super) struct TestTicketView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<LastTestView>,
    /// The tenants for which a test is possible.
    pub(super) tenants: Vec<TenantOption>,
    /// Why no test is possible now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hindrance: Option<&'static str>,
    /// What may keep a test from becoming a ticket now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issue: Option<IssueView>,
}

/// A mapped tenant.
#[derive(Debug, Serialize)]
pub(super) struct TenantOption {
    pub(super) id: TenantId,
    pub(super) name: String,
    company: String,
}

#[derive(Debug, Serialize)]
pub(super) struct LastTestView {
    pub(super) tenant: TenantId,
    pub(super) tenant_name: String,
    pub(super) category: Category,
    pub(super) asked_at: Timestamp,
    #[serde(flatten)]
    pub(super) state: TestState,
    /// The ticket's number, once it is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ticket: Option<RecordId>,
    /// The ticket in ConnectWise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ticket_address: Option<String>,
    pub(super) can_close: bool,
}

impl TenantOption {
    /// `None` if the tenant is not mapped.
    pub(super) fn new(id: TenantId, mapping: Mapping) -> Option<Self> {
        let company = mapping.company?;
        Some(Self {
            name: mapping.name.unwrap_or_else(|| id.to_string()),
            company: mapping
                .company_name
                .unwrap_or_else(|| format!("company {company}")),
            id,
        })
    }
}

pub(super) fn board_name(category: Category) -> &'static str {
    match category {
        Category::Operations => "Operations",
        Category::CyberAlerts => "Cyber Alerts",
    }
}

pub(super) fn render(view: &TestTicketView) -> Markup {
    html! {
        p { "A test ticket shows that alerts become tickets, before and after you confirm. It is marked as a test, and you close it here." }
        @if let Some(last) = &view.last { (last_test(last)) }
        h2 { "Create a test ticket" }
        @if let Some(hindrance) = view.hindrance {
            p class="note" { (hindrance) }
        } @else {
            @if let Some(issue) = &view.issue {
                p class="problem" {
                    (issue.sentence())
                    "A test may have to wait until that is mended: see "
                    a href=(SetupStep::Overview.path()) { "Overview" } "."
                }
            }
            form method="post" action=(PATH) {
                label for="tenant" { "Tenant" }
                @if view.tenants.len() > MAX_OPTIONS {
                    input id="tenant" name="tenant" required maxlength="200" autocomplete="off" aria-describedby="tenant-help";
                    small id="tenant-help" { (HELP) }
                } @else {
                    select id="tenant" name="tenant" required {
                        @for tenant in &view.tenants {
                            option value=(tenant.id) { (tenant.name) @if tenant.company != tenant.name { " (" (tenant.company) ")" } }
                        }
                    }
                }
                fieldset {
                    legend { "Category" }
                    @for (category, value) in [(Category::Operations, "operations"), (Category::CyberAlerts, "cyber_alerts")] {
                        label class="choice" {
                            input type="radio" name="category" value=(value) required checked[category == Category::Operations];
                            (board_name(category))
                        }
                    }
                }
                button { "Create a test ticket" }
            }
        }
    }
}

fn last_test(last: &LastTestView) -> Markup {
    let is_pending = matches!(last.state, TestState::Waiting | TestState::Closing);
    let may_change = is_pending || matches!(last.state, TestState::Blocked { .. });
    html! {
        section data-poll=[is_pending.then_some(PATH)] {
            h2 { "The last test" }
            dl {
                dt { "Tenant" } dd { (last.tenant_name) }
                dt { "Category" } dd { (board_name(last.category)) }
                dt { "Created" } dd { (page::time(last.asked_at)) }
                @if last.ticket.is_some() { dt { "Ticket" } dd { (ticket_link(last.ticket, last.ticket_address.as_deref())) } }
                dt { "State" } dd { (state(&last.state)) }
            }
            @match &last.state {
                TestState::Blocked { why, .. } => p class="problem" role="alert" { (why) },
                TestState::Closed { how } => p { (how) },
                TestState::Waiting | TestState::Open | TestState::Closing | TestState::Withdrawn => {}
            }
            @if may_change { p { a href=(PATH) { "Refresh" } } }
            @if last.can_close {
                form method="post" action=(paths::CLOSE_TEST) { button { "Close the test ticket" } }
            }
        }
    }
}

fn state(state: &TestState) -> &'static str {
    match state {
        TestState::Waiting => "being created",
        TestState::Blocked { .. } => "blocked",
        TestState::Open => "open",
        TestState::Closing => "being closed",
        TestState::Closed { .. } => "closed",
        TestState::Withdrawn => "closed before there was a ticket",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> TenantId {
        TenantId::parse("acme-dental").unwrap()
    }

    #[test]
    fn test_ticket_shows_the_last_test() {
        for (name, state) in [
            ("open", TestState::Open),
            (
                "blocked",
                TestState::Blocked {
                    reason: "unmapped".to_owned(),
                    why: "The tenant has no company in ConnectWise.".to_owned(),
                },
            ),
        ] {
            let view = TestTicketView {
                last: Some(LastTestView {
                    tenant: tenant(),
                    tenant_name: "Acme Dental".to_owned(),
                    category: Category::Operations,
                    asked_at: "2026-11-02T07:05:00Z".parse().unwrap(),
                    ticket: (state == TestState::Open).then_some(7001),
                    ticket_address: Some("https://na.myconnectwise.net/7001".to_owned()),
                    state,
                    can_close: true,
                }),
                tenants: vec![TenantOption {
                    id: tenant(),
                    name: "Acme Dental".to_owned(),
                    company: "Acme Dental Ltd".to_owned(),
                }],
                hindrance: None,
                issue: (name == "blocked").then(|| IssueView {
                    words: "ConnectWise refuses the keys".to_owned(),
                    since: None,
                }),
            };
            let page = render(&view);
            insta::assert_snapshot!(name, crate::page::lines(&page));
        }
    }
}
