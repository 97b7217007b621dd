//! How far a round is. The tasks of a round run on one thread and share it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct RoundProgress {
    /// The ids of the events of which at least one delivery was accepted.
    pub(crate) events: RefCell<BTreeSet<String>>,
    /// When the first event of an alert was accepted, by the alert's id.
    pub(crate) accepted: RefCell<BTreeMap<String, Timestamp>>,
    /// The item keys of the alerts whose ticket a technician closed or merged.
    pub(crate) by_technician: RefCell<BTreeSet<String>>,
    pub(crate) deliveries: Cell<usize>,
    pub(crate) refusals: Cell<usize>,
    pub(crate) kills: Cell<usize>,
}

/// What was not done when time was up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remaining {
    pub(crate) deliveries: usize,
    pub(crate) alerts: usize,
    pub(crate) messages: usize,
}
