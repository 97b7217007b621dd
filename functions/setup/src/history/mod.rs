//! The history: who changed what.

pub(crate) mod handlers;
mod view;
mod words;
