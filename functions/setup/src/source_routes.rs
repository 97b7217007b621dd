//! What a source may read, by its own proof.

use std::sync::Arc;

use axum::Router;

use crate::alert_status::handlers;
use crate::context::Setup;
use crate::http::routes::{Route, RouteAccess, Routes};

/// The router of sources, and the list of its routes.
pub(crate) fn build(setup: Arc<Setup>) -> (Router, Vec<Route>) {
    let routes = Routes::new(RouteAccess::Source, "/v1/");
    let routes = routes.get("tickets/{key}", handlers::get);
    routes.finish_json(setup)
}
