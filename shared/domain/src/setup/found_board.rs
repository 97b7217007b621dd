//! Boards and their parts, as ConnectWise lists them.

use crate::RecordId;
use crate::text::is_same_name;

/// What ConnectWise lists. After a successful write its answer may be added here; after a failure
/// everything is listed again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExistingBoards {
    pub boards: Vec<FoundBoard>,
    /// The parts of one of them, if they were listed.
    pub parts: Option<BoardParts>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBoard {
    pub id: RecordId,
    pub name: String,
    pub inactive: bool,
    /// A project board, which takes no service tickets.
    pub for_projects: bool,
}

/// The statuses, types and teams of a board, including inactive ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardParts {
    pub board: RecordId,
    pub statuses: Vec<FoundStatus>,
    pub types: Vec<FoundType>,
    pub teams: Vec<FoundTeam>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundStatus {
    pub id: RecordId,
    pub name: String,
    pub inactive: bool,
    /// Tickets in this status count as closed.
    pub closes: bool,
    /// The status of new tickets that name none.
    pub is_default: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundType {
    pub id: RecordId,
    pub name: String,
    pub inactive: bool,
}

/// A team. ConnectWise's teams cannot be inactive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTeam {
    pub id: RecordId,
    pub name: String,
    /// The team of new tickets that name none.
    pub is_default: bool,
}

/// Those with a name, in the order of their ids, so that of two with the same name always the same
/// one is taken.
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
