//! What tickets found by their token mean: an uncertain create did happen, a given-up one happened late, or the table forgot.

use jiff::{SignedDuration, Timestamp};

use crate::event::{EventDigest, Order, Receipt, Severity};
use crate::record::{Actual, Claim, Closed, ClosedBy, Duplicate, Ended, Op, Open, Recheck, Record};
use crate::{RecordId, TicketRef};

/// A ticket that carries a token of the alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTicket {
    /// Its number.
    pub ticket_id: RecordId,
    /// What it carries, if that is a token of ours.
    pub ticket_ref: Option<TicketRef>,
    /// The board that it is on.
    pub board_id: Option<RecordId>,
    /// Whose it is now.
    pub company_id: Option<RecordId>,
    /// When it was entered, where ConnectWise says so.
    pub entered_at: Option<Timestamp>,
    /// When its alert was raised, as it was told when it was made: in whole seconds.
    pub raised_at: Option<Timestamp>,
    /// Whether it is closed.
    pub closed: bool,
    /// When it was closed, where ConnectWise says so.
    pub closed_at: Option<Timestamp>,
    /// Whether it was merged into another.
    pub merged: bool,
    /// Whether a person changed it.
    pub touched: bool,
}

impl FoundTicket {
    /// Whether a person ended it, or gave it to other use: it must carry the token, and be of the recorded company.
    #[must_use]
    pub fn ended(&self, ticket_ref: &TicketRef, company_id: RecordId) -> Option<Ended> {
        let ours =
            self.ticket_ref.as_ref() == Some(ticket_ref) && self.company_id == Some(company_id);
        let by = match (ours && !self.merged, self.closed) {
            (false, _) => ClosedBy::Moved,
            (true, true) => ClosedBy::Technician,
            (true, false) => return None,
        };
        let at = self.ended_at();
        Some(Ended { by, at })
    }

    /// When it was closed, where ConnectWise says so. Its clock or zone may be hours behind ours: no ticket is entered before its
    /// alert was raised, nor closed before that.
    fn ended_at(&self) -> Option<Timestamp> {
        let closed_at = self.closed_at.filter(|_| self.closed)?;
        let Some(raised_at) = self.raised_at else {
            return Some(closed_at);
        };
        let entered_at = self.entered_at.unwrap_or(raised_at);
        let behind = raised_at
            .duration_since(entered_at)
            .max(SignedDuration::ZERO);
        let closed_at = closed_at.saturating_add(behind).unwrap_or(Timestamp::MAX);
        Some(closed_at.max(end_of_second(raised_at)))
    }
}

/// The record after a search found tickets with the token of an uncertain create. The token names the life of the alert, so each
/// of them is its ticket, whatever ConnectWise's clock says; closed means closed by a technician, and in another company moved by
/// one.
///
/// After a change of the connection, a ticket of before may carry the token too. Then the claimed create has still not shown its
/// effect, and is looked for again.
#[must_use]
pub fn adopt(record: Record, claim: &Claim, found: &[FoundTicket], now: Timestamp) -> Record {
    let of_before = match &record.actual {
        Some(Actual::Closed(closed)) => Some(closed.ticket_id),
        Some(Actual::Open(_)) | None => None,
    };
    let record = with_adopted(record, claim, found, now);
    let is_of_before = |ticket: &FoundTicket| Some(ticket.ticket_id) == of_before;
    match found.iter().all(is_of_before) && !found.is_empty() {
        true => record.with_write_given_up(claim, now),
        false => record,
    }
}

fn with_adopted(record: Record, claim: &Claim, found: &[FoundTicket], now: Timestamp) -> Record {
    let ours = |ticket: &&FoundTicket| ticket.ended(&claim.ticket_ref, claim.company_id).is_none();
    let open: Vec<&FoundTicket> = found.iter().filter(ours).collect();
    if let Some(ticket) = kept(&open, None) {
        // After a create that was given up, this may be its ticket, whose text has fewer repeats.
        let noted_repeats = match record.was_given_up_before(claim) {
            true => 0,
            false => record.repeats_told_by(claim),
        };
        let record = record.with_open(Open {
            noted_repeats,
            ..Open::new(ticket.ticket_id, ticket.board_id, claim, now)
        });
        return with_duplicates(record, &open, ticket.ticket_id, |ticket| Duplicate {
            ticket_id: ticket.ticket_id,
            ticket_ref: claim.ticket_ref.clone(),
            company_id: claim.company_id,
            epoch: claim.epoch,
            noted: false,
            noted_on_kept: false,
        });
    }
    let ended = found.iter().min_by_key(|ticket| ticket.ticket_id);
    let ended = ended.and_then(|ticket| {
        let ended = ticket.ended(&claim.ticket_ref, claim.company_id)?;
        Some((ticket.ticket_id, ended))
    });
    match ended {
        Some((ticket_id, ended)) => record.with_closed(ticket_id, claim.epoch, ended, now),
        None => record,
    }
}

