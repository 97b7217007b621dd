//! Boards that cannot be used.

use std::fmt;

use crate::setup::found_board::{FoundBoard, FoundStatus, FoundType};

/// What stands under a wanted name and cannot be used, all of it that is seen: a person mends it in ConnectWise, for others
/// may rely on it as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardUnusable(pub Vec<BoardIssue>);

/// One thing that cannot be used, with its name as ConnectWise has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoardIssue {
    /// The board is switched off.
    #[error(
        "the board \"{name}\" is inactive: make it active in ConnectWise, or choose another name"
    )]
    BoardInactive {
        /// The board's name.
        name: String,
    },
    /// The board takes no service tickets.
    #[error("the board \"{name}\" is a project board: choose another name")]
    BoardForProjects {
        /// The board's name.
        name: String,
    },
    /// A status is switched off.
    #[error(
        "the board's status \"{name}\" is inactive: make it active in ConnectWise, or rename it"
    )]
    StatusInactive {
        /// The status's name.
        name: String,
    },
    /// New tickets would be closed ones.
    #[error(
        "the board's status \"{name}\" counts as closed: rename it in ConnectWise, or let it count as open"
    )]
    StatusCloses {
        /// The status's name.
        name: String,
    },
    /// A ticket in it would stay open.
    #[error(
        "the board's status \"{name}\" does not count as closed: rename it in ConnectWise, or let it count as closed"
    )]
    StatusLeavesOpen {
        /// The status's name.
        name: String,
    },
    /// A type is switched off.
    #[error("the board's type \"{name}\" is inactive: make it active in ConnectWise, or rename it")]
    TypeInactive {
        /// The type's name.
        name: String,
    },
}

impl fmt::Display for BoardUnusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, err) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            err.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for BoardUnusable {}

/// The first that has no fault; none if there is none at all; else the first one's fault.
pub(crate) fn usable<'a, T>(
    rows: &[&'a T],
    err: fn(&T) -> Option<BoardIssue>,
) -> Result<Option<&'a T>, BoardIssue> {
    let mut first = None;
    for row in rows {
        match err(row) {
            None => return Ok(Some(row)),
            Some(err) => first = first.or(Some(err)),
        }
    }
    first.map_or(Ok(None), Err)
}

pub(crate) fn board_issue(board: &FoundBoard) -> Option<BoardIssue> {
    let name = board.name.clone();
    match (board.for_projects, board.inactive) {
        (true, _) => Some(BoardIssue::BoardForProjects { name }),
        (false, true) => Some(BoardIssue::BoardInactive { name }),
        (false, false) => None,
    }
}

pub(crate) fn start_issue(status: &FoundStatus) -> Option<BoardIssue> {
    let name = status.name.clone();
    match (status.inactive, status.closes) {
        (true, _) => Some(BoardIssue::StatusInactive { name }),
        (false, true) => Some(BoardIssue::StatusCloses { name }),
        (false, false) => None,
    }
}

pub(crate) fn closing_issue(status: &FoundStatus) -> Option<BoardIssue> {
    let name = status.name.clone();
    match (status.inactive, status.closes) {
        (true, _) => Some(BoardIssue::StatusInactive { name }),
        (false, false) => Some(BoardIssue::StatusLeavesOpen { name }),
        (false, true) => None,
    }
}

pub(crate) fn type_issue(found: &FoundType) -> Option<BoardIssue> {
    let name = found.name.clone();
    found.inactive.then_some(BoardIssue::TypeInactive { name })
}
