//! The two dedicated boards: which one thing set-up makes next, from what is there already.
//!
//! Nothing of a half-made board is written down. What is there already by its name is adopted, so set-up may stop after any
//! call, or not know whether a call was done, and goes on from what ConnectWise lists then.

use std::collections::BTreeMap;
use std::fmt;

use crate::event::Severity;
use crate::kind::{BUILT_IN, Category, KindInfo};
use crate::settings::{BoardTarget, OnResolve, Settings};
use crate::text::{is_same_name, is_unprintable};
use crate::{Kind, RecordId};

/// The status of a new ticket.
const NEW: &str = "New";
/// The status that closes a ticket. A new board's own is often called ">Closed"; that one is left alone.
const CLOSED: &str = "Closed";

/// Where the two statuses stand among those that a new board may come with, which count from 10 in tens.
const SORT_OF_NEW: u32 = 10;
const SORT_OF_CLOSED: u32 = 90;

/// A board's name: 1 to 50 of .NET's characters (UTF-16 units, as ConnectWise counts), on one line, without blanks around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardName(String);

/// Why a text cannot be a board's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBoardName {
    /// Nothing but blanks.
    #[error("a board's name must not be empty")]
    Empty,
    /// More than ConnectWise takes.
    #[error("a board's name must not be longer than 50 characters")]
    TooLong,
    /// Line breaks, control or direction marks.
    #[error("a board's name must be plain text on one line")]
    Unprintable,
}

impl BoardName {
    const LONGEST: usize = 50;

    /// Takes what a person typed, without the blanks around it.
    ///
    /// # Errors
    /// When ConnectWise would not take it.
    pub fn parse(text: &str) -> Result<Self, InvalidBoardName> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidBoardName::Empty);
        }
        if text.encode_utf16().count() > Self::LONGEST {
            return Err(InvalidBoardName::TooLong);
        }
        if text.contains(is_unprintable) {
            return Err(InvalidBoardName::Unprintable);
        }
        Ok(Self(text.to_owned()))
    }

    /// What a category's board is called unless the partner says otherwise.
    #[must_use]
    pub fn usual(category: Category) -> Self {
        Self(category_name(category).to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether ConnectWise takes both for one name. The boards of the two categories must not have the same: the second would adopt
    /// the first.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        is_same_name(&self.0, &other.0)
    }
}

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

/// What ConnectWise lists by now. Whoever made something may add the answer here instead of listing all again; after a failure
/// everything is listed anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExistingBoards {
    /// All boards, inactive and project boards included.
    pub boards: Vec<FoundBoard>,
    /// What belongs to one of them, once it was looked at.
    pub parts: Option<Parts>,
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
pub struct Parts {
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

/// What set-up does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Lists what belongs to this board, and asks again.
    Look {
        /// The board that is there under the wanted name.
        board: RecordId,
    },
    /// Makes one thing. If the process dies right after, the next listing shows whether it was made.
    Make {
        /// What.
        step: Step,
        /// What was done before it.
        progress: Progress,
    },
    /// All is there: what tickets of the category point at. What becomes of a ticket whose alert is gone is the category's default; a
    /// partner who decided otherwise before keeps that.
    Done(BoardTarget),
}

/// One thing to make. The same step again although it was answered as done means that ConnectWise changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
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
pub struct Progress {
    /// So many things are there.
    pub done: usize,
    /// Of so many.
    pub of: usize,
}

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

