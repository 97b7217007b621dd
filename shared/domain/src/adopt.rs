//! What a ticket found by its token means: an uncertain create did happen, or the table once forgot a life.

use jiff::{SignedDuration, Timestamp};

use crate::RecordId;
use crate::record::{Claim, ClosedBy, Open, Record};

/// Two clocks, ConnectWise's and ours, may be this far apart.
const SLACK: SignedDuration = SignedDuration::from_hours(1);

/// A ticket that carries the token searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub ticket_id: RecordId,
    /// The board that it is on.
    pub board_id: Option<RecordId>,
    /// When it was entered, where ConnectWise says so.
    pub entered_at: Option<Timestamp>,
    /// Whether it is closed.
    pub closed: bool,
}

/// The record after a search found tickets with its token. One entered since the claim began is ours, in whatever state; closed
/// means closed by a technician. Only older ones: they are of a life that the table forgot, and this is the next.
#[must_use]
pub fn adopt(record: Record, claim: &Claim, found: &[Found], now: Timestamp) -> Record {
    let began = claim
        .began_at
        .saturating_sub(SLACK)
        .unwrap_or(Timestamp::MIN);
    let ours = found
        .iter()
        .filter(|ticket| ticket.entered_at.is_none_or(|at| at >= began));
    let Some(ticket) = ours.min_by_key(|ticket| ticket.ticket_id) else {
        let mut record = record.without_claim();
        record.episode += u32::from(!found.is_empty());
        return record;
    };
    if ticket.closed {
        return record.with_closed(ticket.ticket_id, claim.epoch, ClosedBy::Technician, now);
    }
    record.with_open(Open::new(ticket.ticket_id, ticket.board_id, claim, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Severity;
    use crate::record::{Actual, Op};
    use crate::{AlertId, AlertKey, ClaimId, PartnerId, SourceId, TenantId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn claimed() -> (Record, Claim) {
        let key = AlertKey {
            partner: PartnerId::parse("acme").unwrap(),
            tenant: TenantId::parse("contoso").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse("a").unwrap(),
        };
        let record = Record::new(key);
        let id = ClaimId::parse("c").unwrap();
        let claim = Claim {
            id: id.clone(),
            marker: id,
            op: Op::Create,
            reason: "raised".into(),
            token: record.token(),
            company_id: 19,
            epoch: 1,
            severity: Severity::High,
            began_at: at(0),
            until: at(60),
            uncertain_at: None,
            attempts: 1,
            visits: 0,
            visited_at: None,
            empty_visits: 0,
        };
        (record.with_claim(claim.clone()), claim)
    }

    fn ticket(ticket_id: u64, second: i64, closed: bool) -> Found {
        Found {
            ticket_id,
            board_id: Some(2),
            entered_at: Some(at(second)),
            closed,
        }
    }

    #[test]
    fn a_ticket_entered_since_the_claim_is_ours() {
        let (record, claim) = claimed();
        let adopted = adopt(
            record,
            &claim,
            &[ticket(9, 5, false), ticket(8, -3000, false)],
            at(70),
        );
        assert_eq!(adopted.open().map(|open| open.ticket_id), Some(8));
        assert_eq!(adopted.claim, None);
    }

    #[test]
    fn a_ticket_that_a_technician_closed_meanwhile_stays_closed() {
        let (record, claim) = claimed();
        let adopted = adopt(record, &claim, &[ticket(8, 5, true)], at(70));
        assert!(
            matches!(adopted.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Technician)
        );
    }

    #[test]
    fn an_older_ticket_is_of_another_life() {
        let (record, claim) = claimed();
        let adopted = adopt(record, &claim, &[ticket(8, -3601, true)], at(70));
        assert_eq!(
            (adopted.episode, adopted.actual, adopted.claim),
            (2, None, None)
        );
    }

    #[test]
    fn a_made_ticket_is_recorded_whoever_holds_the_claim_unless_another_is_there() {
        let (record, claim) = claimed();
        let open = |ticket_id| Open::new(ticket_id, Some(2), &claim, at(70));
        let (made, other) = record.clone().with_made(open(8), false);
        assert_eq!((made.open(), other), (Some(&open(8)), None));
        assert_eq!(made.claim, None, "it ends the other worker's claim");
        let (again, other) = made.clone().with_made(open(8), false);
        assert_eq!((again, other), (made.clone(), None));
        let (kept, other) = made.clone().with_made(open(9), false);
        assert_eq!((kept, other), (made, Some(8)));

        let closed = record.with_closed(7, 1, ClosedBy::Technician, at(60));
        let (found_and_closed, other) = closed.clone().with_made(open(7), false);
        assert_eq!((found_and_closed, other), (closed.clone(), None));
        let (next_life, other) = closed.with_made(open(8), true);
        assert_eq!((next_life.open(), other), (Some(&open(8)), None));
    }
}
