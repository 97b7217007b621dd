//! The connection to the partner's ConnectWise: its address, the API member's keys, and its rights.

mod address;
pub(crate) mod check;
pub(crate) mod client;
pub(crate) mod contract;
mod error;
mod form;
pub(crate) mod handlers;
mod prove;
mod rights;
#[cfg(test)]
mod test_site;
mod view;