/// The one next thing that the board needs.
///
/// # Errors
/// When something under a wanted name cannot be used. This comes before anything is made of what belongs to that board.
pub fn next(desired: &DesiredBoard, there: &ExistingBoards) -> Result<Next, BoardUnusable> {
    let (kinds, of) = (kinds(desired), size(desired));

    let boards = named(&there.boards, desired.name.as_str(), |board| {
        (&board.name, board.id)
    });
    let board = usable(&boards, board_issue).map_err(|err| BoardUnusable(vec![err]))?;
    let Some(board) = board else {
        let step = Step::MakeBoard {
            name: desired.name.clone(),
            location: desired.location,
            department: desired.department,
        };
        let progress = Progress { done: 0, of };
        return Ok(Next::Make { step, progress });
    };
    let board = board.id;
    let Some(parts) = there.parts.as_ref().filter(|parts| parts.board == board) else {
        return Ok(Next::Look { board });
    };
    let adopted = adopted(parts, &kinds)?;
    let missing = missing(desired, parts, &adopted);
    // A status that is not there is not the default either.
    let open = missing.len() + usize::from(adopted.new.is_none());
    if let Some(step) = missing.into_iter().next() {
        let progress = Progress {
            done: of - open,
            of,
        };
        return Ok(Next::Make { step, progress });
    }
    let types = kinds.iter().filter_map(|(kind, name)| {
        let mut types = adopted.types.iter();
        let found = types.find(|(_, of, _)| is_same_name(of, name))?.2?;
        Some((kind.clone(), found.id))
    });
    Ok(Next::Done(BoardTarget {
        board: Some(board),
        start_status: adopted.new.map(|status| status.id),
        closing_status: adopted.closed.map(|status| status.id),
        types: types.collect(),
        on_resolve: usual_on_resolve(desired.category),
        reopen_days: 0,
        renew_after_hours: 0,
    }))
}

/// How many things the board consists of: the whole of its [`Progress`].
#[must_use]
pub fn size(desired: &DesiredBoard) -> usize {
    // The board, two statuses, that one of them is the default, and the team.
    5 + type_names(&kinds(desired)).count()
}

/// What tickets of a category point at on a board that the partner has already, with its statuses in the board's own order: new ones get
/// the board's default status, or its first open one if that one is no good; ticket types are those that are called as ours are.
/// Without its parts, as where the API member may not see them, ConnectWise's own defaults are left to it.
#[must_use]
pub fn on_own_board(category: Category, board: RecordId, parts: Option<&Parts>) -> BoardTarget {
    let target = BoardTarget {
        board: Some(board),
        ..left_to_connectwise(category)
    };
    let Some(parts) = parts else {
        return target;
    };
    let opens = |status: &&FoundStatus| !status.inactive && !status.closes;
    let closes = |status: &&FoundStatus| !status.inactive && status.closes;
    let statuses = || parts.statuses.iter();
    let start = statuses().filter(opens).find(|status| status.is_default);
    let start = start.or_else(|| statuses().find(opens));
    let kinds = BUILT_IN.iter().filter(|(_, of, _)| *of == category);
    let types = kinds.filter_map(|(kind, _, name)| {
        let found = named(&parts.types, name, |found| (&found.name, found.id));
        let found = usable(&found, type_issue).ok()??;
        Some((Kind::parse(*kind).ok()?, found.id))
    });
    BoardTarget {
        start_status: start.map(|status| status.id),
        closing_status: statuses().find(closes).map(|status| status.id),
        types: types.collect(),
        ..target
    }
}

/// What tickets of a category point at where ConnectWise chooses everything.
#[must_use]
pub fn left_to_connectwise(category: Category) -> BoardTarget {
    BoardTarget {
        on_resolve: usual_on_resolve(category),
        ..BoardTarget::default()
    }
}

/// The settings with other boards, of a connection of this epoch. What the partner decided otherwise before stays; numbers of another
/// ConnectWise do not. `usual` are the priorities of who has chosen none yet.
#[must_use]
pub fn chosen(
    before: Option<Settings>,
    operations: BoardTarget,
    cyber_alerts: BoardTarget,
    usual: BTreeMap<Severity, RecordId>,
    epoch: u32,
) -> Settings {
    let Some(before) = before else {
        return Settings {
            operations,
            cyber_alerts,
            priorities: usual,
            epoch: Some(epoch),
            ..Settings::default()
        };
    };
    let as_before = |target: BoardTarget, before: &BoardTarget| BoardTarget {
        on_resolve: before.on_resolve,
        reopen_days: before.reopen_days,
        renew_after_hours: before.renew_after_hours,
        ..target
    };
    Settings {
        operations: as_before(operations, &before.operations),
        cyber_alerts: as_before(cyber_alerts, &before.cyber_alerts),
        priorities: match before.is_of(epoch) {
            true => before.priorities,
            false => usual,
        },
        epoch: Some(epoch),
        ..before
    }
}

