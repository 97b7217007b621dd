//! Notifies the webhooks of sources of what became of their alerts.
//!
//! A message of `tickets` becomes rows of the deliveries table, and then as many POSTs, or silences in
//! an Alertmanager. Each tick resumes what is due: a receiver that was down, a delivery that was
//! refused, a worker that died. So no message waits for a receiver, and nothing here reads or writes
//! a record or a ticket. The answer to an action goes to `tickets` as a message, which writes it as a
//! note.
//!
//! The events of an alert are delivered in order and at least once: the next one is posted after
//! the receiver confirmed the one before, or after that one was given up.

mod alertmanager;
mod answers;
mod attempt;
mod config;
mod deliverer;
mod handler;
mod sender;
mod tick;

pub use config::Config;
pub use handler::{BuildError, DeliveriesHandler};
