use super::*;

pub(super) fn policy() -> SourcePolicy {
    SourcePolicy {
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        partners: vec![PartnerId::parse("acme").unwrap()],
        kinds_added: vec![],
    }
}

pub(super) fn times() -> RequestTimes {
    RequestTimes {
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

/// Reads a body of one event.
pub(super) fn parse_event(
    body: &[u8],
    policy: &SourcePolicy,
    times: RequestTimes,
) -> Result<Message, InvalidField> {
    match super::parse(body, policy, times) {
        Ok(ParsedBody {
            mut messages,
            mut rejected,
            ..
        }) => match (messages.pop(), rejected.pop()) {
            (Some(message), None) => Ok(message),
            (None, Some(rejected)) => Err(rejected.error),
            other => panic!("not one event: {other:?}"),
        },
        Err(UnreadableBody::Invalid(err)) => Err(err),
        Err(err @ UnreadableBody::TooManyEvents(_)) => panic!("{err}"),
    }
}

fn parse(value: &serde_json::Value) -> Result<Message, InvalidField> {
    parse_event(value.to_string().as_bytes(), &policy(), times())
}

/// Reads a body, and says in one line each what was accepted, rejected and dropped.
fn outcome(body: &str) -> String {
    let parsed = match super::parse(body.as_bytes(), &policy(), times()) {
        Ok(parsed) => parsed,
        Err(err) => return format!("unreadable: {err}"),
    };
    let accepted = parsed.messages.iter().map(|message| {
        let Message::Event(event) = message else {
            panic!("not an event: {message:?}")
        };
        event.key.alert_id.to_string()
    });
    let rejected = parsed
        .rejected
        .iter()
        .map(|rejected| format!("{} {}", rejected.index, rejected.error));
    format!(
        "accepted {:?}, rejected {:?}, dropped {}",
        accepted.collect::<Vec<_>>(),
        rejected.collect::<Vec<_>>(),
        parsed.dropped
    )
}

/// The event with this value at a place.
fn with(pointer: &str, value: serde_json::Value) -> serde_json::Value {
    let mut body = raised();
    put(&mut body, pointer, value);
    body
}

fn put(body: &mut serde_json::Value, pointer: &str, value: serde_json::Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.insert(name.to_owned(), value);
}

fn payload(body: &str) -> Payload {
    match parse_event(body.as_bytes(), &policy(), times()) {
        Ok(Message::Event(event)) => event.payload().unwrap().clone(),
        other => panic!("not an event: {other:?}"),
    }
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
    let AlertChange::Raised(particulars) = &event.change else {
        panic!("not raised")
    };
    assert_eq!(particulars.payload.title, "Disk full");
    assert_eq!(particulars.payload.description, "C: has\n1 % left");
    assert_eq!(
        particulars.category,
        crate::alert::kind::Category::Operations
    );
    let back = Message::from_json(&Message::Event(event.clone()).to_json()).unwrap();
    assert_eq!(back, Message::Event(event));
}

#[test]
fn an_invalid_required_member_is_named() {
    use serde_json::Value::Null;
    let cases: &[(&str, serde_json::Value, &str)] = &[
        (
            "/type",
            "alert.exploded".into(),
            "type: `alert.exploded` is not one of",
        ),
        ("/type", Null, "body: missing field `type`"),
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
            "/data/tenant",
            "".into(),
            "data.tenant: a tenant id is 1 to 256 bytes long",
        ),
        (
            "/data/tenant",
            "\u{200b}\u{3164}".into(),
            "data.tenant: a tenant id is 1 to 256 bytes long",
        ),
        (
            "/data/partner",
            "globex".into(),
            "data.partner: is not a partner of this source",
        ),
        ("/data", Null, "data: is missing"),
        ("/data", "text".into(), "data: invalid type: string"),
        (
            "/data_base64",
            "e30=".into(),
            "data_base64: only one of data and data_base64 is allowed",
        ),
        (
            "/id",
            5.into(),
            "id: invalid type: integer `5`, expected a string",
        ),
        ("/id", "x".repeat(257).into(), "id: an event id is 1 to 256"),
        ("/specversion", "0.3".into(), "specversion: must be"),
    ];
    for (pointer, value, expected) in cases {
        let err = parse(&with(pointer, value.clone()))
            .unwrap_err()
            .to_string();
        assert!(err.starts_with(expected), "{pointer}: {err}");
    }
}

#[test]
fn a_missing_required_member_is_named() {
    for name in ["tenant", "alert_id", "kind"] {
        let mut body = raised();
        body["data"].as_object_mut().unwrap().remove(name);
        let err = parse(&body).unwrap_err();
        assert_eq!(err.field, "data");
        assert!(
            err.problem.starts_with(&format!("missing field `{name}`")),
            "{err}"
        );
    }
}

#[test]
fn an_invalid_optional_member_is_dropped_and_counted() {
    use serde_json::{Value, json};
    let odd: [Value; 4] = [7.into(), true.into(), json!({ "a": [1] }), json!([])];
    let long = format!("https://example.com/{}", "x".repeat(2048));
    let mut cases: Vec<(&str, Value)> = vec![
        ("/data/link", "javascript:alert(1)".into()),
        ("/data/link", "https:///x".into()),
        ("/data/link", "https://a b".into()),
        ("/data/link", "https://a\u{200b}b".into()),
        ("/data/link", "example.com/1".into()),
        ("/data/link", long.into()),
        ("/data/severity", "sev-1".into()),
        ("/data/severity", "".into()),
        ("/data/severity", Value::Null),
        ("/data/title", "".into()),
        ("/data/title", " \u{202e} ".into()),
        ("/data/title", "\u{200b}\u{3164}\u{e0041}".into()),
        ("/data/title", Value::Null),
        ("/data/expires_at", "never".into()),
        ("/data/expires_at", "2026-11-22".into()),
        ("/time", "lunchtime".into()),
        ("/time", "2026-11-22T07:30:00+25:00".into()),
    ];
    let ornaments = [
        "/data/link",
        "/data/severity",
        "/data/title",
        "/data/description",
        "/data/tenant_name",
        "/data/device",
        "/data/user",
        "/data/expires_at",
        "/time",
        "/specversion",
    ];
    for pointer in ornaments {
        cases.extend(odd.iter().map(|value| (pointer, value.clone())));
    }
    for (pointer, value) in cases {
        let name = pointer.rsplit('/').next().unwrap();
        let body = with(pointer, value).to_string();
        let expected = format!("accepted [\"a-1\"], rejected [], dropped {name} 1");
        assert_eq!(outcome(&body), expected, "{body}");
    }
    // Absent is not odd, and neither is what is read in another way.
    for (pointer, value) in [
        ("/data/link", Value::Null),
        ("/data/link", " ".into()),
        ("/data/link", "HTTPS://example.com/[1]".into()),
        ("/data/description", Value::Null),
        ("/data/tenant_name", "".into()),
        ("/data/device", Value::Null),
        ("/data/user", Value::Null),
        ("/data/expires_at", Value::Null),
        ("/data/severity", "INFO ".into()),
        ("/data/kind", " Disk".into()),
        ("/time", "2026-11-22t07:29:00.1234567891z".into()),
        ("/datacontenttype", "Application/Vendor+JSON; v=1".into()),
        ("/datacontenttype", 7.into()),
        ("/source", "".into()),
        ("/dataschema", 7.into()),
        ("/data/more", json!({ "is": [[[]]] })),
    ] {
        let body = with(pointer, value).to_string();
        assert_eq!(
            outcome(&body),
            "accepted [\"a-1\"], rejected [], dropped ",
            "{body}"
        );
    }
}

#[test]
fn a_dropped_member_gets_a_default() {
    let body = with("/data/title", "\u{200b}".into()).to_string();
    assert_eq!(payload(&body).title, "disk: a-1");
    let AlertChange::Raised(particulars) = event(&with("/data/severity", "sev-1".into())).change
    else {
        panic!("not raised")
    };
    assert_eq!(particulars.severity, Severity::High);
    let odd_time = event(&with("/time", 1_764_000_000.into()));
    assert_eq!(odd_time.occurred_at, times().sent_at);
}

#[test]
fn huge_numbers_in_unused_members_are_ignored() {
    for member in ["more", "source", "datacontenttype"] {
        let body = raised().to_string();
        let body = body.replacen('{', &format!("{{\"{member}\":-1e400,"), 1);
        // `source` is there twice then, and it is not read either.
        assert_eq!(outcome(&body), "accepted [\"a-1\"], rejected [], dropped ");
    }
    let body = with("/data/device", "MARK".into()).to_string();
    let body = body.replace("\"MARK\"", "1e400");
    assert_eq!(
        outcome(&body),
        "accepted [\"a-1\"], rejected [], dropped device 1"
    );
}

#[test]
fn data_in_base64_is_read_like_data() {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    let mut body = raised();
    let data = body.as_object_mut().unwrap().remove("data").unwrap();
    for data in [data.to_string(), format!("\u{feff}{data}")] {
        for encoded in [STANDARD.encode(&data), STANDARD_NO_PAD.encode(&data)] {
            body["data_base64"] = encoded.into();
            assert_eq!(
                outcome(&body.to_string()),
                "accepted [\"a-1\"], rejected [], dropped "
            );
        }
    }
    for (encoded, expected) in [
        ("%".to_owned(), "data_base64: is not base64"),
        (String::new(), "data_base64: is empty"),
        (STANDARD.encode("7"), "data: invalid type: integer"),
        (STANDARD.encode("{"), "data: EOF"),
    ] {
        body["data_base64"] = encoded.into();
        let err = parse(&body).unwrap_err().to_string();
        assert!(err.starts_with(expected), "{err}");
    }
}

#[test]
fn spellings_of_one_id_are_one_alert() {
    for (pointer, spellings) in [
        ("/data/alert_id", ["Zu\u{308}rich", " Z\u{fc}ri\u{200b}ch"]),
        ("/data/tenant", ["e\u{301}", "\u{feff}\u{e9}\u{e0041}"]),
        ("/id", ["a\u{ad}b", "ab\n"]),
    ] {
        let [one, other] = spellings.map(|spelling| event(&with(pointer, spelling.into())));
        assert_eq!((one.key, one.id), (other.key, other.id), "{pointer}");
    }
    let mut list = snapshot_part();
    list["data"]["active"] = serde_json::json!(["Zu\u{308}rich"]);
    let Ok(Message::Snapshot(list)) = parse(&list) else {
        panic!("not a list")
    };
    assert_eq!(list.active[0].as_str(), "Z\u{fc}rich");
}

/// A resolved event with these texts put in before its members and those of its data.
fn with_members(top: &str, data: &str) -> String {
    format!(
        r#"{{{top}"specversion":"1.0","id":"e","source":"s","type":"alert.resolved","data":{{{data}"tenant":"t","alert_id":"a"}}}}"#
    )
}

#[test]
fn a_member_given_twice_has_no_value() {
    let refused = [
        (r#""id":"other","#, "", "id: is given twice"),
        (r#""i\u0064":"other","#, "", "id: is given twice"),
        (r#""type":"alert.raised","#, "", "type: is given twice"),
        ("", r#""tenant":"t","#, "data.tenant: is given twice"),
        (
            "",
            r#""partner":"acme","partner":"acme","#,
            "data.partner: is given twice",
        ),
        (r#""data":{},"#, "", "data: is given twice"),
    ];
    for (top, data, expected) in refused {
        let body = with_members(top, data);
        let err = parse_event(body.as_bytes(), &policy(), times()).unwrap_err();
        assert_eq!(err.to_string(), expected, "{body}");
        let batch = format!("[{},{body}]", with_members("", ""));
        assert_eq!(
            outcome(&batch),
            format!("accepted [\"a\"], rejected [\"1 [1].{expected}\"], dropped ")
        );
    }
    let unread = [
        (r#""more":1,"more":1,"#, "", ""),
        ("", r#""more":[0,{"a":{"b":1,"b":2}}],"#, ""),
        (r#""time":1,"time":2,"#, "", "time 1"),
        (r#""source":"s","#, "", ""),
    ];
    for (top, data, dropped) in unread {
        assert_eq!(
            outcome(&with_members(top, data)),
            format!("accepted [\"a\"], rejected [], dropped {dropped}")
        );
    }
}

#[test]
fn a_body_that_is_not_json_is_rejected() {
    let arrays = "[".repeat(256 * 1024);
    let objects = "{\"a\":".repeat(50_000);
    let cases: [(&[u8], &str); 14] = [
        (b"", "body: is empty"),
        (b" \r\n", "body: is empty"),
        (b"\xef\xbb\xbf", "body: is empty"),
        (b"{", "body: EOF while parsing"),
        (b"null", "body: invalid type: null"),
        (b"\"text\"", "body: invalid type: string"),
        (b"{}{}", "body: trailing characters"),
        (b"{'id': 1}", "body: key must be a string"),
        (b"{\"id\": NaN}", "body: expected value"),
        (b"{\"a\": 1,}", "body: key must be a string"),
        (b"\xff\xfe{\0}\0", "body: is UTF-16"),
        (b"\xff{}", "body: expected value"),
        (arrays.as_bytes(), "[0]: EOF while parsing"),
        (objects.as_bytes(), "body: EOF while parsing"),
    ];
    for (body, expected) in cases {
        let shown = String::from_utf8_lossy(body)
            .chars()
            .take(60)
            .collect::<String>();
        let err = parse_event(body, &policy(), times()).unwrap_err();
        assert!(err.to_string().starts_with(expected), "{shown}: {err}");
        assert!(err.to_string().len() < 700, "{shown}: {err}");
    }
}

#[test]
fn unused_members_may_be_nested_deeply() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
        let body = with_members(&format!("\"more\":{deep},"), &format!("\"more\":{deep},"));
        assert_eq!(outcome(&body), "accepted [\"a\"], rejected [], dropped ");
        let body = with("/data/device", "MARK".into()).to_string();
        let body = body.replace("\"MARK\"", &deep);
        assert_eq!(
            outcome(&body),
            "accepted [\"a-1\"], rejected [], dropped device 1"
        );
        let err = parse(&serde_json::json!({})).unwrap_err();
        assert_eq!(err.to_string(), "data: is missing");
    }
}

#[test]
fn a_byte_order_mark_is_not_read() {
    let body = format!("\u{feff}{}", raised());
    assert_eq!(outcome(&body), "accepted [\"a-1\"], rejected [], dropped ");
    assert_eq!(
        outcome(&format!("\u{feff} [{}]", raised())),
        "accepted [\"a-1\"], rejected [], dropped "
    );
}

#[test]
fn invalid_utf_8_is_rejected_only_in_an_id() {
    let body = with("/data/title", "caf\u{e9}".into()).to_string();
    let latin_1: Vec<u8> = body.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let parsed = super::parse(&latin_1, &policy(), times()).unwrap();
    assert_eq!(parsed.dropped.to_string(), "title 1");
    let Message::Event(event) = &parsed.messages[0] else {
        panic!("not an event")
    };
    assert_eq!(event.payload().unwrap().title, "caf\u{fffd}");
    let body = with("/data/alert_id", "caf\u{e9}".into()).to_string();
    let latin_1: Vec<u8> = body.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let err = parse_event(&latin_1, &policy(), times()).unwrap_err();
    assert_eq!(err.field, "data.alert_id");
}

#[test]
fn an_empty_batch_is_rejected() {
    assert_eq!(
        outcome(" [ ] "),
        "unreadable: body: is a batch without an event"
    );
}

/// What SQS refuses (all but `#x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF`) and what hides in a line.
const UNFIT: [&str; 8] = [
    "\\u0000",
    "\\u0008",
    "\\u001b",
    "\\u007f",
    "\\u0085",
    "\\ufffe",
    "\\uffff",
    "\\ud83f\\udffe",
];

#[test]
fn a_character_that_sqs_rejects_is_rejected_in_an_id() {
    let cases = [
        ("/id", "id"),
        ("/data/tenant", "data.tenant"),
        ("/data/alert_id", "data.alert_id"),
        ("/data/kind", "data.kind"),
        ("/data/partner", "data.partner"),
        ("/type", "type"),
    ];
    for (pointer, field) in cases {
        for unfit in UNFIT {
            let body = with_text(pointer, unfit);
            let err = parse_event(body.as_bytes(), &policy(), times()).unwrap_err();
            assert_eq!(err.field, field, "{unfit}: {err}");
            assert!(
                !err.to_string().chars().any(crate::text::is_unprintable),
                "{err:?}"
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
            let err = parse_event(body.as_bytes(), &policy(), times()).unwrap_err();
            assert_eq!(err.field, field, "{unfit}: {err}");
        }
    }
}

#[test]
fn a_character_that_sqs_rejects_is_removed_from_a_text() {
    for member in ["title", "description", "device", "user", "tenant_name"] {
        for unfit in UNFIT {
            let body = with_text(&format!("/data/{member}"), unfit);
            let message = parse_event(body.as_bytes(), &policy(), times()).unwrap();
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
fn a_lone_surrogate_is_rejected_only_in_an_id() {
    for half in ["\\ud800", "\\udfff", "\\udbff\\udbff"] {
        for pointer in [
            "/id",
            "/type",
            "/data/tenant",
            "/data/alert_id",
            "/data/kind",
        ] {
            let body = with_text(pointer, half);
            let err = parse_event(body.as_bytes(), &policy(), times()).unwrap_err();
            assert_eq!(err.field, pointer[1..].replace('/', "."), "{err}");
        }
        for (pointer, dropped) in [
            ("/source", ""),
            ("/more", ""),
            ("/data/more", ""),
            ("/time", "time 1"),
            ("/data/severity", "severity 1"),
            ("/data/link", "link 1"),
            ("/data/title", "title 1"),
            ("/data/description", "description 1"),
            ("/data/device", "device 1"),
            ("/data/user", "user 1"),
            ("/data/tenant_name", "tenant_name 1"),
        ] {
            assert_eq!(
                outcome(&with_text(pointer, half)),
                format!("accepted [\"a-1\"], rejected [], dropped {dropped}"),
                "{pointer}"
            );
        }
        let shown = "\u{fffd}".repeat(half.len() / 6);
        let text = payload(&with_text("/data/title", half)).title;
        assert_eq!(text, format!("a{shown}b"));
        // The name of a member that nobody reads.
        let body = with_members(&format!("\"{half}\":1,"), "");
        assert_eq!(outcome(&body), "accepted [\"a\"], rejected [], dropped ");
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
fn invalid_events_do_not_affect_the_rest_of_a_batch() {
    let bad = with("/data/kind", "toaster".into());
    let odd = with("/data/link", "".into());
    let cases = [
        (
            serde_json::json!([raised(), bad, odd]),
            "[1].data.kind: unknown kind",
        ),
        (
            serde_json::json!([raised(), 5, odd]),
            "[1]: invalid type: integer",
        ),
        (
            serde_json::json!([raised(), {}, odd]),
            "[1].data: is missing",
        ),
    ];
    for (batch, expected) in cases {
        let parsed = super::parse(batch.to_string().as_bytes(), &policy(), times()).unwrap();
        assert_eq!(parsed.messages.len(), 2);
        let [rejected] = parsed.rejected.as_slice() else {
            panic!("{:?}", parsed.rejected)
        };
        assert_eq!(rejected.index, 1);
        assert!(
            rejected.error.to_string().starts_with(expected),
            "{}",
            rejected.error
        );
        assert_eq!(rejected.partner.as_ref().unwrap().as_str(), "acme");
    }
    let batch = serde_json::json!([raised(), raised()]).to_string();
    assert_eq!(
        outcome(&batch),
        "accepted [\"a-1\", \"a-1\"], rejected [], dropped "
    );
}

#[test]
fn a_batch_has_at_most_a_thousand_events() {
    let batch = |events: usize| format!("[{}]", vec!["5"; events].join(","));
    assert!(outcome(&batch(1000)).starts_with("accepted [], rejected [\"0 [0]: invalid type"));
    assert_eq!(
        outcome(&batch(1001)),
        "unreadable: a batch has at most 1000 events, and this one has 1001"
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
    let ahead = RequestTimes {
        sent_at: "2026-11-22T07:33:00Z".parse().unwrap(),
        ..times()
    };
    let Ok(Message::Event(event)) = parse_event(body.to_string().as_bytes(), &policy(), ahead)
    else {
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
fn an_implausible_expiry_is_dropped() {
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
        let (AlertChange::Raised(particulars) | AlertChange::Updated(particulars)) =
            event(&body).change
        else {
            panic!("no raise")
        };
        assert_eq!(particulars.expires_at.is_some(), is_meant, "{end}");
    }
}

#[test]
fn a_snapshot_without_a_time_is_rejected() {
    for zero in ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"] {
        let mut body = snapshot_part();
        body["data"]["taken_at"] = zero.into();
        let err = parse_event(body.to_string().as_bytes(), &policy(), times()).unwrap_err();
        assert_eq!(err.field, "data.taken_at");
        assert!(err.problem.contains("before 2000"), "{}", err.problem);
    }
}

#[test]
fn only_a_retry_has_the_same_digest() {
    let later = RequestTimes {
        sent_at: "2026-11-22T08:30:00Z".parse().unwrap(),
        received_at: "2026-11-22T08:30:02Z".parse().unwrap(),
    };
    let mut body = raised();
    let digest = |body: &serde_json::Value, times| {
        let Ok(Message::Event(event)) = parse_event(body.to_string().as_bytes(), &policy(), times)
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
    let parsed = super::parse(batch.as_bytes(), &policy(), times()).unwrap();
    let messages = parsed.messages;
    let events = messages.iter().filter_map(|message| match message {
        Message::Event(event) => Some(event.receipt.index),
        Message::Snapshot(_)
        | Message::Rejected(_)
        | Message::Reconsider(_)
        | Message::Release(_)
        | Message::Command(_) => None,
    });
    assert_eq!(events.collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_source_of_several_partners_must_name_one() {
    let mut policy = policy();
    policy.partners.push(PartnerId::parse("globex").unwrap());
    let err = parse_event(raised().to_string().as_bytes(), &policy, times()).unwrap_err();
    assert_eq!(err.field, "data.partner");
    let mut body = raised();
    body["data"]["partner"] = "globex".into();
    let Ok(Message::Event(event)) = parse_event(body.to_string().as_bytes(), &policy, times())
    else {
        panic!()
    };
    assert_eq!(event.key.partner.as_str(), "globex");
}

#[test]
fn a_resolved_event_needs_only_the_alert() {
    let body = serde_json::json!({ "specversion": "1.0", "id": "e", "source": "s", "type": "alert.resolved", "data": { "tenant": "t", "alert_id": "a" } });
    assert_eq!(event(&body).change, AlertChange::Resolved);
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
    let committed = include_str!("../../../../../events/schema.json");
    assert_eq!(
        committed.trim(),
        format!("{:#}", schema()),
        "make it anew: cargo run -p domain --example schema > events/schema.json"
    );
}
