//! ConnectWise's callbacks: a post for each change of a ticket.
//!
//! A callback says no more than that it is time to compare the tickets, which reconcile then reads.
//! Nothing in its body is trusted: the body can only show that the ticket is not one of
//! Ticketbridge's. So a callback that is lost, doubled or forged changes nothing but the time.

use std::sync::Arc;

use aws::invocation::Invocation;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::{Extension, Router};
use domain::alert::key::TicketRef;
use domain::connection::callbacks::Callbacks;
use domain::setup::access::TokenHash;
use domain::{PartnerId, Secret};
use serde::Deserialize;
use store::ReconcileInput;

use crate::context::{AppState, Setup};
use crate::http::input::PathParam;
use crate::http::problem::Problem;
use crate::http::routes::{Route, RouteAccess, Routes};

/// The router of ConnectWise's callbacks, and the list of its routes.
pub(crate) fn routes(setup: Arc<Setup>) -> (Router, Vec<Route>) {
    let routes = Routes::new(RouteAccess::Callback, "/v1/callbacks/");
    let routes = routes.post("{partner}/{token}", receive);
    routes.finish_json(setup)
}

/// Makes the partner due for a comparison of its tickets. If the process dies before, the change is
/// found at the partner's usual time.
async fn receive(
    setup: AppState,
    PathParam((partner, token)): PathParam<(String, String)>,
    Extension(invocation): Extension<Invocation>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let partner = PartnerId::parse(partner).map_err(|_| unknown())?;
    let stored = setup.table().callbacks.get(&partner).await?.value;
    let is_known = |callbacks: &Callbacks| is_same(&callbacks.token, &token);
    if !stored.as_ref().is_some_and(is_known) {
        return Err(unknown());
    }
    if is_about_another_ticket(&body) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let now = invocation.now();
    let input = ReconcileInput::Tickets;
    let schedule = setup.schedule();
    schedule.reconcile_input(&partner, input, now).await?;
    tracing::info!(%partner, "ConnectWise reported a changed ticket");
    Ok(StatusCode::NO_CONTENT)
}

/// Compares hashes, so that the time says nothing about the token.
fn is_same(expected: &str, received: &str) -> bool {
    let hash = |token: &str| TokenHash::new(&Secret::new(token));
    hash(expected) == hash(received)
}

fn unknown() -> Problem {
    Problem::not_found("There is no such callback.")
}

#[derive(Deserialize)]
struct CallbackBody {
    /// The ticket as a JSON text. Absent after a deletion.
    #[serde(rename = "Entity")]
    entity: Option<String>,
}

#[derive(Deserialize)]
struct TicketEntity {
    #[serde(rename = "externalXRef")]
    reference: Option<String>,
}

/// Whether the body shows a ticket without a reference of Ticketbridge. Any other body may be about
/// one of its tickets.
fn is_about_another_ticket(body: &[u8]) -> bool {
    let body: Option<CallbackBody> = serde_json::from_slice(body).ok();
    let entity = body.and_then(|body| body.entity);
    let ticket: Option<TicketEntity> = entity.and_then(|entity| serde_json::from_str(&entity).ok());
    let is_own = |reference: String| TicketRef::parse(&reference).is_some();
    ticket.is_some_and(|ticket| !ticket.reference.is_some_and(is_own))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OWN: &str = "tb1-0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef-1";

    #[test]
    fn only_a_ticket_without_the_reference_is_ignored() {
        let with = |entity: &str| json!({ "ID": 7, "Entity": entity }).to_string();
        let ticket = |reference: &str| json!({ "id": 7, "externalXRef": reference }).to_string();
        for (body, expected) in [
            (with(r#"{"id":7,"externalXRef":"RMM-4711"}"#), true),
            (with(r#"{"id":7,"externalXRef":""}"#), true),
            (with(r#"{"id":7}"#), true),
            (with(&ticket(OWN)), false),
            (with(&ticket(&format!(" {}", OWN.to_uppercase()))), false),
            (with("not JSON"), false),
            (with(""), false),
            (json!({ "ID": 7, "Entity": null }).to_string(), false),
            (json!({ "ID": 7 }).to_string(), false),
            ("".to_owned(), false),
            ("not JSON".to_owned(), false),
        ] {
            assert_eq!(is_about_another_ticket(body.as_bytes()), expected, "{body}");
        }
    }
}
