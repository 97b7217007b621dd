//! The pure core: what is wanted, what is there, what to do next.
//!
//! Nothing here does I/O, reads a clock, an environment or randomness: `now`, ids and settings are arguments. The manifest and
//! `clippy.toml` of this crate enforce it.

pub mod access;
pub mod adopt;
pub mod boards;
pub mod breaker;
pub mod choices;
pub mod command;
pub mod contact;
pub mod decide;
pub mod done;
mod email;
pub mod event;
#[cfg(test)]
mod fixtures;
pub mod fold;
pub mod folded;
pub mod health;
pub mod ids;
pub mod key;
pub mod kind;
pub mod message;
pub mod pipeline;
pub mod plan;
pub mod preview;
pub mod reaction;
pub mod record;
pub mod refusals;
pub mod release;
pub mod rights;
pub mod same_connectwise;
mod secret;
pub mod settings;
pub mod similar;
pub mod snapshot;
mod source_keys;
pub mod test_alert;
pub mod text;
pub mod ticket;
pub mod ticket_index;
pub mod time;
pub mod transport;
pub mod webhook;

pub use email::{EmailAddress, InvalidAddress};
pub use ids::{
    AlertId, ClaimId, EventId, InvalidId, Kind, PartnerId, RecordId, SnapshotId, SourceId, TenantId,
};
pub use key::{AlertKey, TicketRef};
pub use reaction::{Blocked, Reaction, Target};
pub use secret::Secret;
pub use source_keys::SourceKeys;
