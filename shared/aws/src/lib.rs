//! AWS access that the functions share: start-up, metrics, invocations, the queue, Secrets Manager,
//! mail and calls of other functions.
//!
//! DynamoDB is not here, since `ingest` links this crate and uses no table.

mod cause;
pub mod config;
pub mod functions;
pub mod http_client;
pub mod invocation;
pub mod mail;
pub mod metrics;
pub mod panics;
pub mod queue;
pub mod secret_writer;
pub mod secrets;
#[cfg(feature = "signing")]
pub mod signing;
pub mod startup;
