//! The team and the owner of a tenant's tickets.

pub(crate) mod choices;
pub(crate) mod handlers;
mod view;
