//! Messages that could not be read: listed, shown, replayed with the present mapping, or discarded.

pub(crate) mod handlers;
mod replay;
pub(crate) mod view;
