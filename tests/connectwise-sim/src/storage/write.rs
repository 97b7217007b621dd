//! Creates, changes, replaces and deletes set-up records by one set of rules: members and lengths,
//! references, unique names, and consistency.

use serde_json::{Map, Value};

use super::{WritableTable, find_parent, table};
use crate::listing::Row;
use crate::references;
use crate::response::{ApiError, ApiResponse, Outcome, Problem};
use crate::schema::{Kind, Schema};
use crate::site::{Call, Caller, Site};
use crate::storage;
use crate::storage::store;
use crate::tickets::TicketRow;
use crate::{listing, patch_operations};

/// The table and the parent of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collection {
    pub(crate) table: WritableTable,
    pub(crate) parent: Option<i64>,
}

impl Collection {
    fn schema(self) -> &'static Schema {
        Schema::named(self.table.schema_name())
    }

    pub(super) fn row(self, site: &Site, call: &Call, id: i64) -> Result<Value, ApiError> {
        table(site, call, self.table, self.parent)?.row(id)
    }
}

/// `POST`
pub(crate) fn create(site: &mut Site, call: &Call, collection: Collection) -> Outcome {
    find_parent(site, call, collection.table, collection.parent)?;
    let body = collection.schema().read(&call.body)?;
    let members = checked(site, collection, None, &body, &call.caller)?;
    // Some sites check the body first: `execution` then leaves the right to this function.
    site.require(&call.caller, collection.table.rights().add)?;
    let id = site.stored.new_id();
    store::store_record(site, call, collection, id, members);
    Ok(ApiResponse::created(collection.row(site, call, id)?))
}

/// `PATCH`: sub-paths have no effect, as for tickets.
pub(crate) fn patch(site: &mut Site, call: &Call, collection: Collection, id: i64) -> Outcome {
    let before = collection.row(site, call, id)?;
    let sub_paths = site.faults.variants.patch_status_id;
    let changes = patch_operations::changes(collection.schema(), &call.body, sub_paths)?;
    let mut members = before.as_object().cloned().unwrap_or_default();
    members.extend(changes.clone());
    let members = checked(site, collection, Some(id), &members, &call.caller)?;
    let commits = !changes.is_empty();
    if commits {
        store::store_record(site, call, collection, id, members);
    }
    Ok(ApiResponse::patched(
        collection.row(site, call, id)?,
        commits,
    ))
}

/// `PUT`: omitted members are reset.
pub(crate) fn replace(site: &mut Site, call: &Call, collection: Collection, id: i64) -> Outcome {
    collection.row(site, call, id)?;
    let body = collection.schema().read(&call.body)?;
    let members = checked(site, collection, Some(id), &body, &call.caller)?;
    store::store_record(site, call, collection, id, members);
    Ok(ApiResponse::patched(collection.row(site, call, id)?, true))
}

/// `DELETE`: refused for a record that a ticket uses.
pub(crate) fn delete(site: &mut Site, call: &Call, collection: Collection, id: i64) -> Outcome {
    let row = collection.row(site, call, id)?;
    let has_companies = collection.table == WritableTable::CompanyStatus
        && site.setup.companies.iter().any(|row| row.status.id == id);
    let used = collection.table.ticket_member().is_some_and(|member| {
        let path = format!("{member}/id");
        let value = listing::scalar(row.get("id").unwrap_or(&Value::Null)).into_owned();
        site.tickets
            .all()
            .any(|ticket| TicketRow { site, ticket }.field(&path) == value)
    });
    let is_start =
        collection.table == WritableTable::Status && row.get("defaultFlag") == Some(&true.into());
    let is_main = collection.table == WritableTable::Site && Some(id) == collection.parent;
    if used || has_companies || is_start || is_main {
        return Err(ApiError::in_use(collection.table.schema_name(), id));
    }
    store::remove_record(site, collection, id);
    Ok(ApiResponse::deleted())
}

