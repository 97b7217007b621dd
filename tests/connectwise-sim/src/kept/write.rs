//! Making, changing, replacing and deleting set-up records, by one set of rules: members and lengths, references,
//! names that are taken, and what belongs together.

use serde_json::{Map, Value};

use super::{Kept, find_parent, table};
use crate::answer::{Answer, Outcome, Problem, Refusal};
use crate::listing::Row;
use crate::schema::{Kind, Schema};
use crate::tickets::TicketRow;
use crate::world::{Call, Caller, World};
use crate::{listing, operations};

/// Where a record is or is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) kept: Kept,
    pub(crate) parent: Option<i64>,
}

impl Place {
    fn schema(self) -> &'static Schema {
        Schema::named(self.kept.schema_name())
    }

    pub(super) fn row(self, world: &World, call: &Call, id: i64) -> Result<Value, Refusal> {
        table(world, call, self.kept, self.parent)?.row(id)
    }
}

/// `POST`
pub(crate) fn create(world: &mut World, call: &Call, place: Place) -> Outcome {
    find_parent(world, call, place.kept, place.parent)?;
    let body = place.schema().read(&call.body)?;
    let members = checked(world, place, None, &body, &call.caller)?;
    // Some sites look at the body first: the gate then leaves the right to this place.
    world.require(&call.caller, place.kept.rights().add)?;
    let id = world.shelves.new_id();
    world.shelve(call, place, id, members);
    Ok(Answer::created(place.row(world, call, id)?))
}

/// `PATCH`: the traps of sub-paths are the same as a ticket's.
pub(crate) fn patch(world: &mut World, call: &Call, place: Place, id: i64) -> Outcome {
    let before = place.row(world, call, id)?;
    let sub_paths = world.faults.variants.patch_status_id;
    let changes = operations::changes(place.schema(), &call.body, sub_paths)?;
    let mut members = before.as_object().cloned().unwrap_or_default();
    members.extend(changes.clone());
    let members = checked(world, place, Some(id), &members, &call.caller)?;
    let commits = !changes.is_empty();
    if commits {
        world.shelve(call, place, id, members);
    }
    Ok(Answer::patched(place.row(world, call, id)?, commits))
}

/// `PUT`: what is left out is set back.
pub(crate) fn replace(world: &mut World, call: &Call, place: Place, id: i64) -> Outcome {
    place.row(world, call, id)?;
    let body = place.schema().read(&call.body)?;
    let members = checked(world, place, Some(id), &body, &call.caller)?;
    world.shelve(call, place, id, members);
    Ok(Answer::patched(place.row(world, call, id)?, true))
}

/// `DELETE`: refused for what a ticket uses.
pub(crate) fn delete(world: &mut World, call: &Call, place: Place, id: i64) -> Outcome {
    let row = place.row(world, call, id)?;
    let has_companies = place.kept == Kept::CompanyStatus
        && world.site.companies.iter().any(|row| row.status.id == id);
    let used = place.kept.member_of_tickets().is_some_and(|member| {
        let path = format!("{member}/id");
        let wanted = listing::scalar(row.get("id").unwrap_or(&Value::Null)).into_owned();
        world
            .tickets
            .all()
            .any(|ticket| TicketRow { world, ticket }.field(&path) == wanted)
    });
    let is_start = place.kept == Kept::Status && row.get("defaultFlag") == Some(&true.into());
    let is_main = place.kept == Kept::Site && Some(id) == place.parent;
    if used || has_companies || is_start || is_main {
        return Err(Refusal::in_use(place.kept.schema_name(), id));
    }
    world.discard(place, id);
    Ok(Answer::deleted())
}

/// The members to keep, with references expanded, or all that is wrong with them.
fn checked(
    world: &World,
    place: Place,
    id: Option<i64>,
    members: &Map<String, Value>,
    caller: &Caller,
) -> Result<Map<String, Value>, Refusal> {
    let schema = place.schema();
    let mut problems = schema.problems(members, true);
    let mut kept = Map::new();
    let parent = if place.kept == Kept::Board {
        Some(id.unwrap_or_default())
    } else if place.kept == Kept::Contact {
        let company = members.get("company");
        company.and_then(|company| company.get("id")?.as_i64())
    } else {
        place.parent
    };
    for (name, value) in members {
        let read_only = matches!(name.as_str(), "id" | "_info" | "enteredBy" | "dateEntered");
        // The path says where a record belongs; a contact alone names its company by itself.
        let from_path = name == "board" || (name == "company" && place.kept != Kept::Contact);
        if read_only || from_path || value.is_null() {
            continue;
        }
        let value = match schema.kind(name) {
            Some(Kind::Reference(shape)) => world.referred(shape, name, value, parent),
            _ => Ok(value.clone()),
        };
        match value {
            Ok(value) => {
                kept.insert(name.clone(), value);
            }
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(taken(world, place, id, &kept));
    problems.extend(own_rules(world, place, id, &mut kept, caller));
    if problems.is_empty() {
        Ok(kept)
    } else {
        Err(Refusal::invalid_object(
            &resource(place.kept.schema_name()),
            &problems,
        ))
    }
}

/// ConnectWise's name of a record in a refusal: `boardStatus`.
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
    world: &World,
    place: Place,
    id: Option<i64>,
    members: &Map<String, Value>,
) -> Option<Problem> {
    let unique = place.kept.unique()?;
    let lower = |value: &Value| value.as_str().map(str::to_lowercase);
    let wanted = members.get(unique).and_then(lower)?;
    let rows = world.rows(place.kept, place.parent);
    let clash = rows.iter().find(|row| {
        Some(Row::id(*row)) != id && row.get(unique).and_then(lower).as_ref() == Some(&wanted)
    })?;
    let shown = clash.get(unique).and_then(Value::as_str)?;
    Some(Problem {
        code: "ObjectExists",
        message: format!(
            "A {} with the {unique} {shown} already exists.",
            place.kept.schema_name()
        ),
        field: unique.to_owned(),
    })
}

fn own_rules(
    world: &World,
    place: Place,
    id: Option<i64>,
    members: &mut Map<String, Value>,
    caller: &Caller,
) -> Vec<Problem> {
    match place.kept {
        Kept::Company if id.is_none() => {
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
        Kept::Team => {
            let known = |id: i64| world.site.members.iter().any(|member| member.id == id);
            unknown_ids(members.get("members"), "members", "Member", known)
        }
        Kept::SubType => {
            let board = place.parent.and_then(|board| world.site.board(board));
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
        Kept::Callback => {
            members.insert("memberId".to_owned(), caller.id.into());
            Vec::new()
        }
        Kept::Board
        | Kept::Status
        | Kept::Type
        | Kept::Item
        | Kept::Priority
        | Kept::Source
        | Kept::Severity
        | Kept::Impact
        | Kept::ServiceLocation
        | Kept::Company
        | Kept::CompanyStatus
        | Kept::Site
        | Kept::Contact
        | Kept::Role
        | Kept::ApiMember => Vec::new(),
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
