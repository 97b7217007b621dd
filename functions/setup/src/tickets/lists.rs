//! The options for tickets, read from ConnectWise.

use connectwise::{Client, Error, Priority, TicketSource, type_hierarchy};
use domain::RecordId;
use domain::setup::assignment::FoundMember;
use domain::setup::custom_fields::{FoundField, sorted};
use domain::setup::found_board::{BoardParts, FoundTeam};
use domain::setup::settings::{BoardTarget, Settings};
use domain::setup::type_hierarchy::TypeHierarchy;
use tokio::time::Instant;
use tokio::{join, try_join};

use crate::boards::lists::board_parts;
use crate::connection::client::problem_of;
use crate::http::problem::Problem;

/// What ConnectWise has; `None` where the API member lacks the right to read it.
pub(crate) struct TicketLists {
    pub(crate) operations: Option<TicketBoard>,
    pub(crate) cyber_alerts: Option<TicketBoard>,
    pub(crate) priorities: Option<Vec<Priority>>,
    pub(crate) sources: Option<Vec<TicketSource>>,
    pub(crate) members: Option<Vec<FoundMember>>,
    /// The custom fields of tickets, or why they cannot be read.
    pub(crate) custom_fields: Result<Vec<FoundField>, String>,
}

/// A board's statuses, types and teams, and what is below its types.
#[derive(Clone)]
pub(crate) struct TicketBoard {
    pub(crate) parts: BoardParts,
    pub(crate) hierarchy: TypeHierarchy,
}

impl TicketLists {
    /// Whether everything could be read that these settings point to.
    pub(crate) fn is_complete(&self, settings: &Settings) -> bool {
        let is_read = |target: &BoardTarget, parts: &Option<TicketBoard>| {
            target.board.is_none() || parts.is_some()
        };
        self.priorities.is_some()
            && is_read(&settings.operations, &self.operations)
            && is_read(&settings.cyber_alerts, &self.cyber_alerts)
    }
}

pub(crate) async fn ticket_lists(
    client: &Client,
    settings: &Settings,
    ends: Instant,
) -> Result<TicketLists, Problem> {
    let (one, other) = (settings.operations.board, settings.cyber_alerts.board);
    let parts = async |board: Option<RecordId>| match board {
        Some(board) => ticket_board(client, board, ends).await,
        None => Ok(None),
    };
    // If both categories use one board, it is read once.
    let second = async {
        if one == other {
            Ok(None)
        } else {
            parts(other).await
        }
    };
    let (operations, cyber_alerts, priorities, sources, members, custom_fields) = join!(
        parts(one),
        second,
        priorities(client, ends),
        sources(client, ends),
        members(client, ends),
        ticket_fields(client, ends)
    );
    let operations = operations?;
    Ok(TicketLists {
        cyber_alerts: if one == other {
            operations.clone()
        } else {
            cyber_alerts?
        },
        operations,
        priorities: priorities?,
        sources: sources?,
        members: members?,
        custom_fields,
    })
}

async fn ticket_board(
    client: &Client,
    board: RecordId,
    ends: Instant,
) -> Result<Option<TicketBoard>, Problem> {
    let (parts, hierarchy, teams) = join!(
        board_parts(client, board, ends),
        board_hierarchy(client, board, ends),
        board_teams(client, board, ends)
    );
    Ok(match (parts?, hierarchy?, teams?) {
        (Some(parts), Some(hierarchy), Some(teams)) => Some(TicketBoard {
            parts: BoardParts { teams, ..parts },
            hierarchy,
        }),
        (Some(_) | None, Some(_) | None, Some(_) | None) => None,
    })
}

/// The teams of a board; `None` if the API member lacks the right.
pub(crate) async fn board_teams(
    client: &Client,
    board: RecordId,
    ends: Instant,
) -> Result<Option<Vec<FoundTeam>>, Problem> {
    match client.board_teams(board, ends).await {
        Ok(teams) => Ok(Some(teams.into_iter().map(Into::into).collect())),
        Err(Error::MissingRight { .. }) => Ok(None),
        Err(err) => Err(problem_of(&err)),
    }
}

/// The members, inactive ones included; `None` if the API member lacks the right.
pub(crate) async fn members(
    client: &Client,
    ends: Instant,
) -> Result<Option<Vec<FoundMember>>, Problem> {
    match client.members(ends).await {
        Ok(members) => Ok(Some(members.into_iter().map(Into::into).collect())),
        Err(Error::MissingRight { .. }) => Ok(None),
        Err(err) => Err(problem_of(&err)),
    }
}

/// The custom fields of tickets, the required ones first, or why they cannot be read. Tickets can
/// be created without them.
pub(crate) async fn ticket_fields(
    client: &Client,
    ends: Instant,
) -> Result<Vec<FoundField>, String> {
    match client.ticket_fields(ends).await {
        Ok(found) => Ok(sorted(found)),
        Err(Error::EndpointMissing { .. }) => {
            Err("This version of ConnectWise does not list its custom fields.".to_owned())
        }
        Err(err) => Err(problem_of(&err).detail),
    }
}

/// Subtypes and items of a board; `None` if the API member lacks the right.
pub(crate) async fn board_hierarchy(
    client: &Client,
    board: RecordId,
    ends: Instant,
) -> Result<Option<TypeHierarchy>, Problem> {
    let lists = try_join!(
        client.board_subtypes(board, ends),
        client.board_items(board, ends),
        client.board_type_associations(board, ends)
    );
    match lists {
        Ok((subtypes, items, associations)) => {
            let mut hierarchy = type_hierarchy(subtypes, items, &associations);
            hierarchy
                .subtypes
                .sort_by(|one, other| one.name.cmp(&other.name));
            hierarchy
                .items
                .sort_by(|one, other| one.name.cmp(&other.name));
            Ok(Some(hierarchy))
        }
        Err(Error::MissingRight { .. }) => Ok(None),
        Err(err) => Err(problem_of(&err)),
    }
}

async fn sources(client: &Client, ends: Instant) -> Result<Option<Vec<TicketSource>>, Problem> {
    match client.ticket_sources(ends).await {
        Ok(mut sources) => {
            sources.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(Some(sources))
        }
        Err(Error::MissingRight { .. }) => Ok(None),
        Err(err) => Err(problem_of(&err)),
    }
}

async fn priorities(client: &Client, ends: Instant) -> Result<Option<Vec<Priority>>, Problem> {
    match client.priorities(ends).await {
        Ok(mut priorities) => {
            priorities.sort_by_key(|priority| (priority.sort_order, priority.id));
            Ok(Some(priorities))
        }
        Err(Error::MissingRight { .. }) => Ok(None),
        Err(err) => Err(problem_of(&err)),
    }
}
