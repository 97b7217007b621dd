//! Bodies that are not plain JSON in UTF-8, and batches.

use super::*;

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

/// A resolved event with these texts inserted before its members and those of its data.
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
    let parsed = crate::wire::webhook::parse(&latin_1, &policy(), times()).unwrap();
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
    assert_eq!(outcome(" [ ] "), "unreadable: body: is an empty batch");
}

/// The characters that SQS rejects (all but `#x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD
/// #x10000-#x10FFFF`), and invisible ones.
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
        // The name of an unused member.
        let body = with_members(&format!("\"{half}\":1,"), "");
        assert_eq!(outcome(&body), "accepted [\"a\"], rejected [], dropped ");
    }
}

/// A raised event in which this member is `a…b` with these escapes in between.
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
        let parsed =
            crate::wire::webhook::parse(batch.to_string().as_bytes(), &policy(), times()).unwrap();
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
