//! The writes of set-up tables: boards, their statuses, types and teams.
//!
//! Each write is sent once and never repeated here. ConnectWise has no idempotency key, so a caller
//! looks for the record by its name before it repeats a write of unknown outcome
//! ([`crate::WriteOutcome`]). `domain::setup::dedicated_board` decides what comes next.

use domain::RecordId;
use domain::setup::rights;
use reqwest::Method;
use serde::Serialize;
use tokio::time::Instant;

use crate::call::ApiCall;
use crate::client::Client;
use crate::error::Error;
use crate::records::{Board, BoardStatus, BoardTeam, BoardType};
use crate::request_body::{RecordRef, ReplaceOp};

/// Writes set-up tables over one connection.
#[derive(Debug, Clone)]
pub struct SetupWriter(Client);

/// A service board to create. ConnectWise fills what is left out with its own defaults, perhaps
/// with statuses too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBoard {
    /// At most 50 characters, and unique among boards.
    pub name: String,
    pub location: RecordId,
    /// A department of that location.
    pub department: RecordId,
}

/// A status to add to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatus {
    /// At most 50 characters, and unique among the board's statuses.
    pub name: String,
    /// Its position among the board's statuses, the lowest first.
    pub sort_order: u32,
    /// Tickets with a closed status count as closed, and the board does not show them.
    pub closed: bool,
    /// Whether new tickets get it if they name no status.
    pub default: bool,
}

/// A team to add to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTeam {
    /// At most 30 characters, and unique among the board's teams.
    pub name: String,
    pub leader: RecordId,
    /// The leader is a member only if named here too.
    pub members: Vec<RecordId>,
    /// Whether the board's new tickets get it if they name no team.
    pub default: bool,
}

#[derive(Serialize)]
struct BoardBody<'a> {
    name: &'a str,
    location: RecordRef,
    department: RecordRef,
}

/// A status has `closedStatus` where a ticket has `closedFlag`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusBody<'a> {
    name: &'a str,
    sort_order: u32,
    display_on_board: bool,
    closed_status: bool,
    default_flag: bool,
}

#[derive(Serialize)]
struct TypeBody<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TeamBody<'a> {
    name: &'a str,
    team_leader: RecordRef,
    members: &'a [RecordId],
    default_flag: bool,
}

impl Client {
    /// Returns the writes of set-up tables. Only `functions/setup` may call this, and a lint
    /// enforces it: a person asked for the write there, and the record is looked for by its name
    /// before it.
    #[must_use]
    pub fn setup_writer(&self) -> SetupWriter {
        SetupWriter(self.clone())
    }
}

impl SetupWriter {
    /// Creates a service board. If the process dies right after, the board may exist:
    /// [`Client::boards`] lists it by its name.
    ///
    /// # Errors
    /// See [`Error`]. A name that another board has is [`Error::Rejected`], also if the API member
    /// does not see that board, and also if that board is the result of an earlier, late call
    /// of this service. The next listing shows which.
    pub async fn create_board(&self, new: &NewBoard, deadline: Instant) -> Result<Board, Error> {
        let call = ApiCall::write(Method::POST, "/service/boards", rights::TABLES_ADD);
        let body = BoardBody {
            name: &new.name,
            location: RecordRef { id: new.location },
            department: RecordRef { id: new.department },
        };
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Adds a status to a board. If the process dies right after, the status may exist:
    /// [`Client::board_statuses`] lists it by its name.
    ///
    /// # Errors
    /// See [`Error`]. A name that the board has already is [`Error::Rejected`], and a board that
    /// does not exist is [`Error::NotFound`].
    pub async fn create_status(
        &self,
        board: RecordId,
        new: &NewStatus,
        deadline: Instant,
    ) -> Result<BoardStatus, Error> {
        let body = StatusBody {
            name: &new.name,
            sort_order: new.sort_order,
            // A ticket that the board does not show is not worked on.
            display_on_board: !new.closed,
            closed_status: new.closed,
            default_flag: new.default,
        };
        let call = add_to_board(board, "statuses");
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Makes a status its board's default and returns it as answered. ConnectWise can answer 200
    /// and change nothing, so the caller checks `default_flag`. If the process dies right after,
    /// the write can be repeated safely.
    ///
    /// # Errors
    /// See [`Error`]. A board or status that does not exist is [`Error::NotFound`].
    pub async fn make_default(
        &self,
        board: RecordId,
        status: RecordId,
        deadline: Instant,
    ) -> Result<BoardStatus, Error> {
        let path = format!("/service/boards/{board}/statuses/{status}");
        let call = ApiCall::write(Method::PATCH, path, rights::TABLES_EDIT);
        let body = [ReplaceOp::new("defaultFlag", true)];
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Adds a ticket type to a board. The name has at most 50 characters, and is unique among the
    /// board's types. If the process dies right after, the type may exist: [`Client::board_types`]
    /// lists it by its name.
    ///
    /// # Errors
    /// As for [`Self::create_status`].
    pub async fn create_type(
        &self,
        board: RecordId,
        name: &str,
        deadline: Instant,
    ) -> Result<BoardType, Error> {
        let call = add_to_board(board, "types");
        let body = TypeBody { name };
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Adds a team to a board. If the process dies right after, the team may exist:
    /// [`Client::board_teams`] lists it by its name.
    ///
    /// # Errors
    /// As for [`Self::create_status`]. A leader or member that does not exist is
    /// [`Error::Rejected`].
    pub async fn create_team(
        &self,
        board: RecordId,
        new: &NewTeam,
        deadline: Instant,
    ) -> Result<BoardTeam, Error> {
        let body = TeamBody {
            name: &new.name,
            team_leader: RecordRef { id: new.leader },
            members: &new.members,
            default_flag: new.default,
        };
        let call = add_to_board(board, "teams");
        self.0.send_json(&call, &body, deadline).await?.parse()
    }
}

fn add_to_board(board: RecordId, table: &'static str) -> ApiCall {
    let path = format!("/service/boards/{board}/{table}");
    ApiCall::write(Method::POST, path, rights::TABLES_ADD)
}
