//! The endpoints by path, with the right of the security role that each needs. Each path is one
//! match arm.

use axum::http::Method;

use crate::response::{ApiError, Outcome};
use crate::security;
use crate::setup_tables::{self as tables, Table};
use crate::site::{Call, Site};
use crate::storage::write::{self, Collection};
use crate::storage::{self, WritableTable};
use crate::tickets::{audit, changelog, configurations, create, notes, patch, read, related};

type Endpoint = Box<dyn Fn(&mut Site, &Call) -> Outcome + Send>;
type Found = Result<Route, ApiError>;

/// The endpoint of a path.
pub(crate) struct Route {
    pub(crate) right: Option<&'static str>,
    /// The endpoint checks its right itself, after it has validated the body.
    pub(crate) asks_itself: bool,
    pub(crate) run: Endpoint,
}

const TABLES: &str = "table_setup.inquire";
const MEMBERS: &str = "member_maintenance.inquire";
const MY_COMPANY: &str = "my_company.inquire";
const READ_TICKETS: &str = "service_tickets.inquire";
const EDIT_TICKETS: &str = "service_tickets.edit";
const DELETE_TICKETS: &str = "service_tickets.delete";

/// The endpoint of a path after `/v4_6_release/apis/3.0/`.
pub(crate) fn route(method: &Method, segments: &[String]) -> Found {
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["system", rest @ ..] => system(method, rest),
        ["company", rest @ ..] => company(method, rest),
        ["service", rest @ ..] => service(method, rest),
        _ => Err(ApiError::no_endpoint()),
    }
}

fn system(method: &Method, path: &[&str]) -> Found {
    let reads = |run| only(method, &Method::GET, None, run);
    match path {
        ["info"] => reads(Box::new(|w, c| tables::info(w, c))),
        ["info", table] => {
            let (right, run): (_, fn(&Site) -> Table) = match *table {
                "members" => (MEMBERS, |w| tables::members(w).narrowed("MemberInfo")),
                "locations" => (MY_COMPANY, |w| {
                    tables::locations(w).narrowed("LocationInfo")
                }),
                "departments" => (MY_COMPANY, |w| {
                    tables::departments(w).narrowed("DepartmentInfo")
                }),
                _ => return Err(ApiError::no_endpoint()),
            };
            read_only(method, right, &[], move |w, _| Ok(run(w)))
        }
        ["myMembers"] => reads(Box::new(|w, c| tables::my_member(w, c))),
        ["myMembers", "info"] => reads(Box::new(|w, c| tables::my_member_info(w, c))),
        // Which right it needs is not documented.
        ["audittrail"] => reads(Box::new(|w, c| audit::list(w, c))),
        ["mySecurity"] => reads(Box::new(|w, c| security::mine(w, c))),
        ["mySecurity", "customizeItems"] | ["mySecurity", "customizeItems", ""] => {
            reads(Box::new(|w, c| security::customize_items(w, c)))
        }
        ["members", key] if *key != "count" => {
            let key = (*key).to_owned();
            only(
                method,
                &Method::GET,
                Some(MEMBERS),
                Box::new(move |w, c| tables::member(w, c, &key)),
            )
        }
        ["members", rest @ ..] => read_only(method, MEMBERS, rest, |w, _| Ok(tables::members(w))),
        ["apiMembers", "default"] => only(
            method,
            &Method::GET,
            Some(MEMBERS),
            Box::new(|_, _| tables::default_api_member()),
        ),
        ["apiMembers", rest @ ..] => changing(method, WritableTable::ApiMember, None, rest),
        ["locations", rest @ ..] => {
            read_only(method, MY_COMPANY, rest, |w, _| Ok(tables::locations(w)))
        }
        ["departments", rest @ ..] => {
            read_only(method, MY_COMPANY, rest, |w, _| Ok(tables::departments(w)))
        }
        // ConnectWise has both spellings.
        ["securityroles" | "securityRoles", "info", rest @ ..] => {
            light(method, WritableTable::Role, None, "SecurityRoleInfo", rest)
        }
        ["securityroles" | "securityRoles", id, "settings", rest @ ..] => {
            let id = id_or_refuse(id)?;
            read_only(method, MEMBERS, rest, move |w, _| security::of_role(w, id))
        }
        ["securityroles" | "securityRoles", rest @ ..] => {
            changing(method, WritableTable::Role, None, rest)
        }
        ["callbacks", rest @ ..] => changing(method, WritableTable::Callback, None, rest),
        ["userDefinedFields", rest @ ..] => {
            changing(method, WritableTable::CustomField, None, rest)
        }
        _ => Err(ApiError::no_endpoint()),
    }
}

