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
const VARIABLES: [(&str, &str); 10] = [
    (
        "QUEUE_URL",
        "https://sqs.eu-central-1.amazonaws.com/1/events",
    ),
    ("PAGE_ORIGIN", "https://alerts.example"),
    ("ALERTS_TABLE", "alerts"),
    ("CONFIG_TABLE", "config"),
    ("ACCESS_TABLE", "access"),
    ("CONNECTION_SECRET_PREFIX", "tb/connection/"),
    ("CLIENT_ID_SECRET", "tb/client-id"),
    ("RECONCILE_SECONDS", "900"),
    ("SNAPSHOT_LAG_SECONDS", "600"),
    ("PARTNERS_PER_TICK", "500"),
];

start::tests_of!(BINARY, VARIABLES);
