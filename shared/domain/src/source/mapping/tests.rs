use serde_json::{Value, json};

use super::alert_text::{Alert, MAX_TEXT};
use super::apply::{MappedBody, map};
use super::rule::Rule;
use super::*;
use crate::alert::event::{AlertChange, Particulars};
use crate::alert::kind::{Category, KindInfo};
use crate::wire::webhook::{MAX_EVENTS, RequestTimes, SourcePolicy};
use crate::{Kind, PartnerId, SourceId};

fn rule(rule: Value) -> Rule {
    serde_json::from_value(rule).unwrap()
}

/// What a rule yields for an alert that is the whole body.
fn text(rule: Value, alert: &Value) -> Option<String> {
    let rule = self::rule(rule);
    let within = Alert { alert, body: alert };
    rule.text(within).map(std::borrow::Cow::into_owned)
}

pub(super) fn kinds_added() -> Vec<KindInfo> {
    vec![KindInfo {
        kind: Kind::parse("monitoring").unwrap(),
        category: Category::Operations,
        type_name: "Monitoring".to_owned(),
    }]
}

pub(super) fn policy() -> SourcePolicy {
    SourcePolicy {
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        partners: vec![PartnerId::parse("woodgrove").unwrap()],
        kinds_added: kinds_added(),
        webhook: crate::outgoing::scope::WebhookScope::Nothing,
    }
}

pub(super) fn times() -> RequestTimes {
    let now = "2026-11-22T08:00:00Z".parse().unwrap();
    RequestTimes {
        sent_at: now,
        received_at: now,
    }
}

/// A mapping that is valid, with these members changed. Null removes a member.
fn document(changes: &Value) -> Value {
    let mut document = json!({
        "change": [
            {"at": "/state", "is": ["up"], "then": "resolved"},
            {"at": "/state", "is": ["note"], "then": "updated"},
            {"at": "/state", "is": ["chat"], "then": "ignored"},
            {"at": "/state", "is": ["down"], "then": "raised"},
        ],
        "change_otherwise": "quarantine",
        "alert_id": {"at": "/id"},
        "tenant": {"at": "/customer", "otherwise": "(no customer)"},
        "kind": {"at": "/kind", "otherwise": "monitoring"},
        "severity": {"at": "/severity", "otherwise": "high"},
        "title": {"at": "/title"},
    });
    let members = document.as_object_mut().unwrap();
    for (member, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(member);
        } else {
            members.insert(member.clone(), value.clone());
        }
    }
    document
}

fn mapping(changes: &Value) -> EventMapping {
    EventMapping::parse(&document(changes).to_string(), &kinds_added()).unwrap()
}

fn mapped(changes: &Value, body: &Value) -> MappedBody {
    map(
        body.to_string().as_bytes(),
        &mapping(changes),
        &policy(),
        times(),
    )
}

/// The details of the only event.
fn particulars(changes: &Value, body: &Value) -> Particulars {
    let mapped = mapped(changes, body);
    assert_eq!((mapped.events.len(), mapped.unmapped.len()), (1, 0));
    match mapped.events.into_iter().next().unwrap().change {
        AlertChange::Raised(now) | AlertChange::Updated(now) => now,
        AlertChange::Resolved => panic!("the alert is resolved"),
    }
}

