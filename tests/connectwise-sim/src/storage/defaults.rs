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

fn scale() -> Value {
    json!([
        { "id": 1, "name": "Low", "description": "One person is hindered", "defaultFlag": false },
        { "id": 2, "name": "Medium", "description": "A group is hindered", "defaultFlag": true },
        { "id": 3, "name": "High", "description": "No work is possible", "defaultFlag": false },
    ])
}
