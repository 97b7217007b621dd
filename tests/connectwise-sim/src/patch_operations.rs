//! The body of every PATCH: a list of `{ op, path, value }` with bare, case-sensitive paths. As in
//! ConnectWise, a sub-path answers 200 and changes nothing.

use serde_json::{Map, Value, json};

use crate::faults::PatchStatusId;
use crate::response::ApiError;
use crate::schema::{Schema, check_value};

/// Parses the operations into members with their new values, `null` for `remove`.
pub(crate) fn changes(
    schema: &Schema,
    body: &[u8],
    sub_paths: PatchStatusId,
) -> Result<Map<String, Value>, ApiError> {
    let text = std::str::from_utf8(body)
        .map_err(|_| ApiError::malformed("The request is not valid UTF-8."))?;
    let Ok(Value::Array(operations)) = serde_json::from_str(text) else {
        return Err(ApiError::malformed(
            "Cannot deserialize the current JSON value into type 'System.Collections.Generic.List`1[PatchOperation]'.",
        ));
    };
    let mut changes = Map::new();
    for operation in &operations {
        let operation = Schema::named("PatchOperation").read(operation.to_string().as_bytes())?;
        let member = |name: &str| {
            operation
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let path = member("path");
        let value = match member("op") {
            "add" | "replace" => operation.get("value").cloned().unwrap_or(Value::Null),
            "remove" => Value::Null,
            other => {
                return Err(ApiError::malformed(&format!(
                    "The patch operation '{other}' is not supported."
                )));
            }
        };
        if let Some((path, value)) = effect(schema, path, value, text, sub_paths)? {
            changes.insert(path, value);
        }
    }
    Ok(changes)
}

/// The member that one operation sets. `None` where ConnectWise answers 200 and changes nothing.
fn effect(
    schema: &Schema,
    path: &str,
    value: Value,
    text: &str,
    sub_paths: PatchStatusId,
) -> Result<Option<(String, Value)>, ApiError> {
    if let Some(kind) = schema.kind(path) {
        check_value(kind, path, &value, text)?;
        return Ok(Some((path.to_owned(), value)));
    }
    match (path, sub_paths) {
        ("status/id" | "status/name", PatchStatusId::Works) if schema.field(path).is_some() => {
            let member = path.trim_start_matches("status/");
            let status = json!({ member: value });
            if let Some(kind) = schema.kind("status") {
                check_value(kind, "status", &status, text)?;
            }
            Ok(Some(("status".to_owned(), status)))
        }
        _ if schema.field(path).is_some() && path.contains('/') => Ok(None),
        _ => Err(ApiError::malformed(&format!(
            "Could not find member '{path}' on object of type '{}'. Path '{path}'.",
            schema.name
        ))),
    }
}
