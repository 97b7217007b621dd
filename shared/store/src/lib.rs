//! DynamoDB: alert records, snapshot parts, and what partners set up.
//!
//! Nothing is decided here: pure functions of `domain` change records, this crate reads and writes them. Two tables:
//! `alerts` with the key `pk`, and `config` with `pk` and `sk`.

mod alerts;
mod config;
mod error;

pub use alerts::{Alerts, Written};
pub use config::{ConfigTable, Connection};
pub use error::Error;
