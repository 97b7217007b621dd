//! Comparing what is wanted with what is there, and naming the one next step.

use jiff::{SignedDuration, Timestamp};

use crate::event::Severity;
use crate::memory::MemoryState;
use crate::record::{
    About, Actual, BlockedSince, Claim, Closed, ClosedBy, Duplicate, Op, Open, Recheck, Record,
};
use crate::settings::{BoardTarget, ConnectionView, LiveConnection, WhenGone};
use crate::{Blocked, RecordId, Token, breaker, rights};

/// The one next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is to be done.
    Nothing(Idle),
    /// Nothing can be done before this time: another worker holds the claim, or ConnectWise needs time to settle.
    Wait {
        /// When to decide again.
        until: Timestamp,
    },
    /// The alert cannot go on.
    Block(Blocked),
    /// It is not known whether a ticket was made: look for its token.
    Search,
    /// A given-up create can have happened late: look for its token.
    Recheck(Recheck),
    /// The table may have forgotten this alert: look for tickets of any life of it.
    Recall,
    /// It is not known whether the table has forgotten anything: look for any ticket of ours.
    Remember,
    /// Take a claim and make one write.
    Write(Step),
}

/// Why nothing is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// No alert, no ticket.
    Cleared,
    /// The ticket says what it should.
    UpToDate,
    /// The last note is too young for another.
    NotedRecently,
    /// The ticket is closed and the alert is gone.
    Closed,
    /// A person ended the ticket while the alert stood: only a newer raise makes another.
    EndedByPerson,
    /// The ticket was found in ConnectWise, and no event has told of its alert since.
    Unheard,
}

/// One write to ConnectWise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the ticket of this life.
    Create(Create),
    /// Tell the repeats since the last note.
    NoteRepeats {
        /// The ticket.
        ticket_id: RecordId,
        /// All repeats of this life so far.
        repeats: u32,
        /// Those not told yet.
        untold: u32,
    },
    /// Tell that the alert is gone, where a person closes.
    NoteGone {
        /// The ticket.
        ticket_id: RecordId,
    },
    /// Raise the priority to the alert's severity.
    Patch {
        /// The ticket.
        ticket_id: RecordId,
        /// The severity now.
        severity: Severity,
        /// Its priority in ConnectWise.
        priority: RecordId,
    },
    /// Close the ticket: its alert is gone.
    Close {
        /// The ticket.
        ticket_id: RecordId,
    },
    /// Open the ticket of the life before again.
    Reopen(Reopen),
    /// Close a ticket too many.
    Repair {
        /// It.
        duplicate: Duplicate,
        /// The one that stays, if there is one.
        kept: Option<RecordId>,
    },
}

/// A ticket that is opened again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reopen {
    /// Its number.
    pub ticket_id: RecordId,
    /// What it carries: the token of the life that it was made for.
    pub token: Token,
    /// The company that it must still be of.
    pub company: RecordId,
    /// The connection's epoch.
    pub epoch: u32,
}

/// Where a new ticket goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// The tenant's company.
    pub company: RecordId,
    /// The board; none leaves board, status and type to ConnectWise.
    pub board: Option<RecordId>,
    /// The start status.
    pub status: Option<RecordId>,
    /// The kind's ticket type.
    pub kind_type: Option<RecordId>,
    /// The severity's priority.
    pub priority: Option<RecordId>,
    /// The severity that the priority stands for.
    pub severity: Severity,
    /// When this life began.
    pub raised_at: Timestamp,
    /// The ticket of the life before, in the same ConnectWise.
    pub previous: Option<RecordId>,
}

impl Step {
    /// The operation that the claim names.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Self::Create(_) => Op::Create,
            Self::NoteRepeats { .. } | Self::NoteGone { .. } => Op::Note,
            Self::Patch { .. } => Op::Patch,
            Self::Close { .. } => Op::Close,
            Self::Reopen(_) => Op::Reopen,
            Self::Repair { .. } => Op::Repair,
        }
    }
}

