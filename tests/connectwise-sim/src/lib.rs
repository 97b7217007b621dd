//! A stateful simulator of the ConnectWise PSA REST API. It speaks real HTTP, uses ConnectWise's own error
//! messages, and injects faults that a test sets through its control API at `/_sim`. It shares no type
//! with any client, so that a misspelt field cannot pass unnoticed.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use connectwise_sim::{Seed, Simulator};
//!
//! let sim = Simulator::start(Seed::demo(), ([127, 0, 0, 1], 0).into()).await?;
//! println!("{}/v4_6_release/apis/3.0/system/info", sim.base_url());
//! sim.stop().await;
//! # Ok(())
//! # }
//! ```

mod auth;
mod clock;
mod conditions;
mod control;
mod dashboard;
mod delivery;
#[cfg(test)]
mod documented_faults;
mod execution;
mod fault_rules;
mod faults;
mod http;
mod interim;
mod journal;
mod listing;
mod patch_operations;
mod pipeline;
mod rate_limiter;
mod references;
mod render;
mod response;
mod routes;
mod schema;
mod security;
mod seed;
mod server;
mod setup_tables;
mod shared;
mod site;
mod storage;
mod tickets;

pub use seed::{Credentials, Seed, SeedError};
pub use server::Simulator;
