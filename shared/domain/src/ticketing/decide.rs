//! Comparing what is wanted with what is there, and naming the one next step.

use jiff::{SignedDuration, Timestamp};

use crate::alert::blocked::BlockedSince;
use crate::alert::record::{
    Actual, AlertDetails, Claim, ClosedBy, ClosedTicket, Duplicate, Op, OpenTicket, Recheck, Record,
};
use crate::connection::breaker;
use crate::connection::view::{ConnectionView, LiveConnection};
use crate::setup::rights;
use crate::setup::settings::{BoardTarget, OnResolve};
use crate::ticketing::decision::{Decision, Idle};
use crate::ticketing::ticket_index::TicketIndexState;
use crate::ticketing::ticket_write::{NoteContent, TicketCreation, TicketReopening, TicketWrite};
use crate::time::later;
use crate::{Blocked, RecordId};

/// Looks after a write of unknown outcome, in seconds from when it became uncertain; then at the settling time, then every 30 s.
const VISITS: [i64; 3] = [15, 60, 240];

const LATE_VISITS: SignedDuration = SignedDuration::from_secs(30);

/// Names the next step. Total: every input gives a decision.
///
/// `settle` is how long ConnectWise may take to show a ticket whose creation it did not confirm.
#[must_use]
pub fn decide(
    record: &Record,
    view: &ConnectionView,
    settle: SignedDuration,
    now: Timestamp,
) -> Decision {
    let may = |decision: &Decision| may_call(needs(decision), view, now);
    let mut decision = next(record, view, settle, now);
    // A search that cannot be made now is made later; meanwhile the alert goes on.
    if matches!(decision, Decision::Recheck(_)) && may(&decision).is_err() {
        decision = remembered(record, view, now);
    }
    if let Some(blocked) = &record.blocked
        && is_refused(blocked, &decision)
    {
        // Asking again is for reconcile, which does so now and then, or for a person.
        return Decision::Block(blocked.reason.clone());
    }
    may(&decision).map_or_else(|instead| instead, |()| decision)
}

/// Whether ConnectWise refused this very call before.
fn is_refused(blocked: &BlockedSince, decision: &Decision) -> bool {
    match decision {
        Decision::Nothing(_) | Decision::Wait { .. } | Decision::Block(_) => false,
        Decision::Search
        | Decision::Verify(_)
        | Decision::Recheck(_)
        | Decision::FindPriorTickets
        | Decision::DetectExistingTickets => blocked.refuses_look(),
        Decision::Write(step) => blocked.refuses(step.op()),
    }
}

/// Whether a ticket may be looked at now, beside what is decided.
#[must_use]
pub fn may_look(view: &ConnectionView, now: Timestamp) -> bool {
    may_call(&[rights::TICKETS_INQUIRE], view, now).is_ok()
}

/// Whether ConnectWise may be called for something that needs these rights; else what happens instead.
fn may_call(rights: &[&str], view: &ConnectionView, now: Timestamp) -> Result<(), Decision> {
    if rights.is_empty() {
        return Ok(());
    }
    let breaker = &view.breaker;
    if let Some(reason) = breaker.reason() {
        return Err(Decision::Block(reason.clone()));
    }
    let missing = |right: &&&str| breaker.missing_rights.contains(**right);
    if let Some(right) = rights.iter().find(missing) {
        return Err(Decision::Block(Blocked::MissingRight((*right).to_owned())));
    }
    match breaker.pause(now) {
        // A message that waits for long is in flight all the time, and the queue's room for that is everybody's.
        Some(until) if breaker::exceeds_queue_wait(until.duration_since(now)) => {
            Err(Decision::Block(Blocked::Throttled))
        }
        Some(until) => Err(Decision::Wait { until }),
        None => Ok(()),
    }
}

/// The rights that a decision's calls need; none for one that calls nobody.
fn needs(decision: &Decision) -> &'static [&'static str] {
    match decision {
        Decision::Nothing(_) | Decision::Wait { .. } | Decision::Block(_) => &[],
        Decision::Search
        | Decision::Verify(_)
        | Decision::Recheck(_)
        | Decision::FindPriorTickets
        | Decision::DetectExistingTickets => &[rights::TICKETS_INQUIRE],
        Decision::Write(step) => match step.op() {
            Op::Create | Op::Note(_) => &[rights::TICKETS_ADD],
            Op::Patch | Op::Reopen => &[rights::TICKETS_EDIT],
            Op::Close | Op::Repair => &[rights::TICKETS_CLOSE],
        },
    }
}

fn next(
    record: &Record,
    view: &ConnectionView,
    settle: SignedDuration,
    now: Timestamp,
) -> Decision {
    let Some(claim) = &record.claim else {
        return unclaimed(record, view, now);
    };
    let until = next_look(claim, settle);
    if now < until {
        return Decision::Wait { until };
    }
    match (&view.connection, claim.ticket_id) {
        (None, _) => Decision::Block(Blocked::NotSetUp),
        // It was made in another ConnectWise, as far as is known: `Record::in_epoch` ends it when it is settled.
        (Some(connection), _) if connection.epoch != claim.epoch => Decision::Wait {
            until: claim.settled_at(settle),
        },
        (Some(_), None) => Decision::Search,
        (Some(_), Some(ticket_id)) => Decision::Verify(ticket_id),
    }
}

