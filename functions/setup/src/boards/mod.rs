//! Where tickets go: the API member's default board, or two dedicated boards.

mod form;
pub(crate) mod handlers;
mod progress;
mod provision;
pub(crate) mod reader;
mod view;
