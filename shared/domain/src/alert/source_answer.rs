//! The answer of a source to an action that a technician asked for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::record::{OpenTicket, Record};
use crate::{AlertKey, RecordId};

/// An answer, as `deliveries` sends it to the ticket worker. It can come twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceAnswer {
    pub key: AlertKey,
    pub ticket_id: RecordId,
    /// When the action was asked for, as the event to the source said.
    pub asked_at: Timestamp,
    /// The text for a note.
    pub text: String,
}

impl SourceAnswer {
    /// Stores the answer, if it is the first one and the ticket is still in the status.
    #[must_use]
    pub fn apply(&self, record: Record) -> Record {
        let is_unanswered = |open: &OpenTicket| {
            let asked = open.action.as_ref();
            let is_it =
                asked.is_some_and(|asked| asked.at == self.asked_at && asked.is_unanswered());
            is_it && open.ticket_id == self.ticket_id
        };
        match record.open().is_some_and(is_unanswered) {
            true => record.with_answer(&self.text),
            false => record,
        }
    }
}
