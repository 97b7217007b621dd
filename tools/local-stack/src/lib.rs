//! The whole of Ticketbridge on this machine: the emulator of AWS, the deployed template, a
//! simulated ConnectWise, and what drives and inspects them. Commands and tests start a
//! [`stack::Stack`]; dropping it ends everything that it started.

pub mod binaries;
pub mod call_counter;
pub mod capacity;
pub mod debian;
pub mod deployment;
pub mod empty_stack;
pub mod emulator;
pub mod environment;
pub mod inspector;
pub mod journal;
pub mod npm;
pub mod operator;
pub mod partner_page;
pub mod process;
pub mod process_usage;
pub mod progress;
pub mod proxy;
pub mod run_folder;
pub mod runtime_api;
pub mod seed;
pub mod signals;
pub mod simulator;
pub mod source;
pub mod stack;
pub mod stack_file;
pub mod table;
pub mod venv;
