//! `/_sim`: faults, reset and journal, for tests and for people who want to see a fault. No keys: the simulator listens
//! on the loopback alone.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::json;

use crate::limiter::Limiter;
use crate::server::Shared;

/// `GET /_sim/faults`
pub(crate) async fn faults(State(shared): State<Arc<Shared>>) -> Response {
    answer(StatusCode::OK, &shared.lock().faults)
}

/// `PUT /_sim/faults`: members left out keep their value; the answer is the whole new object.
pub(crate) async fn set_faults(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let change = match serde_json::from_slice(&body) {
        Ok(change) => change,
        Err(error) => return refused(&format!("the body is not JSON: {error}")),
    };
    let mut world = shared.lock();
    match world.faults.merged(&change) {
        Ok(faults) => {
            // A changed limit counts from now.
            world.limiter = Limiter::default();
            world.faults = faults;
            answer(StatusCode::OK, &world.faults)
        }
        Err(reason) => refused(&reason),
    }
}

/// `POST /_sim/reset`: back to the seed, with neither faults nor journal.
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

/// Anything else under `/_sim`.
pub(crate) async fn unknown() -> Response {
    let body = json!({ "error": "the control API is /_sim/faults, /_sim/reset and /_sim/journal" });
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
