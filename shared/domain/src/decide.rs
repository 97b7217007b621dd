//! Comparing what is wanted with what is there, and naming the one next step.

use jiff::{SignedDuration, Timestamp};

use crate::event::Severity;
use crate::record::{About, Actual, Claim, Op, Open, Record};
use crate::settings::{ConnectionView, LiveConnection, WhenGone};
use crate::{Blocked, RecordId};

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
        // A note is looked for by its mark before it is told again, and a patch twice is a patch once.
        (Op::Note | Op::Patch | Op::Reopen | Op::Close, _) => unclaimed(record, view, now),
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
    match early.map(|&seconds| plus(since, SignedDuration::from_secs(seconds))) {
        Some(early) if early < settled => early,
        _ => claim
            .visited_at
            .map_or(settled, |at| settled.max(plus(at, LATE_VISITS))),
    }
}

fn search(claim: &Claim, view: &ConnectionView) -> Decision {
    match &view.connection {
        None => Decision::Block(Blocked::NotSetUp),
        Some(connection) if connection.epoch != claim.epoch => Decision::Block(Blocked::OtherSite),
        Some(_) => Decision::Search,
    }
}

fn unclaimed(record: &Record, view: &ConnectionView, now: Timestamp) -> Decision {
    let about = record
        .wanted
        .about
        .as_ref()
        .filter(|_| record.wanted.standing);
    match (&record.actual, about) {
        (None, None) => Decision::Nothing(Idle::Cleared),
        (None, Some(about)) => create(record, about, None, view),
        (Some(Actual::Open(open)), Some(about)) => standing(open, about, view, now),
        (Some(Actual::Open(open)), None) => gone(record, open, view),
        (Some(Actual::Closed(_)), None) => Decision::Nothing(Idle::Closed),
        (Some(Actual::Closed(closed)), Some(_)) if closed.episode == record.episode => {
            Decision::Nothing(Idle::EndedByPerson)
        }
        (Some(Actual::Closed(closed)), Some(about)) => {
            create(record, about, Some((closed.ticket_id, closed.epoch)), view)
        }
    }
}

fn create(
    record: &Record,
    about: &About,
    previous: Option<(RecordId, u32)>,
    view: &ConnectionView,
) -> Decision {
    // ConnectWise refused this very ticket: asking again is a person's decision.
    if let Some(refused) = record
        .blocked
        .as_ref()
        .filter(|blocked| matches!(blocked.reason, Blocked::Rejected(_)))
    {
        return Decision::Block(refused.reason.clone());
    }
    let (connection, company) = match view.target(&about.kind) {
        Ok(target) => target,
        Err(reason) => return Decision::Block(reason),
    };
    let board = connection.settings.board(about.role);
    Decision::Write(Step::Create(Create {
        company,
        board: board.board,
        status: board.start_status,
        kind_type: board.types.get(&about.kind).copied(),
        priority: connection.settings.priorities.get(&about.severity).copied(),
        severity: about.severity,
        raised_at: about.raised_at,
        previous: previous
            .filter(|(_, epoch)| *epoch == connection.epoch)
            .map(|(ticket, _)| ticket),
    }))
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
