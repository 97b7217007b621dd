//! The page's choice of ConnectWise's custom fields, and the operator's API for it.

use domain::setup::custom_fields::{CustomField, FieldType, ValueSource};
use serde_json::{Value, json};

use crate::environment::{Browser, TestEnvironment};

/// Fields of the seed.
const DEVICE: u64 = 1;
const SEVERITY: u64 = 2;
const FOUND: u64 = 3;
const BUDGET: u64 = 4;

const CONFIGURATION: &str = "/v1/operator/partners/northwind/configuration";

fn field(id: u64, caption: &str, value: ValueSource, text: Option<&str>) -> CustomField {
    CustomField {
        id,
        caption: caption.to_owned(),
        field_type: FieldType::Text,
        value,
        text: text.map(ToOwned::to_owned),
        options: vec![],
    }
}

/// The form of the page with these fields for operations: id, where the value comes from, text.
async fn form(browser: &mut Browser, fields: &[(u64, &str, &str)]) -> Value {
    let view = browser.get_json("tickets").await.expect(200).json();
    let mut form = json!({
        "operations": { "on_resolve": "close", "reopen_days": 0, "start_status": 221, "closing_status": 224 },
        "cyber_alerts": { "on_resolve": "note", "reopen_days": 0, "start_status": 231, "closing_status": 234 },
        "on": ["disk"],
        "note_interval_minutes": 60,
        "version": view["version"],
    });
    for (id, value, text) in fields {
        form["operations"]["field_values"][format!("f{id}")] = json!(value);
        form["operations"]["field_texts"][format!("f{id}")] = json!(text);
    }
    form
}