/// Searches after an uncertain create, in seconds from when it became uncertain; then at the settling time, then every 30 s.
const VISITS: [i64; 3] = [15, 60, 240];
const LATE_VISITS: SignedDuration = SignedDuration::from_secs(30);
/// An uncertain note, patch or close is looked at again after this.
const TAKEOVER: SignedDuration = SignedDuration::from_secs(15);

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
        Decision::Search | Decision::Recheck(_) | Decision::Recall | Decision::Remember => {
            blocked.refuses_look()
        }
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
        Some(until) if breaker::is_too_long_for_the_queue(until.duration_since(now)) => {
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
        Decision::Search | Decision::Recheck(_) | Decision::Recall | Decision::Remember => {
            &[rights::TICKETS_INQUIRE]
        }
        Decision::Write(step) => match step.op() {
            Op::Create | Op::Note => &[rights::TICKETS_ADD],
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
    match (claim.op, record.open()) {
        (Op::Create, _) => search(claim, view),
        (Op::Close, Some(open)) => match same_site(open, view) {
            Ok(_) => Decision::Write(Step::Close {
                ticket_id: open.ticket_id,
            }),
            Err(reason) => Decision::Block(reason),
        },
        (Op::Reopen, _) => reopening(record, claim, view, now),
        // A note is looked for by its mark before it is told again, and a patch twice is a patch once.
        (Op::Note | Op::Patch | Op::Repair | Op::Close, _) => unclaimed(record, view, now),
    }
}

/// A ticket that may have been opened again is looked at whatever is wanted by now: open and unknown it would stay so for ever, or
/// beside a new one.
fn reopening(record: &Record, claim: &Claim, view: &ConnectionView, now: Timestamp) -> Decision {
    let (Some(connection), Some(Actual::Closed(closed))) = (&view.connection, &record.actual)
    else {
        return unclaimed(record, view, now);
    };
    if connection.epoch != claim.epoch {
        return Decision::Block(Blocked::OtherSite);
    }
    Decision::Write(Step::Reopen(Reopen {
        ticket_id: closed.ticket_id,
        token: claim.token.clone(),
        company: claim.company_id,
        epoch: claim.epoch,
    }))
}

/// First what is amiss, then what is wanted.
fn unclaimed(record: &Record, view: &ConnectionView, now: Timestamp) -> Decision {
    let Some(connection) = &view.connection else {
        return remembered(record, view, now);
    };
    let here = |duplicate: &&Duplicate| duplicate.epoch == connection.epoch;
    if let Some(duplicate) = record.duplicates.iter().find(here) {
        let kept = match &record.actual {
            Some(Actual::Open(open)) => Some(open.ticket_id),
            Some(Actual::Closed(closed)) => Some(closed.ticket_id),
            None => None,
        };
        return Decision::Write(Step::Repair {
            duplicate: duplicate.clone(),
            kept,
        });
    }
    let due = |recheck: &&Recheck| recheck.epoch == connection.epoch && recheck.at <= now;
    match record.rechecks.iter().find(due) {
        Some(recheck) => Decision::Recheck(recheck.clone()),
        None => remembered(record, view, now),
    }
}

/// What is wanted, unless the table may have forgotten the alert: then that is looked up first.
fn remembered(record: &Record, view: &ConnectionView, now: Timestamp) -> Decision {
    let decision = wanted(record, view, now);
    // A resolve is heard, and a ticket may be there that nobody remembers.
    let heard = record.wanted.last.is_some() && view.connection.is_some();
    let cleared = heard && decision == Decision::Nothing(Idle::Cleared);
    let makes = matches!(decision, Decision::Write(Step::Create(_) | Step::Reopen(_)));
    match view.memory {
        _ if !makes && !cleared => decision,
        Some(MemoryState::Complete) => decision,
        Some(MemoryState::Rebuilding) => Decision::Recall,
        None => Decision::Remember,
    }
}

/// When a claim is due: its owner may be at work until then, or ConnectWise needs the time to settle.
fn next_look(claim: &Claim, settle: SignedDuration) -> Timestamp {
    let plus = |at: Timestamp, by: SignedDuration| at.saturating_add(by).unwrap_or(Timestamp::MAX);
    if claim.uncertain_at.is_none() && claim.visits == 0 {
        return claim.until;
    }
    let since = claim.uncertain_since();
    if claim.op != Op::Create {
        return plus(since, TAKEOVER);
    }
    let settled = plus(since, settle);
    let early = usize::try_from(claim.visits)
        .ok()
        .and_then(|visits| VISITS.get(visits));
    let next = early.map_or(settled, |&seconds| {
        settled.min(plus(since, SignedDuration::from_secs(seconds)))
    });
    // A message that comes late finds several searches due: made in one moment, they would all be blind to the same.
    claim
        .visited_at
        .map_or(next, |at| next.max(plus(at, LATE_VISITS)))
}

fn search(claim: &Claim, view: &ConnectionView) -> Decision {
    match &view.connection {
        None => Decision::Block(Blocked::NotSetUp),
        Some(connection) if connection.epoch != claim.epoch => Decision::Block(Blocked::OtherSite),
        Some(_) => Decision::Search,
    }
}

fn wanted(record: &Record, view: &ConnectionView, now: Timestamp) -> Decision {
    let about = record
        .wanted
        .about
        .as_ref()
        .filter(|_| record.wanted.standing);
    match (&record.actual, about) {
        (None, None) => Decision::Nothing(Idle::Cleared),
        (None, Some(about)) => create(record, about, None, view, now),
        (Some(Actual::Open(open)), Some(about)) => standing(open, about, view, now),
        (Some(Actual::Open(_)), None) if record.wanted.last.is_none() || record.wanted.standing => {
            Decision::Nothing(Idle::Unheard)
        }
        (Some(Actual::Open(open)), None) => gone(record, open, view),
        (Some(Actual::Closed(_)), None) => Decision::Nothing(Idle::Closed),
        (Some(Actual::Closed(closed)), Some(_)) if closed.episode == record.episode => {
            Decision::Nothing(Idle::EndedByPerson)
        }
        (Some(Actual::Closed(closed)), Some(about)) => {
            create(record, about, Some(closed), view, now)
        }
    }
}

fn create(
    record: &Record,
    about: &About,
    before: Option<&Closed>,
    view: &ConnectionView,
    now: Timestamp,
) -> Decision {
    let blocked = record.blocked.as_ref().map(|blocked| &blocked.reason);
    let (connection, company) = match view.target(&about.kind) {
        Ok(target) => target,
        Err(reason) => return Decision::Block(reason),
    };
    if view.is_older_than_backfill(blocked, &about.kind, about.raised_at, now) {
        return Decision::Block(Blocked::OlderThanBackfill);
    }
    let target = connection.settings.board(about.role);
    let before = before.filter(|before| before.epoch == connection.epoch);
    if let Some(before) = before.filter(|before| may_reopen(before, company, target, now)) {
        return Decision::Write(Step::Reopen(Reopen {
            ticket_id: before.ticket_id,
            token: before.token(&record.key),
            company,
            epoch: connection.epoch,
        }));
    }
    Decision::Write(Step::Create(Create {
        company,
        board: target.board,
        status: target.start_status,
        kind_type: target.types.get(&about.kind).copied(),
        priority: connection.settings.priorities.get(&about.severity).copied(),
        severity: about.severity,
        raised_at: about.raised_at,
        previous: before.map(|before| before.ticket_id),
    }))
}

/// Whether the ticket of the life before is opened again, in place of a new one.
fn may_reopen(before: &Closed, company: RecordId, target: &BoardTarget, now: Timestamp) -> bool {
    let days = SignedDuration::from_hours(24 * i64::from(target.reopen_days));
    let closed = matches!(before.by, ClosedBy::Us | ClosedBy::Technician);
    closed && before.company_id == Some(company) && now.duration_since(before.at) < days
}

fn same_site<'a>(open: &Open, view: &'a ConnectionView) -> Result<&'a LiveConnection, Blocked> {
    let connection = view.connection.as_ref().ok_or(Blocked::NotSetUp)?;
    if connection.epoch == open.epoch {
        Ok(connection)
    } else {
        Err(Blocked::OtherSite)
    }
}