/// The record after a given-up write was looked for once more; `found` carry the token of its ticket.
#[must_use]
pub fn rechecked(
    record: Record,
    recheck: &Recheck,
    found: &[FoundTicket],
    now: Timestamp,
) -> Record {
    match (recheck.op, record.open(), &record.actual) {
        // What is found closed now was closed by us.
        (Op::Close, Some(open), _) => {
            let is_it = |ticket: &&FoundTicket| ticket.ticket_id == open.ticket_id;
            let it = found.iter().find(is_it);
            match it.and_then(|it| it.ended(&recheck.ticket_ref, open.company_id)) {
                Some(ended) => {
                    let (ticket_id, epoch) = (open.ticket_id, open.epoch);
                    record.with_closed(ticket_id, epoch, ended, now)
                }
                None => record.with_recheck_done(recheck),
            }
        }
        // What is found open now was opened by us, and is recorded again: what is wanted decides about it.
        (Op::Reopen, None, Some(Actual::Closed(closed))) => {
            let is_it = |ticket: &&FoundTicket| {
                let ended = ticket.ended(&recheck.ticket_ref, recheck.company_id);
                ticket.ticket_id == closed.ticket_id && ended.is_none()
            };
            match found.iter().find(is_it) {
                Some(it) => {
                    let open = of_recheck(&record, it, recheck, now);
                    record.with_recheck_done(recheck).with_open(open)
                }
                None => record.with_recheck_done(recheck),
            }
        }
        _ => with_late_tickets(record.with_recheck_done(recheck), recheck, found, now),
    }
}

/// The open ticket that a given-up write made, or opened.
fn of_recheck(record: &Record, ticket: &FoundTicket, recheck: &Recheck, now: Timestamp) -> Open {
    let severity = record
        .desired
        .details
        .as_ref()
        .map(|details| details.severity);
    let is_new = recheck.op == Op::Create;
    Open {
        ticket_id: ticket.ticket_id,
        board_id: ticket.board_id,
        company_id: recheck.company_id,
        epoch: recheck.epoch,
        opened_at: now,
        severity: severity
            .filter(|_| is_new)
            .unwrap_or(Severity::Informational),
        last_note_at: None,
        noted_repeats: 0,
        noted_resolved: false,
        owes_reopened_note: !is_new,
        ticket_ref: (!is_new).then(|| recheck.ticket_ref.clone()),
    }
}

/// The record with tickets that came late. Of several open ones one stays: the one that a person changed, else the recorded one,
/// else the lowest number.
fn with_late_tickets(
    mut record: Record,
    recheck: &Recheck,
    found: &[FoundTicket],
    now: Timestamp,
) -> Record {
    // One that a person closed, moved or merged is left alone, and stands for nothing.
    let is_open = |ticket: &&FoundTicket| {
        ticket
            .ended(&recheck.ticket_ref, recheck.company_id)
            .is_none()
    };
    let open: Vec<&FoundTicket> = found.iter().filter(is_open).collect();
    let duplicate = |ticket: &FoundTicket| Duplicate {
        ticket_id: ticket.ticket_id,
        ticket_ref: recheck.ticket_ref.clone(),
        company_id: recheck.company_id,
        epoch: recheck.epoch,
        noted: false,
        noted_on_kept: false,
    };
    let present = recheck.ticket_ref == record.ticket_ref();
    match &mut record.actual {
        Some(Actual::Open(there)) if present => {
            let recorded = there.ticket_id;
            // Where the recorded ticket is not open any more, a person ended it: no other takes its place.
            let is_there = open.iter().any(|ticket| ticket.ticket_id == recorded);
            let keep = kept(&open, Some(recorded)).filter(|_| is_there);
            if let Some(keep) = keep.filter(|keep| keep.ticket_id != recorded) {
                there.ticket_id = keep.ticket_id;
                there.board_id = keep.board_id;
            }
            let keep = keep.map_or(recorded, |keep| keep.ticket_id);
            with_duplicates(record, &open, keep, duplicate)
        }
        // The life is over, or has not its ticket yet though nothing was done since: a late one is adopted, and what is wanted
        // decides about it.
        None if present => match kept(&open, None) {
            Some(keep) => {
                let ticket = of_recheck(&record, keep, recheck, now);
                let record = record.with_open(ticket);
                with_duplicates(record, &open, keep.ticket_id, duplicate)
            }
            None => record,
        },
        // The life of this token is over: what is still open of it is too much, except what is recorded.
        actual => {
            let recorded = match actual {
                Some(Actual::Open(there)) => there.ticket_id,
                Some(Actual::Closed(there)) => there.ticket_id,
                None => 0,
            };
            with_duplicates(record, &open, recorded, duplicate)
        }
    }
}