#[tokio::test]
async fn custom_fields_go_from_the_form_to_the_ticket() {
    let mut env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let page = browser.get("tickets").await.expect(200).text;
    let required = page.find("Cost center (required in ConnectWise)").unwrap();
    assert!(required < page.find("Affected device").unwrap(), "{page}");

    let version = browser.get_json("tickets").await.json()["version"].to_string();
    let sent = [
        ("version", version.as_str()),
        ("operations[start_status]", "221"),
        ("operations[closing_status]", "224"),
        ("operations[on_resolve]", "close"),
        ("operations[reopen_days]", "0"),
        ("operations[field_values][f1]", "device"),
        ("operations[field_texts][f1]", "unknown"),
        ("operations[field_values][f2]", "severity"),
        ("operations[field_texts][f2]", ""),
        // These two have no choice besides their text.
        ("operations[field_texts][f3]", "true"),
        ("operations[field_texts][f4]", "12.5"),
        ("operations[field_values][f5]", ""),
        ("operations[field_texts][f5]", ""),
        ("cyber_alerts[start_status]", "231"),
        ("cyber_alerts[closing_status]", "234"),
        ("cyber_alerts[on_resolve]", "note"),
        ("cyber_alerts[reopen_days]", "0"),
        ("on[]", "disk"),
        ("note_interval_minutes", "60"),
    ];
    browser.post_form("tickets", &sent).await.expect(303);
    let saved = env.settings().await;
    assert_eq!(saved.cyber_alerts.custom_fields, []);
    let options = ["Low", "Medium", "High", "Critical"].map(ToOwned::to_owned);
    let expected = [
        field(
            DEVICE,
            "Affected device",
            ValueSource::Device,
            Some("unknown"),
        ),
        CustomField {
            options: options.into(),
            ..field(SEVERITY, "Alert severity", ValueSource::Severity, None)
        },
        CustomField {
            field_type: FieldType::Checkbox,
            ..field(
                FOUND,
                "Found by monitoring",
                ValueSource::Fixed,
                Some("true"),
            )
        },
        CustomField {
            field_type: FieldType::Number,
            ..field(BUDGET, "Budget", ValueSource::Fixed, Some("12.5"))
        },
    ];
    assert_eq!(saved.operations.custom_fields, expected);

    // The page shows what is chosen.
    let page = browser.get("tickets").await.expect(200).text;
    for shown in [
        "<option value=\"device\" selected>the device",
        "name=\"operations[field_texts][f1]\" aria-label=\"Value of Affected device\" type=\"text\" maxlength=\"100\" value=\"unknown\"",
        "<option value=\"severity\" selected>the severity",
        "<option value=\"true\" selected>checked",
        "value=\"12.5\"",
    ] {
        assert!(page.contains(shown), "{shown} in {page}");
    }

    env.deliver(&crate::environment::raised_event("e1", "a1", 0))
        .await;
    let ticket = env.find_ticket("a1", 1).await.unwrap();
    let value = |field: &Value| (field["caption"].clone(), field["value"].clone());
    let fields = ticket["customFields"].as_array().unwrap().iter();
    let expected = [
        (json!("Affected device"), json!("web-1")),
        (json!("Alert severity"), json!("Medium")),
        (json!("Found by monitoring"), json!(true)),
        (json!("Budget"), json!(12.5)),
    ];
    assert_eq!(fields.map(value).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_history_says_what_a_custom_field_was() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let first = form(&mut browser, &[(DEVICE, "device", "")]).await;
    browser.submit("tickets", &first, 200).await;
    let second = form(
        &mut browser,
        &[(DEVICE, "fixed", "RMM"), (SEVERITY, "fixed", "Low")],
    )
    .await;
    browser.submit("tickets", &second, 200).await;
    let history = env.audit_page().await;
    let detail = &history.entries[0].detail;
    let of = |name: &str| detail.get(name).map(String::as_str);
    let device = of("operations_custom_field_Affected device");
    assert_eq!(device, Some("RMM (before: the device)"), "{detail:?}");
    let severity = of("operations_custom_field_Alert severity");
    assert_eq!(severity, Some("Low (before: none)"), "{detail:?}");

    // What is not sent stays, and an emptied field is left empty.
    let third = form(&mut browser, &[(DEVICE, "", "")]).await;
    browser.submit("tickets", &third, 200).await;
    let left = env.settings().await.operations.custom_fields;
    assert_eq!(
        left,
        [field(
            SEVERITY,
            "Alert severity",
            ValueSource::Fixed,
            Some("Low")
        )]
    );
}

#[tokio::test]
async fn a_value_that_a_field_does_not_take_is_refused_beside_it() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let long = "x".repeat(101);
    let before = env.settings().await;
    for (field, named, words) in [
        (
            (DEVICE, "fixed", long.as_str()),
            "operations[field_texts][f1]",
            "more than 100",
        ),
        (
            (DEVICE, "fixed", ""),
            "operations[field_texts][f1]",
            "enter the value",
        ),
        (
            (DEVICE, "colour", ""),
            "operations[field_values][f1]",
            "Unknown value",
        ),
        (
            (SEVERITY, "fixed", "Urgent"),
            "operations[field_texts][f2]",
            "none of the field's options",
        ),
        (
            (SEVERITY, "severity", "Urgent"),
            "operations[field_texts][f2]",
            "none of the field's options",
        ),
        (
            (FOUND, "severity", ""),
            "operations[field_values][f3]",
            "a fixed value only",
        ),
        (
            (BUDGET, "fixed", "twelve"),
            "operations[field_texts][f4]",
            "must be a number",
        ),
        (
            (BUDGET, "fixed", "0.25"),
            "operations[field_texts][f4]",
            "digits after the point",
        ),
        // A field of companies, and one that does not exist.
        (
            (6, "title", ""),
            "operations[field_values][f6]",
            "no such field",
        ),
        (
            (99, "title", ""),
            "operations[field_values][f99]",
            "no such field",
        ),
    ] {
        let sent = form(&mut browser, &[field]).await;
        let problem = browser.submit("tickets", &sent, 422).await;
        assert_eq!(problem["field"], named, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{named}: {detail}");
    }
    assert_eq!(env.settings().await, before);
}

#[tokio::test]
async fn without_the_right_to_read_custom_fields_the_rest_can_be_saved() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let chosen = form(&mut browser, &[(DEVICE, "device", "")]).await;
    browser.submit("tickets", &chosen, 200).await;
    let body = json!({ "custom": {
        "code": "Security", "message": "You do not have security permission to perform this action."
    } });
    let rule = json!({
        "when": { "path": "/system/userDefinedFields" },
        "then": { "answer": { "status": 403, "body": body } },
    });
    env.set_fault("rules", [rule]).await;
    let view = browser.get_json("tickets").await.expect(200).json();
    let off = view["off"].to_string();
    for words in [
        "Custom fields cannot be chosen",
        "set up without them",
        "Table Setup: Inquire = All",
    ] {
        assert!(off.contains(words), "{off}");
    }
    assert_eq!(view["operations"]["custom_fields"], json!([]));
    let page = browser.get("tickets").await.expect(200).text;
    assert!(!page.contains("field_values"), "{page}");

    let other = form(&mut browser, &[(DEVICE, "title", "")]).await;
    let refused = browser.submit("tickets", &other, 422).await;
    assert!(
        refused["detail"].as_str().unwrap().contains("Table Setup"),
        "{refused}"
    );
    let mut rest = form(&mut browser, &[]).await;
    rest["operations"]["on_resolve"] = json!("note");
    browser.submit("tickets", &rest, 200).await;
    let kept = env.settings().await.operations.custom_fields;
    assert_eq!(
        kept,
        [field(DEVICE, "Affected device", ValueSource::Device, None)]
    );
}

