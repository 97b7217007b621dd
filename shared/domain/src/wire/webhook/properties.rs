//! Whatever the endpoint accepts can be queued, and is read back unchanged.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};

use super::*;
use crate::wire::webhook::tests::{parse_event, policy, times};

/// What an envelope adds to its body at most, in bytes.
const ENVELOPE: usize = 1024;
/// A body grows by this factor at most: a byte that is not UTF-8 becomes a character of three
/// bytes, and normalizing an id replaces a few letters by longer ones. Three times the longest body
/// is less than the limit of SQS.
const GROWTH: usize = 3;

/// The characters that SQS accepts (API reference, SendMessage): `#x9 #xA #xD #x20-#xD7FF
/// #xE000-#xFFFD #x10000-#x10FFFF`.
fn sqs_takes(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Any text, often one that could break something.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "\0",
        "\u{1}",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\u{1b}",
        "\u{7f}",
        "\u{85}",
        "\u{202e}",
        "\u{2028}",
        "\u{feff}",
        "\u{fdd0}",
        "\u{fffd}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{1fffe}",
        "\u{10ffff}",
        "\"",
        "\\",
        "\\u0000",
        " ",
        "é",
        "e\u{301}",
        "👨‍👩‍👧‍👦",
        "]]>",
        "<",
        "&",
    ]);
    let any = any::<char>().prop_map(String::from);
    let short = prop::collection::vec(
        prop_oneof![odd.prop_map(str::to_owned), any, "[a-z]{1,9}"],
        0..12,
    );
    // Sometimes longer than the stored limit.
    (short, prop_oneof![40 => Just(1_usize), 1 => 1_usize..3000])
        .prop_map(|(parts, times)| parts.concat().repeat(times))
}

/// A text that is often a valid identifier, so that bodies are accepted.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![30 => "[a-zA-Z0-9:/\"\\\\é-]{1,64}", 1 => text()]
}

fn time() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => Just(json!("2026-11-22T07:29:00Z")),
        1 => Just(json!("0000-01-01T00:00:00+23:59")),
        1 => Just(json!("9999-12-31T23:59:59.999999999-23:59")),
        1 => Just(json!("2016-12-31T23:59:60.123456789123Z")),
        1 => Just(Value::Null),
        1 => "[0-9]{4}-0[1-9]-[0-2][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|[+-][0-2][0-9]:[0-5][0-9])".prop_map(Value::from),
    ]
}

fn alert() -> impl Strategy<Value = (Value, &'static str)> {
    let kind = prop::sample::select(vec!["alert.raised", "alert.updated", "alert.resolved"]);
    let named = (
        id(),
        id(),
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(text()),
    );
    let texts = (
        text(),
        text(),
        prop_oneof![9 => "https://[a-z]{3,9}/", 1 => text()],
        time(),
        any::<bool>(),
    );
    (kind, named, texts).prop_map(|(kind, (tenant, alert, name, device, user), (title, description, link, expires, linked))| {
        let mut data = json!({
            "tenant": tenant, "alert_id": alert, "kind": "disk", "severity": "low", "title": title, "description": description,
            "tenant_name": name, "device": device, "user": user, "expires_at": expires, "partner": "acme",
        });
        if linked {
            data["link"] = link.into();
        }
        (data, kind)
    })
}

fn snapshot() -> impl Strategy<Value = (Value, &'static str)> {
    let active = prop::collection::vec(id(), 0..20);
    (id(), id(), time(), active, prop::option::of(Just(json!(["disk", "cpu"])))).prop_map(
        |(tenant, snapshot, taken_at, active, kinds)| {
            let data = json!({
                "tenant": tenant, "snapshot_id": snapshot, "taken_at": taken_at, "kinds": kinds, "active": active,
                "part": 1, "parts": 10_000,
            });
            (data, "alerts.snapshot")
        },
    )
}

fn body() -> impl Strategy<Value = Value> {
    let data = prop_oneof![3 => alert(), 1 => snapshot()];
    (id(), text(), time(), data).prop_map(|(id, source, time, (data, kind))| {
        json!({ "specversion": "1.0", "id": id, "source": format!("s{source}"), "type": kind, "time": time, "data": data })
    })
}

