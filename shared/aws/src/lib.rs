//! The edge to AWS that functions share: start-up, what is counted, an invocation's time, the queue, Secrets Manager, mail and other functions.
//!
//! No DynamoDB here: `ingest` links this crate and has no table.

mod cause;
pub mod config;
pub mod functions;
pub mod invocation;
pub mod mail;
pub mod metrics;
pub mod panics;
pub mod queue;
pub mod secret_writer;
pub mod secrets;
pub mod startup;
