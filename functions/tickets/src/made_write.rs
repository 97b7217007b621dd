//! A write that was made, while its outcome is not in the table yet.

use domain::alert::record::{Claim, Record};
use domain::ticketing::claimed_write::{ClaimedOutcome, apply_outcome};
use domain::ticketing::write_effect::WriteEffect;
use jiff::Timestamp;

/// A write to an existing ticket that took effect. Its claim is in the table, its outcome is not. If
/// the process dies, the outcome is looked up.
#[derive(Debug)]
pub(crate) struct MadeWrite {
    /// The record as it is stored.
    pub(crate) record: Record,
    pub(crate) claim: Claim,
    pub(crate) effect: WriteEffect,
    pub(crate) at: Timestamp,
}

impl MadeWrite {
    /// The stored record with the outcome.
    pub(crate) fn recorded(&self) -> Record {
        self.record_in(self.record.clone())
    }

    /// The record, as it is now, with the outcome.
    pub(crate) fn record_in(&self, record: Record) -> Record {
        let outcome = ClaimedOutcome::Effect(self.effect.clone());
        // No text is kept: the ticket has it.
        apply_outcome(record, &self.claim, &outcome, None, self.at)
    }
}
