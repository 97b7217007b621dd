use super::*;

fn door() -> Door {
    Door {
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        partners: vec![PartnerId::parse("acme").unwrap()],
        kinds_added: vec![],
    }
}

fn times() -> Times {
    Times {
        sent_at: "2026-11-22T07:30:00Z".parse().unwrap(),
        received_at: "2026-11-22T07:30:02Z".parse().unwrap(),
    }
}

fn raised() -> serde_json::Value {
    serde_json::json!({
        "specversion": "1.0", "id": "e-1", "source": "/heimdal", "type": "alert.raised", "time": "2026-11-22T07:29:00Z",
        "data": { "tenant": "contoso", "alert_id": "a-1", "kind": "disk", "severity": "high", "title": "Disk  full\n",
                  "description": "C: has\r\n1 % left\u{0}", "device": "web-1", "vendor_extra": { "is": "ignored" } }
    })
}

fn parse(value: &serde_json::Value) -> Result<Message, Invalid> {
    parse_event(value.to_string().as_bytes(), &door(), times())
}

fn event(value: &serde_json::Value) -> Event {
    match parse(value) {
        Ok(Message::Event(event)) => event,
        other => panic!("not an event: {other:?}"),
    }
}

#[test]
fn a_raised_event_is_cleaned_and_typed() {
    let event = event(&raised());
    assert_eq!(event.key.alert_id.as_str(), "a-1");
    let Change::Raised(particulars) = &event.change else {
        panic!("not raised")
    };
    assert_eq!(particulars.payload.title, "Disk full");
    assert_eq!(particulars.payload.description, "C: has\n1 % left");
    assert_eq!(particulars.role, crate::kind::Role::Operations);
    let back = Message::from_json(&Message::Event(event.clone()).to_json()).unwrap();
    assert_eq!(back, Message::Event(event));
}

#[test]
fn every_fault_names_its_field() {
    let cases: &[(&str, serde_json::Value, &str)] = &[
        (
            "/type",
            "alert.exploded".into(),
            "type: `alert.exploded` is not one of",
        ),
        (
            "/data/kind",
            "toaster".into(),
            "data.kind: unknown kind `toaster`",
        ),
        (
            "/data/kind",
            7.into(),
            "data.kind: invalid type: integer `7`, expected a string",
        ),
        (
            "/data/severity",
            "bad".into(),
            "data.severity: unknown variant `bad`, expected one of",
        ),
        (
            "/data/tenant",
            "".into(),
            "data.tenant: a tenant id is 1 to 256 bytes long",
        ),
        (
            "/data/title",
            " \u{202e} ".into(),
            "data.title: must not be empty",
        ),
        (
            "/data/link",
            "javascript:alert(1)".into(),
            "data.link: must be an http or https address",
        ),
        (
            "/data/expires_at",
            "never".into(),
            "data.expires_at: `never` is not an RFC 3339 time",
        ),
        (
            "/data/partner",
            "globex".into(),
            "data.partner: is not a partner of this source",
        ),
        ("/data", serde_json::Value::Null, "data: is missing"),
        ("/data", "text".into(), "data: invalid type: string"),
        (
            "/id",
            5.into(),
            "id: invalid type: integer `5`, expected a string",
        ),
        (
            "/time",
            "lunchtime".into(),
            "time: `lunchtime` is not an RFC 3339 time",
        ),
        (
            "/time",
            "2026-11-22T07:30:00+25:00".into(),
            "time: `2026-11-22T07:30:00+25:00` is not",
        ),
        ("/specversion", "0.3".into(), "specversion: must be"),
        ("/source", "".into(), "source: must not be empty"),
        (
            "/datacontenttype",
            "text/xml".into(),
            "datacontenttype: must be application/json",
        ),
    ];
    for (pointer, value, expected) in cases {
        let mut body = raised();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .insert(name.to_owned(), value.clone());
        let fault = parse(&body).unwrap_err().to_string();
        assert!(fault.starts_with(expected), "{pointer}: {fault}");
    }
}

#[test]
fn a_missing_member_is_named() {
    for name in [
        "tenant",
        "alert_id",
        "kind",
        "severity",
        "title",
        "description",
    ] {
        let mut body = raised();
        body["data"].as_object_mut().unwrap().remove(name);
        let fault = parse(&body).unwrap_err();
        assert_eq!(fault.field, "data");
        assert!(
            fault
                .problem
                .starts_with(&format!("missing field `{name}`")),
            "{fault}"
        );
    }
}

