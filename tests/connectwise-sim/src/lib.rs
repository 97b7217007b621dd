#![doc = include_str!("../README.md")]

mod auth;
mod callbacks;
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