#[test]
fn each_origin_yields_its_text() {
    let alert = json!({
        "labels": {"severity": "major", "empty": "", "null": null, "a/b": "slash", "m~n": "tilde"},
        "count": 3, "ratio": 0.5, "huge": 1e300, "id": 9_007_199_254_740_993_u64, "flag": true,
        "list": ["first", "second"],
        "tags": [
            "text", {"name": "zone"}, {"name": "Customer", "value": "fabrikam"},
            {"name": "customer", "value": "tailspin"}, {"name": 5, "value": "number"},
        ],
    });
    for (rule, expected) in [
        (json!({"at": "/labels/severity"}), Some("major")),
        (json!({"at": "/labels/absent"}), None),
        (json!({"at": "/labels/empty"}), None),
        (json!({"at": "/labels/null"}), None),
        (json!({"at": "/labels/a~1b"}), Some("slash")),
        (json!({"at": "/labels/m~0n"}), Some("tilde")),
        (json!({"at": "/labels/severity/deeper"}), None),
        (json!({"at": "/count"}), Some("3")),
        (json!({"at": "/ratio"}), Some("0.5")),
        (json!({"at": "/flag"}), Some("true")),
        (json!({"at": "/id"}), Some("9007199254740993")),
        // Its digits are not those that the source sent.
        (json!({"at": "/huge"}), None),
        (json!({"at": "/list/1"}), Some("second")),
        (json!({"at": "/list/2"}), None),
        (json!({"at": "/list/-"}), None),
        (
            json!({"at": "/list"}),
            Some("[\n  \"first\",\n  \"second\"\n]"),
        ),
        (json!({"at_body": "/count"}), Some("3")),
        (json!({"at_body": "/absent"}), None),
        // The alerts of a batch would each repeat it.
        (json!({"at_body": "/labels"}), None),
        (json!({"is": "monitoring"}), Some("monitoring")),
        (
            json!({"first": [{"at": "/absent"}, {"at": "/labels/empty"}, {"at": "/flag"}]}),
            Some("true"),
        ),
        (json!({"first": [{"at": "/absent"}]}), None),
        (json!({"first": []}), None),
        (
            json!({"text": "{/labels/severity} on {/absent}!"}),
            Some("major on !"),
        ),
        (json!({"text": "{{{/count}}"}), Some("{3}")),
        (json!({"text": "{/absent} on {/labels/empty}"}), None),
        (
            json!({"find": {"in": "/tags", "member": "/name", "is": "customer", "take": "/value"}}),
            Some("fabrikam"),
        ),
        (
            json!({"find": {"in": "/tags", "member": "/name", "is": "5", "take": "/value"}}),
            Some("number"),
        ),
        (
            json!({"find": {"in": "/tags", "member": "/name", "is": "zone", "take": "/value"}}),
            None,
        ),
        (
            json!({"find": {"in": "/tags", "member": "/name", "is": "absent", "take": "/value"}}),
            None,
        ),
        (
            json!({"find": {"in": "/labels", "member": "/name", "is": "x", "take": "/value"}}),
            None,
        ),
    ] {
        assert_eq!(text(rule.clone(), &alert).as_deref(), expected, "{rule}");
    }
}

#[test]
fn each_translation_is_applied() {
    let alert = json!({
        "word": " Major ", "score": 7.5, "digits": " 12 ",
        "tags": "env:live,customer:fabrikam, zone:1",
        "dotted": "incident.created",
    });
    let levels = json!([[9, "critical"], [7, "high"], [-1, "low"]]);
    for (rule, expected) in [
        (
            json!({"at": "/word", "table": {"MAJOR": "high"}}),
            Some("high"),
        ),
        (json!({"at": "/word", "table": {"minor": "low"}}), None),
        (
            json!({"at": "/word", "table": {"minor": "low"}, "otherwise": "medium"}),
            Some("medium"),
        ),
        (
            json!({"at": "/absent", "otherwise": "medium"}),
            Some("medium"),
        ),
        (json!({"at": "/absent", "otherwise": " "}), None),
        (json!({"at": "/score", "at_least": levels}), Some("high")),
        (
            json!({"at": "/digits", "at_least": levels}),
            Some("critical"),
        ),
        (json!({"is": "-1", "at_least": levels}), Some("low")),
        (json!({"is": "-1.5", "at_least": levels}), None),
        (json!({"is": "NaN", "at_least": levels}), None),
        (
            json!({"at": "/word", "at_least": levels, "otherwise": "low"}),
            Some("low"),
        ),
        (
            json!({"at": "/tags", "between": ["customer:", ","]}),
            Some("fabrikam"),
        ),
        (json!({"at": "/tags", "between": ["zone:", ","]}), Some("1")),
        (json!({"at": "/tags", "between": ["zone:", ""]}), Some("1")),
        (
            json!({"at": "/tags", "between": ["env:", ""]}),
            Some("live,customer:fabrikam, zone:1"),
        ),
        (json!({"at": "/tags", "between": ["absent:", ","]}), None),
        (json!({"at": "/tags", "between": ["fabrikam", ","]}), None),
        (
            json!({"at": "/dotted", "between": ["", "."], "table": {"incident": "zero_trust"}}),
            Some("zero_trust"),
        ),
        // The rule of a list is translated as a whole.
        (
            json!({"first": [{"at": "/absent"}, {"at": "/word"}], "table": {"major": "high"}}),
            Some("high"),
        ),
    ] {
        assert_eq!(text(rule.clone(), &alert).as_deref(), expected, "{rule}");
    }
}

