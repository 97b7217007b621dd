//! The two dedicated boards: which one thing set-up makes next, from what is there already.
//!
//! Nothing of a half-made board is written down. What is there already by its name is adopted, so set-up may stop after any
//! call, or not know whether a call was done, and goes on from what ConnectWise lists then.

use crate::alert::kind::{BUILT_IN, Category, KindInfo};
use crate::setup::board_issue::{
    BoardUnusable, board_issue, closing_issue, start_issue, type_issue, usable,
};
use crate::setup::board_name::{BoardName, category_name};
use crate::setup::board_targets::usual_on_resolve;
use crate::setup::found_board::{BoardParts, ExistingBoards, FoundStatus, FoundType, named};
use crate::setup::settings::BoardTarget;
use crate::text::is_same_name;
use crate::{Kind, RecordId};

/// The status of a new ticket.
const NEW: &str = "New";

/// The status that closes a ticket. A new board's own is often called ">Closed"; that one is left alone.
const CLOSED: &str = "Closed";

/// Where the two statuses stand among those that a new board may come with, which count from 10 in tens.
const SORT_OF_NEW: u32 = 10;

const SORT_OF_CLOSED: u32 = 90;

/// A board as the partner wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredBoard {
    /// Which of the two.
    pub category: Category,
    /// What it is called.
    pub name: BoardName,
    /// Where a new board belongs; one that is adopted stays where it is.
    pub location: RecordId,
    /// The department of a new board.
    pub department: RecordId,
    /// The member who leads the board's team and is in it.
    pub team_lead: RecordId,
    /// What operators added to the built-in kinds; those of the other category are passed over.
    pub kinds_added: Vec<KindInfo>,
}

/// What set-up does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardDecision {
    /// Lists what belongs to this board, and asks again.
    Look {
        /// The board that is there under the wanted name.
        board: RecordId,
    },
    /// Makes one thing. If the process dies right after, the next listing shows whether it was made.
    Make {
        /// What.
        step: BoardStep,
        /// What was done before it.
        progress: BoardProgress,
    },
    /// All is there: what tickets of the category point at. What becomes of a ticket whose alert is gone is the category's default; a
    /// partner who decided otherwise before keeps that.
    Done(BoardTarget),
}

/// One thing to make. The same step again although it was answered as done means that ConnectWise changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoardStep {
    /// The board itself.
    MakeBoard {
        /// At most 50 characters.
        name: BoardName,
        /// Where it belongs.
        location: RecordId,
        /// Its department.
        department: RecordId,
    },
    /// A status of the board.
    MakeStatus {
        /// The board.
        board: RecordId,
        /// Its name.
        name: &'static str,
        /// Where it stands among the others, the lowest first.
        sort_order: u32,
        /// Tickets in it count as closed.
        closes: bool,
        /// What new tickets get if they name none; only where there is no other yet.
        is_default: bool,
    },
    /// Gives new tickets this status if they name none.
    MakeDefault {
        /// The board.
        board: RecordId,
        /// One of its statuses.
        status: RecordId,
    },
    /// A ticket type of the board.
    MakeType {
        /// The board.
        board: RecordId,
        /// The kind that needs it, or the first of those.
        kind: Kind,
        /// Its name; those of the built-in kinds have at most 50 characters.
        name: String,
    },
    /// The team of the board.
    MakeTeam {
        /// The board.
        board: RecordId,
        /// At most 30 characters.
        name: &'static str,
        /// The member who leads it, and is in it.
        lead: RecordId,
        /// What new tickets get if they name none; only where there is no other yet.
        is_default: bool,
    },
}

/// How far a board is. The whole is the same from the first step to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardProgress {
    /// So many things are there.
    pub done: usize,
    /// Of so many.
    pub of: usize,
}