fn usual_on_resolve(category: Category) -> OnResolve {
    match category {
        Category::Operations => OnResolve::Close,
        Category::CyberAlerts => OnResolve::Note,
    }
}

/// What of a board's parts is used.
struct Adopted<'a> {
    new: Option<&'a FoundStatus>,
    closed: Option<&'a FoundStatus>,
    /// Each type once, with its first kind and its wanted name.
    types: Vec<(&'a Kind, &'a str, Option<&'a FoundType>)>,
}

fn adopted<'a>(
    parts: &'a Parts,
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
fn missing(desired: &DesiredBoard, parts: &Parts, adopted: &Adopted<'_>) -> Vec<Step> {
    let board = parts.board;
    let mut missing = Vec::new();
    match adopted.new {
        None => missing.push(Step::MakeStatus {
            board,
            name: NEW,
            sort_order: SORT_OF_NEW,
            closes: false,
            is_default: !parts.statuses.iter().any(|status| status.is_default),
        }),
        Some(new) if !new.is_default => missing.push(Step::MakeDefault {
            board,
            status: new.id,
        }),
        Some(_) => {}
    }
    if adopted.closed.is_none() {
        missing.push(Step::MakeStatus {
            board,
            name: CLOSED,
            sort_order: SORT_OF_CLOSED,
            closes: true,
            is_default: false,
        });
    }
    for (kind, name, found) in &adopted.types {
        if found.is_none() {
            missing.push(Step::MakeType {
                board,
                kind: (*kind).clone(),
                name: (*name).to_owned(),
            });
        }
    }
    let name = category_name(desired.category);
    if named(&parts.teams, name, |team| (&team.name, team.id)).is_empty() {
        missing.push(Step::MakeTeam {
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

/// The category's own name, which its team has: a board's may be too long for a team.
fn category_name(category: Category) -> &'static str {
    match category {
        Category::Operations => "Operations",
        Category::CyberAlerts => "Cyber Alerts",
    }
}

/// The category's kinds with the names of their types, the built-in ones first. An added kind does not replace a built-in one.
fn kinds(desired: &DesiredBoard) -> Vec<(Kind, &str)> {
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

/// Those of a name, by rising number, so that of two the same one is taken each time.
fn named<'a, T>(
    rows: &'a [T],
    desired: &str,
    name_and_id: fn(&T) -> (&String, RecordId),
) -> Vec<&'a T> {
    let mut rows: Vec<&T> = rows.iter().collect();
    rows.retain(|row| is_same_name(name_and_id(row).0, desired));
    rows.sort_by_key(|row| name_and_id(row).1);
    rows
}

/// The first that has no fault; none if there is none at all; else the first one's fault.
fn usable<'a, T>(
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

fn board_issue(board: &FoundBoard) -> Option<BoardIssue> {
    let name = board.name.clone();
    match (board.for_projects, board.inactive) {
        (true, _) => Some(BoardIssue::BoardForProjects { name }),
        (false, true) => Some(BoardIssue::BoardInactive { name }),
        (false, false) => None,
    }
}

fn start_issue(status: &FoundStatus) -> Option<BoardIssue> {
    let name = status.name.clone();
    match (status.inactive, status.closes) {
        (true, _) => Some(BoardIssue::StatusInactive { name }),
        (false, true) => Some(BoardIssue::StatusCloses { name }),
        (false, false) => None,
    }
}

fn closing_issue(status: &FoundStatus) -> Option<BoardIssue> {
    let name = status.name.clone();
    match (status.inactive, status.closes) {
        (true, _) => Some(BoardIssue::StatusInactive { name }),
        (false, false) => Some(BoardIssue::StatusLeavesOpen { name }),
        (false, true) => None,
    }
}

fn type_issue(found: &FoundType) -> Option<BoardIssue> {
    let name = found.name.clone();
    found.inactive.then_some(BoardIssue::TypeInactive { name })
}

#[cfg(test)]
mod tests;