fn standing(open: &Open, about: &About, view: &ConnectionView, now: Timestamp) -> Decision {
    let settings = match same_site(open, view) {
        Ok(connection) => &connection.settings,
        Err(reason) => return Decision::Block(reason),
    };
    let ticket_id = open.ticket_id;
    let severity = about.severity;
    let worse = settings
        .priorities
        .get(&severity)
        .filter(|_| severity > open.severity);
    if let Some(&priority) = worse {
        return Decision::Write(Step::Patch {
            ticket_id,
            severity,
            priority,
        });
    }
    let untold = about.repeats.saturating_sub(open.noted_repeats);
    if untold == 0 {
        return Decision::Nothing(Idle::UpToDate);
    }
    let interval = SignedDuration::from_mins(i64::from(settings.note_interval_minutes));
    let next_note = open
        .last_note_at
        .map(|at| at.saturating_add(interval).unwrap_or(Timestamp::MAX));
    if next_note.is_some_and(|next| now < next) {
        return Decision::Nothing(Idle::NotedRecently);
    }
    Decision::Write(Step::NoteRepeats {
        ticket_id,
        repeats: about.repeats,
        untold,
    })
}

fn gone(record: &Record, open: &Open, view: &ConnectionView) -> Decision {
    let settings = match same_site(open, view) {
        Ok(connection) => &connection.settings,
        Err(reason) => return Decision::Block(reason),
    };
    let when_gone = record
        .wanted
        .about
        .as_ref()
        .map_or(WhenGone::Close, |about| {
            settings.board(about.role).when_gone
        });
    match when_gone {
        WhenGone::Close => Decision::Write(Step::Close {
            ticket_id: open.ticket_id,
        }),
        WhenGone::Note if open.noted_gone => Decision::Nothing(Idle::UpToDate),
        WhenGone::Note => Decision::Write(Step::NoteGone {
            ticket_id: open.ticket_id,
        }),
    }
}

#[cfg(test)]
mod tests;
