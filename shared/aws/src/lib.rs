//! The edge to AWS that functions share: start-up, the queue and Secrets Manager.
//!
//! No DynamoDB here: `ingest` links this crate and has no table.

pub mod config;
pub mod queue;
pub mod secrets;
pub mod startup;
