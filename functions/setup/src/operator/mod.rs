//! The operator's API: partners, sources, links. The gateway has checked the caller's keys; nobody else comes here.

mod partners;
mod sources;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use domain::text::one_line;
use serde::Deserialize;
use store::PageStart;

use crate::Setup;
use crate::answer::{Problem, present_json};
use crate::page::assets;
use crate::routes::{Route, RouteAccess, Routes};

/// All routes of the operator.
pub(crate) fn routes(setup: Arc<Setup>) -> (Router, Vec<Route>) {
    let (router, list) = Routes::behind(RouteAccess::Operator)
        .get("/v1/operator/partners", partners::list)
        .put("/v1/operator/partners/{partner}", partners::put)
        .get("/v1/operator/partners/{partner}", partners::get)
        .put(
            "/v1/operator/partners/{partner}/contact",
            partners::set_contact,
        )
        .post("/v1/operator/partners/{partner}/links", partners::link)
        .delete(
            "/v1/operator/partners/{partner}/sessions",
            partners::end_sessions,
        )
        .get("/v1/operator/partners/{partner}/audit", partners::audit)
        .get("/v1/operator/sources", sources::list)
        .post("/v1/operator/sources", sources::make)
        .get("/v1/operator/sources/{source}", sources::get)
        .patch("/v1/operator/sources/{source}", sources::change)
        .post("/v1/operator/sources/{source}/secret", sources::rotate)
        .finish(&setup);
    let router = router
        .fallback(async || Problem::not_found("There is no such route."))
        .layer(from_fn(present_json))
        .layer(from_fn(assets::guarded))
        .with_state(setup);
    (router, list)
}

/// Which part of a list is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartRequest {
    from: Option<String>,
    limit: Option<String>,
}

/// Entries of a list in one answer, where nothing else is asked for.
const USUAL: u16 = 50;
/// The most that may be asked for.
const MOST: u16 = 100;

impl PartRequest {
    fn read(self) -> Result<(Option<PageStart>, u16), Problem> {
        let from = self.from.map(PageStart::try_from).transpose();
        let from = from.map_err(|_| {
            Problem::invalid("from", "Send the \"next\" of the page before, as it is.")
        })?;
        let limit = self.limit.map_or(Ok(USUAL), |limit| limit.parse());
        match limit {
            Ok(limit @ 1..=MOST) => Ok((from, limit)),
            Ok(_) | Err(_) => Err(Problem::invalid("limit", "It is a number from 1 to 100.")),
        }
    }
}

/// The longest name of a partner or source, in UTF-16 units.
const LONGEST_NAME: usize = 100;

/// A name for people, on one line.
fn name(field: &str, text: &str) -> Result<String, Problem> {
    line(field, text, LONGEST_NAME)
}

/// A text on one line, of so many UTF-16 units at most; the white space around it goes.
fn line(field: &str, text: &str, most: usize) -> Result<String, Problem> {
    let text = text.trim();
    let length = text.encode_utf16().count();
    if length == 0 || length > most || one_line(text) != text {
        let detail = format!("It is 1 to {most} characters on one line, with single spaces.");
        return Err(Problem::invalid(field, detail));
    }
    Ok(text.to_owned())
}
