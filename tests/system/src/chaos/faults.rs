//! The faults of ConnectWise, all at once. Pure, apart from the random generator.

use std::ops::RangeInclusive;

use fastrand::Rng;
use serde_json::{Value, json};

use super::scenarios::POISON;

/// How late a late write takes effect, in seconds. The maximum is below the settling time.
pub(crate) const LATE_SECONDS: RangeInclusive<u64> = 5..=60;
/// Every write that Ticketbridge makes.
const WRITES: [&str; 6] = ["create", "note", "priority", "close", "reopen", "status"];
/// The statuses that a proxy in front of ConnectWise answers with, to any call.
const PAGES: [u16; 5] = [200, 302, 404, 502, 503];

/// The faults of one moment of the storm. One moment in eight throttles every call with 429, and
/// one in ten answers every call with a page.
pub(crate) fn storm(rng: &mut Rng) -> Value {
    let seconds = rng.u64(LATE_SECONDS);
    let status = rng.choice(PAGES).unwrap_or(503);
    let is_throttled = rng.u8(1..=8) == 1;
    let page_rate = if rng.u8(1..=10) == 1 { 1.0 } else { 0.02 };
    let page = json!({ "status": status, "headers": { "location": "https://example.com/" } });
    json!({
        "error_rate": 0.15,
        "throttle": { "all": is_throttled, "retry_after_seconds": rng.u8(1..=5) },
        "rules": [
            firewall(),
            { "then": { "answer": page }, "rate": page_rate },
            { "when": { "operations": WRITES }, "then": "lost", "rate": 0.08 },
            { "when": { "operations": ["read"] }, "then": "cut", "rate": 0.02 },
            {
                "when": { "operations": WRITES },
                "then": { "late": { "seconds": seconds } },
                "rate": 0.05,
            },
        ],
        "workflows": [{ "after": "note", "do": "reopen" }],
    })
}

/// The faults after the storm. The firewall and the workflow stay, since they are part of the site.
pub(crate) fn calm() -> Value {
    json!({
        "error_rate": 0,
        "throttle": { "all": false },
        "rules": [firewall()],
    })
}

/// A firewall that answers 403 to any call with one text.
fn firewall() -> Value {
    json!({ "when": { "text": POISON }, "then": { "answer": { "status": 403 } } })
}
