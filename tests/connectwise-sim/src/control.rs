//! The control API `/_sim`: faults, reset, bulk tickets, people's actions, and the journal. It
//! needs no keys, because the simulator listens on the loopback only.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::delivery;
use crate::shared::Shared;
use crate::tickets::actions;
use crate::tickets::actions::{BoardAction, CompanyAction, TicketAction};
use crate::tickets::create;

/// `GET /_sim/faults`
pub(crate) async fn faults(State(shared): State<Arc<Shared>>) -> Response {
    answer(StatusCode::OK, &shared.lock().faults)
}

/// `PUT /_sim/faults`: omitted members keep their value. The response is the whole new object.
pub(crate) async fn set_faults(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let change = match serde_json::from_slice(&body) {
        Ok(change) => change,
        Err(error) => return refused(&format!("the body is not JSON: {error}")),
    };
    let mut site = shared.lock();
    match site.faults.merged(&change) {
        Ok(faults) => {
            site.set_faults(faults);
            answer(StatusCode::OK, &site.faults)
        }
        Err(reason) => refused(&reason),
    }
}

/// `POST /_sim/reset`: restores the seed and clears faults and journal.
pub(crate) async fn reset(State(shared): State<Arc<Shared>>) -> Response {
    shared.lock().reset();
    StatusCode::NO_CONTENT.into_response()
}

/// `GET /_sim/journal?after=N`
pub(crate) async fn journal(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Response {
    let after = match query.as_deref().unwrap_or_default() {
        "" => 0,
        query => match query.strip_prefix("after=").map(str::parse) {
            Some(Ok(after)) => after,
            Some(Err(_)) | None => {
                return refused("the journal knows ?after=N alone, N a whole number");
            }
        },
    };
    answer(StatusCode::OK, &shared.lock().journal.after(after))
}

/// Tickets to create at once: `{"ticket": {…}, "references": ["…", …]}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkTickets {
    /// The body of a POST of one ticket.
    ticket: Map<String, Value>,
    /// The `externalXRef` of each ticket.
    references: Vec<String>,
}

/// `POST /_sim/tickets`: creates one ticket for each reference, without a journal entry. The
/// response is `{"first": number, "made": count}`.
pub(crate) async fn create_bulk(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let create_bulk: BulkTickets = match serde_json::from_slice(&body) {
        Ok(create_bulk) => create_bulk,
        Err(error) => return refused(&format!("the body is not a list of tickets: {error}")),
    };
    let made = create_bulk.references.len();
    let mut site = shared.lock();
    let now = site.clock();
    match create::create_bulk(&mut site, &create_bulk.ticket, create_bulk.references, now) {
        Ok(first) => answer(StatusCode::OK, &json!({ "first": first, "made": made })),
        Err(error) => delivery::response(&error.into(), "bulk").into_response(),
    }
}

/// `POST /_sim/tickets/{id}`: acts on a ticket as a technician in ConnectWise, such as `"close"` or
/// `{"merge_into": 10002}`. It is no API call and has no journal entry.
pub(crate) async fn act(
    State(shared): State<Arc<Shared>>,
    Path(ticket): Path<i64>,
    Json(action): Json<TicketAction>,
) -> Response {
    let mut site = shared.lock();
    let stamp = actions::by_technician(&site);
    action_response(actions::act(&mut site, ticket, &action, &stamp))
}

/// `POST /_sim/companies/{id}`: such as `{"merge_into": 302}`.
pub(crate) async fn act_on_company(
    State(shared): State<Arc<Shared>>,
    Path(company): Path<i64>,
    Json(action): Json<CompanyAction>,
) -> Response {
    let mut site = shared.lock();
    let stamp = actions::by_technician(&site);
    action_response(actions::act_on_company(&mut site, company, &action, &stamp))
}

/// `POST /_sim/boards/{id}`: such as `"delete_tickets"`.
pub(crate) async fn act_on_board(
    State(shared): State<Arc<Shared>>,
    Path(board): Path<i64>,
    Json(action): Json<BoardAction>,
) -> Response {
    let mut site = shared.lock();
    let stamp = actions::by_technician(&site);
    action_response(actions::act_on_board(&mut site, board, &action, &stamp))
}

fn action_response(outcome: Result<(), String>) -> Response {
    match outcome {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(reason) => refused(&reason),
    }
}

/// Anything else under `/_sim`.
pub(crate) async fn unknown() -> Response {
    let body = json!({ "error": "the control API is /_sim/faults, /_sim/reset, /_sim/tickets, /_sim/companies, /_sim/boards and /_sim/journal" });
    answer(StatusCode::NOT_FOUND, &body)
}

fn refused(reason: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, &json!({ "error": reason }))
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
