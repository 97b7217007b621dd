//! Bodies of other formats: a line with a mapping or the name of a preset. The rest is the body.
#![no_main]

use domain::alert::event::AlertChange;
use domain::source::mapping::EventMapping;
use domain::source::mapping::apply::map;
use domain::source::presets;
use domain::wire::message::Message;
use domain::wire::webhook::{MAX_EVENTS, SourcePolicy};
use fuzz::{expect_printable, is_readable, policy, times};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |&byte| byte == b'\n');
    let first = std::str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default();
    let body = parts.next().unwrap_or_default();
    let mut policy: SourcePolicy = policy();
    let mapping = match presets::latest(first) {
        Some(preset) => {
            policy.kinds_added.clone_from(&preset.kinds_added);
            preset.mapping().cloned()
        }
        None => match EventMapping::parse(first, &[]) {
            Ok(mapping) => Some(mapping),
            Err(err) => {
                expect_printable(&err);
                None
            }
        },
    };
    let Some(mapping) = mapping else {
        return;
    };
    let mapped = map(body, &mapping, &policy, times());
    let total = mapped.events.len() + mapped.unmapped.len() + mapped.ignored;
    assert!(total <= MAX_EVENTS);
    assert!(!mapped.is_ping || total == 0);
    for part in &mapped.unmapped {
        expect_printable(&part.error);
        // A checked mapping has a kind and a severity for every alert.
        assert!(part.error.field != "kind" && part.error.field != "severity");
    }
    for event in mapped.events {
        if let AlertChange::Raised(now) | AlertChange::Updated(now) = &event.change {
            assert!(!now.payload.title.trim().is_empty());
            assert!(now.payload.description.len() <= 32 * 1024);
        }
        // SQS accepts 256 KiB.
        assert!(is_readable(&Message::Event(event)) < 128 * 1024);
    }
    assert!(mapped.dropped.to_string().len() < 200);
});
