//! The partner's tenants: each is mapped to a ConnectWise company, and switched on or off.
//!
//! A tenant's id may contain any character, so it is in a query or a form and never in a path.

pub(crate) mod handlers;
pub(crate) mod reader;
mod suggestions;
mod view;
