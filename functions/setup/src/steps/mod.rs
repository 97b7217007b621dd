//! The partner's page and API: one module a step.

mod boards;
mod check;
mod confirm;
mod connection;
pub(crate) mod contact;
mod held;
mod history;
pub(crate) mod link;
mod overview;
mod tenants;
mod test_ticket;
mod tickets;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::answer::{Problem, present};
use crate::page::assets;
use crate::routes::{Route, RouteAccess, Routes};
use crate::{Setup, session};

/// All routes of the page. What is behind no door is named first; whoever comes to any other has a session.
pub(crate) fn routes(setup: Arc<Setup>) -> (Router, Vec<Route>) {
    let open = Routes::behind(RouteAccess::Open)
        .get("/setup/open", overview::open)
        .get("/setup/assets/style.css", assets::style)
        .get("/setup/assets/page.js", assets::script)
        .get("/setup/assets/icon.svg", assets::icon)
        .post("/setup/session", session::open)
        .get("/setup/link", link::show)
        .post("/setup/link", link::ask)
        .get(contact::CONFIRM, contact::confirm_page)
        .post(contact::CONFIRM, contact::confirm);
    let signed_in = Routes::behind(RouteAccess::Session)
        .get("/setup", overview::show)
        .post("/setup/session/end", session::end)
        .get("/setup/connection", connection::show)
        .post("/setup/connection", connection::save)
        .get("/setup/check", check::show)
        .get("/setup/boards", boards::show)
        .post("/setup/boards/default", boards::choose_default)
        .post("/setup/boards/dedicated", boards::choose_dedicated)
        // Where somebody without a script comes to after a part of it.
        .get(boards::PROGRESS, boards::show)
        .post(boards::PROGRESS, boards::progress)
        .get("/setup/tickets", tickets::show)
        .post("/setup/tickets", tickets::save)
        .get("/setup/tenants", tenants::list)
        .get("/setup/tenant", tenants::one)
        .post("/setup/tenant", tenants::choose)
        .get(tenants::READING, tenants::list)
        .post(tenants::READING, tenants::read_companies)
        .get("/setup/contact", contact::show)
        .post("/setup/contact", contact::save)
        .post("/setup/contact/test", contact::test)
        .post(contact::RESEND, contact::resend)
        .post(contact::CANCEL, contact::cancel)
        .get("/setup/confirm", confirm::show)
        .post("/setup/confirm", confirm::confirm)
        .get("/setup/waiting", waiting::show)
        .post(waiting::RELEASE, waiting::release)
        .post(held::APPROVE, held::approved)
        .get("/setup/history", history::show)
        .get("/setup/test", test_ticket::show)
        .post("/setup/test", test_ticket::ask)
        .post(test_ticket::CLOSE, test_ticket::close);
    let (open, mut list) = open.finish(&setup);
    let (signed_in, more) = signed_in.finish(&setup);
    list.extend(more);
    let router = open
        .merge(signed_in)
        .fallback(async || Problem::not_found("There is no such page."))
        .layer(from_fn_with_state(
            Arc::clone(&setup),
            session::from_our_page,
        ))
        .layer(from_fn(present))
        .layer(from_fn(assets::guarded))
        .with_state(setup);
    (router, list)
}

/// An address of ours with a query.
pub(crate) fn query(path: &str, pairs: &[(&str, &str)]) -> Result<String, Problem> {
    let pairs: BTreeMap<_, _> = pairs.iter().copied().collect();
    let query = serde_qs::to_string(&pairs);
    let query = query.map_err(|_| Problem::not_found("No address can be made of it."))?;
    Ok(format!("{path}?{query}"))
}
