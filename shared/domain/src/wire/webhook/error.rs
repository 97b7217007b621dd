//! What is wrong with a body or an event.

use std::collections::BTreeMap;
use std::fmt;

use crate::PartnerId;
use crate::wire::invalid_field::InvalidField;

/// The most events in one body.
pub const MAX_EVENTS: usize = 1000;

/// An event that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRejection {
    /// Its index in the batch, from 0.
    pub index: usize,
    /// What is wrong with it. The field has the index only if the body is a batch.
    pub error: InvalidField,
    /// The partner that it names, if known.
    pub partner: Option<PartnerId>,
}

/// Members that were dropped because they could not be read, with the number of events for each
/// name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DroppedFields(BTreeMap<&'static str, usize>);

impl DroppedFields {
    pub(crate) fn count(&mut self, member: &'static str) {
        *self.0.entry(member).or_default() += 1;
    }

    /// Counts a member of an event once, also if it was unreadable and is then missing.
    pub(crate) fn count_once(&mut self, member: &'static str) {
        self.0.entry(member).or_insert(1);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (member, events) in &other.0 {
            *self.0.entry(member).or_default() += events;
        }
    }

    /// The number of dropped members.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
}

/// Only names and numbers, such as `link 3, time 1`, so that it can be logged.
impl fmt::Display for DroppedFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (member, events)) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(f, "{gap}{member} {events}")?;
        }
        Ok(())
    }
}

/// A body of which no event can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableBody {
    /// It is neither an event nor a batch of events.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
    /// It has too many events.
    #[error("a batch has at most {MAX_EVENTS} events, and this one has {0}")]
    TooManyEvents(usize),
}
