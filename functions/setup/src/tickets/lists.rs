//! The options for tickets, read from ConnectWise.

use connectwise::{Client, Error, Priority};
use domain::RecordId;
use domain::setup::found_board::BoardParts;
use domain::setup::settings::{BoardTarget, Settings};
use tokio::join;
use tokio::time::Instant;

use crate::boards::lists::board_parts;
use crate::connection::client::problem_of;
use crate::http::problem::Problem;

/// What ConnectWise has; `None` where the API member lacks the right to read it.
pub(crate) struct TicketLists {
    pub(crate) operations: Option<BoardParts>,
    pub(crate) cyber_alerts: Option<BoardParts>,
    pub(crate) priorities: Option<Vec<Priority>>,
}

impl TicketLists {
    /// Whether everything could be read that these settings point to.
    pub(crate) fn is_complete(&self, settings: &Settings) -> bool {
        let is_read = |target: &BoardTarget, parts: &Option<BoardParts>| {
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
        Some(board) => board_parts(client, board, ends).await,
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
    let (operations, cyber_alerts, priorities) =
        join!(parts(one), second, priorities(client, ends));
    let operations = operations?;
    Ok(TicketLists {
        cyber_alerts: if one == other {
            operations.clone()
        } else {
            cyber_alerts?
        },
        operations,
        priorities: priorities?,
    })
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
