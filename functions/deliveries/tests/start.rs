//! What the real binary does at its start, and does not.
#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test"
)]

#[path = "../../../shared/aws/tests/start/mod.rs"]
mod start;

const BINARY: &str = env!("CARGO_BIN_EXE_deliveries");
const VARIABLES: [(&str, &str); 3] = [
    ("DELIVERIES_TABLE", "deliveries"),
    (
        "QUEUE_URL",
        "https://sqs.us-east-1.amazonaws.com/000000000000/events",
    ),
    ("SOURCE_SECRET_PREFIX", "tb/source/"),
];

start::tests_of!(BINARY, VARIABLES);