fn company(method: &Method, path: &[&str]) -> Found {
    match path {
        ["companies", "statuses", rest @ ..] => {
            changing(method, WritableTable::CompanyStatus, None, rest)
        }
        ["companies", "info", rest @ ..] => {
            light(method, WritableTable::Company, None, "CompanyInfo", rest)
        }
        ["companies", id, "sites", rest @ ..] => {
            let id = id_or_refuse(id)?;
            changing(method, WritableTable::Site, Some(id), rest)
        }
        ["companies", rest @ ..] => changing(method, WritableTable::Company, None, rest),
        ["contacts", rest @ ..] => changing(method, WritableTable::Contact, None, rest),
        ["configurations", rest @ ..] => changing(method, WritableTable::Configuration, None, rest),
        _ => Err(ApiError::no_endpoint()),
    }
}

fn service(method: &Method, path: &[&str]) -> Found {
    match path {
        ["info", "boards", "active"] => read_only(method, READ_TICKETS, &[], |w, c| {
            let boards = storage::table(w, c, WritableTable::Board, None)?;
            Ok(boards.active().narrowed("BoardInfo"))
        }),
        ["info", "boards", rest @ ..] => read_only(method, READ_TICKETS, rest, |w, c| {
            Ok(storage::table(w, c, WritableTable::Board, None)?.narrowed("BoardInfo"))
        }),
        ["boards", "copy"] => only(
            method,
            &Method::POST,
            Some(WritableTable::Board.rights().add),
            Box::new(storage::copy_board::board),
        ),
        ["boards", id, below, rest @ ..] => {
            let id = id_or_refuse(id)?;
            below_board(method, id, below, rest)
        }
        ["boards", rest @ ..] => changing(method, WritableTable::Board, None, rest),
        ["priorities", rest @ ..] => changing(method, WritableTable::Priority, None, rest),
        ["sources", "info", rest @ ..] => {
            light(method, WritableTable::Source, None, "SourceInfo", rest)
        }
        ["sources", rest @ ..] => changing(method, WritableTable::Source, None, rest),
        ["severities", rest @ ..] => changing(method, WritableTable::Severity, None, rest),
        ["impacts", rest @ ..] => changing(method, WritableTable::Impact, None, rest),
        ["locations", "info", rest @ ..] => {
            let info = "ServiceLocationInfo";
            light(method, WritableTable::ServiceLocation, None, info, rest)
        }
        ["locations", rest @ ..] => changing(method, WritableTable::ServiceLocation, None, rest),
        ["teams", rest @ ..] => read_only(method, TABLES, rest, |w, _| Ok(tables::teams(w))),
        ["tickets", rest @ ..] => tickets(method, rest),
        _ => Err(ApiError::no_endpoint()),
    }
}

fn below_board(method: &Method, board: i64, table: &str, rest: &[&str]) -> Found {
    let (table, info) = match table {
        "statuses" => (WritableTable::Status, Some("BoardStatusInfo")),
        "types" => (WritableTable::Type, None),
        "subtypes" => (WritableTable::SubType, Some("BoardSubTypeInfo")),
        "items" => match rest {
            [item, "associations", rest @ ..] => {
                return item_associations(method, board, id_or_refuse(item)?, rest);
            }
            _ => (WritableTable::Item, None),
        },
        "teams" => (WritableTable::Team, Some("BoardTeamInfo")),
        "typeSubTypeItemAssociations" => {
            return read_only(method, TABLES, rest, move |w, c| {
                storage::associations(w, c, board)
            });
        }
        _ => return Err(ApiError::no_endpoint()),
    };
    match (rest, info) {
        (["info", rest @ ..], Some(info)) => light(method, table, Some(board), info, rest),
        _ => changing(method, table, Some(board), rest),
    }
}

