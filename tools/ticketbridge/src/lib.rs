//! The operator's commands on a deployed stack, or on the one that `cargo xtask up` runs.

pub mod aws_environment;
mod history;
pub mod rebuild;
pub mod redrive;
pub mod replay;
pub mod target;
