//! The first page of a person who is signed in: the steps, and what needs attention.

mod chart;
mod figures;
pub(crate) mod handlers;
mod incidents;
pub(crate) mod reader;
pub(crate) mod view;
