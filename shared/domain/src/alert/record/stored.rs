//! The record as it is stored, with the steps of its trail and its outgoing events.

use super::Record;

impl Record {
    /// The record as it is stored next: one write later, with the steps and outgoing events that it
    /// shows now.
    #[must_use]
    pub fn to_stored(&self) -> Self {
        let mut stored = self.clone();
        stored.rev += 1;
        stored.trail.follow(self, &mut stored.figures);
        if let Some(outgoing) = &mut stored.outgoing {
            outgoing.follow(self);
        }
        stored
    }
}
