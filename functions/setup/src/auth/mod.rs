//! Who may use the page: mailed links, the sessions that they open, and the origin of changes.

pub(crate) mod link;
pub(crate) mod session;
pub(crate) mod start;
