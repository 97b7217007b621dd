//! The writes of set-up: boards, their statuses, types and teams.
//!
//! As with tickets, each is sent once and never repeated here. ConnectWise has no idempotency key, so one whose
//! [`Error::may_have_been_done`] is looked for by its name before it is sent again; what comes next is for `domain::boards`.

use domain::RecordId;
use reqwest::Method;
use serde::Serialize;
use tokio::time::Instant;

use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::records::{Board, BoardStatus, BoardTeam, BoardType};
use crate::rights;
use crate::writer::{Id, Replace};

/// Writes set-up tables of one connection; see [`Client::setup_writer`] for who may.
#[derive(Debug, Clone)]
pub struct SetupWriter(Client);

/// A service board to make. What is left out, ConnectWise fills with its own defaults, perhaps with statuses too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBoard {
    /// At most 50 characters; no other board has it.
    pub name: String,
    /// Where it belongs.
    pub location: RecordId,
    /// Its department, one of that location's.
    pub department: RecordId,
}

/// A status to add to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatus {
    /// At most 50 characters; no other status of the board has it.
    pub name: String,
    /// Where it stands among the others, the lowest first.
    pub sort_order: u32,
    /// Tickets in it count as closed, and the board does not show them; it shows all others.
    pub closed: bool,
    /// What new tickets get if they name none.
    pub default: bool,
}

/// A team to add to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTeam {
    /// At most 30 characters; no other team of the board has it.
    pub name: String,
    /// The member who leads it.
    pub leader: RecordId,
    /// Who is in it; the leader too only if named here.
    pub members: Vec<RecordId>,
    /// What new tickets of the board get if they name none.
    pub default: bool,
}

#[derive(Serialize)]
struct BoardBody<'a> {
    name: &'a str,
    location: Id,
    department: Id,
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
    team_leader: Id,
    members: &'a [RecordId],
    default_flag: bool,
}

impl SetupWriter {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Makes a service board. If the process dies right after, the board may exist: it is found by its name in
    /// [`Client::boards`].
    ///
    /// # Errors
    /// See [`Error`]; a name that another board has is [`Error::Rejected`], also if the API member does not see that board, or if
    /// it is our own, which came late: the next listing tells.
    pub async fn create_board(&self, new: &NewBoard, deadline: Instant) -> Result<Board, Error> {
        let call = Call::write(Method::POST, "/service/boards", rights::TABLES_ADD);
        let body = BoardBody {
            name: &new.name,
            location: Id { id: new.location },
            department: Id { id: new.department },
        };
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Adds a status to a board. If the process dies right after, it may exist: it is found by its name in
    /// [`Client::board_statuses`].
    ///
    /// # Errors
    /// See [`Error`]; a name that the board has is [`Error::Rejected`], a board that is gone [`Error::NotFound`].
    pub async fn create_status(
        &self,
        board: RecordId,
        new: &NewStatus,
        deadline: Instant,
    ) -> Result<BoardStatus, Error> {
        let body = StatusBody {
            name: &new.name,
            sort_order: new.sort_order,
            // What technicians do not see on the board, nobody works on.
            display_on_board: !new.closed,
            closed_status: new.closed,
            default_flag: new.default,
        };
        let call = add_to(board, "statuses");
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Makes a status its board's default, and returns it as answered: ConnectWise can answer 200 and change nothing, so the
    /// caller looks at `default_flag`. If the process dies right after, doing it again changes nothing.
    ///
    /// # Errors
    /// See [`Error`]; a board or status that is gone is [`Error::NotFound`].
    pub async fn make_default(
        &self,
        board: RecordId,
        status: RecordId,
        deadline: Instant,
    ) -> Result<BoardStatus, Error> {
        let path = format!("/service/boards/{board}/statuses/{status}");
        let call = Call::write(Method::PATCH, path, rights::TABLES_EDIT);
        let body = [Replace {
            op: "replace",
            path: "defaultFlag",
            value: true,
        }];
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Adds a ticket type to a board, by a name of at most 50 characters that no other type of the board has. If the process
    /// dies right after, it may exist: it is found by its name in [`Client::board_types`].
    ///
    /// # Errors
    /// As for [`Self::create_status`].
    pub async fn create_type(
        &self,
        board: RecordId,
        name: &str,
        deadline: Instant,
    ) -> Result<BoardType, Error> {
        let call = add_to(board, "types");
        let body = TypeBody { name };
        self.0.send_json(&call, &body, deadline).await?.parse()
    }

    /// Adds a team to a board. If the process dies right after, it may exist: it is found by its name in
    /// [`Client::board_teams`].
    ///
    /// # Errors
    /// As for [`Self::create_status`]; a leader or member that is gone is [`Error::Rejected`].
    pub async fn create_team(
        &self,
        board: RecordId,
        new: &NewTeam,
        deadline: Instant,
    ) -> Result<BoardTeam, Error> {
        let body = TeamBody {
            name: &new.name,
            team_leader: Id { id: new.leader },
            members: &new.members,
            default_flag: new.default,
        };
        let call = add_to(board, "teams");
        self.0.send_json(&call, &body, deadline).await?.parse()
    }
}

fn add_to(board: RecordId, table: &'static str) -> Call {
    let path = format!("/service/boards/{board}/{table}");
    Call::write(Method::POST, path, rights::TABLES_ADD)
}
