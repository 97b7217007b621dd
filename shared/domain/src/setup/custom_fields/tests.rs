use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::Kind;
use crate::alert::event::Severity;
use crate::alert::kind::Category;
use crate::fixtures;

fn found(id: RecordId, caption: &str, field_type: FieldType) -> FoundField {
    FoundField {
        id,
        caption: caption.to_owned(),
        field_type,
        options: None,
        decimals: None,
        is_required: false,
        position: 1,
    }
}

fn list(id: RecordId, caption: &str, options: &[&str]) -> FoundField {
    FoundField {
        options: Some(options.iter().map(|of| (*of).to_owned()).collect()),
        ..found(id, caption, FieldType::Text)
    }
}

fn chosen(of: &FoundField, value: ValueSource, text: Option<&str>) -> CustomField {
    CustomField {
        id: of.id,
        caption: of.caption.clone(),
        field_type: of.field_type,
        value,
        text: text.map(ToOwned::to_owned),
        options: vec![],
    }
}

fn details() -> AlertDetails {
    AlertDetails {
        kind: Kind::parse("disk").unwrap(),
        category: Category::Operations,
        severity: Severity::High,
        raised_at: Timestamp::UNIX_EPOCH,
        raise_received_at: Timestamp::UNIX_EPOCH,
        previous_event_at: None,
        repeats: 0,
        expires_at: None,
    }
}

fn payload() -> Payload {
    Payload {
        title: "Disk [x](http://evil.example) is full".to_owned(),
        description: "text".to_owned(),
        tenant_name: Some("Acme Dental".to_owned()),
        device: Some("SRV-01".to_owned()),
        user: None,
        link: Some("https://rmm.example/alerts/7".to_owned()),
    }
}

/// What a new ticket carries in one field, resolved from what ConnectWise has.
fn filled(
    of: &FoundField,
    value: ValueSource,
    text: Option<&str>,
    payload: &Payload,
) -> Option<Value> {
    let field = chosen(of, value, text)
        .resolve(std::slice::from_ref(of))
        .unwrap();
    let filled = fill(&[field], &fixtures::key(), &details(), payload);
    filled.into_iter().next().map(|field| field.value)
}

#[test]
fn a_field_gets_the_events_value() {
    let text = found(1, "Text", FieldType::Text);
    let key = fixtures::key();
    for (value, expected) in [
        (
            ValueSource::Title,
            Some("Disk [x] (http://evil.example) is full"),
        ),
        (ValueSource::Device, Some("SRV-01")),
        (ValueSource::User, None),
        (ValueSource::TenantName, Some("Acme Dental")),
        (ValueSource::Severity, Some("high")),
        (ValueSource::Kind, Some("disk")),
        (ValueSource::Source, Some(key.source.as_str())),
        (ValueSource::Link, Some("https://rmm.example/alerts/7")),
        (ValueSource::AlertId, Some(key.alert_id.as_str())),
    ] {
        let value_of = filled(&text, value, None, &payload());
        assert_eq!(value_of, expected.map(Value::from), "{value:?}");
    }
    let unnamed = Payload {
        tenant_name: None,
        ..payload()
    };
    let tenant = filled(&text, ValueSource::TenantName, None, &unnamed);
    assert_eq!(tenant, Some(Value::from(key.tenant.as_str())));
}

#[test]
fn an_event_without_the_value_leaves_the_field_out_or_uses_the_fallback() {
    let text = found(1, "Text", FieldType::Text);
    let blank = Payload {
        device: Some(" \u{200e} ".to_owned()),
        ..payload()
    };
    assert_eq!(filled(&text, ValueSource::Device, None, &blank), None);
    let fallback = filled(&text, ValueSource::Device, Some("unknown"), &blank);
    assert_eq!(fallback, Some(json!("unknown")));
    let device = filled(&text, ValueSource::Device, Some("unknown"), &payload());
    assert_eq!(device, Some(json!("SRV-01")));
}

#[test]
fn a_fixed_value_has_the_form_of_its_type() {
    for (field_type, text, value) in [
        (FieldType::Text, " two  words ", json!("two words")),
        (FieldType::TextArea, "two\r\nlines\n", json!("two\nlines")),
        (
            FieldType::Hyperlink,
            "https://northwind.example/x",
            json!("https://northwind.example/x"),
        ),
        (FieldType::IpAddress, "10.0.0.7", json!("10.0.0.7")),
        (FieldType::Number, "-12.50", json!(-12.5)),
        (FieldType::Number, "12", json!(12)),
        (FieldType::Date, "2026-03-31", json!("2026-03-31T00:00:00Z")),
        (FieldType::Checkbox, "true", json!(true)),
        (FieldType::Checkbox, "false", json!(false)),
    ] {
        let field = found(1, "Field", field_type);
        let value_of = filled(&field, ValueSource::Fixed, Some(text), &payload());
        assert_eq!(value_of, Some(value), "{text}");
    }
}

