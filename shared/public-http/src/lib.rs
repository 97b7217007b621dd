//! HTTP to addresses that others name: a partner its ConnectWise, an operator the receiver of a
//! webhook. Such an address must not lead into a private network. So each address is checked where
//! its name is resolved, and what is private is reached only if the operator listed it.
//!
//! What must not be here: which hosts a caller allows beyond that, keys, retries.

mod client;
mod ip_ranges;
mod receiver;
mod resolver;

pub use client::{HttpBuildError, client_builder};
pub use ip_ranges::is_forbidden_literal;
pub use receiver::{InvalidReceiver, InvalidReceiverOrigin, ReceiverOrigins, ReceiverUrl};
pub use resolver::{AddressRefused, SystemResolver};
