//! Whatever a product posts and whatever a mapping says, applying it ends, loses no alert, and
//! yields bounded texts.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::apply::{MappedBody, map};
use super::tests::{kinds_added, policy, times};
use super::{EventMapping, Unwrap, unwrap};
use crate::alert::event::AlertChange;
use crate::source::presets;
use crate::wire::webhook::{MAX_EVENTS, SourcePolicy};

const MAX_BODY: usize = 256 * 1024;

/// The names of members, in bodies and in pointers.
const NAMES: [&str; 8] = [
    "a", "b", "id", "alerts", "state", "tags", "Message", "events",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        40 => prop::sample::select(vec![
            "up", "down", "critical", "warning", "disk", "cpu", "monitoring", "fabrikam", "1",
            "7.5",
            "2026-11-22T07:30:00Z", "1795333000", "https://example.com/a", "{}", "{\"id\":1}",
            "CEF:0|v|p|1|2|n|9|a=b c\\=d=e", "CEF:0|||||||", "", " ", "\0", "\u{202e}", "é",
        ]).prop_map(str::to_owned),
        10 => any::<String>(),
        5 => "[a=\\\\|é \t\u{85}\u{2003}\u{3000}]{0,40}".prop_map(|text| format!("CEF:0|v|p|1|2|n|9|{text}")),
        // Longer than any limit.
        1 => ("[a-zé]", 1_usize..50_000).prop_map(|(text, times)| text.repeat(times)),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(NAMES.to_vec()), inner, 0..6).prop_map(
                |members| {
                    let members = members.into_iter();
                    members
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect()
                }
            ),
        ]
    })
}

/// A body as the webhook endpoint accepts it, at most 256 KiB: often an object with a list of
/// alerts.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let list = (prop::collection::vec(json_value(), 1..6), 0_usize..60);
    let list = list.prop_map(|(some, most)| {
        let mut room = MAX_BODY - 100;
        let fits = |alert: &&Value| {
            let length = alert.to_string().len() + 1;
            let fits = length <= room;
            room = room.saturating_sub(length);
            fits
        };
        let alerts = some.iter().cycle().take(most).take_while(fits);
        let alerts: Vec<Value> = alerts.cloned().collect();
        json!({"alerts": alerts, "state": "down"})
    });
    prop_oneof![
        4 => json_value().prop_map(|value| value.to_string().into_bytes()),
        4 => list.prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => word().prop_map(String::into_bytes),
    ]
    .prop_filter("is too long", |body| body.len() <= MAX_BODY)
}

fn pointer() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        6 => prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned),
        1 => (0..3_u8).prop_map(|index| index.to_string()),
        1 => Just("~0~1".to_owned()),
    ];
    prop::collection::vec(step, 0..4)
        .prop_map(|steps| steps.iter().map(|step| format!("/{step}")).collect())
}

fn rule() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => pointer().prop_map(|at| json!({"at": at})),
        1 => pointer().prop_map(|at| json!({"at_body": at})),
        1 => word().prop_map(|text| json!({"is": text})),
        1 => (pointer(), "[a-z ]{0,9}", pointer())
            .prop_map(|(one, text, two)| json!({"text": format!("{{{one}}}{text}{{{two}}}")})),
        1 => (pointer(), pointer(), word(), pointer()).prop_map(|(list, member, is, take)| {
            json!({"find": {"in": list, "member": member, "is": is, "take": take}})
        }),
    ];
    let origin = leaf.prop_recursive(3, 12, 4, |inner| {
        let rules = prop::collection::vec(inner, 0..4);
        (any::<bool>(), rules).prop_map(|(is_hash, rules)| match is_hash {
            true => json!({"hash": rules}),
            false => json!({"first": rules}),
        })
    });
    let kinds = prop::sample::select(vec!["disk", "monitoring", "critical", "low", "x"]);
    let table = prop::collection::hash_map(word(), kinds.clone(), 0..4);
    // Parsing a number with all of its 17 digits can change the last one.
    let level = (-20_000..20_000_i32).prop_map(|level| f64::from(level) / 100.0);
    let levels = prop::collection::vec((level, kinds), 0..3);
    (
        origin,
        prop::option::weighted(0.2, ("[a-z]{0,2}", "[a-z,]{0,2}")),
        prop::option::weighted(0.2, table),
        prop::option::weighted(0.2, levels),
        prop::option::of(prop::sample::select(vec!["monitoring", "high", "disk", ""])),
    )
        .prop_map(|(mut rule, between, table, levels, otherwise)| {
            let rule_members = [
                ("between", between.map(|pair| json!(pair))),
                ("table", table.map(|table| json!(table))),
                ("at_least", levels.map(|levels| json!(levels))),
                ("otherwise", otherwise.map(|text| json!(text))),
            ];
            for (name, value) in rule_members {
                if let Some(value) = value {
                    rule[name] = value;
                }
            }
            rule
        })
}

