//! The page "Boards".

use connectwise::Error;
use domain::RecordId;
use domain::alert::kind::Category;
use domain::setup::board_issue::board_issue;
use domain::setup::found_board::FoundBoard;
use domain::setup::settings::{BoardTarget, Settings};
use maud::{Markup, html};
use serde::Serialize;
use store::DedicatedBoards;

use crate::boards::form::{BoardLists, has_department};
use crate::boards::forms_view::{dedicated_form, existing_form};
use crate::boards::lists::{DefaultBoard, OfferedBoards};
use crate::connection::client::{missing_right, problem_of};
use crate::paths;
use crate::step::SetupStep;

#[derive(Debug, Serialize)]
pub(super) struct BoardsView {
    mode: BoardsMode,
    operations: Option<ChosenBoard>,
    cyber_alerts: Option<ChosenBoard>,
    /// The boards that exist; `None` if ConnectWise cannot be read now.
    pub(super) existing: Option<ExistingBoards>,
    /// The dedicated boards that are being created.
    #[serde(skip_serializing_if = "Option::is_none")]
    making: Option<BoardsInProgress>,
    /// The dedicated boards that were requested last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requested: Option<DedicatedBoards>,
    /// The options for dedicated boards; `None` if the API member lacks a right to read them.
    #[serde(skip_serializing_if = "Option::is_none")]
    offers: Option<BoardOptions>,
    /// Why something cannot be chosen.
    pub(super) off: Vec<String>,
    pub(super) settings_version: u64,
    /// The version of the requested dedicated boards.
    pub(super) boards_version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum BoardsMode {
    NotConnected,
    NotChosen,
    /// Two boards were requested and are not complete yet.
    Making,
    TwoBoards,
    OneBoard,
    /// No board is chosen: ConnectWise's own defaults apply.
    LeftToConnectwise,
}

#[derive(Debug, Serialize)]
pub(super) struct ExistingBoards {
    /// Those that can be chosen.
    pub(super) usable: Vec<NamedOption>,
    /// The API member's default board, if it has one that can be read.
    pub(super) default: Option<NamedOption>,
    /// ConnectWise said that the API member has no default board.
    pub(super) has_no_default: bool,
}

#[derive(Debug, Serialize)]
struct ChosenBoard {
    board: RecordId,
    name: Option<String>,
}

#[derive(Debug, Serialize)]
struct BoardsInProgress {
    operations: String,
    cyber_alerts: String,
    /// The number of parts that ConnectWise has; `None` if it cannot be read.
    done: Option<usize>,
    total: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct BoardOptions {
    pub(super) locations: Vec<LocationOption>,
    pub(super) departments: Vec<NamedOption>,
    /// Active members.
    pub(super) team_leads: Vec<NamedOption>,
}

#[derive(Debug, Serialize)]
pub(super) struct LocationOption {
    pub(super) id: RecordId,
    pub(super) name: String,
    /// The departments of this location.
    pub(super) departments: Vec<RecordId>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct NamedOption {
    pub(super) id: RecordId,
    pub(super) name: String,
}

impl BoardsView {
    pub(super) fn not_connected(settings_version: u64, boards_version: u64) -> Self {
        Self {
            mode: BoardsMode::NotConnected,
            operations: None,
            cyber_alerts: None,
            existing: None,
            making: None,
            requested: None,
            offers: None,
            off: Vec::new(),
            settings_version,
            boards_version,
        }
    }

    /// Sets the boards that can be chosen.
    pub(super) fn set_offered(&mut self, offered: &OfferedBoards) {
        let option = |board: &FoundBoard| NamedOption {
            id: board.id,
            name: board.name.clone(),
        };
        let usable = offered.boards.iter();
        let usable = usable.filter(|board| board_issue(board).is_none());
        let mut all = offered.boards.iter();
        self.existing = Some(ExistingBoards {
            usable: usable.map(option).collect(),
            default: match offered.default {
                DefaultBoard::Unknown | DefaultBoard::None => None,
                DefaultBoard::Board(id) => all.find(|board| board.id == id).map(option),
            },
            has_no_default: offered.default == DefaultBoard::None,
        });
    }

