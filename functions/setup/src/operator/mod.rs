//! The operator's API: partners, sources and links. The gateway has checked the caller's keys.

mod input;
mod partners;
mod quarantine;
mod sources;
mod tenants;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;

use crate::context::Setup;
use crate::http::headers::add_security_headers;
use crate::http::present::present_json;
use crate::http::problem::Problem;
use crate::http::routes::{Route, RouteAccess, Routes};

/// The operator's router, and the list of its routes.
pub(crate) fn routes(setup: Arc<Setup>) -> (Router, Vec<Route>) {
    let (router, list) = Routes::new(RouteAccess::Operator)
        .get("/v1/operator/partners", partners::list)
        .put("/v1/operator/partners/{partner}", partners::put)
        .get("/v1/operator/partners/{partner}", partners::get)
        .put(
            "/v1/operator/partners/{partner}/contact",
            partners::set_contact,
        )
        .post("/v1/operator/partners/{partner}/links", partners::new_link)
        .delete(
            "/v1/operator/partners/{partner}/sessions",
            partners::end_sessions,
        )
        .get("/v1/operator/partners/{partner}/audit", partners::history)
        .put("/v1/operator/partners/{partner}/tenants", tenants::put)
        .get("/v1/operator/sources", sources::handlers::list)
        .post("/v1/operator/sources", sources::handlers::create)
        .get("/v1/operator/presets", sources::presets::list)
        .get("/v1/operator/presets/{preset}", sources::presets::get)
        .post("/v1/operator/preview", sources::preview::show)
        .get(
            "/v1/operator/partners/{partner}/quarantine",
            quarantine::list,
        )
        .post(
            "/v1/operator/partners/{partner}/quarantine",
            quarantine::handle,
        )
        .get("/v1/operator/sources/{source}", sources::handlers::get)
        .patch("/v1/operator/sources/{source}", sources::handlers::change)
        .post(
            "/v1/operator/sources/{source}/secret",
            sources::handlers::rotate,
        )
        .finish(&setup);
    let router = router
        .fallback(async || Problem::not_found("There is no such route."))
        .layer(from_fn(present_json))
        .layer(from_fn(add_security_headers))
        .with_state(setup);
    (router, list)
}
