//! The contacts: each gets the mails that it chose, and can request new links to this page. An
//! address becomes a contact once it is confirmed by a mailed link.

pub(crate) mod change;
pub(crate) mod handlers;
mod view;
