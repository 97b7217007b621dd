//! The outcome of a claimed write, and the record after it.

use jiff::Timestamp;

use crate::alert::blocked::CallRefusal;
use crate::alert::event::Payload;
use crate::alert::record::{Claim, OpenTicket, Record};
use crate::ticketing::write_effect::{WriteEffect, apply_effect};
use crate::{Blocked, Reaction};

/// The outcome of a claimed write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedOutcome {
    /// A new ticket.
    Created(OpenTicket),
    /// The effect on an existing ticket.
    Effect(WriteEffect),
    /// It is unknown whether anything was written.
    Unknown {
        /// ConnectWise seems to refuse the write.
        suspected: Option<(Blocked, CallRefusal)>,
    },
    /// Nothing was written.
    NotMade {
        reaction: Reaction,
        /// What ConnectWise refused for this alert alone.
        refusal: Option<CallRefusal>,
    },
}

/// Records the outcome of a claimed write in the record as it is now: another worker may have
/// changed it since, or hold the claim. `text` is that of the ticket or note.
#[must_use]
pub fn apply_outcome(
    record: Record,
    claim: &Claim,
    outcome: &ClaimedOutcome,
    text: Option<&Payload>,
    now: Timestamp,
) -> Record {
    // The ticket exists, even if another worker holds the claim now.
    if let ClaimedOutcome::Created(open) = outcome {
        return record.with_created(open.clone(), claim);
    }
    let held = record.claim.as_ref();
    if held.is_none_or(|held| held.id != claim.id) {
        return record;
    }
    match outcome {
        ClaimedOutcome::Created(_) => record,
        ClaimedOutcome::Effect(effect) => apply_effect(record, claim, effect, now),
        ClaimedOutcome::Unknown { suspected } => {
            let record = record.with_unknown_outcome(text, now);
            match suspected.clone() {
                Some((reason, refusal)) => record.with_suspected_refusal(reason, refusal, now),
                None => record,
            }
        }
        ClaimedOutcome::NotMade { reaction, refusal } => {
            let record = record.without_claim();
            match (reaction.clone(), refusal.clone()) {
                (Reaction::Block { reason }, Some(refusal)) => {
                    record.with_refusal(reason, refusal, text, now)
                }
                (Reaction::Block { reason }, None) => record.with_blocked(reason, text, now),
                (Reaction::Retry { .. } | Reaction::DeadLetter { .. }, _) => record,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClaimId;
    use crate::alert::event::Severity;
    use crate::alert::record::{NoteKind, Op};
    use crate::fixtures::{at, claim, key, open, raised};

    /// Ticket 77 with a claimed note about a repeat.
    fn noting() -> (Record, Claim) {
        let record = open(&[raised(1), raised(30)]);
        let claim = claim(Op::Note(NoteKind::Repeats), &record);
        (record.with_claim(claim.clone()), claim)
    }

    #[test]
    fn a_worker_that_lost_its_claim_records_no_effect() {
        let (record, claim) = noting();
        let noted = ClaimedOutcome::Effect(WriteEffect::Noted);
        let held = apply_outcome(record.clone(), &claim, &noted, None, at(40));
        assert_eq!(held.open().unwrap().noted_repeats, 1);

        let others = Claim {
            id: ClaimId::parse("c-2").unwrap(),
            ..claim.clone()
        };
        let record = record.with_claim(others);
        let unknown = ClaimedOutcome::Unknown { suspected: None };
        let not_made = ClaimedOutcome::NotMade {
            reaction: Reaction::Retry { after: None },
            refusal: None,
        };
        for outcome in [noted, unknown, not_made] {
            let recorded = apply_outcome(record.clone(), &claim, &outcome, None, at(40));
            assert_eq!(recorded, record, "{outcome:?}");
        }
        let without = record.without_claim();
        let recorded = apply_outcome(
            without.clone(),
            &claim,
            &ClaimedOutcome::Effect(WriteEffect::Noted),
            None,
            at(40),
        );
        assert_eq!(recorded, without);
    }

    #[test]
    fn a_ticket_is_recorded_even_after_the_claim_was_lost() {
        let record = crate::alert::fold::fold(Record::new(key()), &raised(1));
        let claim = claim(Op::Create, &record);
        let created = ClaimedOutcome::Created(OpenTicket::new(78, Some(2), &claim, at(20)));
        let recorded = apply_outcome(record, &claim, &created, None, at(20));
        assert_eq!(recorded.open().unwrap().ticket_id, 78);
    }

    #[test]
    fn what_was_not_made_ends_the_claim_and_may_block() {
        let (record, claim) = noting();
        let outcome = |reaction, refusal| {
            let outcome = ClaimedOutcome::NotMade { reaction, refusal };
            apply_outcome(record.clone(), &claim, &outcome, None, at(40))
        };
        let retried = outcome(Reaction::Retry { after: None }, None);
        assert_eq!((&retried.claim, &retried.blocked), (&None, &None));

        let reason = Blocked::ConnectionBroken;
        let blocked = outcome(Reaction::Block { reason }, None);
        let block = blocked.blocked.unwrap();
        assert_eq!(blocked.claim, None);
        assert!(!block.is_refusal());

        let reason = Blocked::Rejected("No.".to_owned());
        let words = "No.".to_owned();
        let refusal = CallRefusal {
            op: Some(claim.op),
            words,
            record: None,
        };
        let refused = outcome(Reaction::Block { reason }, Some(refusal));
        assert_eq!(refused.claim, None);
        assert!(refused.blocked.unwrap().is_refusal());
    }

    #[test]
    fn an_unknown_outcome_keeps_the_claim_and_the_text() {
        let (record, claim) = noting();
        let text = crate::fixtures::particulars().payload;
        let reason = Blocked::Rejected("No.".to_owned());
        let refusal = CallRefusal {
            op: Some(claim.op),
            words: "No.".to_owned(),
            record: None,
        };
        let outcome = ClaimedOutcome::Unknown {
            suspected: Some((reason, refusal)),
        };
        let unknown = apply_outcome(record, &claim, &outcome, Some(&text), at(40));
        let kept = unknown.claim.unwrap();
        assert_eq!(kept.uncertain_at, Some(at(40)));
        assert!(kept.suspected_refusal.is_some());
        assert_eq!(unknown.payload, Some(text));
        assert_eq!(kept.severity, Severity::High);
    }
}