/// The optional members.
const ORNAMENTS: [&str; 9] = [
    "time",
    "severity",
    "title",
    "description",
    "tenant_name",
    "device",
    "user",
    "link",
    "expires_at",
];

fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!({ "a": [[{}]] })),
    ]
}

fn check(message: &Message, body: &[u8]) {
    let json = message.to_json();
    assert_eq!(json.chars().find(|&c| !sqs_takes(c)), None, "{json:?}");
    assert!(
        json.len() <= GROWTH * body.len() + ENVELOPE,
        "{} of {}",
        json.len(),
        body.len()
    );
    assert_eq!(Message::from_json(&json).unwrap(), *message);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn an_accepted_event_can_be_queued(body in body()) {
        let body = body.to_string();
        if let Ok(message) = parse_event(body.as_bytes(), &policy(), times()) {
            check(&message, body.as_bytes());
        }
    }

    #[test]
    fn an_accepted_batch_can_be_queued(bodies in prop::collection::vec(body(), 1..4)) {
        let body = Value::from(bodies).to_string();
        for message in &parse(body.as_bytes(), &policy(), times()).unwrap().messages {
            check(message, body.as_bytes());
        }
    }

    #[test]
    fn an_event_is_parsed_independently_of_its_batch(bodies in prop::collection::vec(body(), 1..5)) {
        let whole = parse(Value::from(bodies.clone()).to_string().as_bytes(), &policy(), times()).unwrap();
        let alone = bodies.iter().map(|body| parse_event(body.to_string().as_bytes(), &policy(), times()));
        let (mut messages, mut rejected) = (vec![], vec![]);
        let in_batch = |mut message: Message, index: usize| {
            if let Message::Event(event) = &mut message {
                event.receipt.index = u32::try_from(index).unwrap();
            }
            message
        };
        for (index, event) in alone.enumerate() {
            match event {
                Ok(message) => messages.push(in_batch(message, index)),
                Err(_) => rejected.push(index),
            }
        }
        prop_assert_eq!(whole.messages, messages);
        prop_assert_eq!(whole.rejected.iter().map(|rejected| rejected.index).collect::<Vec<_>>(), rejected);
    }

    #[test]
    fn no_optional_member_decides_whether_an_event_is_accepted(body in body(), ornament in 0..ORNAMENTS.len(), odd in odd()) {
        let mut changed = body.clone();
        match ORNAMENTS[ornament] {
            "time" => changed["time"] = odd,
            name if body["type"] != "alerts.snapshot" => changed["data"][name] = odd,
            _ => {}
        }
        let accepted = |body: &Value| parse_event(body.to_string().as_bytes(), &policy(), times()).is_ok();
        prop_assert_eq!(accepted(&body), accepted(&changed));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), body in body(), at in any::<prop::sample::Index>()) {
        let _ = parse(&bytes, &policy(), times());
        // A valid body with some bytes inserted.
        let mut body = body.to_string().into_bytes();
        let at = at.index(body.len());
        body.splice(at..at, bytes.into_iter().take(4));
        let batch = [b"[", body.as_slice(), b"]"].concat();
        for body in [body, batch] {
            for message in parse(&body, &policy(), times()).into_iter().flat_map(|parsed| parsed.messages) {
                check(&message, &body);
            }
        }
    }
}

/// The properties above would prove nothing if few bodies were accepted. A good part of the bodies
/// of each type is.
#[test]
fn enough_generated_bodies_are_accepted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut accepted = std::collections::BTreeMap::new();
    for _ in 0..2000 {
        let body = body().new_tree(&mut runner).unwrap().current();
        if parse_event(body.to_string().as_bytes(), &policy(), times()).is_ok() {
            *accepted
                .entry(body["type"].as_str().unwrap().to_owned())
                .or_insert(0) += 1;
        }
    }
    assert!(
        accepted.len() == 4 && accepted.values().all(|&count| count > 100),
        "{accepted:?}"
    );
}
