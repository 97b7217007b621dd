//! What goes wrong at the sites of the partners with faults, all at once. Pure, but for the dice.

use serde_json::{Value, json};

use super::stories::POISON;
use crate::dice::Dice;

/// How late a late write takes effect, in seconds. The longest is shorter than the settling time.
pub(crate) const LATE: (usize, usize) = (5, 60);
/// Every write that we make.
const WRITES: [&str; 6] = ["create", "note", "priority", "close", "reopen", "status"];
/// What stands before ConnectWise answers in place of it, to any call.
const PAGES: [u16; 5] = [200, 302, 404, 502, 503];

/// One moment of the storm. Some moments refuse every call: one in eight with 429, one in ten with a page.
pub(crate) fn storm(dice: &mut Dice) -> Value {
    let seconds = dice.between(LATE.0, LATE.1);
    let status = dice.one_of(&PAGES).copied().unwrap_or(503);
    let is_throttled = dice.between(1, 8) == 1;
    let page_rate = if dice.between(1, 10) == 1 { 1.0 } else { 0.02 };
    json!({
        "error_rate": 0.15,
        "throttle": { "all": is_throttled, "retry_after_seconds": dice.between(1, 5) },
        "rules": [
            firewall(),
            {
                "then": { "answer": { "status": status, "headers": { "location": "https://example.com/" } } },
                "rate": page_rate,
            },
            { "when": { "operations": WRITES }, "then": "lost", "rate": 0.08 },
            { "when": { "operations": ["read"] }, "then": "cut", "rate": 0.02 },
            { "when": { "operations": WRITES }, "then": { "late": { "seconds": seconds } }, "rate": 0.05 },
        ],
        "workflows": [{ "after": "note", "do": "reopen" }],
    })
}

/// After the storm: the firewall and the workflow stay, since they are part of the site.
pub(crate) fn calm() -> Value {
    json!({
        "error_rate": 0,
        "throttle": { "all": false },
        "rules": [firewall()],
    })
}

/// A firewall that refuses one text with a page, in whatever call it stands.
fn firewall() -> Value {
    json!({ "when": { "text": POISON }, "then": { "answer": { "status": 403 } } })
}
