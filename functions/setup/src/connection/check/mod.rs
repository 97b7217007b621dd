//! "Check connection": tests the stored connection, and shows the API member's rights.

pub(crate) mod handlers;
pub(crate) mod reader;
pub(crate) mod view;
