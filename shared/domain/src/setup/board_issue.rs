//! Why an existing board cannot be adopted.

use std::fmt;

use crate::setup::found_board::{FoundBoard, FoundStatus, FoundType};

/// All visible issues with parts that have the desired names. A person fixes them in ConnectWise,
/// since others may rely on these parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardUnusable(pub Vec<BoardIssue>);

/// One part that cannot be used, with its name in ConnectWise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoardIssue {
    #[error(
        "the board \"{name}\" is inactive: make it active in ConnectWise, or choose another name"
    )]
    BoardInactive { name: String },
    #[error("the board \"{name}\" is a project board: choose another name")]
    BoardForProjects { name: String },
    #[error(
        "the board's status \"{name}\" is inactive: make it active in ConnectWise, or rename it"
    )]
    StatusInactive { name: String },
    #[error(
        "the board's status \"{name}\" counts as closed: rename it in ConnectWise, or let it count as open"
    )]
    StatusCloses { name: String },
    #[error(
        "the board's status \"{name}\" does not count as closed: rename it in ConnectWise, or let it count as closed"
    )]
    StatusLeavesOpen { name: String },
    #[error("the board's type \"{name}\" is inactive: make it active in ConnectWise, or rename it")]
    TypeInactive { name: String },
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

/// The first row without an issue. `None` if there is no row. If every row has an issue, the first
/// row's issue.
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

/// Why new service tickets cannot go to a board.
#[must_use]
pub fn board_issue(board: &FoundBoard) -> Option<BoardIssue> {
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
