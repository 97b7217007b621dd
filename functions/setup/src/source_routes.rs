//! What a source may read, by its own proof.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;

use crate::alert_status::handlers;
use crate::context::Setup;
use crate::http::headers::add_security_headers;
use crate::http::present::{catch_panics, present_json};
use crate::http::problem::Problem;
use crate::http::routes::{Route, RouteAccess, Routes};

/// The router of sources, and the list of its routes.
pub(crate) fn build(setup: Arc<Setup>) -> (Router, Vec<Route>) {
    let routes = Routes::new(RouteAccess::Source, "/v1/").get("tickets/{key}", handlers::get);
    let (router, list) = routes.finish(&setup);
    let router = router
        .fallback(async || Problem::not_found("There is no such route."))
        .layer(from_fn(catch_panics))
        .layer(from_fn(present_json))
        .layer(from_fn(add_security_headers))
        .with_state(setup);
    (router, list)
}
