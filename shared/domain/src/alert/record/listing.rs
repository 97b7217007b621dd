//! When reconcile looks at a record, how the sparse index lists it, and when only a tombstone is kept.

use jiff::{SignedDuration, Timestamp};

use super::{Actual, Record};
use crate::alert::figures::AlertFigures;
use crate::alert::key::shard;
use crate::alert::trail::Trail;
use crate::time::{later, sortable};

/// A claim that no worker has looked at for this long lost its message. It is longer than any
/// back-off and than ConnectWise's settling time.
const ABANDONED: SignedDuration = SignedDuration::from_mins(30);

impl Record {
    /// This long after its ticket was closed, reduces the record to a tombstone: its occurrence, its
    /// ticket and the last event, so that an old event makes no second ticket. A tombstone stays
    /// for ever.
    #[must_use]
    pub fn shrink(mut self, retention: SignedDuration, now: Timestamp) -> Self {
        if self.shrinks_at(retention).is_some_and(|at| at <= now) {
            self.desired.active = false;
            self.desired.details = None;
            self.desired.resolution = None;
            self.folded.shrink();
            self.summary = None;
            self.raises.clear();
            self.trail = Trail::default();
            self.figures = AlertFigures::default();
            if let Some(outgoing) = &mut self.outgoing {
                outgoing.shrink();
            }
        }
        self
    }

    /// When only a tombstone is needed, this long after the ticket was closed. `None` while
    /// something is still to be done, or if the record is a tombstone.
    #[must_use]
    pub fn shrinks_at(&self, retention: SignedDuration) -> Option<Timestamp> {
        let is_over = self.claim.is_none()
            && self.blocked.is_none()
            && self.pending_rechecks().next().is_none()
            && self.duplicates.is_empty();
        match &self.actual {
            Some(Actual::Closed(closed)) if is_over && self.desired.details.is_some() => {
                // If the record were reduced while the alert is repeated, the alert would look new
                // although a person closed its ticket.
                let repeated = self
                    .desired
                    .last_received_at
                    .filter(|_| self.desired.active);
                Some(later(
                    repeated.map_or(closed.at, |at| at.max(closed.at)),
                    retention,
                ))
            }
            Some(Actual::Open(_) | Actual::Closed(_)) | None => None,
        }
    }

    /// When reconcile must look at the record even if no message comes: for a recheck, for a claim
    /// whose message was lost, for a note about a changed title, or to shrink it after its retention.
    #[must_use]
    pub fn next_check_at(&self, retention: SignedDuration) -> Option<Timestamp> {
        let abandoned = self.claim.as_ref().map(|claim| {
            let seen = claim.until.max(claim.uncertain_since());
            let seen = claim.visited_at.map_or(seen, |at| seen.max(at));
            later(seen, ABANDONED)
        });
        let rechecks = self.pending_rechecks().map(|recheck| recheck.at);
        let shrinks = self.shrinks_at(retention);
        rechecks
            .chain(abandoned)
            .chain(self.title_note_at())
            .chain(shrinks)
            .min()
    }

    /// When the occurrence was raised, by the receipt: the place of the alert in a list by time.
    /// `None` if there is nothing to show.
    #[must_use]
    pub fn listed_at(&self) -> Option<Timestamp> {
        self.summary.as_ref()?;
        let details = self.desired.details.as_ref()?;
        Some(details.raise_received_at)
    }

    /// The keys in the sparse index: `(state_of, tenant_since)`. `None` if there is no ticket and
    /// no block, or if everything is over.
    #[must_use]
    pub fn index(&self, item_key: &str) -> Option<(String, String)> {
        let (state, since) = match (&self.blocked, &self.actual) {
            (Some(blocked), _) => ("blocked", blocked.since),
            (None, Some(Actual::Open(open))) => ("open", open.opened_at),
            // A person closed the ticket of an active alert. Snapshots and expiry show when it is
            // resolved, so that the next raise is a new occurrence.
            (None, Some(Actual::Closed(closed))) if self.desired.active => ("open", closed.at),
            (None, Some(Actual::Closed(closed))) if self.desired.details.is_some() => {
                ("closed", closed.at)
            }
            (None, Some(Actual::Closed(_)) | None) => return None,
        };
        let key = &self.key;
        Some((
            format!("{}#{state}#{}", key.partner, shard(item_key)),
            format!("{}#{}", key.tenant, sortable(since)),
        ))
    }
}
