//! x

use jiff::Timestamp;

use crate::RecordId;
use crate::alert::key::ItemKey;
use crate::alert::resolution::Resolution;

/// One alert that something is to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its item.
    pub key: ItemKey,
    /// What is to be asked.
    pub action: ProposedAction,
}

/// What is to be asked about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposedAction {
    /// It is gone, if this is still the time of the last event about it.
    Resolve {
        /// That time.
        last: Timestamp,
        /// What shows it.
        shown: Resolution,
    },
    /// This ticket is not as it is recorded, or out of reach.
    Look(RecordId),
    /// This ticket is not the only one with its token.
    LookForDuplicates(RecordId),
}
