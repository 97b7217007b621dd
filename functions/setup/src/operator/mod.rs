//! The operator's API: partners, sources and links. The gateway has checked the caller's keys.

mod alerts;
mod check;
mod configuration;
mod contacts;
pub(crate) mod document;
mod input;
mod maintenance;
mod partners;
mod quarantine;
mod sources;
mod status;
mod tenants;
mod version;
mod webhook;

use std::sync::Arc;

use axum::Router;

use crate::context::Setup;
use crate::http::routes::{Route, RouteAccess, Routes};

/// The operator's router, and the list of its routes.
pub(crate) fn routes(setup: Arc<Setup>) -> (Router, Vec<Route>) {
    all_routes().finish_json(setup)
}

fn all_routes() -> Routes {
    Routes::new(RouteAccess::Operator, "/v1/operator/")
        .get("partners", partners::list)
        .put("partners/{partner}", partners::put)
        .get("partners/{partner}", partners::get)
        .get("partners/{partner}/contacts", contacts::list)
        .put("partners/{partner}/contacts", contacts::put)
        .post("partners/{partner}/links", partners::new_link)
        .delete("partners/{partner}/sessions", partners::end_sessions)
        .get("partners/{partner}/audit", partners::history)
        .put("partners/{partner}/tenants", tenants::put)
        .get("partners/{partner}/configuration", configuration::get)
        .put("partners/{partner}/configuration", configuration::put)
        .get("partners/{partner}/maintenance-windows", maintenance::list)
        .post(
            "partners/{partner}/maintenance-windows",
            maintenance::create,
        )
        .get(
            "partners/{partner}/maintenance-windows/{window}",
            maintenance::get,
        )
        .put(
            "partners/{partner}/maintenance-windows/{window}",
            maintenance::put,
        )
        .delete(
            "partners/{partner}/maintenance-windows/{window}",
            maintenance::delete,
        )
        .post(
            "partners/{partner}/maintenance-windows/{window}/end",
            maintenance::end,
        )
        .get("partners/{partner}/status", status::get)
        .get("partners/{partner}/alerts", alerts::list)
        .get("alerts/{alert}", alerts::get)
        .get("partners/{partner}/check", check::show)
        .get("partners/{partner}/contract", check::compare)
        .get("sources", sources::handlers::list)
        .post("sources", sources::handlers::create)
        .get("version", version::get)
        .get("presets", sources::presets::list)
        .get("presets/{preset}", sources::presets::get)
        .post("preview", sources::preview::show)
        .get("partners/{partner}/quarantine", quarantine::list)
        .post("partners/{partner}/quarantine", quarantine::handle)
        .get("sources/{source}", sources::handlers::get)
        .patch("sources/{source}", sources::handlers::change)
        .post("sources/{source}/secret", sources::handlers::rotate)
        .get("sources/{source}/webhook", webhook::get)
        .put("sources/{source}/webhook", webhook::put)
        .delete("sources/{source}/webhook", webhook::delete)
        .post("sources/{source}/webhook/secret", webhook::rotate)
        .post("sources/{source}/webhook/ping", webhook::ping)
        .get("sources/{source}/deliveries", webhook::list_deliveries)
        .post("sources/{source}/deliveries/replay", webhook::replay)
        .get("openapi.json", document::get)
}
