//! How the real binary starts.
#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test"
)]

#[path = "../../../shared/aws/tests/start/mod.rs"]
mod start;

const BINARY: &str = env!("CARGO_BIN_EXE_ingest");
const VARIABLES: [(&str, &str); 2] = [
    (
        "QUEUE_URL",
        "https://sqs.eu-central-1.amazonaws.com/1/events",
    ),
    ("SOURCE_SECRET_PREFIX", "tb/source/"),
];

start::tests_of!(BINARY, VARIABLES);
