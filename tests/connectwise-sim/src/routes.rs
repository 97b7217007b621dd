//! Which endpoint answers which path, and which right of the security role it needs. One arm a path: a new endpoint is
//! a new arm.

use axum::http::Method;

use crate::answer::{Outcome, Refusal};
use crate::setup_tables as tables;
use crate::tickets::{create, notes, patch, read};
use crate::world::{Call, World};

type Endpoint = Box<dyn Fn(&mut World, &Call) -> Outcome + Send>;

/// An endpoint found.
pub(crate) struct Route {
    pub(crate) right: Option<&'static str>,
    /// The endpoint asks for its right by itself, after it has looked at the body.
    pub(crate) asks_itself: bool,
    pub(crate) run: Endpoint,
}

const COMPANIES: &str = "company_maintenance.inquire";
const TABLES: &str = "table_setup.inquire";
const MEMBERS: &str = "member_maintenance.inquire";
const MY_COMPANY: &str = "my_company.inquire";
const READ_TICKETS: &str = "service_tickets.inquire";
const EDIT_TICKETS: &str = "service_tickets.edit";

/// The endpoint of a path after `/v4_6_release/apis/3.0/`.
pub(crate) fn route(method: &Method, segments: &[String]) -> Result<Route, Refusal> {
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let reads = |right, run| only(method, &Method::GET, right, run);
    match path.as_slice() {
        ["system", "info"] => reads(None, Box::new(|w, c| tables::info(w, c))),
        ["system", "myMembers"] => reads(None, Box::new(|w, c| tables::my_member(w, c))),
        ["system", "members"] => reads(
            Some(MEMBERS),
            Box::new(|w, c| tables::members(w).list(w, c)),
        ),
        ["system", "members", "count"] => {
            reads(Some(MEMBERS), Box::new(|w, c| tables::members(w).count(c)))
        }
        ["system", "members", id] => {
            let id = id_or_refuse(id)?;
            reads(
                Some(MEMBERS),
                Box::new(move |w, c| tables::members(w).one(c, id)),
            )
        }
        ["system", "apiMembers"] => reads(
            Some(MEMBERS),
            Box::new(|w, c| tables::api_members(w).list(w, c)),
        ),
        ["system", "apiMembers", "count"] => reads(
            Some(MEMBERS),
            Box::new(|w, c| tables::api_members(w).count(c)),
        ),
        ["system", "locations"] => reads(
            Some(MY_COMPANY),
            Box::new(|w, c| tables::locations(w).list(w, c)),
        ),
        ["system", "locations", "count"] => reads(
            Some(MY_COMPANY),
            Box::new(|w, c| tables::locations(w).count(c)),
        ),
        ["system", "departments"] => reads(
            Some(MY_COMPANY),
            Box::new(|w, c| tables::departments(w).list(w, c)),
        ),
        ["system", "departments", "count"] => reads(
            Some(MY_COMPANY),
            Box::new(|w, c| tables::departments(w).count(c)),
        ),
        ["company", "companies"] => reads(
            Some(COMPANIES),
            Box::new(|w, c| tables::companies(w).list(w, c)),
        ),
        ["company", "companies", "count"] => reads(
            Some(COMPANIES),
            Box::new(|w, c| tables::companies(w).count(c)),
        ),
        ["company", "companies", "statuses"] => reads(
            Some(COMPANIES),
            Box::new(|w, c| tables::company_statuses(w).list(w, c)),
        ),
        ["company", "companies", id] => {
            let id = id_or_refuse(id)?;
            reads(
                Some(COMPANIES),
                Box::new(move |w, c| tables::companies(w).one(c, id)),
            )
        }
        ["service", "info", "boards"] => reads(
            Some(READ_TICKETS),
            Box::new(|w, c| tables::board_infos(w, c).list(w, c)),
        ),
        ["service", "boards"] => reads(
            Some(TABLES),
            Box::new(|w, c| tables::boards(w, c).list(w, c)),
        ),
        ["service", "boards", "count"] => {
            reads(Some(TABLES), Box::new(|w, c| tables::boards(w, c).count(c)))
        }
        ["service", "boards", id] => {
            let id = id_or_refuse(id)?;
            reads(
                Some(TABLES),
                Box::new(move |w, c| tables::boards(w, c).one(c, id)),
            )
        }
        ["service", "boards", id, rest @ ..] => {
            let id = id_or_refuse(id)?;
            below_board(method, id, rest)
        }
        ["service", "priorities"] => reads(
            Some(TABLES),
            Box::new(|w, c| tables::priorities(w).list(w, c)),
        ),
        ["service", "priorities", "count"] => reads(
            Some(TABLES),
            Box::new(|w, c| tables::priorities(w).count(c)),
        ),
        ["service", "priorities", id] => {
            let id = id_or_refuse(id)?;
            reads(
                Some(TABLES),
                Box::new(move |w, c| tables::priorities(w).one(c, id)),
            )
        }
        ["service", "teams"] => reads(Some(TABLES), Box::new(|w, c| tables::teams(w).list(w, c))),
        ["service", "teams", "count"] => {
            reads(Some(TABLES), Box::new(|w, c| tables::teams(w).count(c)))
        }
        ["service", "tickets", rest @ ..] => tickets(method, rest),
        _ => Err(Refusal::no_endpoint()),
    }
}