#[tokio::test]
async fn a_deleted_field_is_shown_until_it_is_removed() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let chosen = form(
        &mut browser,
        &[(DEVICE, "device", ""), (SEVERITY, "fixed", "Low")],
    )
    .await;
    browser.submit("tickets", &chosen, 200).await;
    env.delete("/system/userDefinedFields/1").await;
    let page = browser.get("tickets").await.expect(200).text;
    let removed = "Affected device (ConnectWise no longer has it)";
    assert!(page.contains(removed), "{page}");
    let unchanged = form(&mut browser, &[]).await;
    let problem = browser.submit("tickets", &unchanged, 422).await;
    assert_eq!(
        problem["field"], "operations[field_values][f1]",
        "{problem}"
    );
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("Affected device"),
        "{problem}"
    );
    let removed = form(&mut browser, &[(DEVICE, "", "")]).await;
    browser.submit("tickets", &removed, 200).await;
    let left = env.settings().await.operations.custom_fields;
    assert_eq!(
        left.iter().map(|field| field.id).collect::<Vec<_>>(),
        [SEVERITY]
    );
}

#[tokio::test]
async fn the_operator_stores_custom_fields_by_caption() {
    let env = TestEnvironment::new().await;
    let name = json!({ "name": "Northwind IT" });
    env.operate("PUT", "/v1/operator/partners/northwind", &name, 201)
        .await;
    let mut desired = env.operate("GET", CONFIGURATION, &Value::Null, 200).await;
    assert!(
        desired["settings"]["operations"]
            .get("custom_fields")
            .is_none(),
        "{desired}"
    );
    // The field was made anew, so its id differs from that of the file.
    let fields = json!([
        { "id": 77, "caption": "affected DEVICE", "type": "text", "value": "device", "text": "none" },
    ]);
    desired["settings"]["operations"]["custom_fields"] = fields;
    let changed = env.operate("PUT", CONFIGURATION, &desired, 200).await;
    assert_eq!(changed["settings_changed"], true, "{changed}");
    let stored = env.settings().await.operations.custom_fields;
    assert_eq!(
        stored,
        [field(
            DEVICE,
            "Affected device",
            ValueSource::Device,
            Some("none")
        )]
    );
    let now = env.operate("GET", CONFIGURATION, &Value::Null, 200).await;
    let expected = json!([
        { "id": 1, "caption": "Affected device", "type": "text", "value": "device", "text": "none" },
    ]);
    assert_eq!(now["settings"]["operations"]["custom_fields"], expected);

    let again = env.operate("PUT", CONFIGURATION, &desired, 200).await;
    assert_eq!(again["settings_changed"], false, "{again}");

    desired["settings"]["operations"]["custom_fields"][0]["caption"] = json!("Room");
    let refused = env.operate("PUT", CONFIGURATION, &desired, 422).await;
    assert_eq!(
        refused["field"], "operations[field_values][f77]",
        "{refused}"
    );
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("Room") && detail.contains("no such field"),
        "{detail}"
    );
}
