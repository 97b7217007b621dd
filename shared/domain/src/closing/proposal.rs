//! What reconcile proposes about one alert.

use jiff::Timestamp;

use crate::RecordId;
use crate::alert::key::ItemKey;
use crate::alert::resolution::Resolution;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    pub key: ItemKey,
    pub action: ProposedAction,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposedAction {
    /// Resolve the alert, if its last event still has this time.
    Resolve { last: Timestamp, shown: Resolution },
    /// Look at this ticket: it differs from the record, or is out of reach.
    Look(RecordId),
    /// Look for duplicates of this ticket: another one has the same reference.
    LookForDuplicates(RecordId),
}