/// The members to store, with references expanded, or all problems with them.
fn checked(
    site: &Site,
    collection: Collection,
    id: Option<i64>,
    members: &Map<String, Value>,
    caller: &Caller,
) -> Result<Map<String, Value>, ApiError> {
    let schema = collection.schema();
    let mut problems = schema.problems(members, true);
    let mut table = Map::new();
    let parent = if collection.table == WritableTable::Board {
        Some(id.unwrap_or_default())
    } else if collection.table.names_its_company() {
        let company = members.get("company");
        company.and_then(|company| company.get("id")?.as_i64())
    } else {
        collection.parent
    };
    for (name, value) in members {
        let read_only = matches!(name.as_str(), "id" | "_info" | "enteredBy" | "dateEntered");
        // The path names a record's parent. Contacts and configurations name their company.
        let from_path =
            name == "board" || (name == "company" && !collection.table.names_its_company());
        if read_only || from_path || value.is_null() {
            continue;
        }
        let value = match schema.kind(name) {
            Some(Kind::Reference(shape)) => references::referred(site, shape, name, value, parent),
            _ => Ok(value.clone()),
        };
        match value {
            Ok(value) => {
                table.insert(name.clone(), value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(taken(site, collection, id, &table));
    problems.extend(check_table_rules(site, collection, id, &mut table, caller));
    if problems.is_empty() {
        Ok(table)
    } else {
        Err(ApiError::invalid_object(
            &resource(collection.table.schema_name()),
            &problems,
        ))
    }
}

/// ConnectWise's name of a record in an error: `boardStatus`.
fn resource(schema: &str) -> String {
    let mut letters = schema.chars();
    letters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(letters)
        .collect()
}

pub(super) fn taken(
    site: &Site,
    collection: Collection,
    id: Option<i64>,
    members: &Map<String, Value>,
) -> Option<Problem> {
    let unique = collection.table.unique()?;
    let lower = |value: &Value| value.as_str().map(str::to_lowercase);
    let name = members.get(unique).and_then(lower)?;
    let rows = storage::rows(site, collection.table, collection.parent);
    let clash = rows.iter().find(|row| {
        Some(Row::id(*row)) != id && row.get(unique).and_then(lower).as_ref() == Some(&name)
    })?;
    let shown = clash.get(unique).and_then(Value::as_str)?;
    Some(Problem {
        code: "ObjectExists",
        message: format!(
            "A {} with the {unique} {shown} already exists.",
            collection.table.schema_name()
        ),
        field: unique.to_owned(),
    })
}

fn check_table_rules(
    site: &Site,
    collection: Collection,
    id: Option<i64>,
    members: &mut Map<String, Value>,
    caller: &Caller,
) -> Vec<Problem> {
    match collection.table {
        WritableTable::Company if id.is_none() => {
            let address = [
                "addressLine1",
                "addressLine2",
                "city",
                "state",
                "zip",
                "country",
            ];
            if address.iter().any(|member| members.contains_key(*member)) {
                return Vec::new();
            }
            vec![Problem {
                code: "MissingRequiredField",
                message: format!(
                    "At least one address field is required -- {}.",
                    address.join(", ")
                ),
                field: "addressLine1".to_owned(),
            }]
        }
        WritableTable::Team => {
            let known = |id: i64| site.setup.members.iter().any(|member| member.id == id);
            unknown_ids(members.get("members"), "members", "Member", known)
        }
        WritableTable::SubType => {
            let board = collection.parent.and_then(|board| site.setup.board(board));
            let all = members.remove("addAllTypesFlag") == Some(Value::Bool(true));
            let none = members.remove("removeAllTypesFlag") == Some(Value::Bool(true));
            if let Some(board) = board.filter(|_| all) {
                let types = board.types.iter().map(|kind| Value::from(kind.id));
                members.insert("typeAssociationIds".to_owned(), types.collect());
            } else if none || !members.contains_key("typeAssociationIds") {
                members.insert("typeAssociationIds".to_owned(), Value::Array(Vec::new()));
            }
            let known = |id: i64| board.is_some_and(|board| board.kind(id).is_some());
            let ids = members.get("typeAssociationIds");
            unknown_ids(ids, "typeAssociationIds", "BoardType", known)
        }
        WritableTable::Callback => {
            members.insert("memberId".to_owned(), caller.id.into());
            Vec::new()
        }
        WritableTable::Board
        | WritableTable::Status
        | WritableTable::Type
        | WritableTable::Item
        | WritableTable::Priority
        | WritableTable::Source
        | WritableTable::Severity
        | WritableTable::Impact
        | WritableTable::ServiceLocation
        | WritableTable::Company
        | WritableTable::CompanyStatus
        | WritableTable::Site
        | WritableTable::Contact
        | WritableTable::Configuration
        | WritableTable::Role
        | WritableTable::ApiMember
        | WritableTable::CustomField => Vec::new(),
    }
}

fn unknown_ids(
    ids: Option<&Value>,
    field: &str,
    record: &str,
    known: impl Fn(i64) -> bool,
) -> Vec<Problem> {
    let ids = ids.and_then(Value::as_array).into_iter().flatten();
    ids.filter(|id| !id.as_i64().is_some_and(&known))
        .map(|id| Problem::not_found(format!("{record} {id} not found"), field.to_owned()))
        .collect()
}
