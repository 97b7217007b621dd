//! Claims. A claim allows one worker to make one write to ConnectWise.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::blocked::BlockedSince;
use crate::alert::event::Severity;
use crate::alert::op::Op;
use crate::time::later;
use crate::{ClaimId, Kind, RecordId, TicketRef};

/// Complete searches or looks without an effect, begun after the settling time, that end a claim.
const EMPTY_VISITS: u32 = 2;
/// An hour after settling, a search that still misses its sentinels needs a person.
const BLIND: SignedDuration = SignedDuration::from_hours(1);

/// The right of one worker to make one write to ConnectWise, until a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Ownership is by this id, not by the record's `rev`.
    pub id: ClaimId,
    pub op: Op,
    /// The reason, for logs.
    pub reason: String,
    pub ticket_ref: TicketRef,
    /// The ticket that is written to. `None` for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<RecordId>,
    /// The board of a new ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board_id: Option<RecordId>,
    /// The company of the ticket.
    pub company_id: RecordId,
    /// The connection's epoch.
    pub epoch: u32,
    /// The severity of the ticket.
    pub severity: Severity,
    /// The kind of the alert. `None` if only a resolve was ever received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// When the write started.
    pub began_at: Timestamp,
    /// When the raise of this write was received. `None` if only a resolve was ever received. Some
    /// sources give one time to all raises of an alert, so only the receipt tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raise_received_at: Option<Timestamp>,
    #[serde(default)]
    pub repeats: u32,
    /// Whether the new ticket is linked to the configuration of its device afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub links_configuration: bool,
    /// No attempt under this claim continues after this time.
    pub until: Timestamp,
    /// When the outcome became unknown. If the worker died, `until` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertain_at: Option<Timestamp>,
    /// How often the outcome was looked up.
    #[serde(default)]
    pub visits: u32,
    /// When it was last looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visited_at: Option<Timestamp>,
    /// How many complete lookups in a row showed no effect. Only those that started after the
    /// settling time count.
    #[serde(default)]
    pub empty_visits: u32,
    /// The block of the alert if the write shows no effect: ConnectWise answered as if it refused
    /// the write, but did not say that nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspected_refusal: Option<BlockedSince>,
}

impl Claim {
    /// Counts a complete search or look that showed no effect. Only those begun after the settling
    /// time count.
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

    /// Whether searches have missed their sentinels for so long that a person must look.
    /// ConnectWise should have settled long ago.
    #[must_use]
    pub fn is_blind_too_long(&self, settle: SignedDuration, now: Timestamp) -> bool {
        now > later(later(self.uncertain_since(), settle), BLIND)
    }

    /// When its owner has stopped and ConnectWise has settled.
    #[must_use]
    pub fn settled_at(&self, settle: SignedDuration) -> Timestamp {
        self.until.max(later(self.uncertain_since(), settle))
    }

    /// Since when the outcome is unknown: the end of the attempt, or of the claim if the worker
    /// died.
    #[must_use]
    pub fn uncertain_since(&self) -> Timestamp {
        self.uncertain_at.unwrap_or(self.until)
    }
}
