//! Where tickets go: the API member's default board, or two dedicated boards.

mod form;
pub(crate) mod handlers;
pub(crate) mod lists;
mod progress;
mod provision;
mod reader;
mod view;
