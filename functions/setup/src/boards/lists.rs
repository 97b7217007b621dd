//! Boards and the options for them, read from ConnectWise.

use std::collections::BTreeMap;

use connectwise::{Client, Error, MyMember};
use domain::RecordId;
use domain::alert::event::Severity;
use domain::setup::found_board::BoardParts;
use domain::setup::{choices, rights};
use tokio::time::Instant;
use tokio::try_join;

use crate::boards::form::BoardLists;
use crate::connection::client::problem_of;
use crate::http::problem::Problem;

/// Statuses and types of a board, in the board's order; `None` if the API member lacks the right.
pub(crate) async fn board_parts(
    client: &Client,
    board: RecordId,
    ends: Instant,
) -> Result<Option<BoardParts>, Problem> {
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
        Err(Error::NotFound { .. }) => Err(Problem::refused(
            "A board that tickets go to was deleted in ConnectWise. Choose again on \"Boards\".",
        )),
        Err(err) => Err(problem_of(&err)),
    }
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

/// Id and name of the API member's default board.
pub(super) fn default_board(member: &MyMember) -> Option<(RecordId, String)> {
    let board = member.service_default_board.as_ref()?;
    Some((board.id, board.name.clone()))
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
