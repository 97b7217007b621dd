//! Tests of the deployed template. Each starts a stack of its own on this machine.
//! `tests/deployed.rs` lists them.

pub mod alert_storm;
mod alert_tickets;
pub mod alertmanager;
pub mod calls;
pub mod chaos;
mod checklist;
pub mod iam_denials;
pub mod isolation;
pub mod operator_program;
pub mod outgoing_webhook;
pub mod restore;
pub mod scale;
pub mod smoke;
pub mod ticket_rules;
