//! x

use std::collections::BTreeMap;
use std::fmt;

use super::MAX_EVENTS;
use crate::PartnerId;

/// What is wrong with a body, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidField {
    /// The member, such as `data.kind` or `[3].time`.
    pub field: String,
    /// What is wrong and what is expected.
    pub problem: String,
}

impl InvalidField {
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

/// An event that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRejection {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// What is wrong with it; the field carries the place in the batch only where the body is a batch.
    pub error: InvalidField,
    /// The partner whose alert it would have been, where that is known.
    pub partner: Option<PartnerId>,
}

/// Members that were left out because they could not be read, by name: how many events each concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DroppedFields(BTreeMap<&'static str, usize>);

impl DroppedFields {
    pub(crate) fn count(&mut self, member: &'static str) {
        *self.0.entry(member).or_default() += 1;
    }

    /// Counts an event's member once, also where it was unreadable and is then missing.
    pub(crate) fn count_once(&mut self, member: &'static str) {
        self.0.entry(member).or_insert(1);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (member, events) in &other.0 {
            *self.0.entry(member).or_default() += events;
        }
    }

    /// How many members were left out.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
}

/// Names and numbers alone, such as `link 3, time 1`: fit for a log.
impl fmt::Display for DroppedFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (member, events)) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(f, "{gap}{member} {events}")?;
        }
        Ok(())
    }
}

/// Why nothing of a body can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableBody {
    /// It is not an event and not a batch of events.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
    /// It has more events than are taken at once.
    #[error("a batch has at most {MAX_EVENTS} events, and this one has {0}")]
    TooManyEvents(usize),
}