/// The record after ConnectWise was searched for tickets of any life of an alert that the table may have forgotten; all that were
/// `found` carry a token of this alert.
///
/// An open one is its ticket. A closed one ends the life that the raise belongs to, if it was closed after the raise; else the
/// raise begins the next life. One that is not of the tenant's `company` any more was moved, and is left alone.
#[must_use]
pub fn with_prior_tickets(
    record: Record,
    found: &[FoundTicket],
    company: Option<RecordId>,
    epoch: u32,
    now: Timestamp,
) -> Record {
    let lives = found
        .iter()
        .filter_map(|ticket| Some((ticket.ticket_ref.as_ref()?.occurrence(), ticket)));
    let newer = lives.filter(|(occurrence, ticket)| {
        let is_new = *occurrence >= record.occurrence && !is_known(&record, *occurrence);
        is_new || is_in_reach_again(&record, ticket)
    });
    let Some((occurrence, _)) = newer.clone().max_by_key(|(occurrence, _)| *occurrence) else {
        return record;
    };
    let last: Vec<&FoundTicket> = newer
        .filter(|(of, _)| *of == occurrence)
        .map(|(_, ticket)| ticket)
        .collect();
    let is_ours = |ticket: &FoundTicket| company.is_none() || ticket.company_id == company;
    let open: Vec<&FoundTicket> = last
        .iter()
        .copied()
        .filter(|ticket| !ticket.closed && is_ours(ticket))
        .collect();
    let mut record = record;
    record.occurrence = record.occurrence.max(occurrence);
    let details = record.desired.details.as_ref();
    if let Some(ticket) = kept(&open, None) {
        let company_id = ticket.company_id.unwrap_or_default();
        let adopted = Open {
            ticket_id: ticket.ticket_id,
            board_id: ticket.board_id,
            company_id,
            epoch,
            opened_at: now,
            severity: details.map_or(Severity::Informational, |details| details.severity),
            last_note_at: None,
            noted_repeats: details.map_or(0, |details| details.repeats),
            noted_resolved: false,
            owes_reopened_note: false,
            ticket_ref: ticket
                .ticket_ref
                .clone()
                .filter(|ticket_ref| *ticket_ref != record.occurrence_ref()),
        };
        let record = record.with_open(adopted);
        let ticket_ref = record.ticket_ref();
        // Where it does not say so itself: it was raised before it was entered, and better open too long than closed too early.
        let unsaid = ticket.entered_at.filter(|_| !record.desired.active);
        let raised_at = ticket.raised_at.or(unsaid);
        let record = raised_at.map_or(record.clone(), |at| heard_of_raise(record, at));
        return with_duplicates(record, &open, ticket.ticket_id, |ticket| Duplicate {
            ticket_id: ticket.ticket_id,
            ticket_ref: ticket_ref.clone(),
            company_id,
            epoch,
            noted: false,
            noted_on_kept: false,
        });
    }
    let Some(ticket) = last.iter().max_by_key(|ticket| ticket.ticket_id) else {
        return record;
    };
    let ended_at = ticket.ended_at();
    let ended = |at: Timestamp| details.is_none_or(|details| details.raised_at <= at);
    let same_life = ended_at.is_none_or(ended);
    let closed = Closed {
        ticket_id: ticket.ticket_id,
        occurrence,
        epoch,
        at: ended_at.unwrap_or(now),
        ended_at: ended_at.unwrap_or(now),
        by: match is_ours(ticket) && !ticket.merged {
            true => ClosedBy::Technician,
            false => ClosedBy::Moved,
        },
        company_id: ticket.company_id,
        ticket_ref: None,
    };
    let at = closed.at;
    // A record that was not forgotten knows the raise of its ticket, and what came after it.
    let is_forgotten = !is_in_reach_again(&record, ticket);
    record.actual = Some(Actual::Closed(closed));
    record.occurrence = record.occurrence.max(occurrence + u32::from(!same_life));
    // A raise that its ticket stands for is old, though the record may have missed it; what came after it is not known.
    let raise = ticket.raised_at.map_or(at, end_of_second);
    match same_life && is_forgotten && !is_newer(&record, raise) {
        true => heard_until(record, raise),
        false => record,
    }
}

/// The connection points at the same ConnectWise again, at the same one behind another address, or at one that its records were moved
/// to: this is the ticket that was out of reach, whatever its number is by now.
fn is_in_reach_again(record: &Record, ticket: &FoundTicket) -> bool {
    match &record.actual {
        Some(Actual::Closed(closed)) if closed.by == ClosedBy::OutOfReach => {
            let ticket_ref = closed.ticket_ref(&record.key);
            ticket.ticket_ref == Some(ticket_ref)
        }
        Some(Actual::Open(_) | Actual::Closed(_)) | None => false,
    }
}

