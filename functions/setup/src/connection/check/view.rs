//! The page "Check connection".

use connectwise::{MyMember, Reference};
use domain::setup::rights::{self, Right, RightNeed, RightStatus};
use maud::{Markup, html};
use schemars::JsonSchema;
use serde::Serialize;

use crate::checklist::counted;
use crate::page::flash::FlashQuery;
use crate::step::SetupStep;

/// The part of "Connect" that explains role and keys.
const KEYS_GUIDE: &str = "connection#keys";

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CheckView {
    pub(super) verdict: CheckVerdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<CheckError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) site: Option<SiteView>,
    /// The owner of the keys, if it has the right to read itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) member: Option<MemberView>,
    /// What does not work although tickets are created.
    pub(super) off: Vec<&'static str>,
    pub(super) rights: Vec<RightRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckVerdict {
    NotConnected,
    NotChecked,
    Broken,
    /// ConnectWise accepts the keys, but a required right is missing.
    RightsMissing,
    /// Tickets are created, but something else does not work.
    Limited,
    Good,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CheckError {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SiteView {
    pub(super) origin: String,
    pub(super) company_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) company: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MemberView {
    identifier: String,
    role: Option<String>,
    /// The board of tickets that name no board.
    default_board: Option<String>,
    /// Boards whose tickets the member cannot see.
    excluded_boards: Vec<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RightRow {
    #[serde(flatten)]
    right: &'static Right,
    /// `None` if the rights were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<RightStatus>,
    /// Where to grant it.
    place: String,
}

impl CheckView {
    /// The rights that are needed, without whether the API member has them.
    pub(super) fn without_rights(verdict: CheckVerdict) -> Self {
        let rights = rights::TABLE.iter();
        Self {
            verdict,
            error: None,
            site: None,
            member: None,
            off: Vec::new(),
            rights: rights.map(|right| RightRow::new(right, None)).collect(),
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
    pub(super) fn new(right: &'static Right, status: Option<RightStatus>) -> Self {
        Self {
            right,
            status,
            place: right.place(),
        }
    }
}

pub(super) fn render(view: &CheckView, flash: &FlashQuery) -> Markup {
    html! {
        @match view.verdict {
            CheckVerdict::NotConnected => {
                p { "Nothing is connected yet. Give the API member's security role the rights below, then "
                    a href=(SetupStep::Connection.path()) { "connect ConnectWise" } ". "
                    a href=(KEYS_GUIDE) { "How to create the role and the keys" } }
            }
            CheckVerdict::NotChecked => (check_form(flash)),
            CheckVerdict::Broken => {
                @if let Some(err) = &view.error { p class="problem" role="alert" { (err.detail) } }
                p { a href=(SetupStep::Connection.path()) { "Change the connection" } }
                (check_again())
            }
            CheckVerdict::RightsMissing => {
                p class="problem" role="alert" {
                    "ConnectWise accepts the keys, but tickets cannot be created and updated: a required right is missing. Grant the rights that are marked as missing below, then check again."
                }
                @if !view.off.is_empty() { p { "Besides:" } (list(&view.off)) }
            }
            CheckVerdict::Limited => {
                p class="note" role="status" { "The connection works: tickets are created and updated. But not everything works:" }
                (list(&view.off))
            }
            CheckVerdict::Good => {
                p class="done" role="status" { "The connection works, and the API member has all rights that Ticketbridge needs." }
            }
        }
        @if let Some(site) = &view.site { (place(site, view.member.as_ref())) }
        (table(&view.rights))
        @match view.verdict {
            CheckVerdict::NotConnected | CheckVerdict::NotChecked | CheckVerdict::Broken => {}
            CheckVerdict::RightsMissing | CheckVerdict::Limited | CheckVerdict::Good => (check_again()),
        }
    }
}

fn check_again() -> Markup {
    html! {
        form method="get" action=(SetupStep::Check.path()) data-render {
            input type="hidden" name="now" value="true";
            button { "Check again" }
        }
    }
}

/// The script sends this form when the page is loaded.
fn check_form(flash: &FlashQuery) -> Markup {
    html! {
        form method="get" action=(SetupStep::Check.path()) data-render data-load {
            input type="hidden" name="now" value="true";
            @if let Some(code) = flash.code() { input type="hidden" name="done" value=(code); }
            p role="status" data-doing="Checking the connection. This takes a few seconds." {
                "The rights are not checked yet. The check takes a few seconds."
            }
            button { "Check now" }
        }
    }
}

fn list(sentences: &[&'static str]) -> Markup {
    html! { ul { @for sentence in sentences { li { (sentence) } } } }
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

/// The rights of one function of ConnectWise, in the order of the table.
struct FunctionRow<'a>(&'a [RightRow]);

impl FunctionRow<'_> {
    fn right(&self) -> &'static Right {
        self.0[0].right
    }

    /// The most important need of its levels.
    fn need(&self) -> Option<RightNeed> {
        self.0.iter().map(|row| row.right.need).min()
    }

    fn has(&self, status: RightStatus) -> bool {
        self.0.iter().any(|row| row.status == Some(status))
    }

    /// The levels with this status, such as "Add, Edit".
    fn levels(&self, status: Option<RightStatus>) -> String {
        let rows = self.0.iter().filter(|row| row.status == status);
        let levels: Vec<_> = rows.map(|row| row.right.level).collect();
        levels.join(", ")
    }

    fn purposes(&self) -> String {
        let mut purposes: Vec<_> = self.0.iter().map(|row| row.right.needed_for).collect();
        purposes.dedup();
        purposes.join("; ")
    }
}

/// The functions with missing rights first, then those with unknown ones.
fn functions(rows: &[RightRow]) -> Vec<FunctionRow<'_>> {
    let functions = rows.chunk_by(|row, next| row.right.function == next.right.function);
    let mut functions: Vec<_> = functions.map(FunctionRow).collect();
    functions.sort_by_key(|row| {
        let (missing, unknown) = (RightStatus::Missing, RightStatus::NotKnown);
        match (row.has(missing), row.has(unknown)) {
            (true, _) => (0, row.need()),
            (false, true) => (1, row.need()),
            (false, false) => (2, None),
        }
    });
    functions
}

fn table(rows: &[RightRow]) -> Markup {
    let has_statuses = rows.iter().any(|row| row.status.is_some());
    let has_unknown = rows
        .iter()
        .any(|row| row.status == Some(RightStatus::NotKnown));
    html! {
        table class="cards rights" {
            caption { "Rights of the API member's security role, in ConnectWise under System › Security Roles. Set each level to \"All\"." }
            thead {
                tr {
                    th scope="col" { "Module › function" }
                    th scope="col" { "Levels" }
                    th scope="col" { "Needed for" }
                    th scope="col" { "Importance" }
                    @if has_statuses { th scope="col" { "Found" } }
                }
            }
            tbody {
                @for row in functions(rows) {
                    tr class=[row.has(RightStatus::Missing).then_some("missing")] {
                        th scope="row" { (row.right().module) " › " (row.right().function) }
                        td data-label="Levels" { (all_levels(&row)) }
                        td data-label="Needed for" { (row.purposes()) }
                        td data-label="Importance" { @if let Some(of) = row.need() { (need(of)) } }
                        @if has_statuses { td data-label="Found" { (found(&row)) } }
                    }
                }
            }
        }
        p {
            "With \"My\" in place of \"All\", ConnectWise hides the tickets and records of other people."
            @if has_unknown { " \"Not known\": ConnectWise answers whether the member has this right only when something is changed. Look it up in the security role." }
        }
    }
}

fn all_levels(row: &FunctionRow<'_>) -> String {
    let levels: Vec<_> = row.0.iter().map(|row| row.right.level).collect();
    levels.join(", ")
}

/// What the API member has, with the missing levels first. Colour alone does not say it.
fn found(row: &FunctionRow<'_>) -> Markup {
    let all_granted = row
        .0
        .iter()
        .all(|row| row.status == Some(RightStatus::Granted));
    let (missing, unknown) = (
        row.levels(Some(RightStatus::Missing)),
        row.levels(Some(RightStatus::NotKnown)),
    );
    html! {
        @if all_granted { span class="good" { "✓\u{a0}granted" } }
        @if !missing.is_empty() { strong class="bad" { "✗\u{a0}missing: " (missing) } " " }
        @if !unknown.is_empty() { span class="warn" { "?\u{a0}not known: " (unknown) } }
    }
}

fn need(need: RightNeed) -> &'static str {
    match need {
        RightNeed::Required => "required",
        RightNeed::ForClosing => "for closing tickets",
        RightNeed::ForDedicatedBoards => "for new boards",
        RightNeed::Optional => "optional",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> SiteView {
        SiteView {
            origin: "https://na.myconnectwise.net".to_owned(),
            company_id: "northwind".to_owned(),
            company: Some("Northwind IT".to_owned()),
        }
    }

    fn rendered(view: &CheckView) -> String {
        crate::page::lines(&render(view, &FlashQuery::default()))
    }

    /// The first rights that are not optional. The words of a right are tested in `domain`.
    fn with_rights(statuses: &[RightStatus]) -> Vec<RightRow> {
        let rights = rights::TABLE.iter();
        let rights = rights.filter(|right| right.need != RightNeed::Optional);
        rights
            .zip(statuses)
            .map(|(right, status)| RightRow::new(right, Some(*status)))
            .collect()
    }

    #[test]
    fn functions_with_missing_rights_come_first() {
        use RightStatus::{Granted, Missing, NotKnown};
        let view = CheckView {
            site: Some(site()),
            member: Some(MemberView {
                identifier: "Ticketbridge".to_owned(),
                role: Some("Ticketbridge".to_owned()),
                default_board: Some("Service Desk".to_owned()),
                excluded_boards: vec![3, 8],
            }),
            off: vec!["Tickets cannot be closed."],
            rights: with_rights(&[Granted, Granted, Granted, NotKnown, Missing, Missing]),
            ..CheckView::without_rights(CheckVerdict::Limited)
        };
        insta::assert_snapshot!(rendered(&view));
    }

    #[test]
    fn a_required_right_that_is_missing_is_an_alert() {
        let view = CheckView {
            off: vec!["Tickets cannot be closed."],
            rights: with_rights(&[RightStatus::Missing]),
            ..CheckView::without_rights(CheckVerdict::RightsMissing)
        };
        insta::assert_snapshot!(rendered(&view));
    }

    #[test]
    fn the_rights_are_listed_before_there_are_keys() {
        let view = CheckView {
            rights: vec![RightRow::new(&rights::TABLE[0], None)],
            ..CheckView::without_rights(CheckVerdict::NotConnected)
        };
        insta::assert_snapshot!(rendered(&view));
        let all = CheckView::without_rights(CheckVerdict::NotConnected);
        assert_eq!(all.rights.len(), rights::TABLE.len());
    }

    #[test]
    fn a_check_is_offered_at_once_and_keeps_the_message() {
        let view = CheckView {
            rights: vec![],
            ..CheckView::without_rights(CheckVerdict::NotChecked)
        };
        let flash = FlashQuery::new(Some("connected".to_owned()));
        insta::assert_snapshot!(crate::page::lines(&render(&view, &flash)));
    }

    #[test]
    fn a_broken_connection_shows_its_error() {
        let view = CheckView {
            error: Some(CheckError {
                code: "keys_refused",
                detail: "ConnectWise refuses the keys.".to_owned(),
            }),
            site: Some(site()),
            rights: vec![],
            ..CheckView::without_rights(CheckVerdict::Broken)
        };
        insta::assert_snapshot!(rendered(&view));
    }
}