/// First what is amiss, then what is wanted.
fn unclaimed(record: &Record, view: &ConnectionView, now: Timestamp) -> Decision {
    let Some(connection) = &view.connection else {
        return remembered(record, view, now);
    };
    let here = |duplicate: &&Duplicate| duplicate.epoch == connection.epoch;
    if let Some(duplicate) = record.duplicates.iter().find(here) {
        return Decision::Write(repair(record, duplicate, view));
    }
    let due = |recheck: &&Recheck| recheck.epoch == connection.epoch && recheck.at <= now;
    match record.pending_rechecks().find(due) {
        Some(recheck) => Decision::Recheck(recheck.clone()),
        None => remembered(record, view, now),
    }
}

/// The next write about a duplicate: a note on it, a note on the ticket that stays, then it is closed.
fn repair(record: &Record, duplicate: &Duplicate, view: &ConnectionView) -> TicketWrite {
    let ticket_id = duplicate.ticket_id;
    if !duplicate.noted && may_note(view) {
        let kept = match &record.actual {
            Some(Actual::Open(open)) => Some(open.ticket_id),
            Some(Actual::Closed(closed)) => Some(closed.ticket_id),
            None => None,
        };
        let duplicate = duplicate.clone();
        return TicketWrite::Note {
            ticket_id,
            note: NoteContent::Duplicate { duplicate, kept },
        };
    }
    match record.open() {
        Some(open)
            if !duplicate.noted_on_kept && open.epoch == duplicate.epoch && may_note(view) =>
        {
            TicketWrite::Note {
                ticket_id: open.ticket_id,
                note: NoteContent::Kept {
                    duplicate: ticket_id,
                },
            }
        }
        Some(_) | None => TicketWrite::Repair(duplicate.clone()),
    }
}

/// Whether notes may be written. A ticket is closed without its note where they may not.
fn may_note(view: &ConnectionView) -> bool {
    !view.breaker.missing_rights.contains(rights::TICKETS_ADD)
}

/// What is wanted, unless the table may have forgotten the alert: then that is looked up first.
fn remembered(record: &Record, view: &ConnectionView, now: Timestamp) -> Decision {
    let decision = desired(record, view, now);
    // A resolve is heard, and a ticket may be there that nobody remembers.
    let heard = record.desired.last.is_some() && view.connection.is_some();
    let cleared = matches!(
        decision,
        Decision::Nothing(Idle::Cleared | Idle::OutOfReach)
    );
    let cleared = heard && cleared;
    let makes = matches!(
        decision,
        Decision::Write(TicketWrite::Create(_) | TicketWrite::Reopen(_))
    );
    match view.ticket_index {
        _ if !makes && !cleared => decision,
        Some(TicketIndexState::Complete) => decision,
        Some(TicketIndexState::Rebuilding) => Decision::FindPriorTickets,
        None => Decision::DetectExistingTickets,
    }
}

/// When a claim is due: its owner may be at work until then, or ConnectWise needs the time to settle.
fn next_look(claim: &Claim, settle: SignedDuration) -> Timestamp {
    if claim.uncertain_at.is_none() && claim.visits == 0 {
        return claim.until;
    }
    let since = claim.uncertain_since();
    let settled = later(since, settle);
    let early = usize::try_from(claim.visits)
        .ok()
        .and_then(|visits| VISITS.get(visits));
    let next = early.map_or(settled, |&seconds| {
        settled.min(later(since, SignedDuration::from_secs(seconds)))
    });
    // A message that comes late finds several searches due: made in one moment, they would all be blind to the same.
    claim
        .visited_at
        .map_or(next, |at| next.max(later(at, LATE_VISITS)))
}

fn desired(record: &Record, view: &ConnectionView, now: Timestamp) -> Decision {
    let details = record
        .desired
        .details
        .as_ref()
        .filter(|_| record.desired.active);
    match (&record.actual, details) {
        (None, None) => Decision::Nothing(Idle::Cleared),
        (None, Some(details)) => create(record, details, None, view, now),
        (Some(Actual::Open(open)), Some(details)) => active(open, details, view, now),
        (Some(Actual::Open(_)), None) if record.desired.last.is_none() || record.desired.active => {
            Decision::Nothing(Idle::NoEventYet)
        }
        (Some(Actual::Open(open)), None) => resolve(record, open, view, now),
        (Some(Actual::Closed(closed)), None) if closed.by == ClosedBy::OutOfReach => {
            Decision::Nothing(Idle::OutOfReach)
        }
        (Some(Actual::Closed(_)), None) => Decision::Nothing(Idle::Closed),
        (Some(Actual::Closed(_)), Some(_)) if record.is_occurrence_over() => {
            Decision::Nothing(Idle::EndedByPerson)
        }
        (Some(Actual::Closed(closed)), Some(details)) => {
            create(record, details, Some(closed), view, now)
        }
    }
}

