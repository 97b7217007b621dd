//! The version of the functions.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::response::json_response;

#[derive(Serialize, JsonSchema)]
pub(super) struct VersionResponse {
    /// The version of this function. A release deploys all functions together.
    version: &'static str,
}

pub(super) async fn get() -> Response {
    let version = env!("CARGO_PKG_VERSION");
    json_response(StatusCode::OK, &VersionResponse { version })
}
