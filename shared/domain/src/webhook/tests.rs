use super::*;

pub(super) fn door() -> Door {
    Door {
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        partners: vec![PartnerId::parse("acme").unwrap()],
        kinds_added: vec![],
    }
}

pub(super) fn times() -> Times {
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

fn snapshot_part() -> serde_json::Value {
    serde_json::json!({
        "specversion": "1.0", "id": "e", "source": "s", "type": "alerts.snapshot",
        "data": { "tenant": "t", "snapshot_id": "s-1", "taken_at": "2026-11-22T07:29:00Z", "kinds": ["disk"], "active": ["a"], "part": 1, "parts": 2 }
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

/// A resolved event with these texts put in before its members and those of its data.
fn with_members(top: &str, data: &str) -> String {
    format!(
        r#"{{{top}"specversion":"1.0","id":"e","source":"s","type":"alert.resolved","data":{{{data}"tenant":"t","alert_id":"a"}}}}"#
    )
}

#[test]
fn a_member_given_twice_is_refused_wherever_it_stands() {
    let cases = [
        (r#""id":"other","#, "", "id: is given twice"),
        (r#""i\u0064":"other","#, "", "id: is given twice"),
        (r#""more":1,"more":1,"#, "", "more: is given twice"),
        ("", r#""tenant":"t","#, "data.tenant: is given twice"),
        (r#""data":{},"#, "", "data: is given twice"),
        ("", r#""more":null,"more":{},"#, "data.more: is given twice"),
        (
            "",
            r#""more":[0,{"a":{"b":1,"b":2}}],"#,
            "data.more[1].a.b: is given twice",
        ),
    ];
    assert!(parse_event(with_members("", "").as_bytes(), &door(), times()).is_ok());
    for (top, data, expected) in cases {
        let body = with_members(top, data);
        let fault = parse_event(body.as_bytes(), &door(), times()).unwrap_err();
        assert!(fault.to_string().starts_with(expected), "{body}: {fault}");
        let batch = format!("[{},{body}]", with_members("", ""));
        let fault = parse_batch(batch.as_bytes(), &door(), times()).unwrap_err();
        assert!(
            fault.to_string().starts_with(&format!("[1].{expected}")),
            "{body}: {fault}"
        );
    }
}

#[test]
fn what_is_not_json_is_refused_at_any_depth() {
    let arrays = "[".repeat(256 * 1024);
    let objects = "{\"a\":".repeat(50_000);
    let deep = with_members(
        &format!(r#""more":{}1{},"#, "[".repeat(5000), "]".repeat(5000)),
        "",
    );
    let cases: [(&[u8], &str); 18] = [
        (b"", "body: is empty"),
        (b" ", "body: EOF while parsing"),
        (b"{", "body: EOF while parsing"),
        (b"null", "body: invalid type: null"),
        (b"[]", "body: invalid length 0"),
        (b"\"text\"", "body: invalid type: string"),
        (b"{}{}", "body: trailing characters"),
        (b"{'id': 1}", "body: key must be a string"),
        (b"{\"id\": NaN}", "id: expected value"),
        (b"{\"a\": 1,}", "body: trailing comma"),
        (b"\xff\xfe", "body: is not UTF-8 from byte 0 on"),
        (b"\xef\xbb\xbf{}", "body: expected value"),
        (
            b"{\"more\": \"\xc3\x28\"}",
            "body: is not UTF-8 from byte 10 on",
        ),
        (
            br#"{"more": "\ud800"}"#,
            "more: unexpected end of hex escape",
        ),
        (br#"{"\udfff": 1}"#, "body: lone leading surrogate"),
        (arrays.as_bytes(), "[0][0]"),
        (objects.as_bytes(), "a.a.a"),
        (deep.as_bytes(), "more[0][0]"),
    ];
    for (body, expected) in cases {
        let shown = String::from_utf8_lossy(body)
            .chars()
            .take(60)
            .collect::<String>();
        let fault = parse_event(body, &door(), times()).unwrap_err();
        assert!(fault.to_string().starts_with(expected), "{shown}: {fault}");
        assert!(fault.to_string().len() < 700, "{shown}: {fault}");
        assert!(parse_batch(body, &door(), times()).is_err(), "{shown}");
    }
}

#[test]
fn a_batch_without_an_event_is_refused() {
    let fault = parse_batch(b" [ ] ", &door(), times()).unwrap_err();
    assert_eq!(fault.to_string(), "body: is a batch without an event");
}

/// What SQS refuses (all but `#x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF`) and what hides in a line.
const UNFIT: [&str; 9] = [
    "\\u0000",
    "\\u0008",
    "\\u001b",
    "\\u007f",
    "\\u0085",
    "\\ufffe",
    "\\uffff",
    "\\ud83f\\udffe",
    "\\u202e",
];

#[test]
fn a_character_that_sqs_refuses_is_refused_in_an_id() {
    let cases = [
        ("/id", "id"),
        ("/data/tenant", "data.tenant"),
        ("/data/alert_id", "data.alert_id"),
        ("/data/kind", "data.kind"),
        ("/data/partner", "data.partner"),
        ("/data/link", "data.link"),
        ("/data/severity", "data.severity"),
        ("/type", "type"),
        ("/time", "time"),
    ];
    for (pointer, field) in cases {
        for unfit in UNFIT {
            let body = with_text(pointer, unfit);
            let fault = parse_event(body.as_bytes(), &door(), times()).unwrap_err();
            assert_eq!(fault.field, field, "{unfit}: {fault}");
            assert!(
                !fault.to_string().chars().any(crate::text::is_unprintable),
                "{fault:?}"
            );
        }
    }
    for (member, field) in [
        ("active", "data.active[1]"),
        ("kinds", "data.kinds[1]"),
        ("snapshot_id", "data.snapshot_id"),
    ] {
        let mut body = snapshot_part();
        body["data"][member] = match member {
            "snapshot_id" => "MARK".into(),
            "kinds" => serde_json::json!(["disk", "MARK"]),
            _ => serde_json::json!(["a", "MARK"]),
        };
        for unfit in UNFIT {
            let body = body.to_string().replace("MARK", &format!("a{unfit}b"));
            let fault = parse_event(body.as_bytes(), &door(), times()).unwrap_err();
            assert_eq!(fault.field, field, "{unfit}: {fault}");
        }
    }
}

#[test]
fn a_character_that_sqs_refuses_is_taken_out_of_a_text() {
    for member in ["title", "description", "device", "user", "tenant_name"] {
        for unfit in UNFIT {
            let body = with_text(&format!("/data/{member}"), unfit);
            let message = parse_event(body.as_bytes(), &door(), times()).unwrap();
            let json = message.to_json();
            assert!(
                json.contains(if member == "description" {
                    "\"ab\""
                } else {
                    "\"a b\""
                }),
                "{json}"
            );
        }
    }
}

#[test]
fn half_a_surrogate_pair_is_refused_in_every_member() {
    for pointer in [
        "/id",
        "/type",
        "/source",
        "/time",
        "/more",
        "/data/tenant",
        "/data/alert_id",
        "/data/kind",
        "/data/title",
        "/data/description",
        "/data/device",
        "/data/user",
        "/data/tenant_name",
        "/data/link",
        "/data/more",
    ] {
        for half in ["\\ud800", "\\udfff", "\\udbff\\udbff"] {
            let body = with_text(pointer, half);
            let fault = parse_event(body.as_bytes(), &door(), times()).unwrap_err();
            assert_eq!(
                fault.field,
                pointer[1..].replace('/', "."),
                "{half}: {fault}"
            );
        }
    }
}

/// A raised event in which this member is `a…b` with these escapes between.
fn with_text(pointer: &str, escapes: &str) -> String {
    let mut body = raised();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap()
        .insert(name.to_owned(), "MARK".into());
    body.to_string().replace("MARK", &format!("a{escapes}b"))
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
fn no_event_happened_after_it_was_received() {
    let mut body = raised();
    for (time, occurred_at, bounds_time) in [
        ("2026-11-22T07:30:01Z", "2026-11-22T07:30:01Z", false),
        ("2026-11-22T07:30:02Z", "2026-11-22T07:30:02Z", false),
        ("2026-11-22T07:30:03Z", "2026-11-22T07:30:02Z", true),
        ("2026-11-22T07:34:00Z", "2026-11-22T07:30:02Z", true),
        ("9999-12-30T00:00:00Z", "2026-11-22T07:30:02Z", true),
    ] {
        body["time"] = time.into();
        let event = event(&body);
        assert_eq!(event.occurred_at.to_string(), occurred_at, "{time}");
        assert_eq!(event.receipt.at, times().received_at);
        assert_eq!(event.receipt.bounds_time, bounds_time, "{time}");
    }
    body.as_object_mut().unwrap().remove("time");
    let ahead = Times {
        sent_at: "2026-11-22T07:33:00Z".parse().unwrap(),
        ..times()
    };
    let Ok(Message::Event(event)) = parse_event(body.to_string().as_bytes(), &door(), ahead) else {
        panic!("no event")
    };
    assert_eq!(event.occurred_at, times().received_at);
    assert!(event.receipt.bounds_time);
}

#[test]
fn a_missing_or_zero_time_is_the_webhooks_own() {
    let mut body = raised();
    for zero in [
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
    ] {
        body["time"] = zero.into();
        assert_eq!(event(&body).occurred_at, times().sent_at, "{zero}");
    }
    body.as_object_mut().unwrap().remove("time");
    assert_eq!(event(&body).occurred_at, times().sent_at);
}

#[test]
fn an_end_that_cannot_be_meant_is_none() {
    let mut body = raised();
    body["time"] = "2026-11-22T07:00:00Z".into();
    for (end, is_meant) in [
        ("0001-01-01T00:00:00Z", false),
        ("1970-01-01T00:00:00Z", false),
        ("2026-11-22T06:00:00Z", false),
        ("2026-11-22T07:00:00Z", false),
        ("2026-11-22T07:00:01Z", true),
        ("2026-11-22T09:00:00Z", true),
    ] {
        body["data"]["expires_at"] = end.into();
        let (Change::Raised(particulars) | Change::Updated(particulars)) = event(&body).change
        else {
            panic!("no raise")
        };
        assert_eq!(particulars.expires_at.is_some(), is_meant, "{end}");
    }
}

#[test]
fn a_listing_without_a_time_is_refused() {
    for zero in ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"] {
        let mut body = snapshot_part();
        body["data"]["taken_at"] = zero.into();
        let fault = parse_event(body.to_string().as_bytes(), &door(), times()).unwrap_err();
        assert_eq!(fault.field, "data.taken_at");
        assert!(fault.problem.contains("before 2000"), "{}", fault.problem);
    }
}

#[test]
fn a_retry_is_the_same_event_and_all_else_is_another() {
    let later = Times {
        sent_at: "2026-11-22T08:30:00Z".parse().unwrap(),
        received_at: "2026-11-22T08:30:02Z".parse().unwrap(),
    };
    let mut body = raised();
    let digest = |body: &serde_json::Value, times| {
        let Ok(Message::Event(event)) = parse_event(body.to_string().as_bytes(), &door(), times)
        else {
            panic!("no event")
        };
        event.digest
    };
    for time in [
        "2026-11-22T07:00:00Z",
        "2026-11-22T09:00:00Z",
        "0001-01-01T00:00:00Z",
    ] {
        body["time"] = time.into();
        assert_eq!(digest(&body, times()), digest(&body, later), "{time}");
    }
    body.as_object_mut().unwrap().remove("time");
    assert_eq!(digest(&body, times()), digest(&body, later));

    let first = digest(&body, times());
    for (member, value) in [
        ("id", "another"),
        ("source", "/another/collector"),
        ("type", "alert.updated"),
        ("time", "2026-11-22T07:00:00Z"),
    ] {
        let mut other = body.clone();
        other[member] = value.into();
        assert_ne!(digest(&other, times()), first, "{member}");
    }
}

#[test]
fn events_of_a_batch_are_received_in_its_order() {
    let batch = serde_json::json!([raised(), raised(), raised()]).to_string();
    let messages = parse_batch(batch.as_bytes(), &door(), times()).unwrap();
    let events = messages.iter().filter_map(|message| match message {
        Message::Event(event) => Some(event.receipt.index),
        Message::Snapshot(_)
        | Message::Reconsider(_)
        | Message::Release(_)
        | Message::Command(_) => None,
    });
    assert_eq!(events.collect::<Vec<_>>(), [0, 1, 2]);
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
    let mut body = snapshot_part();
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