#[test]
fn a_member_given_twice_is_refused() {
    let body =
        r#"{"specversion":"1.0","id":"1","id":"2","source":"s","type":"alert.resolved","data":{}}"#;
    assert!(
        parse_event(body.as_bytes(), &door(), times())
            .unwrap_err()
            .to_string()
            .contains("duplicate field `id`")
    );
}

#[test]
fn what_is_not_json_is_refused_at_any_depth() {
    for body in ["", "{", "null", "[]", "\"text\"", "{}{}"] {
        assert!(
            parse_event(body.as_bytes(), &door(), times()).is_err(),
            "{body}"
        );
    }
    assert!(parse_event(&[0xff, 0xfe], &door(), times()).is_err());
    assert!(parse_batch("[".repeat(256 * 1024).as_bytes(), &door(), times()).is_err());
    assert!(parse_event("[".repeat(256 * 1024).as_bytes(), &door(), times()).is_err());
}

#[test]
fn a_batch_with_one_bad_event_names_it() {
    let mut bad = raised();
    bad["data"]["kind"] = "toaster".into();
    let batch = serde_json::json!([raised(), bad]).to_string();
    assert_eq!(
        parse_batch(batch.as_bytes(), &door(), times())
            .unwrap_err()
            .field,
        "[1].data.kind"
    );
    let batch = serde_json::json!([raised(), 5]).to_string();
    assert_eq!(
        parse_batch(batch.as_bytes(), &door(), times())
            .unwrap_err()
            .field,
        "[1]"
    );
    let batch = serde_json::json!([raised(), raised()]).to_string();
    assert_eq!(
        parse_batch(batch.as_bytes(), &door(), times())
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_missing_time_is_the_webhooks_and_a_late_one_is_the_receivers() {
    let mut body = raised();
    body.as_object_mut().unwrap().remove("time");
    assert_eq!(event(&body).occurred_at, times().sent_at);
    body["time"] = "2026-11-22T07:35:02Z".into();
    assert_eq!(event(&body).occurred_at.to_string(), "2026-11-22T07:35:02Z");
    body["time"] = "2026-11-22T07:35:03Z".into();
    assert_eq!(event(&body).occurred_at, times().received_at);
}

#[test]
fn a_source_of_several_partners_must_name_one() {
    let mut door = door();
    door.partners.push(PartnerId::parse("globex").unwrap());
    let fault = parse_event(raised().to_string().as_bytes(), &door, times()).unwrap_err();
    assert_eq!(fault.field, "data.partner");
    let mut body = raised();
    body["data"]["partner"] = "globex".into();
    let Ok(Message::Event(event)) = parse_event(body.to_string().as_bytes(), &door, times()) else {
        panic!()
    };
    assert_eq!(event.key.partner.as_str(), "globex");
}

#[test]
fn a_resolved_event_needs_only_the_alert() {
    let body = serde_json::json!({ "specversion": "1.0", "id": "e", "source": "s", "type": "alert.resolved", "data": { "tenant": "t", "alert_id": "a" } });
    assert_eq!(event(&body).change, Change::Resolved);
}

#[test]
fn a_snapshot_part_is_checked() {
    let mut body = serde_json::json!({
        "specversion": "1.0", "id": "e", "source": "s", "type": "alerts.snapshot",
        "data": { "tenant": "t", "snapshot_id": "s-1", "taken_at": "2026-11-22T07:29:00Z", "kinds": ["disk"], "active": ["a"], "part": 1, "parts": 2 }
    });
    assert!(matches!(parse(&body), Ok(Message::Snapshot(_))));
    body["data"]["part"] = 3.into();
    assert_eq!(parse(&body).unwrap_err().field, "data.part");
    body["data"]["part"] = 0.into();
    assert_eq!(parse(&body).unwrap_err().field, "data.part");
    body["data"]["part"] = 1.into();
    body["data"]["kinds"] = serde_json::json!(["disk", "toaster"]);
    assert_eq!(parse(&body).unwrap_err().field, "data.kinds[1]");
}

#[test]
fn the_committed_schema_is_the_types_own() {
    let committed = include_str!("../../../../events/schema.json");
    assert_eq!(
        committed.trim(),
        format!("{:#}", schema()),
        "make it anew: cargo run -p domain --example schema > events/schema.json"
    );
}
