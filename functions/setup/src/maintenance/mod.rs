//! Maintenance windows: while one applies, new alerts make no tickets.

pub(crate) mod change;
mod form;
pub(crate) mod handlers;
mod reader;
mod view;
mod words;
