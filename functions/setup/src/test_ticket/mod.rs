//! "Test ticket": an alert marked as a test, created and closed here at any time. It is processed
//! like every alert, so the page shows the state of its record.

pub(crate) mod handlers;
mod reader;
mod state;
mod view;
