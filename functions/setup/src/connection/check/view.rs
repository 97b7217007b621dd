//! The page "Check connection".

use connectwise::{MyMember, Reference};
use domain::setup::rights::{Right, RightNeed, RightStatus};
use maud::{Markup, html};
use serde::Serialize;

use crate::checklist::counted;
use crate::step::SetupStep;

#[derive(Debug, Serialize)]
pub(super) struct CheckView {
    pub(super) verdict: CheckVerdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<CheckError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) site: Option<SiteView>,
    /// The owner of the keys, if it has the right to read itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) member: Option<MemberView>,
    /// What does not work because of missing rights.
    pub(super) off: Vec<&'static str>,
    pub(super) rights: Vec<RightRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CheckVerdict {
    NotConnected,
    Broken,
    /// ConnectWise accepts the keys, but a required right is missing.
    RightsMissing,
    Good,
}

#[derive(Debug, Serialize)]
pub(super) struct CheckError {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

#[derive(Debug, Serialize)]
pub(super) struct SiteView {
    pub(super) origin: String,
    pub(super) company_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) company: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct MemberView {
    identifier: String,
    role: Option<String>,
    /// The board of tickets that name no board.
    default_board: Option<String>,
    /// Boards whose tickets the member cannot see.
    excluded_boards: Vec<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct RightRow {
    #[serde(flatten)]
    right: &'static Right,
    status: RightStatus,
    /// Where to grant it.
    place: String,
}

impl CheckView {
    pub(super) fn empty(verdict: CheckVerdict) -> Self {
        Self {
            verdict,
            error: None,
            site: None,
            member: None,
            off: Vec::new(),
            rights: Vec::new(),
        }
    }
}

impl From<MyMember> for MemberView {
    fn from(member: MyMember) -> Self {
        let name = |board: Reference| {
            if board.name.is_empty() {
                format!("number {}", board.id)
            } else {
                board.name
            }
        };
        Self {
            identifier: member.identifier,
            role: member.security_role.map(|role| role.name),
            default_board: member.service_default_board.map(name),
            excluded_boards: member.excluded_service_board_ids,
        }
    }
}

impl RightRow {
    pub(super) fn new(right: &'static Right, status: RightStatus) -> Self {
        Self {
            right,
            status,
            place: right.place(),
        }
    }
}

pub(super) fn render(view: &CheckView) -> Markup {
    html! {
        @match view.verdict {
            CheckVerdict::NotConnected => {
                p { "Nothing is connected yet." }
                p { a href=(SetupStep::Connection.path()) { "Connect ConnectWise" } }
            }
            CheckVerdict::Broken => {
                @if let Some(err) = &view.error { p class="problem" role="alert" { (err.detail) } }
                p { a href=(SetupStep::Connection.path()) { "Change the connection" } }
            }
            CheckVerdict::RightsMissing => {
                p class="problem" role="alert" {
                    "ConnectWise accepts the keys, but the API member lacks required rights. Grant the rights below that are missing, then check again."
                }
            }
            CheckVerdict::Good => p class="done" role="status" { "The connection works: ConnectWise accepts the keys." },
        }
        @if let Some(site) = &view.site { (place(site, view.member.as_ref())) }
        @if !view.off.is_empty() {
            h2 { "What does not work" }
            ul { @for sentence in &view.off { li { (sentence) } } }
        }
        @if !view.rights.is_empty() { (table(&view.rights)) }
        @if view.verdict != CheckVerdict::NotConnected {
            form method="get" action=(SetupStep::Check.path()) { button { "Check again" } }
        }
    }
}

fn place(site: &SiteView, member: Option<&MemberView>) -> Markup {
    html! {
        dl {
            dt { "Site" } dd { (site.origin) }
            dt { "Company id" } dd { (site.company_id) @if let Some(company) = &site.company { " (" (company) ")" } }
            @if let Some(member) = member {
                dt { "API member" } dd { (member.identifier) }
                @if let Some(role) = &member.role { dt { "Its security role" } dd { (role) } }
                dt { "Its default service board" } dd { (member.default_board.as_deref().unwrap_or("none")) }
            }
        }
        @if let Some(member) = member.filter(|member| !member.excluded_boards.is_empty()) {
            p class="note" role="note" {
                "The API member cannot see " (counted(member.excluded_boards.len() as u64, "service board")) " (number "
                @for (n, board) in member.excluded_boards.iter().enumerate() { @if n > 0 { ", " } (board) }
                "). Ticketbridge cannot find tickets on these boards again, so do not send alerts there, and do not move tickets there."
            }
        }
    }
}

fn table(rows: &[RightRow]) -> Markup {
    html! {
        table class="cards" {
            caption { "Rights of the API member's security role" }
            thead {
                tr {
                    th scope="col" { "Right" }
                    th scope="col" { "Needed for" }
                    th scope="col" { "Importance" }
                    th scope="col" { "Status" }
                    th scope="col" { "Where to grant it in ConnectWise" }
                }
            }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" { (row.right.function) ": " (row.right.level) }
                        td data-label="Needed for" { (row.right.needed_for) }
                        td data-label="Importance" { (need(row.right.need)) }
                        td data-label="Status" { span class=(class(row.status)) { (status(row.status)) } }
                        td data-label="Where to grant it" { (row.place) }
                    }
                }
            }
        }
        p {
            "Each level must be \"All\": with \"My\", the tickets and records of other people are hidden. \"Not known\" means that ConnectWise shows this right only by a change; check it in the security role."
        }
    }
}

