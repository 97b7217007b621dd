//! What the real binary does at its start, and does not.
#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test"
)]

#[path = "../../../shared/aws/tests/start/mod.rs"]
mod start;

#[test]
fn the_function_asks_for_its_first_event_without_reading_the_systems_roots() {
    start::asks_for_its_first_event(
        env!("CARGO_BIN_EXE_tickets"),
        &[
            (
                "QUEUE_URL",
                "https://sqs.eu-central-1.amazonaws.com/1/events",
            ),
            (
                "DEAD_LETTER_QUEUE_URL",
                "https://sqs.eu-central-1.amazonaws.com/1/events",
            ),
            ("ALERTS_TABLE", "alerts"),
            ("CONFIG_TABLE", "config"),
            ("ACCESS_TABLE", "access"),
            ("CONNECTION_SECRET_PREFIX", "tb/connection/"),
            ("CLIENT_ID_SECRET", "tb/client-id"),
            ("SETTLE_SECONDS", "600"),
        ],
    );
}