fn item_associations(method: &Method, board: i64, item: i64, rest: &[&str]) -> Found {
    match (rest, method.as_str()) {
        ([kind], "PUT") => {
            let kind = id_or_refuse(kind)?;
            let run = Box::new(move |w: &mut Site, c: &Call| {
                storage::item_associations::replace(w, c, board, (item, kind))
            });
            found(WritableTable::Item.rights().edit, run)
        }
        _ => read_only(method, TABLES, rest, move |w, c| {
            storage::item_associations::table(w, c, board, item)
        }),
    }
}

fn tickets(method: &Method, rest: &[&str]) -> Found {
    let reads = |run| only(method, &Method::GET, Some(READ_TICKETS), run);
    match rest {
        [] => match *method {
            Method::GET => found(READ_TICKETS, Box::new(|w, c| read::list(w, c))),
            Method::POST => Ok(Route {
                right: Some(create::RIGHT),
                asks_itself: true,
                run: Box::new(create::create),
            }),
            _ => Err(ApiError::wrong_method(method.as_str())),
        },
        ["count"] => reads(Box::new(|w, c| read::count(w, c))),
        ["info"] => reads(Box::new(|w, c| read::infos(w, c))),
        ["changelogs"] => match *method {
            Method::GET => found(READ_TICKETS, Box::new(|w, c| changelog::list(w, c))),
            Method::DELETE => found(DELETE_TICKETS, Box::new(|w, _| changelog::clear(w))),
            _ => Err(ApiError::wrong_method(method.as_str())),
        },
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
                Method::PUT => found(EDIT_TICKETS, Box::new(move |w, c| patch::replace(w, c, id))),
                Method::DELETE => {
                    found(DELETE_TICKETS, Box::new(move |w, c| read::delete(w, c, id)))
                }
                _ => Err(ApiError::wrong_method(method.as_str())),
            }
        }
        [id, rest @ ..] => below_ticket(method, id_or_refuse(id)?, rest),
    }
}

fn below_ticket(method: &Method, id: i64, rest: &[&str]) -> Found {
    let reads = |run| only(method, &Method::GET, Some(READ_TICKETS), run);
    let posts = |run| only(method, &Method::POST, Some(EDIT_TICKETS), run);
    match rest {
        ["info"] => reads(Box::new(move |w, c| read::info(w, c, id))),
        ["merge"] => posts(Box::new(move |w, c| related::merge(w, c, id))),
        ["attachChildren"] => posts(Box::new(move |w, c| related::attach(w, c, id))),
        ["allNotes"] => reads(Box::new(move |w, c| notes::all(w, c, id))),
        ["notes"] => match *method {
            Method::GET => found(READ_TICKETS, Box::new(move |w, c| notes::list(w, c, id))),
            Method::POST => found(create::RIGHT, Box::new(move |w, c| notes::create(w, c, id))),
            _ => Err(ApiError::wrong_method(method.as_str())),
        },
        ["configurations"] => match *method {
            Method::GET => found(
                READ_TICKETS,
                Box::new(move |w, c| configurations::list(w, c, id)),
            ),
            Method::POST => found(
                EDIT_TICKETS,
                Box::new(move |w, c| configurations::link(w, c, id)),
            ),
            _ => Err(ApiError::wrong_method(method.as_str())),
        },
        ["configurations", "count"] => reads(Box::new(move |w, c| configurations::count(w, c, id))),
        ["configurations", row] => {
            let row = id_or_refuse(row)?;
            match *method {
                Method::GET => reads(Box::new(move |w, c| configurations::get(w, c, id, row))),
                Method::DELETE => found(
                    EDIT_TICKETS,
                    Box::new(move |w, c| configurations::unlink(w, c, id, row)),
                ),
                _ => Err(ApiError::wrong_method(method.as_str())),
            }
        }
        ["notes", "count"] => reads(Box::new(move |w, c| notes::count(w, c, id))),
        ["notes", note] => {
            let note = id_or_refuse(note)?;
            match *method {
                Method::GET => reads(Box::new(move |w, c| notes::get(w, c, id, note))),
                Method::PATCH => found(
                    EDIT_TICKETS,
                    Box::new(move |w, c| notes::patch(w, c, id, note)),
                ),
                Method::PUT => found(
                    EDIT_TICKETS,
                    Box::new(move |w, c| notes::replace(w, c, id, note)),
                ),
                Method::DELETE => found(
                    EDIT_TICKETS,
                    Box::new(move |w, c| notes::delete(w, c, id, note)),
                ),
                _ => Err(ApiError::wrong_method(method.as_str())),
            }
        }
        _ => Err(ApiError::no_endpoint()),
    }
}

