//! How a source proves itself, from where it may post, and what it gets as a response: chosen for a
//! new source, and changed later. Secrets are made and entered on the page of the source.

pub(crate) mod form;
pub(crate) mod handlers;
pub(crate) mod view;
pub(crate) mod words;