fn below_board(method: &Method, board: i64, rest: &[&str]) -> Result<Route, Refusal> {
    let reads = |run| only(method, &Method::GET, Some(TABLES), run);
    match rest {
        ["statuses"] => reads(Box::new(move |w, c| {
            tables::statuses(w, c, board)?.list(w, c)
        })),
        ["statuses", "count"] => reads(Box::new(move |w, c| {
            tables::statuses(w, c, board)?.count(c)
        })),
        ["statuses", id] => {
            let id = id_or_refuse(id)?;
            reads(Box::new(move |w, c| {
                tables::statuses(w, c, board)?.one(c, id)
            }))
        }
        ["types"] => reads(Box::new(move |w, c| tables::types(w, c, board)?.list(w, c))),
        ["types", "count"] => reads(Box::new(move |w, c| tables::types(w, c, board)?.count(c))),
        ["types", id] => {
            let id = id_or_refuse(id)?;
            reads(Box::new(move |w, c| tables::types(w, c, board)?.one(c, id)))
        }
        _ => Err(Refusal::no_endpoint()),
    }
}

fn tickets(method: &Method, rest: &[&str]) -> Result<Route, Refusal> {
    match rest {
        [] => match *method {
            Method::GET => found(READ_TICKETS, Box::new(|w, c| read::list(w, c))),
            Method::POST => Ok(Route {
                right: Some(create::RIGHT),
                asks_itself: true,
                run: Box::new(create::create),
            }),
            _ => Err(Refusal::wrong_method(method.as_str())),
        },
        ["count"] => only(
            method,
            &Method::GET,
            Some(READ_TICKETS),
            Box::new(|w, c| read::count(w, c)),
        ),
        ["search"] => only(
            method,
            &Method::POST,
            Some(READ_TICKETS),
            Box::new(|w, c| read::search(w, c)),
        ),
        [id] => {
            let id = id_or_refuse(id)?;
            match *method {
                Method::GET => found(READ_TICKETS, Box::new(move |w, c| read::get(w, c, id))),
                Method::PATCH => found(EDIT_TICKETS, Box::new(move |w, c| patch::patch(w, c, id))),
                Method::DELETE => found(
                    "service_tickets.delete",
                    Box::new(move |w, c| read::delete(w, c, id)),
                ),
                _ => Err(Refusal::wrong_method(method.as_str())),
            }
        }
        [id, "notes"] => {
            let id = id_or_refuse(id)?;
            match *method {
                Method::GET => found(READ_TICKETS, Box::new(move |w, c| notes::list(w, c, id))),
                Method::POST => found(create::RIGHT, Box::new(move |w, c| notes::create(w, c, id))),
                _ => Err(Refusal::wrong_method(method.as_str())),
            }
        }
        [id, "notes", "count"] => {
            let id = id_or_refuse(id)?;
            only(
                method,
                &Method::GET,
                Some(READ_TICKETS),
                Box::new(move |w, c| notes::count(w, c, id)),
            )
        }
        [id, "notes", note] => {
            let (id, note) = (id_or_refuse(id)?, id_or_refuse(note)?);
            only(
                method,
                &Method::GET,
                Some(READ_TICKETS),
                Box::new(move |w, c| notes::get(w, c, id, note)),
            )
        }
        _ => Err(Refusal::no_endpoint()),
    }
}

fn found(right: &'static str, run: Endpoint) -> Result<Route, Refusal> {
    Ok(Route {
        right: Some(right),
        asks_itself: false,
        run,
    })
}

fn only(
    method: &Method,
    allowed: &Method,
    right: Option<&'static str>,
    run: Endpoint,
) -> Result<Route, Refusal> {
    if method != allowed {
        return Err(Refusal::wrong_method(method.as_str()));
    }
    Ok(Route {
        right,
        asks_itself: false,
        run,
    })
}

/// Anything but a number is not an id, hence no endpoint.
fn id_or_refuse(segment: &str) -> Result<i64, Refusal> {
    segment.parse().map_err(|_| Refusal::no_endpoint())
}
