//! What became of an alert, derived from its record.

use domain::alert::record::{Actual, ClosedBy, Record};
use domain::alert::state::AlertState;
use domain::{Blocked, RecordId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::backlog::words::describe;

/// The state, and what a person reads about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct StateView {
    pub(super) state: AlertState,
    pub(super) words: String,
    /// When it no longer waits, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waits_until: Option<Timestamp>,
    /// The ticket's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ticket: Option<RecordId>,
    /// The epoch of the connection of the ticket.
    #[serde(skip)]
    pub(super) epoch: Option<u32>,
}

impl StateView {
    pub(crate) fn of(record: &Record) -> Self {
        let (ticket, epoch) = match &record.actual {
            Some(Actual::Open(open)) => (Some(open.ticket_id), Some(open.epoch)),
            Some(Actual::Closed(closed)) => (Some(closed.ticket_id), Some(closed.epoch)),
            None => (None, None),
        };
        let (state, words) = state_of(record);
        Self {
            state,
            words,
            waits_until: record.blocked.as_ref().and_then(|of| of.reason.ends_at()),
            ticket,
            epoch,
        }
    }
}

fn state_of(record: &Record) -> (AlertState, String) {
    if let Some(blocked) = &record.blocked {
        let refusal = blocked.refusal.as_ref();
        return match (&blocked.reason, refusal) {
            (Blocked::Rejected(words), _) => (
                AlertState::Failed,
                format!("ConnectWise refused the request. It answered: \"{words}\"."),
            ),
            (reason, Some(refusal)) => (
                AlertState::Failed,
                format!("{}. It answered: \"{}\".", sentence(reason), refusal.words),
            ),
            (reason @ (Blocked::Flapping(_) | Blocked::Storm(_)), None) => {
                (AlertState::Open, format!("{}.", sentence(reason)))
            }
            (reason, None) => (AlertState::Waiting, format!("{}.", sentence(reason))),
        };
    }
    if let Some(claim) = &record.claim {
        let words = match claim.uncertain_at {
            Some(_) => "The outcome of a request is unknown. ConnectWise is asked for it.",
            None => "A request to ConnectWise is in progress.",
        };
        return (AlertState::InProgress, words.to_owned());
    }
    match &record.actual {
        Some(Actual::Open(_)) if record.desired.active => {
            (AlertState::Open, "The alert is active.".to_owned())
        }
        Some(Actual::Open(open)) if open.noted_resolved => (
            AlertState::Open,
            "The alert is resolved. A technician closes the ticket.".to_owned(),
        ),
        Some(Actual::Open(_)) => (
            AlertState::Open,
            "The alert is resolved. The ticket is closed next.".to_owned(),
        ),
        Some(Actual::Closed(closed)) => (AlertState::Closed, closed_words(closed.by).to_owned()),
        None if record.desired.active => (
            AlertState::InProgress,
            "Its ticket is created next.".to_owned(),
        ),
        None => (
            AlertState::Resolved,
            "It was resolved before its ticket was created.".to_owned(),
        ),
    }
}

/// A state for people.
pub(super) fn title(state: AlertState) -> &'static str {
    match state {
        AlertState::Open => "Ticket open",
        AlertState::Waiting => "Waiting",
        AlertState::Failed => "Refused by ConnectWise",
        AlertState::InProgress => "In progress",
        AlertState::Closed => "Ticket closed",
        AlertState::Resolved => "Resolved without a ticket",
    }
}

/// Why it waits, as the begin of a sentence.
fn sentence(reason: &Blocked) -> String {
    crate::http::input::sentence(&describe(reason))
        .trim_end_matches('.')
        .to_owned()
}

/// How a ticket ended.
pub(crate) fn closed_words(by: ClosedBy) -> &'static str {
    match by {
        ClosedBy::Us => "Ticketbridge closed it, since the alert was resolved.",
        ClosedBy::Technician => "A technician closed it.",
        ClosedBy::Deleted => "It was deleted in ConnectWise.",
        ClosedBy::Moved => {
            "It was merged or moved to another company in ConnectWise, so Ticketbridge no longer changes it."
        }
        ClosedBy::OutOfReach => {
            "It is in the ConnectWise that was connected before, so Ticketbridge no longer changes it."
        }
    }
}
