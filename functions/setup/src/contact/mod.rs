//! The emergency contact: it gets mails about problems, and new links to this page. A new address
//! becomes the contact once it is confirmed by a mailed link. Until then the contact stays.

pub(crate) mod change;
pub(crate) mod handlers;
mod view;