fn need(need: RightNeed) -> &'static str {
    match need {
        RightNeed::Required => "required",
        RightNeed::ForClosing => "for closing tickets",
        RightNeed::ForDedicatedBoards => "for dedicated boards",
        RightNeed::Optional => "optional",
    }
}

fn status(status: RightStatus) -> &'static str {
    match status {
        RightStatus::Granted => "granted",
        RightStatus::Missing => "missing",
        RightStatus::NotKnown => "not known",
    }
}

fn class(status: RightStatus) -> &'static str {
    match status {
        RightStatus::Granted => "good",
        RightStatus::Missing => "bad",
        RightStatus::NotKnown => "warn",
    }
}

#[cfg(test)]
mod tests {
    use domain::setup::rights;

    use super::*;

    fn site() -> SiteView {
        SiteView {
            origin: "https://na.myconnectwise.net".to_owned(),
            company_id: "northwind".to_owned(),
            company: Some("Northwind IT".to_owned()),
        }
    }

    #[test]
    fn a_missing_right_is_shown_with_its_place() {
        let view = CheckView {
            site: Some(site()),
            member: Some(MemberView {
                identifier: "Ticketbridge".to_owned(),
                role: Some("Ticketbridge".to_owned()),
                default_board: Some("Service Desk".to_owned()),
                excluded_boards: vec![3, 8],
            }),
            off: vec!["Tickets cannot be closed."],
            rights: vec![
                RightRow::new(&rights::TABLE[0], RightStatus::Granted),
                RightRow::new(&rights::TABLE[1], RightStatus::Missing),
                RightRow::new(&rights::TABLE[2], RightStatus::NotKnown),
            ],
            ..CheckView::empty(CheckVerdict::RightsMissing)
        };
        // The words of a right are tested in `domain`.
        let page = rights::TABLE[..3]
            .iter()
            .fold(crate::page::lines(&render(&view)), |page, right| {
                page.replace(right.needed_for, "[purpose]")
            });
        insta::assert_snapshot!(page);
    }

    #[test]
    fn a_broken_connection_shows_its_error() {
        let view = CheckView {
            error: Some(CheckError {
                code: "keys_refused",
                detail: "ConnectWise refuses the keys.".to_owned(),
            }),
            site: Some(site()),
            ..CheckView::empty(CheckVerdict::Broken)
        };
        insta::assert_snapshot!(crate::page::lines(&render(&view)));
    }
}
