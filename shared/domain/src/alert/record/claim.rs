//! Claims: which write to ConnectWise is under way.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::op::Op;
use crate::alert::blocked::BlockedSince;
use crate::alert::event::Severity;
use crate::time::later;
use crate::{ClaimId, RecordId, TicketRef};

/// Complete searches or looks without an effect, begun after the settling time, that end a claim.
const EMPTY_VISITS: u32 = 2;
/// An hour after settling, a search that still misses its sentinels needs a person.
const BLIND: SignedDuration = SignedDuration::from_hours(1);

/// The right to make one write to ConnectWise, held by one worker until a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Ownership is by this, not by `rev`.
    pub id: ClaimId,
    /// What is being written.
    pub op: Op,
    /// Why.
    pub reason: String,
    /// The ticket's token.
    pub ticket_ref: TicketRef,
    /// The ticket that is written to; none where one is to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<RecordId>,
    /// The board that a new ticket goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board_id: Option<RecordId>,
    /// The company that the ticket is for.
    pub company_id: RecordId,
    /// The connection's epoch.
    pub epoch: u32,
    /// The severity that the ticket is given.
    pub severity: Severity,
    /// When the write was begun.
    pub began_at: Timestamp,
    /// When the raise that the write is about was received; none where only a resolve was ever seen. Some sources put one time
    /// into all raises of an alert, so only the receipt tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raise_received_at: Option<Timestamp>,
    /// How many repeats since that raise the ticket or note reports.
    #[serde(default)]
    pub repeats: u32,
    /// No attempt under this claim goes on after this.
    pub until: Timestamp,
    /// When the outcome became unknown; an owner that vanished leaves `until` for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertain_at: Option<Timestamp>,
    /// How often ConnectWise was asked for the outcome.
    #[serde(default)]
    pub visits: u32,
    /// When it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visited_at: Option<Timestamp>,
    /// How many complete looks in a row, begun after the settling time, showed no effect.
    #[serde(default)]
    pub empty_visits: u32,
    /// How the alert is blocked if the write shows no effect. ConnectWise answered it like a write that it refuses, but did not say
    /// that nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspected_refusal: Option<BlockedSince>,
}

impl Claim {
    /// Counts a complete search or look that showed no effect. Only those begun after the settling time
    /// count.
    pub(super) fn count_empty_visit(&mut self, settle: SignedDuration, began: Timestamp) {
        self.visits += 1;
        self.visited_at = Some(began);
        self.empty_visits = match began >= later(self.uncertain_since(), settle) {
            true => self.empty_visits + 1,
            false => 0,
        };
    }

    /// Counts a search that missed its sentinels.
    pub(super) fn count_blind_visit(&mut self, began: Timestamp) {
        self.visits += 1;
        self.visited_at = Some(began);
        self.empty_visits = 0;
    }

    pub(super) fn is_without_effect(&self) -> bool {
        self.empty_visits >= EMPTY_VISITS
    }

    /// Whether searches have been blind for so long that a person must look: ConnectWise should have settled long ago.
    #[must_use]
    pub fn is_blind_too_long(&self, settle: SignedDuration, now: Timestamp) -> bool {
        now > later(later(self.uncertain_since(), settle), BLIND)
    }

    /// When its owner is done and ConnectWise had its time to settle.
    #[must_use]
    pub fn settled_at(&self, settle: SignedDuration) -> Timestamp {
        self.until.max(later(self.uncertain_since(), settle))
    }

    /// From when on the outcome is unknown, unless its owner records it: the end of the attempt, or of the claim where the owner
    /// vanished.
    #[must_use]
    pub fn uncertain_since(&self) -> Timestamp {
        self.uncertain_at.unwrap_or(self.until)
    }
}
