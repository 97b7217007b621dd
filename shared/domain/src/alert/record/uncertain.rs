//! Writes of unknown outcome: lookups, giving up, and late effects.

use jiff::{SignedDuration, Timestamp};

use super::{BlockedSince, CallRefusal, Claim, Op, Recheck, Record};
use crate::Blocked;
use crate::alert::event::Payload;

impl Record {
    /// Whether a create like the claimed one was given up before.
    #[must_use]
    pub fn was_given_up_before(&self, claim: &Claim) -> bool {
        claim.op == Op::Create && self.rechecks.contains(claim.op, &claim.ticket_ref)
    }

    /// Records that the outcome of the claimed write is unknown, and keeps the text until it is
    /// known.
    #[must_use]
    pub fn with_unknown_outcome(mut self, payload: Option<&Payload>, now: Timestamp) -> Self {
        if let Some(claim) = &mut self.claim {
            claim.uncertain_at = Some(now);
        }
        self.with_payload(payload)
    }

    /// Records that ConnectWise seems to refuse the claimed write, whose outcome is still unknown.
    /// If the write shows no effect, the alert is blocked. If it were blocked at once, the next
    /// attempt could make a second ticket beside one that appears late.
    #[must_use]
    pub fn with_suspected_refusal(
        mut self,
        reason: Blocked,
        refusal: CallRefusal,
        now: Timestamp,
    ) -> Self {
        if let Some(claim) = &mut self.claim {
            claim.suspected_refusal = Some(BlockedSince::refused(reason, refusal, now));
        }
        self
    }

    /// The record after a complete search or look, begun at `began`, that showed no effect of the
    /// claimed write. The claim ends after several of them, begun after the settling time.
    #[must_use]
    pub fn with_empty_visit(mut self, settle: SignedDuration, began: Timestamp) -> Self {
        let Some(mut claim) = self.claim.take() else {
            return self;
        };
        claim.count_empty_visit(settle, began);
        if !claim.is_without_effect() {
            self.claim = Some(claim);
            return self;
        }
        if let Some(suspected) = claim.suspected_refusal.take() {
            self.blocked = Some(BlockedSince {
                since: began,
                ..suspected
            });
        }
        self.with_write_given_up(&claim, began)
    }

    /// The record after a search that missed even its sentinels: its result is ignored.
    #[must_use]
    pub fn with_blind_visit(mut self, began: Timestamp) -> Self {
        if let Some(claim) = &mut self.claim {
            claim.count_blind_visit(began);
        }
        self
    }

    /// Ends the claim of a write that showed no effect. The write can still take effect, so it is
    /// searched for again.
    #[must_use]
    pub(crate) fn with_write_given_up(mut self, claim: &Claim, now: Timestamp) -> Self {
        self.claim = None;
        if claim.op.can_take_effect_late() {
            self.rechecks.give_up(claim, now);
        }
        self
    }

    /// Adds a recheck for a close that may still take effect until ConnectWise has settled.
    #[must_use]
    pub fn with_late_close(mut self, claim: &Claim, settle: SignedDuration) -> Self {
        self.rechecks
            .push(Recheck::new(claim, claim.settled_at(settle), true));
        self
    }

    /// The record after a search for a write that was given up.
    #[must_use]
    pub fn with_recheck_done(mut self, done: &Recheck) -> Self {
        self.rechecks.complete(done);
        self
    }

    /// The record after a search for a given-up write that gave no answer.
    #[must_use]
    pub fn with_recheck_delayed(mut self, due: &Recheck, now: Timestamp) -> Self {
        self.rechecks.delay(due, now);
        self
    }

    /// Ends a block while a claim is pending, so that the claim's outcome is found out; if the
    /// message is lost, the claim brings the alert back. Without a claim the block stays.
    #[must_use]
    pub fn unblock_claimed(mut self) -> Self {
        self.blocked = self.blocked.filter(|_| self.claim.is_none());
        self
    }
}