    /// Sets what is chosen now.
    pub(super) fn set_choice(&mut self, settings: Option<&Settings>, boards: &[FoundBoard]) {
        let chosen = |target: &BoardTarget| {
            let board = target.board?;
            let mut boards = boards.iter();
            let name = boards.find(|other| other.id == board);
            Some(ChosenBoard {
                board,
                name: name.map(|board| board.name.clone()),
            })
        };
        self.mode = mode(settings);
        self.operations = settings.and_then(|of| chosen(&of.operations));
        self.cyber_alerts = settings.and_then(|of| chosen(&of.cyber_alerts));
    }

    /// Sets the options for dedicated boards, or why there are none.
    pub(super) fn set_options(&mut self, lists: Result<BoardLists, Error>) {
        match lists {
            Ok(lists) => self.offers = Some(options(lists)),
            Err(Error::MissingRight { right }) => self.off.push(format!(
                "Boards cannot be created for you. {}",
                missing_right(right)
            )),
            Err(err) => self.off.push(problem_of(&err).detail),
        }
    }

    pub(super) fn set_requested(&mut self, desired: Option<DedicatedBoards>) {
        self.requested = desired;
    }

    pub(super) fn set_making(
        &mut self,
        desired: &DedicatedBoards,
        done: Option<usize>,
        total: usize,
    ) {
        self.mode = BoardsMode::Making;
        self.making = Some(BoardsInProgress {
            operations: desired.operations.name.clone(),
            cyber_alerts: desired.cyber_alerts.name.clone(),
            done,
            total,
        });
    }

    fn board_name(&self, board: Option<&ChosenBoard>) -> String {
        let Some(ChosenBoard { board, name }) = board else {
            return "chosen by ConnectWise".to_owned();
        };
        match (name, &self.existing) {
            (Some(name), _) => name.clone(),
            (None, Some(_)) => format!("number {board}, which the API member cannot see"),
            (None, None) => format!("number {board}"),
        }
    }

