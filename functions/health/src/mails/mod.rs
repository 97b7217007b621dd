//! The mails to the contacts: what is broken or waits, since when, which alerts are blocked, what to
//! do, and where. Text and HTML say the same. Names are chosen by people, so each is one short line,
//! and escaped. Pure.

mod context;
mod draft;
mod held;
mod incidents;
mod sources;
mod waiting;
mod weekly;
mod words;

pub(crate) use context::MailContext;
pub(crate) use held::held;
pub(crate) use incidents::{broken, more, reminder, works};
pub(crate) use waiting::waiting;
pub(crate) use weekly::{WeekFacts, weekly};
pub(crate) use words::MAX_NAMED;

#[cfg(test)]
mod tests;
