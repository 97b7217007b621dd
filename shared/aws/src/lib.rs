//! The edge to AWS that functions share: start-up, an invocation's time, the queue, Secrets Manager and other functions.
//!
//! No DynamoDB here: `ingest` links this crate and has no table.

pub mod config;
pub mod functions;
pub mod invocation;
pub mod queue;
pub mod secrets;
pub mod startup;
