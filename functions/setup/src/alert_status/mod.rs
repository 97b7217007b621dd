//! What became of an alert: for its source, by the source's own proof, and the permanent address of
//! an alert's page.

pub(crate) mod document;
pub(crate) mod handlers;
mod link;

pub(crate) use link::{ALERT_LINK, alert_link, open};
