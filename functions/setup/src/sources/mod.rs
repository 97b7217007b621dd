//! Sources: which partners each may post for, its format, its added kinds, and its secrets.
//!
//! The webhook endpoint uses a source's document in Secrets Manager. The item in the table is the
//! desired state, and the lock of the document, which has no version of its own: a change locks the
//! item until the end of the invocation, reads and writes the document, then unlocks the item. If
//! the process dies in between, the item is ahead of the document (`complete` shows that), and the
//! lock expires half a minute later. Every change writes the whole document, so repeating any of
//! them repairs it.

mod access;
pub(crate) mod authentication;
pub(crate) mod change;
mod form;
pub(crate) mod format;
pub(crate) mod handlers;
pub(crate) mod inactivity;
pub(crate) mod inactivity_view;
pub(crate) mod manage;
pub(crate) mod mapping;
pub(crate) mod messages;
mod reader;
mod rotation;
pub(crate) mod samples;
mod view;
pub(crate) mod webhook;

pub(crate) use view::one_path;