/// A ticket says its time in whole seconds.
fn end_of_second(at: Timestamp) -> Timestamp {
    let rest = SignedDuration::from_millis(999);
    at.saturating_add(rest).unwrap_or(Timestamp::MAX)
}

/// The record that learns from its ticket of a raise: where that is newer than all it knows, the alert stands, and nothing more is
/// known of it.
fn heard_of_raise(mut record: Record, at: Timestamp) -> Record {
    let last = record.desired.last.as_ref().map(|last| last.occurred_at);
    if last.is_some_and(|last| at.as_second() <= last.as_second()) {
        return record;
    }
    record.desired.active = true;
    record.desired.details = None;
    heard_until(record, at)
}

/// Whether an event is known that happened in that second, or later. An event of that second may be the ticket's own raise.
fn is_newer(record: &Record, at: Timestamp) -> bool {
    let last = record.desired.last.as_ref();
    last.is_some_and(|last| last.occurred_at.as_second() >= at.as_second())
}

/// The record for which events up to this time are old, and events of this time are not, as they were received later.
fn heard_until(mut record: Record, at: Timestamp) -> Record {
    record.desired.last = Some(Order {
        occurred_at: at,
        receipt: Receipt {
            at,
            index: 0,
            bounds_time: false,
        },
        rank: 0,
        digest: EventDigest::of(&["found"]),
    });
    record
}

/// The record already has the ticket of that life.
fn is_known(record: &Record, occurrence: u32) -> bool {
    match &record.actual {
        Some(Actual::Open(_)) => occurrence <= record.occurrence,
        Some(Actual::Closed(closed)) => occurrence <= closed.occurrence,
        None => false,
    }
}

/// Which of several open tickets stays: the one that a person changed, else the recorded one, else the lowest number.
fn kept<'a>(open: &[&'a FoundTicket], recorded: Option<RecordId>) -> Option<&'a FoundTicket> {
    let rank = |ticket: &&&FoundTicket| {
        let recorded = recorded == Some(ticket.ticket_id);
        (!ticket.touched, !recorded, ticket.ticket_id)
    };
    open.iter().min_by_key(rank).copied()
}

