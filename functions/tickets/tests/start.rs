//! What the real binary does at its start, and does not.
#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test"
)]

#[path = "../../../shared/aws/tests/start/mod.rs"]
mod start;

const BINARY: &str = env!("CARGO_BIN_EXE_tickets");
const VARIABLES: [(&str, &str); 11] = [
    (
        "QUEUE_URL",
        "https://sqs.eu-central-1.amazonaws.com/1/events",
    ),
    (
        "DEAD_LETTER_QUEUE_URL",
        "https://sqs.eu-central-1.amazonaws.com/1/events",
    ),
    (
        "DELIVERY_QUEUE_URL",
        "https://sqs.eu-central-1.amazonaws.com/1/deliveries",
    ),
    ("ALERTS_TABLE", "alerts"),
    ("CONFIG_TABLE", "config"),
    ("ACCESS_TABLE", "access"),
    ("CONNECTION_SECRET_PREFIX", "tb/connection/"),
    ("CLIENT_ID_SECRET", "tb/client-id"),
    ("SETTLE_SECONDS", "600"),
    ("TIMELINE_DAYS", "90"),
    ("QUARANTINE_DAYS", "14"),
];

start::tests_of!(BINARY, VARIABLES);
