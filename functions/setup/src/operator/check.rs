//! Checks a partner's connection and the rights of its API member, for the operator. It only reads,
//! here and in ConnectWise.

use aws::invocation::Invocation;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;

use crate::connection::{check, contract};
use crate::context::AppState;
use crate::http::input::PathParam;
use crate::http::problem::Problem;
use crate::http::response::json_response;
use crate::operator::partners::existing;

pub(super) async fn show(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
) -> Result<Response, Problem> {
    let (id, ..) = existing(&setup, partner).await?;
    let view = check::reader::inspect(&setup, &id, &invocation).await?;
    Ok(json_response(StatusCode::OK, &view))
}

/// Compares the partner's ConnectWise with what the code relies on.
pub(super) async fn compare(
    setup: AppState,
    Extension(invocation): Extension<Invocation>,
    PathParam(partner): PathParam,
) -> Result<Response, Problem> {
    let (id, ..) = existing(&setup, partner).await?;
    let view = contract::inspect(&setup, &id, &invocation).await?;
    Ok(json_response(StatusCode::OK, &view))
}
