//! The rights of ConnectWise's security roles that our calls need.
//!
//! A refusal (403) does not say which right is missing, so each call names the one that it needs; pages and mails show it.

pub use domain::rights::*;