fn condition() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => (pointer(), word()).prop_map(|(at, is)| json!({"at": at, "is": [is]})),
        1 => (pointer(), any::<bool>()).prop_map(|(at, is)| {
            json!({"at_body": at, "is_absent": is})
        }),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let change = (
        condition(),
        prop::sample::select(vec!["raised", "updated", "resolved", "ignored"]),
    )
        .prop_map(|(mut rule, then)| {
            rule["then"] = json!(then);
            rule
        });
    let required = [
        "alert_id",
        "tenant",
        "kind",
        "severity",
        "title",
        "tenant_name",
        "description",
        "device",
        "user",
        "link",
        "time",
        "resolved_time",
    ];
    (
        prop::sample::select(vec!["json", "json", "sns", "cef"]),
        prop::option::of(prop_oneof![Just("/alerts".to_owned()), pointer()]),
        prop::collection::vec(condition(), 0..2),
        prop::collection::vec(change, 0..3),
        prop::sample::select(vec!["raised", "raised", "quarantine"]),
        prop::collection::vec(rule(), required.len()),
        prop::option::of(0..10_000_u32),
    )
        .prop_map(
            move |(unwrap, each, ping, change, otherwise, rules, hours)| {
                let mut document = json!({
                    "unwrap": unwrap, "ping": ping, "change": change, "change_otherwise": otherwise,
                    "each": each, "expires_after_hours": hours,
                });
                for (name, rule) in required.iter().zip(rules) {
                    document[*name] = rule;
                }
                // Most documents are usable, so that alerts become events.
                for (name, word) in [("tenant", "x"), ("kind", "disk"), ("severity", "low")] {
                    if document[name]["otherwise"] == "" {
                        document[name]["otherwise"] = json!(word);
                    }
                }
                document
            },
        )
}

/// What must hold of every outcome.
fn check(mapped: &MappedBody, body: &[u8], mapping: &EventMapping) -> Result<(), TestCaseError> {
    let total = mapped.events.len() + mapped.unmapped.len() + mapped.ignored;
    prop_assert!(total <= MAX_EVENTS);
    if mapped.is_ping {
        prop_assert_eq!(total, 0);
        return Ok(());
    }
    // One part each, or the whole body.
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let list = mapping.each.as_ref().and_then(|each| {
        let at: String = each.clone().into();
        value.as_ref()?.pointer(&at)?.as_array()
    });
    let expected = match list {
        Some(alerts) if alerts.len() <= MAX_EVENTS => alerts.len(),
        Some(_) | None => 1,
    };
    if mapping.unwrap == Unwrap::Json {
        prop_assert_eq!(total, expected);
    }
    for part in &mapped.unmapped {
        prop_assert!(part.error.to_string().len() < 1024);
    }
    for (kind, count) in &mapped.unknown_kinds {
        prop_assert!(kind.len() <= 84 && *count <= MAX_EVENTS);
    }
    for event in &mapped.events {
        prop_assert!(event.key.alert_id.as_str().len() <= 256);
        prop_assert!(event.key.tenant.as_str().len() <= 256);
        prop_assert!(event.occurred_at <= event.receipt.at);
        if let AlertChange::Raised(now) | AlertChange::Updated(now) = &event.change {
            let payload = &now.payload;
            prop_assert!(!payload.title.trim().is_empty());
            prop_assert!(payload.description.len() <= 32 * 1024);
            for line in [
                Some(&payload.title),
                payload.tenant_name.as_ref(),
                payload.device.as_ref(),
                payload.user.as_ref(),
            ] {
                prop_assert!(line.is_none_or(|line| line.len() <= 512 && !line.contains('\n')));
            }
            prop_assert!(payload.link.as_ref().is_none_or(|link| link.len() <= 2048));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_body_maps_by_any_mapping(document in document(), body in body()) {
        let Ok(mapping) = serde_json::from_value::<EventMapping>(document) else {
            return Ok(());
        };
        let mapped = map(&body, &mapping, &policy(), times());
        check(&mapped, &body, &mapping)?;
        prop_assert_eq!(&map(&body, &mapping, &policy(), times()), &mapped);
        if mapping.check(&kinds_added()).is_ok() {
            // Each alert gets a kind and a severity.
            for part in &mapped.unmapped {
                prop_assert!(part.error.field != "kind" && part.error.field != "severity");
            }
        }
    }

    #[test]
    fn any_body_maps_by_each_preset(body in body()) {
        for preset in presets::all() {
            let Some(mapping) = preset.mapping() else {
                continue;
            };
            let policy = SourcePolicy { kinds_added: preset.kinds_added.clone(), ..policy() };
            let mapped = map(&body, mapping, &policy, times());
            check(&mapped, &body, mapping)?;
        }
    }

    #[test]
    fn any_texts_are_read_as_cef(texts in prop::collection::vec(word(), 0..8)) {
        let count = texts.len();
        let body = json!({ "events": texts }).to_string();
        let read = unwrap::read(Unwrap::Cef, body.as_bytes()).unwrap();
        prop_assert_eq!(read["events"].as_array().unwrap().len(), count);
    }

    #[test]
    fn any_text_is_read_as_xml_or_an_error(text in "(<[a&/!\\[\\]?>= \"']{0,6}|[a-z;]{0,3}>?){0,12}") {
        let read = unwrap::read(Unwrap::Json, format!("<{text}").as_bytes());
        prop_assert!(read.is_err() || read.is_ok_and(|value| value.is_object()));
    }

    #[test]
    fn a_mapping_is_read_back_as_it_was_written(document in document()) {
        let Ok(mapping) = serde_json::from_value::<EventMapping>(document) else {
            return Ok(());
        };
        let text = serde_json::to_string(&mapping).unwrap();
        let again: EventMapping = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&again, &mapping);
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }

    #[test]
    fn any_text_is_a_mapping_or_an_error_that_names_a_member(text in any::<String>()) {
        if let Err(err) = EventMapping::parse(&text, &[]) {
            prop_assert!(!err.field.is_empty());
        }
    }
}
