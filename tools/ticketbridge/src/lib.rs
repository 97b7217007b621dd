//! The operator's commands on a deployed stack, or on the one that `cargo xtask up` runs.

mod alerts;
pub mod arguments;
pub mod aws_environment;
mod check;
pub mod context;
pub mod dead_letters;
mod deletion;
mod doctor;
mod history;
mod http_client;
mod links;
mod maintenance;
pub mod operator_api;
pub mod output;
mod partners;
pub mod rebuild;
pub mod replay;
mod setup_file;
mod shell_files;
mod sources;
pub mod target;
mod version;
