//! The two dedicated boards: which part set-up creates next.
//!
//! The state of an unfinished board is not stored. Existing parts are adopted by their names. So
//! set-up may stop after any call, or not know whether a call succeeded, and continues with what
//! ConnectWise lists then.

use crate::alert::kind::{BUILT_IN, Category, KindInfo};
use crate::setup::board_issue::{
    BoardUnusable, board_issue, closing_issue, start_issue, type_issue, usable,
};
use crate::setup::board_name::{BoardName, category_name};
use crate::setup::board_targets::default_on_resolve;
use crate::setup::found_board::{BoardParts, ExistingBoards, FoundStatus, FoundType, named};
use crate::setup::settings::BoardTarget;
use crate::text::is_same_name;
use crate::{Kind, RecordId};

const NEW: &str = "New";

/// The status that closes a ticket. A new board's own one is often called ">Closed" and is left
/// alone.
const CLOSED: &str = "Closed";

/// The positions of the two statuses among those that a new board may have, which count from 10 in
/// tens.
const SORT_OF_NEW: u32 = 10;

const SORT_OF_CLOSED: u32 = 90;

/// A board as the partner configured it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredBoard {
    pub category: Category,
    pub name: BoardName,
    /// The location of a new board. An adopted board keeps its own.
    pub location: RecordId,
    pub department: RecordId,
    /// The member who leads the board's team and belongs to it.
    pub team_lead: RecordId,
    /// Kinds that operators added to the built-in ones. Those of the other category are skipped.
    pub kinds_added: Vec<KindInfo>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardDecision {
    /// List the parts of this board, then ask again.
    Look { board: RecordId },
    /// Make one part. If the process dies right after, the next listing shows whether it was made.
    Make {
        step: BoardStep,
        progress: BoardProgress,
    },
    /// The board is complete, with this target. `on_resolve` is the category's default; an earlier
    /// decision of the partner stays.
    Done(BoardTarget),
}

/// One part to create. If the same step follows although it was answered as done, ConnectWise
/// changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardStep {
    MakeBoard {
        name: BoardName,
        location: RecordId,
        department: RecordId,
    },
    MakeStatus {
        board: RecordId,
        name: &'static str,
        /// Its position among the statuses.
        sort_order: u32,
        /// Tickets in this status count as closed.
        closes: bool,
        /// The status of new tickets that name none. Only if there is no other default yet.
        is_default: bool,
    },
    /// Makes this status the default of new tickets.
    MakeDefault { board: RecordId, status: RecordId },
    MakeType {
        board: RecordId,
        /// The kind that needs it, or the first of them.
        kind: Kind,
        /// Its name. Those of the built-in kinds have at most 50 characters.
        name: String,
    },
    MakeTeam {
        board: RecordId,
        name: &'static str,
        /// The member who leads it and belongs to it.
        lead: RecordId,
        /// The team of new tickets that name none. Only if there is no other default yet.
        is_default: bool,
    },
}

/// The progress of a board. The total is the same from the first step to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardProgress {
    /// The number of existing parts.
    pub done: usize,
    /// The number of all parts.
    pub of: usize,
}

/// What exists of a board, and what is created of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardPlan {
    /// No board has the name: all of it is created.
    New,
    /// List the parts of this board, then ask again.
    Look { board: RecordId },
    Existing {
        board: RecordId,
        /// In the order in which they are created.
        missing: Vec<BoardStep>,
        progress: BoardProgress,
    },
}

impl BoardPlan {
    /// The number of existing parts.
    #[must_use]
    pub fn done(&self) -> usize {
        match self {
            Self::New | Self::Look { .. } => 0,
            Self::Existing { progress, .. } => progress.done,
        }
    }
}

/// Plans all that the board needs.
///
/// # Errors
/// Fails if a part with a desired name cannot be used.
pub fn plan_board(
    desired: &DesiredBoard,
    existing: &ExistingBoards,
) -> Result<BoardPlan, BoardUnusable> {
    let boards = named(&existing.boards, desired.name.as_str(), |board| {
        (&board.name, board.id)
    });
    let board = usable(&boards, board_issue).map_err(|err| BoardUnusable(vec![err]))?;
    let Some(board) = board.map(|board| board.id) else {
        return Ok(BoardPlan::New);
    };
    let Some(parts) = parts_of(existing, board) else {
        return Ok(BoardPlan::Look { board });
    };
    let kinds = kinds(desired);
    let adopted = adopt_parts(parts, &kinds)?;
    let missing = missing_parts(desired, parts, &adopted);
    // A missing status is not the default either.
    let open = missing.len() + usize::from(adopted.new.is_none());
    let of = item_count(desired);
    let progress = BoardProgress {
        done: of - open,
        of,
    };
    Ok(BoardPlan::Existing {
        board,
        missing,
        progress,
    })
}

/// Returns what the board needs next.
///
/// # Errors
/// Fails if a part with a desired name cannot be used. That is checked before any other part is
/// created.
pub fn next_board_step(
    desired: &DesiredBoard,
    existing: &ExistingBoards,
) -> Result<BoardDecision, BoardUnusable> {
    match plan_board(desired, existing)? {
        BoardPlan::New => {
            let step = BoardStep::MakeBoard {
                name: desired.name.clone(),
                location: desired.location,
                department: desired.department,
            };
            let of = item_count(desired);
            let progress = BoardProgress { done: 0, of };
            Ok(BoardDecision::Make { step, progress })
        }
        BoardPlan::Look { board } => Ok(BoardDecision::Look { board }),
        BoardPlan::Existing {
            board,
            missing,
            progress,
        } => match (missing.into_iter().next(), parts_of(existing, board)) {
            (Some(step), _) => Ok(BoardDecision::Make { step, progress }),
            (None, Some(parts)) => Ok(BoardDecision::Done(target(desired, parts)?)),
            (None, None) => Ok(BoardDecision::Look { board }),
        },
    }
}

