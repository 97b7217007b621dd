//! What the page "Boards" shows: the present choice, and the options.

use connectwise::Error;
use domain::RecordId;
use domain::alert::kind::Category;
use domain::setup::board_issue::board_issue;
use domain::setup::found_board::FoundBoard;
use domain::setup::settings::{BoardTarget, Settings};
use serde::Serialize;
use store::DedicatedBoards;

use crate::boards::form::{BoardLists, has_department};
use crate::boards::lists::{DefaultBoard, OfferedBoards};
use crate::connection::client::{missing_right, problem_of};

#[derive(Debug, Serialize)]
pub(super) struct BoardsView {
    pub(super) mode: BoardsMode,
    pub(super) operations: Option<ChosenBoard>,
    pub(super) cyber_alerts: Option<ChosenBoard>,
    /// The boards that exist; `None` if ConnectWise cannot be read now.
    pub(super) existing: Option<ExistingBoards>,
    /// The dedicated boards that are being created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) making: Option<BoardsInProgress>,
    /// The dedicated boards that were requested last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requested: Option<DedicatedBoards>,
    /// The options for dedicated boards; `None` if the API member lacks a right to read them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offers: Option<BoardOptions>,
    /// Why something cannot be chosen.
    pub(super) off: Vec<String>,
    pub(super) settings_version: u64,
    /// The version of the requested dedicated boards.
    pub(super) boards_version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BoardsMode {
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
pub(super) struct ChosenBoard {
    pub(super) board: RecordId,
    pub(super) name: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct BoardsInProgress {
    pub(super) operations: String,
    pub(super) cyber_alerts: String,
    /// The number of parts that ConnectWise has; `None` if it cannot be read.
    pub(super) done: Option<usize>,
    pub(super) total: usize,
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

    pub(super) fn board_name(&self, board: Option<&ChosenBoard>) -> String {
        let Some(ChosenBoard { board, name }) = board else {
            return "chosen by ConnectWise".to_owned();
        };
        match (name, &self.existing) {
            (Some(name), _) => name.clone(),
            (None, Some(_)) => format!("number {board}, which the API member cannot see"),
            (None, None) => format!("number {board}, whose name cannot be read now"),
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