/// The one next thing that the board needs.
///
/// # Errors
/// When something under a wanted name cannot be used. This comes before anything is made of what belongs to that board.
pub fn next_board_step(
    desired: &DesiredBoard,
    there: &ExistingBoards,
) -> Result<BoardDecision, BoardUnusable> {
    let (kinds, of) = (kinds(desired), item_count(desired));

    let boards = named(&there.boards, desired.name.as_str(), |board| {
        (&board.name, board.id)
    });
    let board = usable(&boards, board_issue).map_err(|err| BoardUnusable(vec![err]))?;
    let Some(board) = board else {
        let step = BoardStep::MakeBoard {
            name: desired.name.clone(),
            location: desired.location,
            department: desired.department,
        };
        let progress = BoardProgress { done: 0, of };
        return Ok(BoardDecision::Make { step, progress });
    };
    let board = board.id;
    let Some(parts) = there.parts.as_ref().filter(|parts| parts.board == board) else {
        return Ok(BoardDecision::Look { board });
    };
    let adopted = adopted(parts, &kinds)?;
    let missing = missing(desired, parts, &adopted);
    // A status that is not there is not the default either.
    let open = missing.len() + usize::from(adopted.new.is_none());
    if let Some(step) = missing.into_iter().next() {
        let progress = BoardProgress {
            done: of - open,
            of,
        };
        return Ok(BoardDecision::Make { step, progress });
    }
    let types = kinds.iter().filter_map(|(kind, name)| {
        let mut types = adopted.types.iter();
        let found = types.find(|(_, of, _)| is_same_name(of, name))?.2?;
        Some((kind.clone(), found.id))
    });
    Ok(BoardDecision::Done(BoardTarget {
        board: Some(board),
        start_status: adopted.new.map(|status| status.id),
        closing_status: adopted.closed.map(|status| status.id),
        types: types.collect(),
        on_resolve: usual_on_resolve(desired.category),
        reopen_days: 0,
        renew_after_hours: 0,
    }))
}

/// How many things the board consists of: the whole of its [`BoardProgress`].
#[must_use]
pub fn item_count(desired: &DesiredBoard) -> usize {
    // The board, two statuses, that one of them is the default, and the team.
    5 + type_names(&kinds(desired)).count()
}

/// What of a board's parts is used.
struct Adopted<'a> {
    new: Option<&'a FoundStatus>,
    closed: Option<&'a FoundStatus>,
    /// Each type once, with its first kind and its wanted name.
    types: Vec<(&'a Kind, &'a str, Option<&'a FoundType>)>,
}

fn adopted<'a>(
    parts: &'a BoardParts,
    kinds: &'a [(Kind, &'a str)],
) -> Result<Adopted<'a>, BoardUnusable> {
    let mut faults = Vec::new();
    let mut status = |name, err| {
        let statuses = named(&parts.statuses, name, |status| (&status.name, status.id));
        usable(&statuses, err).unwrap_or_else(|err| {
            faults.push(err);
            None
        })
    };
    let (new, closed) = (status(NEW, start_issue), status(CLOSED, closing_issue));
    let mut types = Vec::new();
    for (kind, name) in type_names(kinds) {
        let found = named(&parts.types, name, |found| (&found.name, found.id));
        match usable(&found, type_issue) {
            Ok(found) => types.push((kind, *name, found)),
            Err(err) => faults.push(err),
        }
    }
    match faults.is_empty() {
        true => Ok(Adopted { new, closed, types }),
        false => Err(BoardUnusable(faults)),
    }
}

/// What the board still needs, in the order in which it is made. A status that is yet to be made is made the default after.
fn missing(desired: &DesiredBoard, parts: &BoardParts, adopted: &Adopted<'_>) -> Vec<BoardStep> {
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

/// The kinds whose types have different names: two kinds may share a type.
fn type_names<'a>(kinds: &'a [(Kind, &'a str)]) -> impl Iterator<Item = &'a (Kind, &'a str)> {
    let kinds_before = |n: usize| kinds.iter().take(n);
    let all = kinds.iter().enumerate();
    all.filter(move |(n, (_, name))| {
        !kinds_before(*n).any(|(_, before)| is_same_name(before, name))
    })
    .map(|(_, kind)| kind)
}

/// The category's kinds with the names of their types, the built-in ones first. An added kind does not replace a built-in one.
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