#[test]
fn a_value_that_the_field_does_not_take_is_refused() {
    let decimals = |most| FoundField {
        decimals: Some(most),
        ..found(1, "Number", FieldType::Number)
    };
    let long = "x".repeat(101);
    let area = "x".repeat(1001);
    let of_type = |field_type| found(1, "Field", field_type);
    let options: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    use ValueSource::{Device, Fixed, Link, Severity as OfSeverity};
    for (field, value, text, issue) in [
        (
            of_type(FieldType::Text),
            Fixed,
            Some(long.as_str()),
            FieldIssue::TooLong(100),
        ),
        (
            of_type(FieldType::TextArea),
            Fixed,
            Some(area.as_str()),
            FieldIssue::TooLong(1000),
        ),
        (
            of_type(FieldType::Text),
            Fixed,
            Some("  "),
            FieldIssue::NoValue,
        ),
        (of_type(FieldType::Text), Fixed, None, FieldIssue::NoValue),
        // A fallback is checked too.
        (
            of_type(FieldType::Text),
            Device,
            Some(long.as_str()),
            FieldIssue::TooLong(100),
        ),
        (
            of_type(FieldType::Number),
            Fixed,
            Some("twelve"),
            FieldIssue::NoNumber,
        ),
        (
            of_type(FieldType::Number),
            Fixed,
            Some("1e3"),
            FieldIssue::NoNumber,
        ),
        (
            of_type(FieldType::Number),
            Device,
            None,
            FieldIssue::FixedOnly,
        ),
        (decimals(1), Fixed, Some("0.25"), FieldIssue::TooPrecise(1)),
        (
            of_type(FieldType::Date),
            Fixed,
            Some("31.3.2026"),
            FieldIssue::NoDate,
        ),
        (
            of_type(FieldType::Date),
            Fixed,
            Some("2026-02-30"),
            FieldIssue::NoDate,
        ),
        (
            of_type(FieldType::Checkbox),
            Fixed,
            Some("yes"),
            FieldIssue::NoFlag,
        ),
        (
            of_type(FieldType::Checkbox),
            OfSeverity,
            None,
            FieldIssue::FixedOnly,
        ),
        (
            of_type(FieldType::Hyperlink),
            Fixed,
            Some("javascript:alert(1)"),
            FieldIssue::NoLink,
        ),
        (
            of_type(FieldType::Hyperlink),
            Device,
            None,
            FieldIssue::LinkOnly,
        ),
        (
            of_type(FieldType::IpAddress),
            Fixed,
            Some("10.0.0"),
            FieldIssue::NoIpAddress,
        ),
        (
            list(1, "List", &["Low", "High"]),
            Fixed,
            Some("Urgent"),
            FieldIssue::NoOption,
        ),
        (
            list(1, "List", &["Low", "High"]),
            OfSeverity,
            Some("Urgent"),
            FieldIssue::NoOption,
        ),
        (
            list(1, "List", &[]),
            OfSeverity,
            None,
            FieldIssue::EmptyList,
        ),
        (
            list(1, "List", &options),
            OfSeverity,
            None,
            FieldIssue::TooManyOptions,
        ),
    ] {
        let resolved = chosen(&field, value, text).resolve(std::slice::from_ref(&field));
        assert_eq!(resolved, Err(issue), "{field:?} {text:?}");
    }
    // Many options do no harm to a fixed value, and a link fits a hyperlink.
    let many = list(1, "List", &options);
    assert_eq!(
        filled(&many, Fixed, Some("7"), &payload()),
        Some(json!("7"))
    );
    let link = filled(&of_type(FieldType::Hyperlink), Link, None, &payload());
    assert_eq!(link, Some(json!("https://rmm.example/alerts/7")));
}

#[test]
fn a_text_is_cut_to_the_fields_length_and_a_link_is_not() {
    let text = found(1, "Text", FieldType::Text);
    let long = Payload {
        device: Some("d".repeat(150)),
        link: Some(format!("https://rmm.example/{}", "x".repeat(100))),
        ..payload()
    };
    let device = filled(&text, ValueSource::Device, None, &long);
    assert_eq!(device, Some(json!(format!("{}…", "d".repeat(99)))));
    assert_eq!(filled(&text, ValueSource::Link, None, &long), None);
    let area = found(1, "Area", FieldType::TextArea);
    let link = filled(&area, ValueSource::Link, None, &long);
    assert_eq!(link, long.link.as_deref().map(Value::from));
}

