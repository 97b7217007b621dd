//! The records that every fresh ConnectWise site has in its smaller set-up tables.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{StoredRecord, WritableTable};

pub(super) fn records() -> BTreeMap<(WritableTable, i64), StoredRecord> {
    let tables = [
        (
            WritableTable::Source,
            json!([
                { "id": 1, "name": "Phone", "defaultFlag": true },
                { "id": 2, "name": "Email Connector", "defaultFlag": false },
                { "id": 3, "name": "RMM", "defaultFlag": false },
            ]),
        ),
        (WritableTable::Severity, scale()),
        (WritableTable::Impact, scale()),
        (
            WritableTable::ServiceLocation,
            json!([
                { "id": 1, "name": "On-Site", "where": "OnSite", "defaultFlag": true },
                { "id": 2, "name": "Remote", "where": "Remote", "defaultFlag": false },
                { "id": 3, "name": "In-House", "where": "InHouse", "defaultFlag": false },
            ]),
        ),
        (
            WritableTable::Role,
            json!([
                { "id": 63, "name": "Admin", "roleType": "Admin", "adminFlag": true, "inactiveFlag": false },
                { "id": 64, "name": "Integration", "roleType": "Custom", "adminFlag": false, "inactiveFlag": false },
            ]),
        ),
        (WritableTable::CustomField, custom_fields()),
    ];
    let mut records = BTreeMap::new();
    for (table, rows) in tables {
        for row in rows.as_array().into_iter().flatten() {
            let mut members = row.as_object().cloned().unwrap_or_default();
            let id = members.remove("id").and_then(|id| id.as_i64());
            let stored = StoredRecord {
                parent: None,
                members,
                entered: None,
                updated: None,
            };
            records.insert((table, id.unwrap_or_default()), stored);
        }
    }
    records
}

/// Fields of tickets, and one of companies. The last of tickets is required on boards of a location
/// and department that no active board of the seed has.
fn custom_fields() -> Value {
    let field = |id: i64, screen: &str, caption: &str, kind: &str, entry: &str, more: Value| {
        let mut field = json!({
            "id": id,
            "podId": 1,
            "screenId": screen,
            "caption": caption,
            "sequenceNumber": id,
            "fieldTypeIdentifier": kind,
            "entryTypeIdentifier": entry,
            "requiredFlag": false,
            "displayOnScreenFlag": true,
            "readOnlyFlag": false,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            field[name] = value.clone();
        }
        field
    };
    let options = ["Low", "Medium", "High", "Critical"];
    let options: Vec<Value> = (1..)
        .zip(options)
        .map(|(order, value)| {
            json!({
                "id": order,
                "optionValue": value,
                "defaultFlag": false,
                "inactiveFlag": false,
                "sortOrder": order,
            })
        })
        .collect();
    let required = json!({ "requiredFlag": true, "locationIds": [3], "businessUnitIds": [11] });
    json!([
        field(
            1,
            "sr100",
            "Affected device",
            "Text",
            "EntryField",
            json!({})
        ),
        field(
            2,
            "sr100",
            "Alert severity",
            "Text",
            "List",
            json!({ "options": options })
        ),
        field(
            3,
            "sr100",
            "Found by monitoring",
            "Checkbox",
            "Option",
            json!({})
        ),
        field(
            4,
            "sr100",
            "Budget",
            "Number",
            "EntryField",
            json!({ "numberDecimals": 1 })
        ),
        field(5, "sr100", "Cost center", "Text", "EntryField", required),
        field(
            6,
            "cm100",
            "Account manager",
            "Text",
            "EntryField",
            json!({})
        ),
    ])
}

fn scale() -> Value {
    json!([
        { "id": 1, "name": "Low", "description": "One person is hindered", "defaultFlag": false },
        { "id": 2, "name": "Medium", "description": "A group is hindered", "defaultFlag": true },
        { "id": 3, "name": "High", "description": "No work is possible", "defaultFlag": false },
    ])
}
