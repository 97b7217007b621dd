//! How far a round is. The tasks of a round run on one thread and share it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct RoundProgress {
    /// The ids of the events of which at least one delivery was accepted.
    pub(crate) events: RefCell<BTreeSet<String>>,
    /// When the deliveries about an alert were received, by the alert's id.
    pub(crate) received: RefCell<BTreeMap<String, Vec<Received>>>,
    /// The item keys of the alerts whose ticket a technician closed or merged.
    pub(crate) by_technician: RefCell<BTreeSet<String>>,
    pub(crate) deliveries: Cell<usize>,
    pub(crate) refusals: Cell<usize>,
    pub(crate) kills: Cell<usize>,
}

/// Between which times a delivery was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) sent: Timestamp,
    pub(crate) accepted: Timestamp,
}

/// What was not done when time was up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remaining {
    pub(crate) deliveries: usize,
    pub(crate) alerts: usize,
    pub(crate) messages: usize,
}
