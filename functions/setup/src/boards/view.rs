//! The page "Boards".

use connectwise::{Board, Error};
use domain::RecordId;
use domain::alert::kind::Category;
use domain::setup::board_name::BoardName;
use domain::setup::settings::{BoardTarget, Settings};
use maud::{Markup, html};
use serde::Serialize;
use store::DedicatedBoards;

use crate::boards::form::{BoardLists, has_department};
use crate::connection::client::{missing_right, problem_of};
use crate::paths;
use crate::step::SetupStep;

#[derive(Debug, Serialize)]
pub(super) struct BoardsView {
    mode: BoardsMode,
    operations: Option<ChosenBoard>,
    cyber_alerts: Option<ChosenBoard>,
    /// The API member's default board; `None` if it has none, or lacks the right to read it.
    pub(super) default_board: Option<String>,
    /// The dedicated boards that are being created.
    #[serde(skip_serializing_if = "Option::is_none")]
    desired: Option<RequestedBoards>,
    /// The options for dedicated boards; `None` if the API member lacks a right to read them.
    #[serde(skip_serializing_if = "Option::is_none")]
    offers: Option<BoardOptions>,
    /// Why something cannot be chosen.
    pub(super) off: Vec<String>,
    settings_version: u64,
    /// The version of the requested dedicated boards.
    boards_version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum BoardsMode {
    NotConnected,
    NotChosen,
    /// Two boards were requested and are not complete yet.
    Making,
    Dedicated,
    DefaultBoard,
    /// No board is chosen: ConnectWise's own defaults apply.
    LeftToConnectwise,
}

#[derive(Debug, Serialize)]
struct ChosenBoard {
    board: RecordId,
    name: Option<String>,
}

#[derive(Debug, Serialize)]
struct RequestedBoards {
    operations: String,
    cyber_alerts: String,
    total: usize,
}

#[derive(Debug, Serialize)]
struct BoardOptions {
    locations: Vec<LocationOption>,
    departments: Vec<NamedOption>,
    /// Active members.
    team_leads: Vec<NamedOption>,
}

#[derive(Debug, Serialize)]
struct LocationOption {
    id: RecordId,
    name: String,
    /// The departments of this location.
    departments: Vec<RecordId>,
}

#[derive(Debug, Clone, Serialize)]
struct NamedOption {
    id: RecordId,
    name: String,
}

impl BoardsView {
    pub(super) fn not_connected(settings_version: u64, boards_version: u64) -> Self {
        Self {
            mode: BoardsMode::NotConnected,
            operations: None,
            cyber_alerts: None,
            default_board: None,
            desired: None,
            offers: None,
            off: Vec::new(),
            settings_version,
            boards_version,
        }
    }

    /// Sets what is chosen now.
    pub(super) fn set_choice(
        &mut self,
        settings: Option<&Settings>,
        desired: Option<&DedicatedBoards>,
        boards: &[Board],
    ) {
        let chosen = |target: &BoardTarget| {
            let board = target.board?;
            let mut boards = boards.iter();
            let name = boards.find(|other| other.id == board);
            Some(ChosenBoard {
                board,
                name: name.map(|board| board.name.clone()),
            })
        };
        self.mode = mode(settings, desired);
        self.operations = settings.and_then(|of| chosen(&of.operations));
        self.cyber_alerts = settings.and_then(|of| chosen(&of.cyber_alerts));
    }

    /// Sets the options for dedicated boards, or why there are none.
    pub(super) fn set_options(&mut self, lists: Result<BoardLists, Error>) {
        match lists {
            Ok(lists) => self.offers = Some(options(lists)),
            Err(Error::MissingRight { right }) => self.off.push(format!(
                "Boards cannot be created for you; everything else works. {}",
                missing_right(right)
            )),
            Err(err) => self.off.push(problem_of(&err).detail),
        }
    }