fn parts_of(existing: &ExistingBoards, board: RecordId) -> Option<&BoardParts> {
    existing.parts.as_ref().filter(|parts| parts.board == board)
}

/// The target of a complete board.
fn target(desired: &DesiredBoard, parts: &BoardParts) -> Result<BoardTarget, BoardUnusable> {
    let kinds = kinds(desired);
    let adopted = adopt_parts(parts, &kinds)?;
    let types = kinds.iter().filter_map(|(kind, name)| {
        let mut types = adopted.types.iter();
        let found = types.find(|(_, of, _)| is_same_name(of, name))?.2?;
        Some((kind.clone(), found.id))
    });
    Ok(BoardTarget {
        board: Some(parts.board),
        start_status: adopted.new.map(|status| status.id),
        closing_status: adopted.closed.map(|status| status.id),
        types: types.collect(),
        on_resolve: default_on_resolve(desired.category),
        ..BoardTarget::default()
    })
}

/// The number of parts of a board: the total of its [`BoardProgress`].
#[must_use]
pub fn item_count(desired: &DesiredBoard) -> usize {
    // The board, two statuses, the default status, and the team.
    5 + type_names(&kinds(desired)).count()
}

/// The existing parts of a board that are used.
struct AdoptedParts<'a> {
    new: Option<&'a FoundStatus>,
    closed: Option<&'a FoundStatus>,
    /// Each type once, with its first kind and its name.
    types: Vec<(&'a Kind, &'a str, Option<&'a FoundType>)>,
}

fn adopt_parts<'a>(
    parts: &'a BoardParts,
    kinds: &'a [(Kind, &'a str)],
) -> Result<AdoptedParts<'a>, BoardUnusable> {
    let mut issues = Vec::new();
    let mut status = |name, err| {
        let statuses = named(&parts.statuses, name, |status| (&status.name, status.id));
        usable(&statuses, err).unwrap_or_else(|err| {
            issues.push(err);
            None
        })
    };
    let (new, closed) = (status(NEW, start_issue), status(CLOSED, closing_issue));
    let mut types = Vec::new();
    for (kind, name) in type_names(kinds) {
        let found = named(&parts.types, name, |found| (&found.name, found.id));
        match usable(&found, type_issue) {
            Ok(found) => types.push((kind, *name, found)),
            Err(err) => issues.push(err),
        }
    }
    match issues.is_empty() {
        true => Ok(AdoptedParts { new, closed, types }),
        false => Err(BoardUnusable(issues)),
    }
}

/// The missing parts, in the order in which they are created. A status that is still missing is
/// made the default after its creation.
fn missing_parts(
    desired: &DesiredBoard,
    parts: &BoardParts,
    adopted: &AdoptedParts<'_>,
) -> Vec<BoardStep> {
    let board = parts.board;
    let mut missing = Vec::new();
    match adopted.new {
        None => missing.push(BoardStep::MakeStatus {
            board,
            name: NEW,
            sort_order: SORT_OF_NEW,
            closes: false,
            is_default: !parts.statuses.iter().any(|status| status.is_default),
        }),
        Some(new) if !new.is_default => missing.push(BoardStep::MakeDefault {
            board,
            status: new.id,
        }),
        Some(_) => {}
    }
    if adopted.closed.is_none() {
        missing.push(BoardStep::MakeStatus {
            board,
            name: CLOSED,
            sort_order: SORT_OF_CLOSED,
            closes: true,
            is_default: false,
        });
    }
    for (kind, name, found) in &adopted.types {
        if found.is_none() {
            missing.push(BoardStep::MakeType {
                board,
                kind: (*kind).clone(),
                name: (*name).to_owned(),
            });
        }
    }
    let name = category_name(desired.category);
    if named(&parts.teams, name, |team| (&team.name, team.id)).is_empty() {
        missing.push(BoardStep::MakeTeam {
            board,
            name,
            lead: desired.team_lead,
            is_default: !parts.teams.iter().any(|team| team.is_default),
        });
    }
    missing
}

/// The kinds whose types have different names. Two kinds may share a type.
fn type_names<'a>(kinds: &'a [(Kind, &'a str)]) -> impl Iterator<Item = &'a (Kind, &'a str)> {
    let kinds_before = |n: usize| kinds.iter().take(n);
    let all = kinds.iter().enumerate();
    all.filter(move |(n, (_, name))| {
        !kinds_before(*n).any(|(_, before)| is_same_name(before, name))
    })
    .map(|(_, kind)| kind)
}

/// The category's kinds with the names of their types, built-in ones first. An added kind does not
/// replace a built-in one.
pub(crate) fn kinds(desired: &DesiredBoard) -> Vec<(Kind, &str)> {
    let built_in = BUILT_IN
        .iter()
        .filter(|(_, category, _)| *category == desired.category);
    let built_in = built_in.filter_map(|(kind, _, name)| Some((Kind::parse(*kind).ok()?, *name)));
    let added = desired.kinds_added.iter().filter(|info| {
        let is_built_in = BUILT_IN
            .iter()
            .any(|(kind, ..)| *kind == info.kind.as_str());
        info.category == desired.category && !is_built_in
    });
    let added = added.map(|info| (info.kind.clone(), info.type_name.as_str()));
    built_in.chain(added).collect()
}

#[cfg(test)]
mod tests;
