//! The custom fields of a ticket, checked against `/system/userDefinedFields`.

use serde_json::{Value, json};

use super::draft::Draft;
use crate::clock;
use crate::listing::Row;
use crate::response::Problem;
use crate::site::Site;
use crate::storage::{self, WritableTable};

/// The screen of tickets.
const SCREEN: &str = "sr100";

/// The longest text of a field with one line, and with several. ConnectWise documents none.
const MAX_LINE: usize = 100;
const MAX_LINES: usize = 1000;

/// The sent fields with what a response shows of each.
pub(super) fn expanded(site: &Site, sent: &Value) -> Result<Value, Problem> {
    let known = of_tickets(site);
    let sent = sent.as_array().into_iter().flatten();
    let fields = sent.map(|field| {
        let id = field.get("id").and_then(Value::as_i64).unwrap_or_default();
        let mut known = known.iter();
        let definition = known.find(|row| Row::id(*row) == id).ok_or_else(|| {
            Problem::not_found(
                format!("CustomField {id} not found"),
                "customFields".to_owned(),
            )
        })?;
        let value = field.get("value").unwrap_or(&Value::Null);
        check(definition, value)?;
        Ok(json!({
            "id": id,
            "caption": definition["caption"],
            "type": definition["fieldTypeIdentifier"],
            "entryMethod": definition.get("entryTypeIdentifier").unwrap_or(&json!("EntryField")),
            "numberOfDecimals": definition.get("numberDecimals").unwrap_or(&json!(0)),
            "value": value,
        }))
    });
    fields.collect()
}

/// The required fields of the ticket's board that have no value. A field belongs to the boards of
/// its locations and departments, or to all.
pub(super) fn missing(site: &Site, draft: &Draft) -> Vec<Problem> {
    let Some(board) = draft.board.and_then(|board| site.setup.board(board)) else {
        return Vec::new();
    };
    let mut missing = Vec::new();
    for field in of_tickets(site) {
        let covers = |member: &str, id: i64| {
            let ids = field.get(member).and_then(Value::as_array);
            ids.is_none_or(|ids| ids.is_empty() || ids.contains(&id.into()))
        };
        let is_required = field.get("requiredFlag") == Some(&Value::Bool(true))
            && covers("locationIds", board.location.id)
            && covers("businessUnitIds", board.department.id);
        let caption = field["caption"].as_str().unwrap_or_default();
        if is_required && !draft.has_custom_field(caption) {
            missing.push(Problem::missing("customFields", caption));
        }
    }
    missing
}

fn of_tickets(site: &Site) -> Vec<Value> {
    let mut fields = storage::rows(site, WritableTable::CustomField, None);
    fields.retain(|field| field.get("screenId").and_then(Value::as_str) == Some(SCREEN));
    fields
}

/// `null` clears a field.
fn check(definition: &Value, value: &Value) -> Result<(), Problem> {
    let caption = definition["caption"].as_str().unwrap_or_default();
    let invalid = |why: &str| {
        Err(Problem {
            code: "InvalidObject",
            message: format!("The value of {caption} {why}."),
            field: "customFields".to_owned(),
        })
    };
    if value.is_null() {
        return Ok(());
    }
    let kind = definition["fieldTypeIdentifier"]
        .as_str()
        .unwrap_or_default();
    let (fits, why) = match kind {
        "Number" | "Currency" | "Percent" => (value.is_number(), "is not a number"),
        "Checkbox" => (value.is_boolean(), "is not true or false"),
        "Date" => {
            let date = value.as_str().and_then(clock::parse);
            (date.is_some(), "is not a date")
        }
        "TextArea" => (
            is_text(value, MAX_LINES),
            "is not a text of at most 1000 characters",
        ),
        _ => (
            is_text(value, MAX_LINE),
            "is not a text of at most 100 characters",
        ),
    };
    if !fits {
        return invalid(why);
    }
    let is_list = matches!(
        definition["entryTypeIdentifier"].as_str(),
        Some("List" | "Option")
    );
    let options = definition.get("options").and_then(Value::as_array);
    let is_option = |option: &Value| {
        option.get("optionValue") == Some(value)
            && option.get("inactiveFlag") != Some(&Value::Bool(true))
    };
    if is_list && kind != "Checkbox" && !options.into_iter().flatten().any(is_option) {
        return invalid("is not one of its options");
    }
    Ok(())
}

fn is_text(value: &Value, longest: usize) -> bool {
    let text = value.as_str();
    text.is_some_and(|text| text.encode_utf16().count() <= longest)
}
