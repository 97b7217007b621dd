mod bodies;
mod times;

use super::*;
use crate::alert::event::Payload;

pub(super) fn policy() -> SourcePolicy {
    SourcePolicy {
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        partners: vec![PartnerId::parse("acme").unwrap()],
        kinds_added: vec![],
        webhook: WebhookScope::Nothing,
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

/// Parses a body of one event.
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

/// Parses a body, and describes in one line each what was accepted, rejected and dropped.
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

/// The event with this value at a path.
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
    // An absent member is not dropped, nor one that is read in another form.
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
        // `source` is then given twice, and is not read either.
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