pub(crate) fn create(
    record: &Record,
    details: &AlertDetails,
    before: Option<&ClosedTicket>,
    view: &ConnectionView,
    now: Timestamp,
) -> Decision {
    let blocked = record.blocked.as_ref().map(|blocked| &blocked.reason);
    let (connection, company) = match view.target(&details.kind) {
        Ok(target) => target,
        Err(reason) => return Decision::Block(reason),
    };
    if view.is_older_than_backfill(blocked, &details.kind, details.raised_at, now) {
        return Decision::Block(Blocked::OlderThanBackfill);
    }
    let target = connection.settings.board(details.category);
    let before = before.filter(|before| before.epoch == connection.epoch);
    if let Some(before) = before.filter(|before| may_reopen(before, company, target, now)) {
        return Decision::Write(TicketWrite::Reopen(TicketReopening {
            ticket_id: before.ticket_id,
            ticket_ref: before.ticket_ref(&record.key),
            company,
            epoch: connection.epoch,
        }));
    }
    Decision::Write(TicketWrite::Create(TicketCreation {
        company,
        board: target.board,
        status: target.start_status,
        kind_type: target.types.get(&details.kind).copied(),
        priority: connection
            .settings
            .priorities
            .get(&details.severity)
            .copied(),
        severity: details.severity,
        raised_at: details.raised_at,
        previous: before.map(|before| before.ticket_id),
    }))
}

/// Whether the ticket of the life before is opened again, in place of a new one.
fn may_reopen(
    before: &ClosedTicket,
    company: RecordId,
    target: &BoardTarget,
    now: Timestamp,
) -> bool {
    let days = SignedDuration::from_hours(24 * i64::from(target.reopen_days));
    let closed = matches!(before.by, ClosedBy::Us | ClosedBy::Technician);
    closed && before.company_id == Some(company) && now.duration_since(before.at) < days
}

/// The connection, if it points at the ticket's ConnectWise. If it does not, the connection that was read is older than the record,
/// since `Record::in_epoch` leaves no open ticket elsewhere: both are read again.
fn same_site<'a>(
    open: &OpenTicket,
    view: &'a ConnectionView,
    now: Timestamp,
) -> Result<&'a LiveConnection, Decision> {
    let not_set_up = Decision::Block(Blocked::NotSetUp);
    let connection = view.connection.as_ref().ok_or(not_set_up)?;
    match connection.epoch == open.epoch {
        true => Ok(connection),
        false => Err(Decision::Wait { until: now }),
    }
}

fn active(
    open: &OpenTicket,
    details: &AlertDetails,
    view: &ConnectionView,
    now: Timestamp,
) -> Decision {
    let settings = match same_site(open, view, now) {
        Ok(connection) => &connection.settings,
        Err(decision) => return decision,
    };
    let ticket_id = open.ticket_id;
    if open.owes_reopened_note {
        let note = NoteContent::Reopened;
        return Decision::Write(TicketWrite::Note { ticket_id, note });
    }
    let severity = details.severity;
    let worse = settings
        .priorities
        .get(&severity)
        .filter(|_| severity > open.severity);
    if let Some(&priority) = worse {
        return Decision::Write(TicketWrite::Patch {
            ticket_id,
            severity,
            priority,
        });
    }
    let untold = details.repeats.saturating_sub(open.noted_repeats);
    if untold == 0 {
        return Decision::Nothing(Idle::UpToDate);
    }
    let interval = SignedDuration::from_mins(i64::from(settings.note_interval_minutes));
    // The first repeat is told at once: the alert may have been resolved in between, and a person may have closed the ticket since.
    let next_note = open
        .last_note_at
        .filter(|_| open.noted_repeats > 0)
        .map(|at| later(at, interval));
    if next_note.is_some_and(|next| now < next) {
        return Decision::Nothing(Idle::NotedRecently);
    }
    let note = NoteContent::Repeats {
        repeats: details.repeats,
        untold,
    };
    Decision::Write(TicketWrite::Note { ticket_id, note })
}

fn resolve(record: &Record, open: &OpenTicket, view: &ConnectionView, now: Timestamp) -> Decision {
    let settings = match same_site(open, view, now) {
        Ok(connection) => &connection.settings,
        Err(decision) => return decision,
    };
    let on_resolve = record
        .desired
        .details
        .as_ref()
        .map_or(OnResolve::Close, |details| {
            settings.board(details.category).on_resolve
        });
    let ticket_id = open.ticket_id;
    let note = match on_resolve {
        OnResolve::Close if open.noted_resolved || !may_note(view) => {
            return Decision::Write(TicketWrite::Close { ticket_id });
        }
        OnResolve::Note if open.noted_resolved => return Decision::Nothing(Idle::UpToDate),
        OnResolve::Close => NoteContent::Closing,
        OnResolve::Note => NoteContent::Resolved,
    };
    Decision::Write(TicketWrite::Note { ticket_id, note })
}

#[cfg(test)]
mod tests;
