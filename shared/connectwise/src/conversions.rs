//! Converts ConnectWise's records to the types that `domain::setup::dedicated_board` plans with.

use domain::setup::found_board::{FoundBoard, FoundStatus, FoundTeam, FoundType};

use crate::records::{Board, BoardStatus, BoardTeam, BoardType};

impl From<Board> for FoundBoard {
    fn from(board: Board) -> Self {
        Self {
            id: board.id,
            name: board.name,
            inactive: board.inactive_flag,
            for_projects: board.project_flag,
        }
    }
}

impl From<BoardStatus> for FoundStatus {
    fn from(status: BoardStatus) -> Self {
        Self {
            id: status.id,
            name: status.name,
            inactive: status.inactive,
            closes: status.closed_status,
            is_default: status.default_flag,
        }
    }
}

impl From<BoardType> for FoundType {
    fn from(found: BoardType) -> Self {
        Self {
            id: found.id,
            name: found.name,
            inactive: found.inactive_flag,
        }
    }
}

impl From<BoardTeam> for FoundTeam {
    fn from(team: BoardTeam) -> Self {
        Self {
            id: team.id,
            name: team.name,
            is_default: team.default_flag,
        }
    }
}