    /// The board that the form of existing boards shows for a category: the present one, or the API
    /// member's default board before the first choice.
    pub(super) fn prefilled(&self, category: Category) -> Option<RecordId> {
        let chosen = match category {
            Category::Operations => &self.operations,
            Category::CyberAlerts => &self.cyber_alerts,
        };
        match self.mode {
            BoardsMode::NotChosen => {
                let default = self.existing.as_ref()?.default.as_ref();
                default.map(|board| board.id)
            }
            BoardsMode::NotConnected
            | BoardsMode::Making
            | BoardsMode::TwoBoards
            | BoardsMode::OneBoard
            | BoardsMode::LeftToConnectwise => chosen.as_ref().map(|chosen| chosen.board),
        }
    }
}

fn mode(settings: Option<&Settings>) -> BoardsMode {
    let Some(settings) = settings else {
        return BoardsMode::NotChosen;
    };
    match (settings.operations.board, settings.cyber_alerts.board) {
        (None, None) => BoardsMode::LeftToConnectwise,
        (one, other) if one == other => BoardsMode::OneBoard,
        _ => BoardsMode::TwoBoards,
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

pub(super) fn category_title(category: Category) -> &'static str {
    match category {
        Category::Operations => "Operations",
        Category::CyberAlerts => "Cyber alerts",
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
            BoardsMode::TwoBoards => (two_boards(view)),
            BoardsMode::OneBoard => p { "All tickets go to the board " strong { (view.board_name(view.operations.as_ref())) } "." },
            BoardsMode::LeftToConnectwise => {
                p { "No board is chosen: ConnectWise chooses board, type and status. The start status cannot be chosen." }
            }
        }
        @for sentence in &view.off { p class="note" role="note" { (sentence) } }
        @match view.mode {
            // Another choice would compete with the work.
            BoardsMode::NotConnected | BoardsMode::Making => {}
            BoardsMode::NotChosen | BoardsMode::TwoBoards | BoardsMode::OneBoard | BoardsMode::LeftToConnectwise => {
                @if let Some(existing) = &view.existing { (existing_form(view, existing)) }
                @if let Some(options) = &view.offers { (dedicated_form(view, options)) }
            }
        }
    }
}

fn being_created(view: &BoardsView) -> Markup {
    let action = paths::BOARDS_PROGRESS;
    html! {
        @if let Some(making) = &view.making {
            section aria-label="Creating the boards" data-progress=(action) data-request="{\"seconds\":2}" {
                p { "The boards \"" (making.operations) "\" and \"" (making.cyber_alerts) "\" are being created in ConnectWise. You may leave this page and come back: it continues where it stopped." }
                p { progress max=(making.total) value=[making.done] aria-label="Progress of the boards" {} }
                p data-doing role="status" { @if let Some(done) = making.done { (done) " of " (making.total) " parts exist." } }
                form method="post" action=(action) { button { "Continue" } }
            }
            form method="post" action=(paths::STOP_BOARDS) {
                p { "To choose other boards, stop first. What exists already stays in ConnectWise, and is used if you choose the same names again." }
                button class="plain" { "Stop creating boards" }
            }
        }
    }
}

fn two_boards(view: &BoardsView) -> Markup {
    html! {
        p { "Tickets go to these boards:" }
        dl {
            dt { (category_title(Category::Operations)) } dd { (view.board_name(view.operations.as_ref())) }
            dt { (category_title(Category::CyberAlerts)) } dd { (view.board_name(view.cyber_alerts.as_ref())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use store::DedicatedBoard;

    use super::*;

    fn option(id: RecordId, name: &str) -> NamedOption {
        NamedOption {
            id,
            name: name.to_owned(),
        }
    }

    fn existing(default: Option<NamedOption>) -> ExistingBoards {
        ExistingBoards {
            usable: vec![option(20, "Alerts"), option(21, "Service Desk")],
            default,
            has_no_default: false,
        }
    }

    fn options() -> BoardOptions {
        BoardOptions {
            locations: vec![LocationOption {
                id: 2,
                name: "Springfield".to_owned(),
                departments: vec![10],
            }],
            departments: vec![option(10, "Professional Services")],
            team_leads: vec![
                option(151, "Tom Smith (TSmith)"),
                option(152, "Ann Lee (ALee)"),
            ],
        }
    }

    fn requested() -> DedicatedBoards {
        let board = |name: &str, team_lead| DedicatedBoard {
            name: name.to_owned(),
            location: 2,
            department: 10,
            team_lead,
        };
        DedicatedBoards {
            operations: board("Watch", 152),
            // A member who has left.
            cyber_alerts: board("Security", 153),
            epoch: 1,
            finished: true,
        }
    }

    #[test]
    fn boards_offers_existing_and_dedicated_boards() {
        let view = BoardsView {
            mode: BoardsMode::NotChosen,
            existing: Some(existing(Some(option(21, "Service Desk")))),
            offers: Some(options()),
            ..BoardsView::not_connected(1, 2)
        };
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn boards_shows_what_was_chosen_in_its_forms() {
        let chosen = |board, name: Option<&str>| ChosenBoard {
            board,
            name: name.map(str::to_owned),
        };
        let view = BoardsView {
            mode: BoardsMode::TwoBoards,
            operations: Some(chosen(20, Some("Alerts"))),
            cyber_alerts: Some(chosen(29, None)),
            existing: Some(ExistingBoards {
                has_no_default: true,
                ..existing(None)
            }),
            offers: Some(options()),
            requested: Some(requested()),
            ..BoardsView::not_connected(1, 2)
        };
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn boards_says_nothing_of_a_connectwise_that_cannot_be_read() {
        let view = BoardsView {
            mode: BoardsMode::OneBoard,
            operations: Some(ChosenBoard {
                board: 21,
                name: None,
            }),
            off: vec!["ConnectWise is down.".to_owned()],
            ..BoardsView::not_connected(1, 2)
        };
        insta::assert_snapshot!(crate::page::lines(&render(&view)));
    }

    #[test]
    fn boards_does_not_call_a_default_board_missing_that_it_cannot_read() {
        let view = BoardsView {
            mode: BoardsMode::NotChosen,
            existing: Some(existing(None)),
            ..BoardsView::not_connected(1, 2)
        };
        let page = crate::page::lines(&render(&view));
        assert!(page.contains("Board for operations"), "{page}");
        assert!(!page.contains("no default service board"), "{page}");
    }

    #[test]
    fn boards_shows_the_progress_of_new_boards() {
        let mut view = BoardsView {
            off: vec!["ConnectWise is down.".to_owned()],
            ..BoardsView::not_connected(1, 2)
        };
        view.set_making(&requested(), Some(7), 22);
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
