//! Middleware that answers a request whose handler panics with a problem.

use aws::panics::catch;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::http::problem::Problem;

/// The panic is logged and counted by the time of the answer.
pub(crate) async fn catch_panics(request: Request, next: Next) -> Response {
    let response = catch(next.run(request)).await;
    response.unwrap_or_else(|_| Problem::failed().into_response())
}
