//! What the real binary does at its start, and does not.
#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test"
)]

#[path = "../../../shared/aws/tests/start/mod.rs"]
mod start;

const BINARY: &str = env!("CARGO_BIN_EXE_reconcile");
const VARIABLES: [(&str, &str); 8] = [
    (
        "QUEUE_URL",
        "https://sqs.eu-central-1.amazonaws.com/1/events",
    ),
    ("ALERTS_TABLE", "alerts"),
    ("CONFIG_TABLE", "config"),
    ("ACCESS_TABLE", "access"),
    ("CONNECTION_SECRET_PREFIX", "tb/connection/"),
    ("CLIENT_ID_SECRET", "tb/client-id"),
    ("RECONCILE_SECONDS", "900"),
    ("SNAPSHOT_LAG_SECONDS", "600"),
];

#[test]
fn the_function_asks_for_its_first_event_without_reading_the_systems_roots() {
    start::asks_for_its_first_event(BINARY, &VARIABLES);
}

#[test]
fn a_panic_or_a_missing_variable_at_the_start_is_one_line_of_the_log() {
    start::logs_why_it_does_not_start(BINARY, &VARIABLES);
}

#[test]
fn an_address_that_others_can_read_on_the_way_is_refused_at_the_start() {
    start::refuses_plain_http(BINARY, &VARIABLES);
}
