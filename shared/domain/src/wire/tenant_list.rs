//! The tenants that a source names ahead of their first alert. A list adds and renames tenants. It
//! never removes one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::invalid_field::InvalidField;
use crate::wire::particulars::line;
use crate::{PartnerId, SourceId, TenantId};

/// The most tenants in one list.
pub const MAX_TENANTS: usize = 1000;

/// A tenant with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedTenant {
    pub id: TenantId,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Tenants that a source named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantList {
    pub partner: PartnerId,
    pub source: SourceId,
    pub received_at: Timestamp,
    pub tenants: Vec<NamedTenant>,
}

/// The tenants of a list, and the entries that are invalid.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParsedTenants {
    pub tenants: Vec<NamedTenant>,
    pub rejected: Vec<InvalidField>,
}

/// Parses a list. An invalid entry does not affect the others. Of two entries with one id the last
/// counts. `field` is the path of the list.
///
/// # Errors
/// Fails if there are too many entries.
pub fn parse(field: &str, entries: &[Value]) -> Result<ParsedTenants, InvalidField> {
    if entries.len() > MAX_TENANTS {
        let problem = format!(
            "has {} tenants, and at most {MAX_TENANTS} are accepted",
            entries.len()
        );
        return Err(InvalidField::new(field, problem));
    }
    let mut named = BTreeMap::new();
    let mut rejected = vec![];
    for (index, entry) in entries.iter().enumerate() {
        match parse_entry(&format!("{field}[{index}]"), entry) {
            Ok(NamedTenant { id, name }) => drop(named.insert(id, name)),
            Err(err) => rejected.push(err),
        }
    }
    let tenants = named.into_iter().map(|(id, name)| NamedTenant { id, name });
    Ok(ParsedTenants {
        tenants: tenants.collect(),
        rejected,
    })
}

fn parse_entry(field: &str, entry: &Value) -> Result<NamedTenant, InvalidField> {
    let Value::Object(entry) = entry else {
        return Err(InvalidField::new(
            field,
            "is no object with `id` and `name`",
        ));
    };
    let id = match entry.get("id") {
        Some(Value::String(id)) => TenantId::parse(id.clone())
            .map_err(|err| InvalidField::new(format!("{field}.id"), err.to_string()))?,
        Some(_) => return Err(InvalidField::new(format!("{field}.id"), "is no text")),
        None => return Err(InvalidField::new(field, "missing field `id`")),
    };
    let name = match entry.get("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => clean_name(name),
        Some(_) => return Err(InvalidField::new(format!("{field}.name"), "is no text")),
    };
    Ok(NamedTenant { id, name })
}

/// A tenant's name as one short line. `None` if nothing is left of it.
#[must_use]
pub fn clean_name(name: &str) -> Option<String> {
    line(Some(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn invalid_entries_are_named_and_the_others_count() {
        let entries = [
            json!({ "id": "acme", "name": " Acme\nDental " }),
            json!({ "name": "No id" }),
            json!({ "id": 7 }),
            json!({ "id": "" }),
            json!("acme"),
            json!({ "id": "baker", "name": 5 }),
            json!({ "id": "cedar", "name": null }),
            json!({ "id": "acme", "name": "Acme" }),
        ];
        let parsed = parse("data.tenants", &entries).unwrap();
        let named = |id: &str, name: Option<&str>| NamedTenant {
            id: TenantId::parse(id).unwrap(),
            name: name.map(str::to_owned),
        };
        assert_eq!(
            parsed.tenants,
            [named("acme", Some("Acme")), named("cedar", None)]
        );
        let fields: Vec<_> = parsed.rejected.iter().map(|err| &*err.field).collect();
        let expected = [
            "data.tenants[1]",
            "data.tenants[2].id",
            "data.tenants[3].id",
            "data.tenants[4]",
            "data.tenants[5].name",
        ];
        assert_eq!(fields, expected);
        assert_eq!(clean_name(" Acme\nDental ").unwrap(), "Acme Dental");
    }

    #[test]
    fn a_list_has_at_most_a_thousand_tenants() {
        let list = |count: usize| -> Vec<Value> {
            (0..count)
                .map(|n| json!({ "id": format!("t{n}") }))
                .collect()
        };
        assert_eq!(parse("tenants", &list(1000)).unwrap().tenants.len(), 1000);
        let err = parse("tenants", &list(1001)).unwrap_err();
        assert_eq!(err.field, "tenants");
        assert!(err.problem.contains("1001"), "{err}");
    }
}