fn with_duplicates(
    record: Record,
    open: &[&FoundTicket],
    kept: RecordId,
    duplicate: impl Fn(&FoundTicket) -> Duplicate,
) -> Record {
    open.iter()
        .filter(|ticket| ticket.ticket_id != kept)
        .fold(record, |record, ticket| {
            record.with_duplicate(duplicate(ticket))
        })
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::event::Severity;
    use crate::fixtures::{at, key};
    use crate::record::{Actual, Op, Refusal};
    use crate::{Blocked, ClaimId};

    fn claimed() -> (Record, Claim) {
        let record = Record::new(key());
        let id = ClaimId::parse("c").unwrap();
        let claim = Claim {
            id,
            op: Op::Create,
            reason: "raised".into(),
            ticket_ref: record.occurrence_ref(),
            ticket_id: None,
            board_id: Some(2),
            company_id: 19,
            epoch: 1,
            severity: Severity::High,
            began_at: at(0),
            raise_received_at: None,
            repeats: 0,
            until: at(60),
            uncertain_at: None,
            visits: 0,
            visited_at: None,
            empty_visits: 0,
            suspected_refusal: None,
        };
        (record.with_claim(claim.clone()), claim)
    }

    fn ticket(ticket_id: u64, second: i64, closed: bool) -> FoundTicket {
        FoundTicket {
            ticket_id,
            ticket_ref: Some(claimed().1.ticket_ref),
            board_id: Some(2),
            company_id: Some(19),
            entered_at: Some(at(second)),
            raised_at: None,
            closed,
            closed_at: closed.then(|| at(second + 1000)),
            merged: false,
            touched: false,
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
    fn a_token_names_the_life_whatever_connectwises_clock_says() {
        let (record, claim) = claimed();
        for second in [-7200, 7200] {
            let adopted = adopt(record.clone(), &claim, &[ticket(8, second, false)], at(70));
            assert_eq!(adopted.open().map(|open| open.ticket_id), Some(8));
            let adopted = adopt(record.clone(), &claim, &[ticket(8, second, true)], at(70));
            let Some(Actual::Closed(closed)) = adopted.actual else {
                panic!("{:?}", adopted.actual)
            };
            assert_eq!((closed.ticket_id, adopted.occurrence), (8, 1));
        }
    }

    #[test]
    fn a_ticket_that_was_moved_or_merged_before_it_was_found_is_left_alone() {
        let (record, claim) = claimed();
        let moved = FoundTicket {
            company_id: Some(20),
            ..ticket(8, 5, false)
        };
        let merged = FoundTicket {
            merged: true,
            ..ticket(8, 5, false)
        };
        for found in [moved, merged] {
            let adopted = adopt(record.clone(), &claim, &[found], at(70));
            assert!(
                matches!(adopted.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Moved)
            );
        }
    }

    fn too_many(record: &Record) -> Vec<u64> {
        let ids = record
            .duplicates
            .iter()
            .map(|duplicate| duplicate.ticket_id);
        ids.collect()
    }

    #[test]
    fn a_made_ticket_is_recorded_whoever_holds_the_claim_unless_another_is_there() {
        let (record, claim) = claimed();
        let open = |ticket_id| Open::new(ticket_id, Some(2), &claim, at(70));
        let made = record.clone().with_made(open(8), &claim);
        assert_eq!((made.open(), too_many(&made)), (Some(&open(8)), vec![]));
        assert_eq!(made.claim, None, "it ends the other worker's claim");
        assert_eq!(made.clone().with_made(open(8), &claim), made);
        let kept = made.clone().with_made(open(9), &claim);
        assert_eq!((kept.open(), too_many(&kept)), (made.open(), vec![9]));
        assert_eq!(kept.clone().with_made(open(9), &claim), kept, "once");

        let closed = record.with_closed(7, 1, ClosedBy::Technician, at(60));
        assert_eq!(closed.clone().with_made(open(7), &claim), closed);
        let late = closed.clone().with_made(open(8), &claim);
        assert_eq!((late.open(), too_many(&late)), (None, vec![8]));
        let mut next = closed;
        next.occurrence += 1;
        let late = next.clone().with_made(open(8), &claim);
        assert_eq!(too_many(&late), [8], "of a life that is over");
        let claim = Claim {
            ticket_ref: next.occurrence_ref(),
            ticket_id: None,
            ..claim
        };
        let made = next.with_made(Open::new(9, None, &claim, at(80)), &claim);
        assert_eq!(
            (made.open().unwrap().ticket_id, too_many(&made)),
            (9, vec![])
        );
    }

    #[test]
    fn of_several_open_tickets_the_one_that_a_person_changed_stays_else_the_lowest() {
        let (record, claim) = claimed();
        let adopted = adopt(
            record.clone(),
            &claim,
            &[ticket(9, 5, false), ticket(8, 6, false), ticket(7, 7, true)],
            at(70),
        );
        assert_eq!(adopted.open().unwrap().ticket_id, 8);
        assert_eq!(too_many(&adopted), [9]);
        let touched = FoundTicket {
            touched: true,
            ..ticket(9, 5, false)
        };
        let adopted = adopt(record, &claim, &[touched, ticket(8, 6, false)], at(70));
        assert_eq!(adopted.open().unwrap().ticket_id, 9);
        assert_eq!(too_many(&adopted), [8]);
    }

    #[test]
    fn a_ticket_that_was_moved_to_another_company_is_left_alone() {
        let (record, claim) = claimed();
        let moved = FoundTicket {
            company_id: Some(20),
            ..ticket(8, 5, false)
        };
        let adopted = adopt(record, &claim, &[moved], at(70));
        assert!(
            matches!(adopted.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Moved)
        );
    }

    /// A create that was given up at `at(700)`.
    fn given_up() -> (Record, Recheck) {
        let (record, _) = claimed();
        let settle = SignedDuration::from_mins(10);
        let record = record
            .with_uncertain(None, at(60))
            .with_empty_visit(settle, at(660))
            .with_empty_visit(settle, at(700));
        assert_eq!(record.claim, None);
        let recheck = record.rechecks[0].clone();
        assert_eq!((recheck.at, recheck.last), (at(700 + 3600), false));
        assert_eq!(
            recheck.board_id,
            Some(2),
            "whose sentinels its searches must return"
        );
        (record, recheck)
    }

    #[test]
    fn a_ticket_from_before_the_connection_changed_is_not_what_the_create_made() {
        let before = ticket(10, -100, true);
        let (record, claim) = claimed();
        let known = |record: Record| record.with_closed(10, 1, ClosedBy::OutOfReach, at(-50));
        let record = known(Record::new(record.key)).with_claim(claim.clone());
        let adopted = adopt(record.clone(), &claim, slice::from_ref(&before), at(20));
        assert!(matches!(&adopted.actual, Some(Actual::Closed(closed)) if closed.ticket_id == 10));
        let ops: Vec<_> = adopted.rechecks.iter().map(|recheck| recheck.op).collect();
        assert_eq!(ops, [Op::Create], "it can still make one");

        let both = [before, ticket(11, 5, false)];
        let adopted = adopt(record, &claim, &both, at(20));
        assert_eq!(adopted.open().unwrap().ticket_id, 11);
        assert_eq!(adopted.rechecks, []);
    }

    #[test]
    fn a_ticket_of_several_attempts_may_tell_fewer_repeats_than_the_last_one() {
        let repeated = |(record, claim): (Record, Claim)| {
            let claim = Claim {
                repeats: 2,
                ..claim
            };
            let record = record.without_claim().with_claim(claim.clone());
            let adopted = adopt(record, &claim, &[ticket(11, 5, false)], at(800));
            adopted.open().unwrap().noted_repeats
        };
        assert_eq!(repeated(claimed()), 2);
        assert_eq!(repeated((given_up().0, claimed().1)), 0);
    }

    #[test]
    fn a_create_that_seems_refused_blocks_only_once_it_has_shown_no_effect() {
        let (record, claim) = claimed();
        let settle = SignedDuration::from_mins(10);
        let words = String::from("500, An error occurred");
        let (op, reason) = (Some(Op::Create), Blocked::Rejected(words.clone()));
        let refusal = Refusal { op, words };
        let record = record.with_uncertain(None, at(60)).with_suspected_refusal(
            reason.clone(),
            refusal.clone(),
            at(60),
        );
        assert!(record.blocked.is_none() && record.claim.is_some());
        let record = record.with_empty_visit(settle, at(660));
        assert!(record.blocked.is_none() && record.claim.is_some());

        let late = adopt(record.clone(), &claim, &[ticket(11, 62, false)], at(670));
        assert_eq!(
            (late.open().map(|open| open.ticket_id), late.blocked),
            (Some(11), None)
        );

        let refused = record.with_empty_visit(settle, at(700));
        let blocked = refused.blocked.clone().unwrap();
        assert_eq!((blocked.reason, blocked.since), (reason, at(700)));
        assert_eq!(blocked.refusal, Some(refusal));
        assert!(refused.was_given_up_before(&claim));
    }

    #[test]
    fn a_late_ticket_beside_the_recorded_one_is_too_many() {
        let (record, _) = given_up();
        let (_, claim) = claimed();
        let record = record.with_open(Open::new(8, Some(2), &claim, at(800)));
        let recheck = record.rechecks[0].clone();
        assert_eq!(
            recheck.at,
            at(800 + 3600),
            "an hour after the ticket was recorded"
        );
        let found = [ticket(8, 750, false), ticket(7, 4000, false)];
        let looked = rechecked(record.clone(), &recheck, &found, at(4400));
        assert_eq!(looked.open().unwrap().ticket_id, 8);
        assert_eq!(too_many(&looked), [7]);
        let recheck = looked.rechecks[0].clone();
        assert_eq!((recheck.at, recheck.last), (at(800 + 24 * 3600), true));
        let looked = rechecked(looked, &recheck, &found[..1], at(90_000));
        assert_eq!(looked.rechecks, []);

        let touched = FoundTicket {
            touched: true,
            ..ticket(9, 4000, false)
        };
        let found = [ticket(8, 750, false), touched];
        let looked = rechecked(record, &recheck, &found, at(4400));
        assert_eq!(looked.open().unwrap().ticket_id, 9);
        assert_eq!(too_many(&looked), [8]);
    }

    #[test]
    fn a_late_ticket_never_replaces_a_recorded_one_that_a_person_closed() {
        let (record, _) = given_up();
        let (_, claim) = claimed();
        let record = record.with_open(Open::new(8, Some(2), &claim, at(800)));
        let recheck = record.rechecks[0].clone();
        let touched = FoundTicket {
            touched: true,
            ..ticket(9, 4000, false)
        };
        let found = [ticket(8, 750, true), touched];
        let looked = rechecked(record, &recheck, &found, at(4400));
        assert_eq!(looked.open().unwrap().ticket_id, 8);
        assert_eq!(too_many(&looked), [9]);
    }

    #[test]
    fn a_late_ticket_that_a_person_moved_or_merged_stands_for_nothing() {
        let (record, _) = given_up();
        let (_, claim) = claimed();
        let record = record.with_open(Open::new(8, Some(2), &claim, at(800)));
        let recheck = record.rechecks[0].clone();
        let late = FoundTicket {
            touched: true,
            ..ticket(7, 4000, false)
        };
        let moved = FoundTicket {
            company_id: Some(20),
            ..late.clone()
        };
        let merged = FoundTicket {
            merged: true,
            ..late
        };
        for left_alone in [moved, merged] {
            let found = [ticket(8, 750, false), left_alone];
            let looked = rechecked(record.clone(), &recheck, &found, at(4400));
            assert_eq!(looked.open().unwrap().ticket_id, 8);
            assert!(too_many(&looked).is_empty());
        }
    }

    #[test]
    fn a_late_ticket_of_an_alert_that_has_none_is_adopted() {
        let (record, recheck) = given_up();
        let looked = rechecked(
            record.clone(),
            &recheck,
            &[ticket(7, 4000, false)],
            at(4400),
        );
        assert_eq!(looked.open().unwrap().ticket_id, 7);
        let closed = rechecked(record, &recheck, &[ticket(7, 4000, true)], at(4400));
        assert_eq!((closed.open(), too_many(&closed)), (None, vec![]));
    }

    #[test]
    fn a_late_ticket_of_a_life_that_is_over_is_too_many() {
        let (record, recheck) = given_up();
        let record = record.with_closed(6, 1, ClosedBy::Us, at(900));
        let found = [ticket(6, 800, false), ticket(7, 4000, false)];
        let looked = rechecked(record, &recheck, &found, at(4400));
        assert_eq!(too_many(&looked), [7]);
    }

    #[test]
    fn a_late_ticket_of_the_life_before_is_too_many_though_this_one_has_none_yet() {
        let (mut record, recheck) = given_up();
        record.occurrence = 2;
        let looked = rechecked(record, &recheck, &[ticket(7, 4000, false)], at(4400));
        assert_eq!((looked.open(), too_many(&looked)), (None, vec![7]));
    }

    fn of_life(ticket_id: u64, occurrence: u32, closed_at: Option<i64>) -> FoundTicket {
        let (record, _) = claimed();
        FoundTicket {
            ticket_ref: Some(TicketRef::new(&record.key, occurrence)),
            closed: closed_at.is_some(),
            closed_at: closed_at.map(at),
            ..ticket(ticket_id, 0, false)
        }
    }

    fn raised_at(second: i64) -> Record {
        let (record, _) = claimed();
        let mut record = record.without_claim();
        record.desired.active = true;
        record.desired.details = Some(crate::record::AlertDetails {
            kind: crate::Kind::parse("disk").unwrap(),
            category: crate::kind::Category::Operations,
            severity: Severity::High,
            raised_at: at(second),
            raise_received_at: at(second),
            previous_event_at: None,
            repeats: 0,
            expires_at: None,
        });
        record
    }

    #[test]
    fn a_forgotten_open_ticket_is_the_alerts_own() {
        let found = [
            of_life(7, 1, Some(50)),
            of_life(8, 3, None),
            of_life(9, 3, None),
            FoundTicket {
                ticket_ref: None,
                ..of_life(99, 9, None)
            },
        ];
        let record = with_prior_tickets(raised_at(100), &found, None, 1, at(200));
        assert_eq!(
            (record.occurrence, record.open().unwrap().ticket_id),
            (3, 8)
        );
        assert_eq!(too_many(&record), [9]);
    }

    #[test]
    fn a_known_raise_of_the_same_second_stays_the_newest_event() {
        let known = heard_until(raised_at(100), at(100));
        let closed = FoundTicket {
            raised_at: Some(at(100)),
            ..of_life(7, 1, Some(150))
        };
        let record = with_prior_tickets(known.clone(), &[closed], None, 1, at(200));
        assert_eq!(record.desired.last, known.desired.last);
    }

    #[test]
    fn a_forgotten_closed_ticket_ends_the_life_that_the_raise_belongs_to() {
        let found = [of_life(7, 2, Some(150))];
        let record = with_prior_tickets(raised_at(100), &found, None, 1, at(200));
        assert_eq!(record.occurrence, 2);
        assert!(matches!(&record.actual, Some(Actual::Closed(closed)) if closed.occurrence == 2));
        let record = with_prior_tickets(raised_at(160), &found, None, 1, at(200));
        assert_eq!(
            record.occurrence, 3,
            "it was raised after that one was closed"
        );
        let desired = raised_at(160).desired;
        assert_eq!(record.desired, desired, "and that one says nothing of it");
        assert_eq!(
            with_prior_tickets(raised_at(1), &[], None, 1, at(200)),
            raised_at(1)
        );
    }

    #[test]
    fn a_ticket_tells_of_a_raise_that_the_record_missed() {
        let found = FoundTicket {
            raised_at: Some(at(50)),
            ..of_life(8, 2, None)
        };
        let mut old = raised_at(1).with_closed(7, 1, ClosedBy::Us, at(9));
        old.desired.active = false;
        old.occurrence = 1;
        old = heard_until(old, at(8));
        let record =
            with_prior_tickets(old.clone(), std::slice::from_ref(&found), None, 1, at(100));
        assert_eq!(
            (record.open().unwrap().ticket_id, record.occurrence),
            (8, 2)
        );
        assert!(record.desired.active, "it must not be closed");
        assert_eq!(record.desired.last.unwrap().occurred_at, at(50));

        old.desired.last.as_mut().unwrap().occurred_at = at(60);
        let record = with_prior_tickets(old.clone(), &[found], None, 1, at(100));
        assert!(
            !record.desired.active,
            "its resolve is newer than that raise"
        );

        let found = FoundTicket {
            raised_at: Some(at(80)),
            ..of_life(8, 2, Some(90))
        };
        let closed = with_prior_tickets(old, &[found], None, 1, at(100));
        let last = closed.desired.last.unwrap();
        assert!(
            last.occurred_at > at(80) && last.occurred_at < at(81),
            "that raise is old"
        );
    }

    #[test]
    fn what_was_heard_after_the_raise_of_a_closed_ticket_stays_the_newest() {
        let found = FoundTicket {
            raised_at: Some(at(80)),
            ..of_life(8, 2, Some(90))
        };
        for last in [81, 85] {
            let record = heard_until(raised_at(1), at(last));
            let closed = with_prior_tickets(record, std::slice::from_ref(&found), None, 1, at(100));
            assert_eq!(closed.desired.last.unwrap().occurred_at, at(last));
        }
    }

    /// Better open too long than closed too early.
    #[test]
    fn a_ticket_that_does_not_say_when_its_alert_was_raised_was_entered_after_that() {
        let entered_at_zero = [of_life(8, 2, None)];
        let active = with_prior_tickets(raised_at(-10), &entered_at_zero, None, 1, at(100));
        assert_eq!(active.desired, raised_at(-10).desired, "nothing new");
        for (resolved_at, stands) in [(-5, true), (5, false)] {
            let mut gone = heard_until(raised_at(-10), at(resolved_at));
            gone.desired.active = false;
            let with_prior = with_prior_tickets(gone, &entered_at_zero, None, 1, at(100));
            assert_eq!(with_prior.desired.active, stands, "{resolved_at}");
        }
    }

    #[test]
    fn a_ticket_that_is_in_reach_again_tells_nothing_of_events() {
        let out_of_reach = raised_at(1).with_closed(7, 1, ClosedBy::OutOfReach, at(9));
        let found = FoundTicket {
            raised_at: Some(at(1)),
            ..of_life(7, 1, Some(50))
        };
        let record = with_prior_tickets(out_of_reach.clone(), &[found], None, 2, at(100));
        assert!(
            matches!(&record.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Technician)
        );
        assert_eq!(record.desired, out_of_reach.desired);
    }

    #[test]
    fn a_ticket_that_is_in_reach_again_is_known_by_its_token() {
        let mut out_of_reach = raised_at(1);
        out_of_reach.occurrence = 2;
        let out_of_reach = out_of_reach.with_closed(7, 1, ClosedBy::OutOfReach, at(9));
        for (ticket_id, life, adopted) in [(7, 2, true), (8, 2, true), (7, 1, false)] {
            let found = [of_life(ticket_id, life, None)];
            let record = with_prior_tickets(out_of_reach.clone(), &found, None, 2, at(100));
            let open = record.open().map(|open| open.ticket_id);
            assert_eq!(open, adopted.then_some(ticket_id), "{ticket_id} of {life}");
        }
    }

    #[test]
    fn a_forgotten_ticket_of_another_company_is_left_alone() {
        let moved = FoundTicket {
            company_id: Some(20),
            ..of_life(8, 1, None)
        };
        let record = with_prior_tickets(raised_at(1), &[moved], Some(19), 1, at(100));
        let Some(Actual::Closed(closed)) = record.actual else {
            panic!("{:?}", record.actual)
        };
        assert_eq!((closed.ticket_id, closed.by), (8, ClosedBy::Moved));
    }

    #[test]
    fn a_ticket_was_closed_after_its_alert_was_raised_whatever_connectwise_says() {
        let closed = FoundTicket {
            raised_at: Some(at(100)),
            entered_at: Some(at(100)),
            ..of_life(8, 1, Some(50))
        };
        let (record, _) = claimed();
        let ended = closed.ended(&record.occurrence_ref(), 19).unwrap();
        assert_eq!(ended.at, Some(end_of_second(at(100))));
    }

    #[test]
    fn what_the_record_knows_is_not_recalled() {
        let (_, claim) = claimed();
        let open = raised_at(1).with_open(Open::new(7, None, &claim, at(5)));
        assert_eq!(
            with_prior_tickets(open.clone(), &[of_life(7, 1, None)], None, 1, at(9)),
            open
        );
        let mut closed = open.with_closed(7, 1, ClosedBy::Us, at(9));
        assert_eq!(closed.occurrence, 2, "a raise had come meanwhile");
        assert_eq!(
            with_prior_tickets(closed.clone(), &[of_life(7, 1, Some(9))], None, 1, at(10)),
            closed
        );
        closed = with_prior_tickets(closed, &[of_life(8, 2, None)], None, 1, at(10));
        assert_eq!(
            closed.open().unwrap().ticket_id,
            8,
            "of a restored table's future"
        );
    }
}
