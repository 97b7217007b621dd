//! Active alerts without a ticket: counted by tenant and reason, and released by a person.

pub(crate) mod count;
pub(crate) mod handlers;
mod view;
