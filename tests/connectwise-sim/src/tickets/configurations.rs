//! `/service/tickets/{id}/configurations`: the configurations that a ticket is linked to.

use serde_json::{Value, json};

use super::read::visible;
use crate::listing::Row as _;
use crate::response::{ApiError, ApiResponse, Outcome, Problem};
use crate::schema::Schema;
use crate::setup_tables::Table;
use crate::site::{Call, Site};
use crate::storage::{self, WritableTable};

const SHAPE: &str = "ConfigurationReference";

pub(crate) fn list(site: &Site, call: &Call, ticket: i64) -> Outcome {
    table(site, call, ticket)?.list(site, call)
}

pub(crate) fn count(site: &Site, call: &Call, ticket: i64) -> Outcome {
    table(site, call, ticket)?.count(call)
}

pub(crate) fn get(site: &Site, call: &Call, ticket: i64, id: i64) -> Outcome {
    table(site, call, ticket)?.one(call, id)
}

/// Links a ticket. It is not known what ConnectWise answers if it is linked already; here nothing
/// changes.
pub(crate) fn link(site: &mut Site, call: &Call, ticket: i64) -> Outcome {
    let mut changed = visible(site, &call.caller, ticket)?.clone();
    let body = Schema::named(SHAPE).read(&call.body)?;
    let id = body.get("id").and_then(Value::as_i64);
    let device = body.get("deviceIdentifier").and_then(Value::as_str);
    let refused = |problem| ApiError::invalid_object("configuration", &[problem]);
    if id.is_none() && device.is_none() {
        return Err(refused(Problem {
            code: "MissingRequiredField",
            message: "id or deviceIdentifier is required.".to_owned(),
            field: "id".to_owned(),
        }));
    }
    let rows = storage::rows(site, WritableTable::Configuration, None);
    let found = rows.iter().find(|row| match id {
        Some(id) => row.id() == id,
        None => row.get("deviceIdentifier").and_then(Value::as_str) == device,
    });
    let Some(row) = found else {
        let named = id.map_or_else(
            || device.unwrap_or_default().to_owned(),
            |id| id.to_string(),
        );
        let message = format!("Configuration {named} not found");
        return Err(refused(Problem::not_found(message, "id".to_owned())));
    };
    let is_new = site
        .tickets
        .configurations
        .entry(ticket)
        .or_default()
        .insert(row.id());
    if is_new {
        changed.updated = call.stamp();
        site.tickets.put(changed);
    }
    Ok(ApiResponse::created(reference(row)))
}

pub(crate) fn unlink(site: &mut Site, call: &Call, ticket: i64, id: i64) -> Outcome {
    visible(site, &call.caller, ticket)?;
    let linked = site.tickets.configurations.entry(ticket).or_default();
    match linked.remove(&id) {
        true => Ok(ApiResponse::deleted()),
        false => Err(ApiError::record_not_found(SHAPE, id)),
    }
}

fn table(site: &Site, call: &Call, ticket: i64) -> Result<Table, ApiError> {
    visible(site, &call.caller, ticket)?;
    let linked = site.tickets.configurations.get(&ticket);
    let is_linked = |row: &Value| linked.is_some_and(|linked| linked.contains(&row.id()));
    let rows = storage::rows(site, WritableTable::Configuration, None);
    let rows: Vec<Value> = rows
        .iter()
        .filter(|row| is_linked(row))
        .map(reference)
        .collect();
    Ok(Table::new(SHAPE, SHAPE, rows.into_iter()))
}

fn reference(row: &Value) -> Value {
    crate::render::present(json!({
        "id": row.get("id"),
        "deviceIdentifier": row.get("deviceIdentifier"),
    }))
}
