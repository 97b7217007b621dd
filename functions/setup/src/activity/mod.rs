//! What became of each alert: the list of alerts by time, and each alert's own page.

pub(crate) mod alert_page;
pub(crate) mod filter;
pub(crate) mod handlers;
mod next_step;
pub(crate) mod reader;
pub(crate) mod state;
pub(crate) mod view;
