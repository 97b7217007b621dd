//! What the real binary does at its start, and does not.
#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test"
)]

#[path = "../../../shared/aws/tests/start/mod.rs"]
mod start;

const BINARY: &str = env!("CARGO_BIN_EXE_setup");
const VARIABLES: [(&str, &str); 13] = [
    ("PAGE_ORIGIN", "https://alerts.example"),
    ("WEBHOOK_URL", "https://alerts.example/v1/events/{source}"),
    (
        "QUEUE_URL",
        "https://sqs.eu-central-1.amazonaws.com/1/events",
    ),
    ("ALERTS_TABLE", "alerts"),
    ("CONFIG_TABLE", "config"),
    ("ACCESS_TABLE", "access"),
    ("CONNECTION_SECRET_PREFIX", "tb/connection/"),
    ("SOURCE_SECRET_PREFIX", "tb/source/"),
    ("DELIVERIES_TABLE", "deliveries"),
    ("CLIENT_ID_SECRET", "tb/client-id"),
    ("MAIL_FROM", "ticketbridge@mail.example"),
    ("QUARANTINE_DAYS", "14"),
    ("HISTORY_DAYS", "400"),
];

start::tests_of!(BINARY, VARIABLES);