#[test]
fn a_list_gets_only_its_own_options() {
    let severities = list(1, "Severity", &["Low", "HIGH"]);
    let high = filled(&severities, ValueSource::Severity, Some("Low"), &payload());
    assert_eq!(high, Some(json!("HIGH")), "as ConnectWise writes it");
    let other = filled(&severities, ValueSource::Device, Some("Low"), &payload());
    assert_eq!(other, Some(json!("Low")));
    assert_eq!(
        filled(&severities, ValueSource::Device, None, &payload()),
        None
    );
}

#[test]
fn an_option_of_a_list_is_sent_whole() {
    let long = "x".repeat(150);
    let options = list(1, "Options", &[&long, "12", "high"]);
    let numbers = FoundField {
        field_type: FieldType::Number,
        ..options.clone()
    };
    let fixed = |of: &FoundField, text: &str| {
        filled(of, ValueSource::Fixed, Some(text), &payload()).unwrap()
    };
    assert_eq!(fixed(&options, &long), json!(long));
    assert_eq!(fixed(&numbers, "12"), json!(12));
    assert_eq!(fixed(&numbers, "high"), json!("high"));
}

#[test]
fn a_device_that_is_no_ip_address_is_left_out_of_such_a_field() {
    let field = found(1, "Address", FieldType::IpAddress);
    assert_eq!(filled(&field, ValueSource::Device, None, &payload()), None);
    let address = Payload {
        device: Some("2001:db8::7".to_owned()),
        ..payload()
    };
    let filled = filled(&field, ValueSource::Device, None, &address);
    assert_eq!(filled, Some(json!("2001:db8::7")));
}

#[test]
fn a_field_is_found_by_its_id_and_else_by_its_caption() {
    let fields = [
        found(1, "Device", FieldType::Text),
        found(2, "Room", FieldType::Text),
        found(3, "Twin", FieldType::Text),
        found(4, "Twin", FieldType::Text),
    ];
    let id_of = |id, caption: &str| {
        let field = found(id, caption, FieldType::Text);
        let resolved = chosen(&field, ValueSource::Device, None).resolve(&fields);
        resolved.map(|field| (field.id, field.caption))
    };
    assert_eq!(id_of(1, "Device"), Ok((1, "Device".to_owned())));
    assert_eq!(
        id_of(9, "device"),
        Ok((1, "Device".to_owned())),
        "made anew"
    );
    assert_eq!(
        id_of(1, "Room"),
        Ok((2, "Room".to_owned())),
        "another ConnectWise"
    );
    assert_eq!(id_of(1, "Machine"), Ok((1, "Device".to_owned())), "renamed");
    assert_eq!(id_of(4, "Twin"), Ok((4, "Twin".to_owned())));
    assert_eq!(id_of(9, "Twin"), Err(FieldIssue::Missing), "ambiguous");
    assert_eq!(id_of(9, "Machine"), Err(FieldIssue::Missing));
}

#[test]
fn choices_are_sorted_and_no_field_is_chosen_twice() {
    let fields = [
        found(1, "Device", FieldType::Text),
        found(2, "Room", FieldType::Text),
    ];
    let [device, room] = fields
        .each_ref()
        .map(|of| chosen(of, ValueSource::Device, None));
    let both = resolve_all(vec![room.clone(), device.clone()], &fields).unwrap();
    assert_eq!(both, [device.clone(), room]);
    let again = CustomField {
        id: 9,
        ..device.clone()
    };
    let twice = resolve_all(vec![device, again], &fields).unwrap_err();
    assert_eq!(twice, (9, "Device".to_owned(), FieldIssue::Twice));
}

#[test]
fn required_fields_come_first() {
    let required = FoundField {
        is_required: true,
        position: 9,
        ..found(1, "Required", FieldType::Text)
    };
    let early = FoundField {
        position: 0,
        ..found(3, "Early", FieldType::Text)
    };
    let fields = sorted(vec![found(2, "Late", FieldType::Text), early, required]);
    let ids: Vec<_> = fields.iter().map(|field| field.id).collect();
    assert_eq!(ids, [1, 3, 2]);
}

#[test]
fn the_stored_form_has_no_empty_members() {
    let field = chosen(
        &found(7, "Device", FieldType::Text),
        ValueSource::Device,
        None,
    );
    let stored = json!({ "id": 7, "caption": "Device", "type": "text", "value": "device" });
    assert_eq!(json!(field), stored);
    for value in ValueSource::ALL {
        assert_eq!(json!(value), value.as_str());
    }
}