    pub(super) fn set_requested(&mut self, desired: DedicatedBoards, total: usize) {
        self.desired = Some(RequestedBoards {
            total,
            operations: desired.operations.name,
            cyber_alerts: desired.cyber_alerts.name,
        });
    }
}

fn mode(settings: Option<&Settings>, desired: Option<&DedicatedBoards>) -> BoardsMode {
    if desired.is_some_and(|desired| !desired.finished) {
        return BoardsMode::Making;
    }
    let Some(settings) = settings else {
        return BoardsMode::NotChosen;
    };
    match (settings.operations.board, settings.cyber_alerts.board) {
        (None, None) => BoardsMode::LeftToConnectwise,
        (one, other) if one == other => BoardsMode::DefaultBoard,
        _ => BoardsMode::Dedicated,
    }
}

fn options(lists: BoardLists) -> BoardOptions {
    let departments: Vec<NamedOption> = lists
        .departments
        .into_iter()
        .map(|department| NamedOption {
            id: department.id,
            name: department.name,
        })
        .collect();
    let locations = lists.locations.into_iter();
    let members = lists.members.into_iter();
    BoardOptions {
        locations: locations
            .map(|location| LocationOption {
                id: location.id,
                departments: departments
                    .iter()
                    .map(|department| department.id)
                    .filter(|id| has_department(&location, *id))
                    .collect(),
                name: location.name,
            })
            .collect(),
        team_leads: members
            .filter(|member| !member.inactive_flag)
            .map(|member| NamedOption {
                id: member.id,
                name: format!(
                    "{} {} ({})",
                    member.first_name, member.last_name, member.identifier
                ),
            })
            .collect(),
        departments,
    }
}

pub(super) fn render(view: &BoardsView) -> Markup {
    html! {
        @match view.mode {
            BoardsMode::NotConnected => {
                p { "Nothing is connected yet." }
                p { a href=(SetupStep::Connection.path()) { "Connect ConnectWise" } }
            }
            BoardsMode::NotChosen => p { "Choose where tickets go." },
            BoardsMode::Making => (being_created(view)),
            BoardsMode::Dedicated => (dedicated(view)),
            BoardsMode::DefaultBoard => p { "All tickets go to the board " strong { (board_name(view.operations.as_ref())) } "." },
            BoardsMode::LeftToConnectwise => {
                p { "No board is chosen: ConnectWise chooses board, type and status. The start status cannot be chosen." }
            }
        }
        @for sentence in &view.off { p class="note" role="note" { (sentence) } }
        @if view.mode != BoardsMode::NotConnected {
            (default_form(view))
            @if let Some(options) = &view.offers { (dedicated_form(view, options)) }
        }
    }
}

fn being_created(view: &BoardsView) -> Markup {
    let action = paths::BOARDS_PROGRESS;
    html! {
        @if let Some(desired) = &view.desired {
            section aria-label="Creating the boards" data-progress=(action) {
                p { "The boards \"" (desired.operations) "\" and \"" (desired.cyber_alerts) "\" are being created in ConnectWise. You may leave this page and come back: it continues where it stopped." }
                p { progress max=(desired.total) value="0" aria-label="Progress of the boards" {} }
                p data-doing role="status" {}
                form method="post" action=(action) { button { "Continue" } }
            }
        }
    }
}

fn dedicated(view: &BoardsView) -> Markup {
    html! {
        p { "Tickets go to two boards:" }
        dl {
            dt { "Operations" } dd { (board_name(view.operations.as_ref())) }
            dt { "Cyber alerts" } dd { (board_name(view.cyber_alerts.as_ref())) }
        }
    }
}

fn board_name(board: Option<&ChosenBoard>) -> String {
    match board {
        None => "none".to_owned(),
        Some(ChosenBoard {
            name: Some(name), ..
        }) => name.clone(),
        Some(ChosenBoard { board, name: None }) => {
            format!("number {board}, which the API member cannot see")
        }
    }
}

fn default_form(view: &BoardsView) -> Markup {
    html! {
        h2 { "The API member's default board" }
        @match &view.default_board {
            Some(board) => p { "All tickets go to " strong { (board) } ". You can choose its statuses and ticket types afterwards." },
            None => p { "The API member has no default service board. ConnectWise then chooses board, type and status, and the start status cannot be chosen. To choose a board, set the API member's default service board in ConnectWise and load this page again." },
        }
        form method="post" action=(paths::DEFAULT_BOARD) {
            input type="hidden" name="version" value=(view.settings_version);
            button {
                @if view.default_board.is_some() { "Use this board" } @else { "Leave it to ConnectWise" }
            }
        }
    }
}

fn dedicated_form(view: &BoardsView, options: &BoardOptions) -> Markup {
    html! {
        h2 { "Two dedicated boards" }
        p { "Ticketbridge creates one board for operations alerts and one for cyber alerts, with their statuses and ticket types. If a board of the same name exists already, it is used and completed; nothing is created twice." }
        form method="post" action=(paths::DEDICATED_BOARDS) {
            input type="hidden" name="version" value=(view.boards_version);
            (fields("operations", Category::Operations, options))
            (fields("cyber_alerts", Category::CyberAlerts, options))
            button { "Create both boards" }
        }
    }
}

fn fields(of: &str, category: Category, offers: &BoardOptions) -> Markup {
    let usual = BoardName::default_for(category);
    let id = |member: &str| format!("{of}-{member}");
    let name = |member: &str| format!("{of}[{member}]");
    html! {
        fieldset {
            legend { (usual.as_str()) }
            label for=(id("name")) { "Name" }
            input id=(id("name")) name=(name("name")) value=(usual.as_str()) maxlength="50" required;
            label for=(id("location")) { "Location" }
            select id=(id("location")) name=(name("location")) required {
                @for location in &offers.locations { option value=(location.id) { (location.name) } }
            }
            label for=(id("department")) { "Department of that location" }
            select id=(id("department")) name=(name("department")) required {
                @for location in &offers.locations {
                    optgroup label=(location.name) {
                        @for department in offers.departments.iter().filter(|of| location.departments.contains(&of.id)) {
                            option value=(department.id) { (department.name) }
                        }
                    }
                }
            }
            label for=(id("team_lead")) { "Team lead" }
            select id=(id("team_lead")) name=(name("team_lead")) required {
                @for lead in &offers.team_leads { option value=(lead.id) { (lead.name) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> BoardOptions {
        let option = |id, name: &str| NamedOption {
            id,
            name: name.to_owned(),
        };
        BoardOptions {
            locations: vec![LocationOption {
                id: 2,
                name: "Springfield".to_owned(),
                departments: vec![10],
            }],
            departments: vec![option(10, "Professional Services")],
            team_leads: vec![option(151, "Tom Smith (TSmith)")],
        }
    }

    #[test]
    fn boards_offers_default_and_dedicated_boards() {
        let view = BoardsView {
            mode: BoardsMode::NotChosen,
            default_board: Some("Service Desk".to_owned()),
            offers: Some(options()),
            ..BoardsView::not_connected(1, 2)
        };
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn boards_shows_the_progress_of_new_boards() {
        let view = BoardsView {
            mode: BoardsMode::Making,
            desired: Some(RequestedBoards {
                operations: "Operations".to_owned(),
                cyber_alerts: "Cyber Alerts".to_owned(),
                total: 22,
            }),
            off: vec!["ConnectWise is down.".to_owned()],
            ..BoardsView::not_connected(1, 2)
        };
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
