//! Boards as ConnectWise lists them.

use crate::RecordId;
use crate::text::is_same_name;

/// What ConnectWise lists by now. Whoever made something may add the answer here instead of listing all again; after a failure
/// everything is listed anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExistingBoards {
    /// All boards, inactive and project boards included.
    pub boards: Vec<FoundBoard>,
    /// What belongs to one of them, once it was looked at.
    pub parts: Option<BoardParts>,
}

/// A board that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBoard {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// No longer in use.
    pub inactive: bool,
    /// For projects: service tickets do not belong there.
    pub for_projects: bool,
}

/// What belongs to one board, inactive ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardParts {
    /// The board.
    pub board: RecordId,
    /// Its statuses.
    pub statuses: Vec<FoundStatus>,
    /// Its types.
    pub types: Vec<FoundType>,
    /// Its teams.
    pub teams: Vec<FoundTeam>,
}

/// A status that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundStatus {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// No longer in use.
    pub inactive: bool,
    /// Tickets in it count as closed.
    pub closes: bool,
    /// What new tickets get if they name none.
    pub is_default: bool,
}

/// A type that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundType {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// No longer in use.
    pub inactive: bool,
}

/// A team that is there. ConnectWise's have no switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTeam {
    /// Its number.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// What new tickets get if they name none.
    pub is_default: bool,
}

/// Those of a name, by rising number, so that of two the same one is taken each time.
pub(crate) fn named<'a, T>(
    rows: &'a [T],
    desired: &str,
    name_and_id: fn(&T) -> (&String, RecordId),
) -> Vec<&'a T> {
    let mut rows: Vec<&T> = rows.iter().collect();
    rows.retain(|row| is_same_name(name_and_id(row).0, desired));
    rows.sort_by_key(|row| name_and_id(row).1);
    rows
}
