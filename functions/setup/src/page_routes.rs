//! All routes of the partner's page.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::alert_status::ALERT_LINK;
use crate::auth::{link, session, start};
use crate::connection::check;
use crate::context::Setup;
use crate::http::headers::add_security_headers;
use crate::http::panics::catch_panics;
use crate::http::present::present;
use crate::http::routes::{Route, RouteAccess, Routes};
use crate::http::typed_form::keep_typed;
use crate::page::assets;
use crate::{
    activity, alert_status, backlog, boards, confirm, connection, contacts, held, history,
    maintenance, overview, paths, sources, tenants, test_ticket, tickets,
};

/// The page's router, and the list of its routes.
pub(crate) fn build(setup: Arc<Setup>) -> (Router, Vec<Route>) {
    let (open, mut list) = open_routes().finish(&setup);
    let (signed_in, signed_in_list) = session_routes().finish(&setup);
    list.extend(signed_in_list);
    let router = open
        .merge(signed_in)
        .fallback(session::no_such_page)
        .layer(from_fn_with_state(
            Arc::clone(&setup),
            session::require_same_origin,
        ))
        .layer(from_fn(catch_panics))
        .layer(from_fn(present))
        .layer(from_fn(add_security_headers))
        .with_state(setup);
    let pages = router.clone();
    let router = Router::new()
        .fallback_service(router)
        .layer(from_fn_with_state(pages, keep_typed));
    (router, list)
}

fn open_routes() -> Routes {
    Routes::new(RouteAccess::Open, "")
        .get(paths::START, start::show)
        .get(paths::OPEN, link::open_page)
        .get(assets::STYLE_PATH, assets::style)
        .get(assets::SCRIPT_PATH, assets::script)
        .get(assets::ICON_PATH, assets::icon)
        .post(paths::SESSION, session::open)
        .get(paths::LINK, link::show)
        .post(paths::LINK, link::request)
        .get(ALERT_LINK, alert_status::open)
        .get(paths::CONFIRM_CONTACT, contacts::handlers::confirm_page)
        .post(paths::CONFIRM_CONTACT, contacts::handlers::confirm)
}

fn session_routes() -> Routes {
    Routes::new(RouteAccess::Session, paths::OF_PARTNER)
        .get("overview", overview::handlers::show)
        .get("activity", activity::handlers::list)
        .get(paths::ALERT, activity::handlers::show)
        .post(paths::RELEASE_ALERT, activity::handlers::release)
        .post(paths::OPEN_AGAIN, activity::handlers::open_again)
        .post(paths::END_SESSION, session::end)
        .get("connection", connection::handlers::show)
        .post("connection", connection::handlers::save)
        .get("check", check::handlers::show)
        .get("boards", boards::handlers::show)
        .post(paths::EXISTING_BOARDS, boards::handlers::choose_existing)
        .post(paths::DEDICATED_BOARDS, boards::handlers::choose_dedicated)
        // A browser without JavaScript is redirected here after each part of the work.
        .get(paths::BOARDS_PROGRESS, boards::handlers::show)
        .post(paths::BOARDS_PROGRESS, boards::handlers::progress)
        .post(paths::STOP_BOARDS, boards::handlers::stop)
        .get("tickets", tickets::handlers::show)
        .post("tickets", tickets::handlers::save)
        .get("tenants", tenants::handlers::list)
        .post("tenants", tenants::handlers::add)
        .get(paths::TENANT, tenants::handlers::show)
        .post(paths::TENANT, tenants::handlers::save)
        .get(
            paths::TENANT_ASSIGNMENT,
            tenants::assignment::handlers::show,
        )
        .post(
            paths::TENANT_ASSIGNMENT,
            tenants::assignment::handlers::save,
        )
        .get(paths::READ_COMPANIES, tenants::handlers::list)
        .post(paths::READ_COMPANIES, tenants::handlers::read_companies)
        .get(paths::EXPORT_TENANTS, tenants::changes::handlers::export)
        .get(
            paths::IMPORT_TENANTS,
            tenants::changes::handlers::show_import,
        )
        .post(paths::IMPORT_TENANTS, tenants::changes::handlers::import)
        .post(
            paths::EXACT_MATCHES,
            tenants::changes::handlers::prepare_exact,
        )
        .get(paths::TENANT_CHANGES, tenants::changes::handlers::show)
        .post(paths::TENANT_CHANGES, tenants::changes::handlers::confirm)
        .get(paths::MAKE_CHANGES, tenants::changes::handlers::show)
        .post(paths::MAKE_CHANGES, tenants::changes::handlers::make)
        .post(paths::STOP_CHANGES, tenants::changes::handlers::stop)
        .get("sources", sources::handlers::list)
        .get(paths::NEW_SOURCE, sources::handlers::new)
        .post(paths::NEW_SOURCE, sources::handlers::create)
        .get(paths::SOURCE, sources::handlers::show)
        .post(paths::SOURCE, sources::handlers::save)
        .get(
            paths::SOURCE_AUTHENTICATION,
            sources::authentication::handlers::show,
        )
        .post(
            paths::SOURCE_AUTHENTICATION,
            sources::authentication::handlers::save,
        )
        .post(paths::SOURCE_SECRET, sources::handlers::set_secret)
        .post(paths::SOURCE_SAMPLE, sources::handlers::add_sample)
        .post(paths::SOURCE_PRESET, sources::handlers::use_newest_preset)
        .get(paths::SOURCE_MAPPING, sources::mapping::handlers::show)
        .post(paths::SOURCE_MAPPING, sources::mapping::handlers::change)
        .get(paths::QUARANTINE, sources::messages::handlers::list)
        .get(paths::QUARANTINED, sources::messages::handlers::show)
        .post(paths::QUARANTINED, sources::messages::handlers::handle)
        .get(paths::REPLAY_ALL, sources::messages::handlers::progress)
        .post(paths::REPLAY_ALL, sources::messages::handlers::replay_all)
        .get("contacts", contacts::handlers::show)
        .post("contacts", contacts::handlers::add)
        .post(paths::CHANGE_CONTACT, contacts::handlers::change)
        .post(paths::REMOVE_CONTACT, contacts::handlers::remove)
        .post(paths::RESEND_CONFIRMATION, contacts::handlers::resend)
        .post(paths::TEST_MAIL, contacts::handlers::send_test)
        .get("confirm", confirm::handlers::show)
        .post("confirm", confirm::handlers::confirm)
        .get("waiting", backlog::handlers::show)
        .get(paths::WAITING_TENANT, backlog::handlers::show_tenant)
        .post(paths::RELEASE, backlog::handlers::release)
        .post(paths::APPROVE_CLOSINGS, held::handlers::approve)
        .get("maintenance", maintenance::handlers::show)
        .post("maintenance", maintenance::handlers::save)
        .post(paths::PREVIEW_MAINTENANCE, maintenance::handlers::preview)
        .post(paths::END_MAINTENANCE, maintenance::handlers::end)
        .post(paths::DELETE_MAINTENANCE, maintenance::handlers::delete)
        .get("history", history::handlers::show)
        .get("test", test_ticket::handlers::show)
        .post("test", test_ticket::handlers::create)
        .post(paths::CLOSE_TEST, test_ticket::handlers::close)
}
