//! Boards and the options for them, read from ConnectWise.

use std::collections::BTreeMap;

use connectwise::{Client, Error};
use domain::RecordId;
use domain::alert::event::Severity;
use domain::setup::found_board::{BoardParts, FoundBoard};
use domain::setup::{choices, rights};
use tokio::time::Instant;
use tokio::{join, try_join};

use crate::boards::form::BoardLists;
use crate::connection::client::problem_of;
use crate::http::problem::Problem;

/// Statuses and types of a board, in the board's order; `None` if the API member lacks the right.
pub(crate) async fn board_parts(
    client: &Client,
    board: RecordId,
    ends: Instant,
) -> Result<Option<BoardParts>, Problem> {
    match readable_parts(client, board, ends).await {
        Err(Error::NotFound { .. }) => Err(Problem::refused(
            "A board that tickets go to was deleted in ConnectWise. Choose again on \"Boards\".",
        )),
        parts => parts.map_err(|err| problem_of(&err)),
    }
}

/// As [`board_parts`], for a board that may have been deleted.
pub(super) async fn readable_parts(
    client: &Client,
    board: RecordId,
    ends: Instant,
) -> Result<Option<BoardParts>, Error> {
    let lists = try_join!(
        client.board_statuses(board, ends),
        client.board_types(board, ends)
    );
    match lists {
        Ok((mut statuses, types)) => {
            statuses.sort_by_key(|status| (status.sort_order, status.id));
            Ok(Some(BoardParts {
                board,
                statuses: statuses.into_iter().map(Into::into).collect(),
                types: types.into_iter().map(Into::into).collect(),
                teams: Vec::new(),
            }))
        }
        Err(Error::MissingRight { .. }) => Ok(None),
        Err(err) => Err(err),
    }
}

/// The boards that exist.
pub(super) struct OfferedBoards {
    /// Also those that cannot be chosen.
    pub(super) boards: Vec<FoundBoard>,
    pub(super) default: DefaultBoard,
    /// The rights without which something is not known.
    pub(super) missing_rights: Vec<&'static str>,
}

/// The API member's default board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DefaultBoard {
    /// The API member lacks the right to read it.
    Unknown,
    None,
    Board(RecordId),
}

/// Lists the boards that the API member sees. Tickets on the others could not be found again.
pub(super) async fn offered_boards(
    client: &Client,
    ends: Instant,
) -> Result<OfferedBoards, Problem> {
    let (member, boards) = join!(client.my_member(ends), client.board_infos(ends));
    let mut missing_rights = Vec::new();
    let member = match member {
        Ok(member) => Some(member),
        // ConnectWise still uses its default board for a ticket that names none.
        Err(Error::MissingRight { right }) => {
            missing_rights.push(right);
            None
        }
        Err(err) => return Err(problem_of(&err)),
    };
    let mut boards: Vec<FoundBoard> = match boards {
        Ok(boards) => boards.into_iter().map(Into::into).collect(),
        Err(Error::MissingRight { right }) => {
            missing_rights.push(right);
            Vec::new()
        }
        Err(err) => return Err(problem_of(&err)),
    };
    if let Some(member) = &member {
        boards.retain(|board| !member.excluded_service_board_ids.contains(&board.id));
    }
    let default = match member.map(|member| member.service_default_board) {
        None => DefaultBoard::Unknown,
        Some(None) => DefaultBoard::None,
        Some(Some(default)) => {
            if !boards.iter().any(|board| board.id == default.id) {
                boards.push(FoundBoard {
                    id: default.id,
                    name: default.name,
                    inactive: false,
                    for_projects: false,
                });
            }
            DefaultBoard::Board(default.id)
        }
    };
    boards.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
    Ok(OfferedBoards {
        boards,
        default,
        missing_rights,
    })
}

/// What new boards may have.
pub(super) async fn board_lists(client: &Client, ends: Instant) -> Result<BoardLists, Error> {
    // Without the right to read boards, none can be created either. One row shows it.
    let tables = async {
        match client.can_inquire(rights::TABLES_INQUIRE, ends).await? {
            Some(false) => Err(Error::MissingRight {
                right: rights::TABLES_INQUIRE,
            }),
            Some(true) | None => Ok(()),
        }
    };
    let (locations, departments, members, ()) = try_join!(
        client.locations(ends),
        client.departments(ends),
        client.members(ends),
        tables
    )?;
    Ok(BoardLists {
        locations,
        departments,
        members,
    })
}

/// The initial priorities; empty if the API member lacks the right to read them.
pub(super) async fn usual_priorities(
    client: &Client,
    deadline: Instant,
) -> Result<BTreeMap<Severity, RecordId>, Problem> {
    match client.priorities(deadline).await {
        Ok(listed) => {
            let names = listed.iter().map(|of| (of.id, of.name.as_str()));
            Ok(choices::default_priorities(&names.collect::<Vec<_>>()))
        }
        Err(Error::MissingRight { .. }) => Ok(BTreeMap::new()),
        Err(err) => Err(problem_of(&err)),
    }
}
