//! Custom fields of tickets.

use serde_json::{Value, json};

use crate::client::Site;

fn ticket(fields: &Value) -> Value {
    json!({ "summary": "x", "company": { "id": 301 }, "customFields": fields })
}

#[tokio::test]
async fn custom_fields_are_listed_by_screen() {
    let site = Site::start().await;
    let ids = async |condition: &str| {
        let path = format!("/system/userDefinedFields?conditions={condition}");
        site.get(&path).await.ids()
    };
    assert_eq!(ids("screenId%3D%22sr100%22").await, [1, 2, 3, 4, 5]);
    assert_eq!(ids("screenId%3D%22cm100%22").await, [6]);
    let list = site.get("/system/userDefinedFields/2").await.json();
    assert_eq!(list["options"][2]["optionValue"], "High");
    site.missing_rights(&["table_setup.inquire"]).await;
    let refused = site
        .as_integration("GET", "/system/userDefinedFields", "")
        .await;
    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn a_ticket_shows_its_custom_fields() {
    let site = Site::start().await;
    let sent = json!([
        { "id": 1, "value": "PC-7" }, { "id": 2, "value": "High" }, { "id": 3, "value": true },
        { "id": 4, "value": 12.5 },
    ]);
    let made = site.post("/service/tickets", ticket(&sent)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/service/tickets/{}", made.id());
    let shown = site.get(&path).await.json()["customFields"].clone();
    let expected = json!([
        { "id": 1, "caption": "Affected device", "type": "Text", "entryMethod": "EntryField",
          "numberOfDecimals": 0, "value": "PC-7" },
        { "id": 2, "caption": "Alert severity", "type": "Text", "entryMethod": "List",
          "numberOfDecimals": 0, "value": "High" },
        { "id": 3, "caption": "Found by monitoring", "type": "Checkbox", "entryMethod": "Option",
          "numberOfDecimals": 0, "value": true },
        { "id": 4, "caption": "Budget", "type": "Number", "entryMethod": "EntryField",
          "numberOfDecimals": 1, "value": 12.5 },
    ]);
    assert_eq!(shown, expected);
    let change = json!([
        { "op": "replace", "path": "customFields", "value": [{ "id": 1, "value": "PC-8" }] },
    ]);
    let changed = site.patch(&path, change).await.json();
    assert_eq!(changed["customFields"][0]["value"], "PC-8");
}

#[tokio::test]
async fn a_value_that_a_field_does_not_take_is_refused() {
    let site = Site::start().await;
    for (id, value, words) in [
        (
            1,
            json!("x".repeat(101)),
            "of Affected device is not a text of at most 100",
        ),
        (
            2,
            json!("Urgent"),
            "of Alert severity is not one of its options",
        ),
        (
            3,
            json!("yes"),
            "of Found by monitoring is not true or false",
        ),
        (4, json!("12"), "of Budget is not a number"),
        (6, json!("x"), "CustomField 6 not found"),
        (99, json!("x"), "CustomField 99 not found"),
    ] {
        let fields = json!([{ "id": id, "value": value }]);
        let refused = site.post("/service/tickets", ticket(&fields)).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert!(refused.text.contains(words), "{}", refused.text);
    }
    let no_options = json!([{ "op": "replace", "path": "options", "value": [] }]);
    site.patch("/system/userDefinedFields/2", no_options).await;
    let fields = json!([{ "id": 2, "value": "High" }]);
    let refused = site.post("/service/tickets", ticket(&fields)).await;
    assert!(
        refused.text.contains("is not one of its options"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn a_field_is_required_on_boards_of_its_location_and_department() {
    let site = Site::start().await;
    assert_eq!(
        site.post("/service/tickets", ticket(&json!([])))
            .await
            .status,
        201
    );
    let active = json!([{ "op": "replace", "path": "inactiveFlag", "value": false }]);
    site.patch("/service/boards/24", active).await;
    let on_board = |fields: Value| {
        let mut ticket = ticket(&fields);
        ticket["board"] = json!({ "id": 24 });
        ticket
    };
    let refused = site.post("/service/tickets", on_board(json!([]))).await;
    let error = (
        "MissingRequiredField",
        "The Cost center field is required.",
        "customFields",
    );
    refused.assert_invalid("ticket", &[error]);
    let filled = json!([{ "id": 5, "value": "4711" }]);
    let made = site.post("/service/tickets", on_board(filled)).await;
    assert_eq!(made.status, 201, "{}", made.text);
}
