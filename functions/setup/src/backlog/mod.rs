//! Active alerts without a ticket: counted by tenant and reason, shown with
//! their texts, and released by a person.

pub(crate) mod count;
pub(crate) mod handlers;
pub(crate) mod reasons;
mod tenant_reader;
mod tenant_view;
mod view;
pub(crate) mod words;
