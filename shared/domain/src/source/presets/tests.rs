use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use jiff::{SignedDuration, Timestamp};

use crate::alert::event::{AlertChange, Event};
use crate::alert::fold::fold;
use crate::alert::record::Record;
use crate::source::mapping::apply::{MappedBody, map};
use crate::time::later;
use crate::wire::message::Message;
use crate::wire::webhook::{RequestTimes, SourcePolicy, parse as parse_events};
use crate::{AlertKey, PartnerId, SourceId};

/// The digest of each version. Sources use a version, so it never changes once it is released.
const DIGESTS: &[(&str, &str)] = &[
    ("cloudevents.v1.json", "a0762a898e1e69d1"),
    ("generic.v1.json", "759d1145a2f503a2"),
    ("huntress.v1.json", "99fb15fe05a97001"),
    ("ninjaone.v1.json", "d711d2d7bb595fe1"),
    ("ncentral.v1.json", "213749b0b4003f07"),
    ("datto_rmm.v1.json", "356ba08e4eb078d9"),
    ("gravityzone.v1.json", "8f0e432a620f6c30"),
    ("gravityzone_cef.v1.json", "ec06588e8b6e02ce"),
    ("cipp.v1.json", "94f0dc6eadc044a9"),
    ("alertmanager.v1.json", "de91a21a184841ae"),
    ("grafana.v1.json", "7dd4c6aabb88ea6b"),
    ("zabbix.v1.json", "248e73ed1e9d0e14"),
    ("uptime_kuma.v1.json", "4f99f444461f970a"),
    ("wazuh.v1.json", "e6147eb3cf852caa"),
    ("datadog.v1.json", "a8d189fedde6f178"),
    ("pagerduty_events_v2.v1.json", "ae5cea2a335017f9"),
    ("security_hub_asff.v1.json", "8a7e6fb2b0ba64eb"),
    ("security_hub_ocsf.v1.json", "595d7cb859e31054"),
    ("guardduty.v1.json", "a3a5efdee51fc76e"),
];

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The JSON and XML files of a folder with their names, sorted.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap();
    let files = entries.map(|entry| entry.unwrap()).filter(|entry| {
        let path = entry.path();
        let end = path.extension().and_then(|end| end.to_str());
        matches!(end, Some("json" | "xml")) && path.is_file()
    });
    files
        .map(|entry| {
            let path = entry.path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

fn policy(preset: &Preset) -> SourcePolicy {
    SourcePolicy {
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        partners: vec![PartnerId::parse("woodgrove").unwrap()],
        kinds_added: preset.kinds_added.clone(),
        webhook: crate::outgoing::scope::WebhookScope::Nothing,
    }
}

/// The times of a request that is received this many minutes after eight.
fn times(minute: i64) -> RequestTimes {
    let eight: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
    let now = later(eight, SignedDuration::from_mins(minute));
    RequestTimes {
        sent_at: now,
        received_at: now,
    }
}

#[test]
fn each_file_is_a_valid_preset() {
    let committed = files(&folder("src/source/presets"));
    let listed: BTreeSet<String> = FILES
        .iter()
        .map(|(name, version, _)| format!("{name}.v{version}"))
        .collect();
    assert_eq!(
        committed.keys().cloned().collect::<BTreeSet<_>>(),
        listed,
        "list each file in FILES"
    );
    for (name, version, text) in FILES {
        let preset: Preset =
            serde_json::from_str(text).unwrap_or_else(|err| panic!("{name}: {err}"));
        assert_eq!((preset.name.as_str(), preset.version), (*name, *version));
        assert_eq!(preset.authentication.check(), Ok(()), "{name}");
        assert!((200..300).contains(&preset.response.status), "{name}");
        assert!(
            !preset.title.is_empty() && !preset.steps.is_empty(),
            "{name}"
        );
        if let Some(mapping) = preset.mapping() {
            assert_eq!(mapping.check(&preset.kinds_added), Ok(()), "{name}");
            let text = serde_json::to_string(mapping).unwrap();
            assert_eq!(
                EventMapping::parse(&text, &preset.kinds_added).as_ref(),
                Ok(mapping),
                "{name}"
            );
        }
        assert_eq!(get(name, *version).as_ref(), Some(&preset));
    }
    assert_eq!(all().count(), FILES.len());
}

#[test]
fn the_newest_version_is_found() {
    assert_eq!(latest("huntress").unwrap().version, 1);
    assert_eq!(latest("nothing"), None);
    assert_eq!(get("huntress", 99), None);
}

#[test]
fn a_released_version_never_changes() {
    for (name, version, text) in FILES {
        let file = format!("{name}.v{version}.json");
        let digest = crate::digest::digest(&[text], 16);
        let released = DIGESTS.iter().find(|(released, _)| *released == file);
        let Some((_, released)) = released else {
            panic!("add (\"{file}\", \"{digest}\") to DIGESTS");
        };
        assert_eq!(
            *released,
            digest,
            "{file} changed after its release. Sources use this version: undo the change, and make \
             a new version in {name}.v{}.json",
            version + 1
        );
    }
    assert_eq!(
        DIGESTS.len(),
        FILES.len(),
        "DIGESTS lists a file that does not exist"
    );
}

/// A step says where to enter each value, and no placeholder is misspelled.
#[test]
fn steps_contain_the_address_and_the_secret() {
    for preset in all() {
        let paste = preset.paste.clone().unwrap_or_default();
        let text = format!("{}\n{paste}", preset.steps.join("\n"));
        let name = &preset.name;
        assert!(text.contains("{url}"), "{name}");
        assert_eq!(
            text.contains("{secret}"),
            !preset.has_vendor_secret,
            "{name}"
        );
        let values = Placeholders {
            url: "https://tickets.example.com/v1/events/src_1",
            secret: "{url}",
        };
        let filled = preset.fill(&text, values);
        assert!(
            !filled.contains("{secret}") && !filled.contains("{header}"),
            "{name}"
        );
        for step in &preset.steps {
            assert!(step.ends_with('.'), "{name}: {step}");
        }
    }
}

#[test]
fn placeholders_are_filled_in_once() {
    let preset = latest("uptime_kuma").unwrap();
    let values = Placeholders {
        url: "{secret}",
        secret: "s",
    };
    assert_eq!(
        preset.fill("{url} {\"{header}\": \"{secret}\"} {EVENT.ID} {", values),
        "{secret} {\"x-api-key\": \"s\"} {EVENT.ID} {"
    );
}

fn event_line(event: &Event) -> String {
    let change = match &event.change {
        AlertChange::Raised(_) => "raised",
        AlertChange::Updated(_) => "updated",
        AlertChange::Resolved => "resolved",
    };
    let mut line = format!(
        "{change} {} at {}, tenant {}",
        event.key.alert_id, event.occurred_at, event.key.tenant
    );
    if let AlertChange::Raised(now) | AlertChange::Updated(now) = &event.change {
        let payload = &now.payload;
        if let Some(name) = &payload.tenant_name {
            write!(line, " ({name})").unwrap();
        }
        write!(line, ", {} {}: {}", now.severity, now.kind, payload.title).unwrap();
        for (name, value) in [
            ("device", &payload.device),
            ("user", &payload.user),
            ("link", &payload.link),
        ] {
            if let Some(value) = value {
                write!(line, ", {name} {value}").unwrap();
            }
        }
        if let Some(at) = now.expires_at {
            write!(line, ", expires {at}").unwrap();
        }
    }
    line
}

fn mapped_lines(mapped: &MappedBody) -> Vec<String> {
    let mut lines: Vec<String> = mapped.events.iter().map(event_line).collect();
    lines.extend(mapped.unmapped.iter().map(|unmapped| {
        let index = unmapped
            .index
            .map(|at| format!(" [{at}]"))
            .unwrap_or_default();
        format!(
            "unmapped{index}: {} {}",
            unmapped.error.field, unmapped.error.problem
        )
    }));
    lines.extend((mapped.ignored > 0).then(|| format!("ignored: {}", mapped.ignored)));
    lines.extend(mapped.is_ping.then(|| "ping".to_owned()));
    lines
}

/// What a preset makes of a body, in lines, and the events.
fn outcome(preset: &Preset, body: &[u8], times: RequestTimes) -> (Vec<String>, Vec<Event>) {
    let Some(mapping) = preset.mapping() else {
        let parsed = parse_events(body, &policy(preset), times).unwrap();
        assert!(parsed.rejected.is_empty());
        let events = parsed.messages.into_iter().filter_map(|message| {
            if let Message::Event(event) = message {
                Some(event)
            } else {
                None
            }
        });
        let events: Vec<Event> = events.collect();
        return (events.iter().map(event_line).collect(), events);
    };
    let mapped = map(body, mapping, &policy(preset), times);
    (mapped_lines(&mapped), mapped.events)
}

fn samples(preset: &Preset) -> BTreeMap<String, Vec<u8>> {
    files(&folder("../../events/sources").join(&preset.name))
}

#[test]
fn each_sample_becomes_what_is_expected() {
    let mut text = String::new();
    for preset in all() {
        for (name, body) in samples(&preset) {
            writeln!(text, "{}/{name}", preset.name).unwrap();
            let (lines, _) = outcome(&preset, &body, times(0));
            assert!(!lines.is_empty(), "{}/{name}", preset.name);
            for line in lines {
                writeln!(text, "  {line}").unwrap();
            }
        }
    }
    insta::assert_snapshot!("samples", text);
}

#[test]
fn raise_repeat_and_resolve_have_one_key() {
    /// Presets whose products never report the end of an alert.
    const NEVER_RESOLVED: [&str; 4] = ["gravityzone", "gravityzone_cef", "cipp", "wazuh"];
    for preset in all() {
        let name = preset.name.as_str();
        let samples = samples(&preset);
        let keys = |sample: &str| -> Vec<AlertKey> {
            let body = samples
                .get(sample)
                .unwrap_or_else(|| panic!("{name}/{sample}"));
            let (_, events) = outcome(&preset, body, times(0));
            events.into_iter().map(|event| event.key).collect()
        };
        let raised = keys("raised");
        assert!(!raised.is_empty(), "{name}");
        assert_eq!(raised, keys("repeat"), "{name}");
        let is_resolved = !NEVER_RESOLVED.contains(&name);
        assert_eq!(is_resolved, samples.contains_key("resolved"), "{name}");
        if is_resolved {
            assert_eq!(raised, keys("resolved"), "{name}");
        } else {
            let mapping = preset.mapping().unwrap();
            assert!(mapping.expires_after_hours.is_some(), "{name}");
        }
    }
}

/// The records after these samples, received a minute apart.
fn records(preset: &Preset, life: &[&str]) -> BTreeMap<AlertKey, Record> {
    let samples = samples(preset);
    let mut records = BTreeMap::new();
    for (sample, minute) in life.iter().zip(0..) {
        let (_, events) = outcome(preset, &samples[*sample], times(minute));
        for event in events {
            let key = event.key.clone();
            let record = records.remove(&key);
            let record = record.unwrap_or_else(|| Record::new(key.clone()));
            records.insert(key, fold(record, &event));
        }
    }
    records
}

#[test]
fn the_life_of_an_alert_is_one_occurrence() {
    for preset in all() {
        let name = preset.name.as_str();
        let is_active = |life: &[&str]| -> Vec<(bool, u32)> {
            let records = records(&preset, life).into_values();
            records
                .map(|record| (record.desired.active, record.occurrence))
                .collect()
        };
        let raised = is_active(&["raised"]);
        assert!(raised.iter().all(|(active, _)| *active), "{name}");
        assert_eq!(is_active(&["raised", "repeat"]), raised, "{name}");
        if !samples(&preset).contains_key("resolved") {
            continue;
        }
        let resolved: Vec<_> = raised.iter().map(|(_, number)| (false, *number)).collect();
        assert_eq!(
            is_active(&["raised", "repeat", "resolved"]),
            resolved,
            "{name}"
        );
        // The resolve overtakes the raise. Without times, only the order of receipt is known.
        let has_time = |mapping: &EventMapping| mapping.time.is_some();
        if preset.mapping().is_none_or(has_time) {
            assert!(
                is_active(&["resolved", "raised"])
                    .iter()
                    .all(|(active, _)| !active),
                "{name}"
            );
        }
    }
}
