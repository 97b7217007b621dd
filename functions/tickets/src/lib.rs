//! The consumer of the queue: it folds each event into its alert's record, decides, and acts. It is
//! the only writer of tickets to ConnectWise.
//!
//! A message is acknowledged only after its effect is in DynamoDB. This function sends no messages
//! to the queue that it reads. It may delay a message, or send one that can never be processed to
//! the dead-letter queue. Events for webhooks of sources go to the queue of `deliveries`.

mod admission;
mod backoff;
mod case;
mod company_records;
mod config;
mod connection;
mod handler;
mod invocation;
mod lookups;
mod made_write;
mod oldest_message;
mod outcome;
mod outgoing;
mod records;
mod searches;
mod sentinels;
mod source_activity;
mod ticket_calls;
mod ticket_error;
mod ticket_writes;
mod worker;

pub use config::Config;
pub use handler::TicketsHandler;
pub use invocation::BatchInvocation;