/// List, count and single record of a table.
fn read_only(
    method: &Method,
    right: &'static str,
    rest: &[&str],
    table: impl Fn(&Site, &Call) -> Result<Table, ApiError> + Send + 'static,
) -> Found {
    let reads = |run| only(method, &Method::GET, Some(right), run);
    match rest {
        [] => reads(Box::new(move |w, c| table(w, c)?.list(w, c))),
        ["count"] => reads(Box::new(move |w, c| table(w, c)?.count(c))),
        [id] => {
            let id = id_or_refuse(id)?;
            reads(Box::new(move |w, c| table(w, c)?.one(c, id)))
        }
        _ => Err(ApiError::no_endpoint()),
    }
}

/// The `info` list of a writable table.
fn light(
    method: &Method,
    table: WritableTable,
    parent: Option<i64>,
    info: &'static str,
    rest: &[&str],
) -> Found {
    if rest.is_empty() {
        read_only(method, table.rights().inquire, rest, move |w, c| {
            Ok(storage::table(w, c, table, parent)?.narrowed(info))
        })
    } else {
        Err(ApiError::no_endpoint())
    }
}

/// A table that can be changed.
fn changing(method: &Method, table: WritableTable, parent: Option<i64>, rest: &[&str]) -> Found {
    let rights = table.rights();
    let collection = Collection { table, parent };
    let reads = method == Method::GET || !table.takes(method);
    match (rest, method.as_str()) {
        ([], "POST") if !reads => Ok(Route {
            right: Some(rights.add),
            asks_itself: true,
            run: Box::new(move |w, c| write::create(w, c, collection)),
        }),
        ([id], "PUT") if !reads => {
            let id = id_or_refuse(id)?;
            let run = Box::new(move |w: &mut Site, c: &Call| write::replace(w, c, collection, id));
            found(rights.edit, run)
        }
        ([id], "PATCH") if !reads => {
            let id = id_or_refuse(id)?;
            let run = Box::new(move |w: &mut Site, c: &Call| write::patch(w, c, collection, id));
            found(rights.edit, run)
        }
        ([id], "DELETE") if !reads => {
            let id = id_or_refuse(id)?;
            let run = Box::new(move |w: &mut Site, c: &Call| write::delete(w, c, collection, id));
            found(rights.delete, run)
        }
        _ => read_only(method, rights.inquire, rest, move |w, c| {
            storage::table(w, c, table, parent)
        }),
    }
}

fn found(right: &'static str, run: Endpoint) -> Found {
    Ok(Route {
        right: Some(right),
        asks_itself: false,
        run,
    })
}

fn only(method: &Method, allowed: &Method, right: Option<&'static str>, run: Endpoint) -> Found {
    if method != allowed {
        return Err(ApiError::wrong_method(method.as_str()));
    }
    Ok(Route {
        right,
        asks_itself: false,
        run,
    })
}

/// Only a number is an id.
fn id_or_refuse(segment: &str) -> Result<i64, ApiError> {
    segment.parse().map_err(|_| ApiError::no_endpoint())
}
