//! Held bulk closings of a tenant: the overview shows them, and a person approves them.

pub(crate) mod handlers;
pub(crate) mod view;
