//! A stateful simulator of the ConnectWise PSA REST API: real HTTP, ConnectWise's own words for every refusal, and
//! faults that a test can switch on. It shares no type with the client, so that a misspelt field cannot pass.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use connectwise_sim::{Seed, Sim};
//!
//! let sim = Sim::start(Seed::demo(), ([127, 0, 0, 1], 0).into()).await?;
//! println!("{}/v4_6_release/apis/3.0/system/info", sim.base_url());
//! sim.stop().await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod auth;
mod clock;
mod conditions;
mod control;
mod delivery;
mod dice;
mod faults;
mod gate;
mod interim;
mod journal;
mod kept;
mod limiter;
mod listing;
mod operations;
mod page;
mod references;
mod render;
mod routes;
mod rules;
mod schema;
mod security;
mod seed;
mod server;
mod setup_tables;
#[cfg(test)]
mod switches;
mod tickets;
mod world;

pub use seed::{Credentials, Seed, SeedError};
pub use server::{Running, Sim};