#[test]
fn a_hash_tells_its_parts_apart() {
    let hash = |alert: Value| text(json!({"hash": [{"at": "/a"}, {"at": "/b"}]}), &alert);
    assert_eq!(hash(json!({"c": 1})), None);
    let one = hash(json!({"a": "1"})).unwrap();
    assert_eq!(one.len(), 40);
    assert_eq!(hash(json!({"a": 1, "c": 2})).as_ref(), Some(&one));
    for other in [
        json!({"b": "1"}),
        json!({"a": "1", "b": "1"}),
        json!({"a": ["1"]}),
        json!({"a": {"x": "1"}}),
        json!({"a": "=1"}),
    ] {
        assert_ne!(hash(other.clone()).unwrap(), one, "{other}");
    }
    // The order of an object's members does not matter.
    let labels = |text: &str| hash(serde_json::from_str(text).unwrap());
    assert_eq!(
        labels(r#"{"a": {"x": "1", "y": "2"}}"#),
        labels(r#"{"a": {"y": "2", "x": "1"}}"#)
    );
}

#[test]
fn texts_are_cut_while_they_are_built() {
    let long = "é".repeat(MAX_TEXT);
    let alert = json!({"long": long, "list": [long, long]});
    for rule in [
        json!({"at": "/long"}),
        json!({"at": "/list"}),
        json!({"text": "{/long}{/long}{/long}"}),
        json!({"first": [{"at": "/long"}]}),
    ] {
        let text = text(rule.clone(), &alert).unwrap();
        assert!(text.len() <= MAX_TEXT, "{rule}: {}", text.len());
        assert!(text.len() > MAX_TEXT - 8, "{rule}: {}", text.len());
    }
    let shared = text(json!({"at_body": "/long"}), &alert).unwrap();
    assert!(shared.len() <= 1024);
}

#[test]
fn a_malformed_rule_is_refused() {
    for bad in [
        json!({}),
        json!({"at": "/a", "is": "b"}),
        json!({"at": "a"}),
        json!({"at": "/a~2"}),
        json!({"at": "/a~"}),
        json!({"at": format!("/{}", "a".repeat(256))}),
        json!({"at": "/a".repeat(17)}),
        json!({"text": "no pointer"}),
        json!({"text": "{/a"}),
        json!({"text": "{a}"}),
        json!({"find": {"in": "/a", "member": "/b", "is": "c"}}),
        json!({"at": "/a", "between": ["x"]}),
        json!({"at": "/a", "at_least": [["x", "high"]]}),
        json!({"at": "/a", "table": ["x"]}),
        json!({"at": "/a", "unknown": 1}),
        json!("text"),
    ] {
        assert!(
            serde_json::from_value::<Rule>(bad.clone()).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn a_condition_compares_without_regard_to_case() {
    for (condition, alert, expected) in [
        (
            json!({"at": "/s", "is": ["UP"]}),
            json!({"s": " up "}),
            true,
        ),
        (
            json!({"at": "/s", "is": ["down", "1"]}),
            json!({"s": 1}),
            true,
        ),
        (
            json!({"at": "/s", "is": ["true"]}),
            json!({"s": true}),
            true,
        ),
        (
            json!({"at": "/s", "is": ["up"]}),
            json!({"s": "upper"}),
            false,
        ),
        (json!({"at": "/s", "is": [""]}), json!({"s": ""}), false),
        (json!({"at": "/s", "is": ["up"]}), json!({}), false),
        (
            json!({"at": "/s", "is_absent": true}),
            json!({"s": null}),
            true,
        ),
        (
            json!({"at": "/s", "is_absent": true}),
            json!({"s": ""}),
            true,
        ),
        (
            json!({"at": "/s", "is_absent": true}),
            json!({"s": 0}),
            false,
        ),
        (
            json!({"at": "/s", "is_absent": false}),
            json!({"s": {}}),
            true,
        ),
        (json!({"at": "/s", "is_absent": false}), json!([]), false),
    ] {
        let parsed: Condition = serde_json::from_value(condition.clone()).unwrap();
        let within = Alert {
            alert: &alert,
            body: &Value::Null,
        };
        assert_eq!(parsed.applies(within), expected, "{condition} {alert}");
    }
    let in_body: Condition = serde_json::from_value(json!({"at_body": "/t", "is": ["x"]})).unwrap();
    let within = Alert {
        alert: &json!({"t": "y"}),
        body: &json!({"t": "x"}),
    };
    assert!(in_body.applies(within));
}

#[test]
fn each_refusal_names_its_member() {
    let deep = (0..9).fold(json!({"at": "/a"}), |rule, _| json!({"first": [rule]}));
    let many: Vec<Value> = (0..210).map(|n| json!({"at": format!("/{n}")})).collect();
    let long = "x".repeat(MAX_DOCUMENT);
    for (changes, field) in [
        (json!({"tenant": {"at": "/customer"}}), "tenant"),
        (
            json!({"tenant": {"at": "/customer", "otherwise": " "}}),
            "tenant",
        ),
        (json!({"tenant": {"is": " "}}), "tenant"),
        (
            json!({"tenant": {"is": "a", "table": {"b": "c"}}}),
            "tenant",
        ),
        (
            json!({"tenant": {"first": [{"at": "/a"}, {"text": "{/b}"}]}}),
            "tenant",
        ),
        (json!({"kind": {"at": "/kind"}}), "kind"),
        (json!({"kind": {"is": "unheard_of"}}), "kind"),
        (
            json!({"kind": {"at": "/kind", "table": {"a": "no kind!"}, "otherwise": "cpu"}}),
            "kind",
        ),
        (json!({"severity": {"at": "/severity"}}), "severity"),
        (json!({"severity": {"is": "P1"}}), "severity"),
        (
            json!({"severity": {"at": "/n", "at_least": [[1, "worst"]], "otherwise": "low"}}),
            "severity",
        ),
        (
            json!({"severity": {"first": [{"at": "/s"}, {"is": "urgent"}]}}),
            "severity",
        ),
        (json!({"alert_id": {"is": "one"}}), "alert_id"),
        (json!({"alert_id": {"first": [{"is": "one"}]}}), "alert_id"),
        (
            json!({"alert_id": {"hash": [{"is": "one"}, {"is": "two"}]}}),
            "alert_id",
        ),
        (
            json!({"change": [{"at": "/s", "then": "raised"}]}),
            "change",
        ),
        (
            json!({"change": [{"is": ["up"], "then": "raised"}]}),
            "change",
        ),
        (
            json!({"change": [{"at": "/s", "at_body": "/s", "is": ["up"], "then": "raised"}]}),
            "change",
        ),
        (
            json!({"change": [{"at": "/s", "is": ["up"], "is_absent": true, "then": "raised"}]}),
            "change",
        ),
        (json!({"ping": [{"at": "/s"}]}), "ping"),
        (json!({"expires_after_hours": 0}), "expires_after_hours"),
        (json!({"expires_after_hours": 9000}), "expires_after_hours"),
        (json!({"description": deep}), "description"),
        (json!({"description": {"first": many}}), "mapping"),
        (json!({"description": {"is": long}}), "mapping"),
        // What serde refuses.
        (json!({"title": null}), "mapping"),
        (json!({"change_otherwise": "ignored"}), "change_otherwise"),
        (json!({"unwrap": "xml"}), "unwrap"),
        (json!({"zone": "Europe/Berlin"}), "zone"),
        (json!({"each": "alerts"}), "each"),
        (json!({"link": {"at": "x"}}), "link.at"),
        (json!({"colour": "red"}), "colour"),
    ] {
        let text = document(&changes).to_string();
        let err = EventMapping::parse(&text, &kinds_added()).unwrap_err();
        assert_eq!(err.field, field, "{err}");
        assert!(err.to_string().len() < 400, "{err}");
    }
    let text = format!("{} {{}}", document(&json!({})));
    let err = EventMapping::parse(&text, &kinds_added()).unwrap_err();
    assert_eq!(err.field, "mapping");
    // The source's own kinds count.
    let err = EventMapping::parse(&document(&json!({})).to_string(), &[]).unwrap_err();
    assert_eq!(err.field, "kind");
}

#[test]
fn a_refusal_quotes_a_document_in_one_short_printable_line() {
    let odd = format!("a\u{7f}\u{202e}\n{}", "b".repeat(5000));
    for changes in [
        json!({ odd.as_str(): 1 }),
        json!({ "title": { odd.as_str(): 1 } }),
        json!({ "title": { "at": odd } }),
        json!({ "unwrap": odd }),
        json!({ "kind": { "is": odd } }),
        json!({ "severity": { "is": odd } }),
        json!({ "change": [{ "when": { "at": "/a", "is": [1] }, "report": odd }] }),
    ] {
        let text = document(&changes).to_string();
        let err = EventMapping::parse(&text, &kinds_added())
            .unwrap_err()
            .to_string();
        assert!(!err.contains(crate::text::is_unprintable), "{err:?}");
        assert!(err.len() < 1024, "{} bytes", err.len());
    }
}

#[test]
fn a_message_reports_the_first_rule_that_applies() {
    for (state, expected) in [
        (json!("down"), "raised"),
        (json!("note"), "updated"),
        (json!("up"), "resolved"),
        (json!("chat"), "ignored"),
        (json!("sideways"), "unmapped"),
        (json!(null), "unmapped"),
    ] {
        let body = json!({"id": "7", "state": state});
        let mapped = mapped(&json!({}), &body);
        let found = match (mapped.events.first(), mapped.ignored) {
            (Some(event), _) => match event.change {
                AlertChange::Raised(_) => "raised",
                AlertChange::Updated(_) => "updated",
                AlertChange::Resolved => "resolved",
            },
            (None, 1) => "ignored",
            (None, _) => "unmapped",
        };
        assert_eq!(found, expected, "{state}");
        let whole: Vec<_> = mapped.unmapped.iter().map(|part| part.index).collect();
        if expected == "unmapped" {
            assert_eq!(whole, [None]);
        }
    }
    let raised = mapped(&json!({"change_otherwise": "raised"}), &json!({"id": "7"}));
    assert_eq!(raised.events.len(), 1);
}

#[test]
fn one_alert_of_a_list_does_not_affect_the_others() {
    let changes = json!({"each": "/alerts"});
    let body = json!({"alerts": [
        {"id": 1, "state": "down"},
        {"state": "down"},
        "text",
        {"id": 2, "state": "chat"},
        {"id": 3, "state": "up"},
    ]});
    let mapped = mapped(&changes, &body);
    let ids: Vec<_> = mapped
        .events
        .iter()
        .map(|event| (event.key.alert_id.as_str(), event.receipt.index))
        .collect();
    assert_eq!(ids, [("1", 0), ("3", 4)]);
    assert_eq!(mapped.ignored, 1);
    let unmapped: Vec<_> = mapped
        .unmapped
        .iter()
        .map(|part| (part.index, part.error.field.as_str()))
        .collect();
    assert_eq!(unmapped, [(Some(1), "alert_id"), (Some(2), "change")]);
}

#[test]
fn a_list_has_a_bounded_length() {
    let changes = json!({"each": "/alerts"});
    let alerts = |count: usize| json!({"alerts": vec![json!({"id": 1, "state": "down"}); count]});
    assert_eq!(
        mapped(&changes, &alerts(MAX_EVENTS)).events.len(),
        MAX_EVENTS
    );
    for body in [
        alerts(MAX_EVENTS + 1),
        json!({}),
        json!({"alerts": "none"}),
        json!([]),
    ] {
        let mapped = mapped(&changes, &body);
        assert_eq!(mapped.events.len(), 0);
        let [whole] = mapped.unmapped.as_slice() else {
            panic!("{mapped:?}");
        };
        assert_eq!((whole.index, whole.error.field.as_str()), (None, "each"));
    }
    // Some products send one alert without a list.
    assert_eq!(
        mapped(&changes, &json!({"alerts": {"id": 1, "state": "up"}}))
            .events
            .len(),
        1
    );
}

#[test]
fn what_is_neither_json_nor_xml_is_unmapped_as_a_whole() {
    for body in [b"".as_slice(), b"{", b"\xff\xfe", b"<xml>", b"{} {}"] {
        let mapped = map(body, &mapping(&json!({})), &policy(), times());
        let [whole] = mapped.unmapped.as_slice() else {
            panic!("{mapped:?}");
        };
        assert_eq!(whole.error.field, "body");
        assert_eq!(whole.index, None);
    }
}

#[test]
fn a_ping_has_no_other_effect() {
    let changes = json!({"ping": [{"at": "/state", "is": ["test"]}]});
    let mapped = mapped(&changes, &json!({"id": 1, "state": "TEST"}));
    let ping = MappedBody {
        is_ping: true,
        ..MappedBody::default()
    };
    assert_eq!(mapped, ping);
}

#[test]
fn an_unknown_word_gets_the_other_value_and_is_counted() {
    let body = json!({"id": 1, "state": "down", "kind": "Coffee\nMachine", "severity": "P1"});
    let mapped = mapped(&json!({}), &body);
    let counted: Vec<_> = mapped.unknown_kinds.iter().collect();
    assert_eq!(counted, [(&"Coffee Machine".to_owned(), &1)]);
    assert_eq!(mapped.dropped.to_string(), "severity 1, title 1");
    let now = particulars(&json!({}), &body);
    assert_eq!(
        (now.kind.as_str(), now.severity.to_string().as_str()),
        ("monitoring", "high")
    );
    assert_eq!(now.payload.title, "monitoring: 1");
    // A built-in kind in another spelling is known.
    let now = particulars(
        &json!({}),
        &json!({"id": 1, "state": "down", "kind": "Zero-Trust"}),
    );
    assert_eq!(
        (now.kind.as_str(), now.category),
        ("zero_trust", Category::CyberAlerts)
    );
}

#[test]
fn a_long_id_is_replaced_by_its_digest() {
    let id = |id: &str| {
        let mapped = mapped(&json!({}), &json!({"id": id, "state": "up"}));
        mapped.events[0].key.alert_id.as_str().to_owned()
    };
    let exact = "x".repeat(256);
    assert_eq!(id(&exact), exact);
    let (long, longer) = (id(&"x".repeat(257)), id(&"x".repeat(300)));
    assert!(long.len() <= 256 && longer.len() <= 256);
    assert_ne!(long, longer);
    // Two spellings of an id are one id.
    assert_eq!(
        id(&format!(" {} ", "e\u{301}".repeat(150))),
        id(&"é".repeat(150))
    );
}

#[test]
fn a_bad_link_is_dropped() {
    let changes = json!({"link": {"at": "/link"}});
    let body = |link: &str| json!({"id": 1, "state": "down", "link": link, "title": "t"});
    let link = |text: &str| particulars(&changes, &body(text)).payload.link;
    assert_eq!(
        link("https://example.com/a").as_deref(),
        Some("https://example.com/a")
    );
    for bad in ["?orgId=1", "javascript:alert(1)", "https://", "https://a b"] {
        assert_eq!(link(bad), None, "{bad}");
        assert_eq!(mapped(&changes, &body(bad)).dropped.to_string(), "link 1");
    }
}

#[test]
fn times_come_from_the_message_or_the_receipt() {
    let changes = json!({
        "time": {"at": "/began"}, "resolved_time": {"at": "/ended"}, "zone": "+01:00",
        "expires_after_hours": 72,
    });
    let at = |body: Value| {
        let mapped = mapped(&changes, &body);
        let event = &mapped.events[0];
        (event.occurred_at.to_string(), event.receipt.bounds_time)
    };
    let exact = |text: &str| (text.to_owned(), false);
    assert_eq!(
        at(json!({"id": 1, "state": "down", "began": "2026-11-22 08:30:00"})),
        exact("2026-11-22T07:30:00Z")
    );
    assert_eq!(
        at(json!({
            "id": 1, "state": "up",
            "began": "2026-11-22T07:30:00Z", "ended": "2026-11-22T07:45:00Z",
        })),
        exact("2026-11-22T07:45:00Z")
    );
    for absent in [
        json!({"id": 1, "state": "down"}),
        json!({"id": 1, "state": "down", "began": "0001-01-01T00:00:00Z"}),
        json!({"id": 1, "state": "down", "began": "soon"}),
    ] {
        assert_eq!(at(absent).0, "2026-11-22T08:00:00Z");
    }
    // A time in the future is bounded by the receipt.
    assert_eq!(
        at(json!({"id": 1, "state": "down", "began": "2026-11-23T00:00:00Z"})),
        ("2026-11-22T08:00:00Z".to_owned(), true)
    );
    let now = particulars(&changes, &json!({"id": 1, "state": "down"}));
    assert_eq!(now.expires_at.unwrap().to_string(), "2026-11-25T08:00:00Z");
}

#[test]
fn a_repeated_message_is_the_same_event() {
    let changes = json!({"time": {"at": "/time"}});
    let digest = |body: Value| mapped(&changes, &body).events[0].digest;
    let body =
        json!({"id": 1, "state": "down", "time": 1_795_333_000, "severity": "low", "title": "t"});
    let with = |member: &str, value: Value| {
        let mut body = body.clone();
        body[member] = value;
        digest(body)
    };
    assert_eq!(digest(body.clone()), with("note", json!("another")));
    for (member, value) in [
        ("id", json!(2)),
        ("state", json!("note")),
        ("time", json!(1_795_333_001)),
        ("severity", json!("high")),
        ("title", json!("u")),
    ] {
        assert_ne!(digest(body.clone()), with(member, value), "{member}");
    }
}

#[test]
fn an_envelope_is_unwrapped() {
    let sns = json!({
        "unwrap": "sns",
        "ping": [{"at": "/Type", "is": ["SubscriptionConfirmation"]}],
    });
    let inner = json!({"id": "alarm-1", "state": "down"}).to_string();
    let envelope = |kind: &str, message: &str| json!({"Type": kind, "Message": message});
    let events = mapped(&sns, &envelope("Notification", &inner)).events;
    assert_eq!(events[0].key.alert_id.as_str(), "alarm-1");
    assert!(
        mapped(
            &sns,
            &envelope("SubscriptionConfirmation", "You have chosen")
        )
        .is_ping
    );
    // A text is no alert, and stays in its envelope.
    assert_eq!(
        mapped(&sns, &envelope("Notification", "plain"))
            .unmapped
            .len(),
        1
    );

    let cef = json!({
        "unwrap": "cef", "each": "/events", "change_otherwise": "raised", "change": null,
        "alert_id": {"at": "/fileHash"}, "title": {"at": "/name"},
        "description": {"at": "/filePath"},
        "severity": {"at": "/severity", "at_least": [[7, "high"]], "otherwise": "low"},
    });
    let text =
        r"Nov 22 host CEF:0|Vendor|Product|1.0|10|A \| B|9|fileHash=ab\=cd filePath=C:\\a file.txt";
    let now = particulars(&cef, &json!({"events": [text]}));
    assert_eq!(now.payload.title, "A | B");
    assert_eq!(now.payload.description, r"C:\a file.txt");
    let events = mapped(&cef, &json!({"events": [text]})).events;
    assert_eq!(events[0].key.alert_id.as_str(), "ab=cd");
    // A name can follow any white space, also one of several bytes.
    for blank in (0..=0x3000).filter_map(char::from_u32) {
        if blank.is_whitespace() {
            let text = format!("CEF:0|V|P|1|2|name|9|filePath=é{blank}fileHash=f");
            let events = mapped(&cef, &json!({"events": [text]})).events;
            assert_eq!(events.len(), 1, "{blank:?}");
        }
    }
    for bad in [
        json!({"events": ["CEF:0|Vendor|Product"]}),
        json!({"events": [7]}),
        json!({"events": 7}),
    ] {
        assert_eq!(mapped(&cef, &bad).unmapped.len(), 1, "{bad}");
    }
}

#[test]
fn a_source_of_several_partners_maps_nothing() {
    let mut policy = policy();
    policy.partners.push(PartnerId::parse("northwind").unwrap());
    let body = json!({"id": 1, "state": "down"}).to_string();
    let mapped = map(body.as_bytes(), &mapping(&json!({})), &policy, times());
    assert_eq!(mapped.unmapped[0].error.field, "partner");
}

#[test]
fn severities_are_read_as_products_write_them() {
    for (word, expected) in [
        ("CRITICAL", Some("critical")),
        (" Disaster ", Some("critical")),
        ("error", Some("high")),
        ("Warning", Some("medium")),
        ("average", Some("medium")),
        ("minor", Some("low")),
        ("none", Some("informational")),
        ("P1", None),
        ("", None),
    ] {
        let found = apply::severity(word).map(|severity| severity.to_string());
        assert_eq!(found.as_deref(), expected, "{word}");
    }
}

/// The largest body that is accepted, with many alerts that each use most rules.
#[test]
fn the_largest_body_maps() {
    let alert = |n: usize| {
        json!({
            "status": if n.is_multiple_of(3) { "resolved" } else { "firing" },
            "labels": {
                "alertname": "DiskWillFill", "severity": "warning", "customer": "fabrikam",
                "instance": format!("db-{n}:9100"),
            },
            "annotations": {
                "summary": format!("The disk of db-{n} fills"), "description": "x".repeat(30),
            },
            "startsAt": "2026-11-22T07:20:00.123Z", "endsAt": "2026-11-22T07:50:00Z",
            "generatorURL": "https://prometheus.example.com/graph?g0.expr=disk",
            "fingerprint": format!("{n:016x}"),
        })
    };
    let alerts: Vec<Value> = (0..600).map(alert).collect();
    let mut body = json!({"alerts": alerts, "padding": ""}).to_string();
    let padding = "x".repeat(256 * 1024 - body.len());
    body = body.replace(r#""padding":"""#, &format!(r#""padding":"{padding}""#));
    assert_eq!(body.len(), 256 * 1024);
    let preset = crate::source::presets::latest("alertmanager").unwrap();
    let mapped = map(
        body.as_bytes(),
        preset.mapping().unwrap(),
        &policy(),
        times(),
    );
    assert_eq!((mapped.events.len(), mapped.unmapped.len()), (600, 0));
}
