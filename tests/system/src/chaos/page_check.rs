//! Compares what a partner's page shows of an alert, and what its figures count, with ConnectWise's
//! tickets and journal and with the times of the source. Pure.

use std::fmt;

use domain::alert::record::Record;
use domain::alert::state::AlertState;
use local_stack::inspector::ReferencedTicket;

use super::verdict::{ChaosAlert, Expected};

/// How far the times of a worker and of the simulator's journal may differ. A worker's time is the
/// begin of its batch.
const TOLERANCE_SECONDS: i64 = 3;

/// A row of the page "Activity".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActivityRow {
    /// The item key of its alert.
    pub(crate) item: String,
    pub(crate) state: AlertState,
    pub(crate) ticket: Option<u64>,
}

/// What is known of an alert without Ticketbridge's tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Observation {
    /// Notes that were written on its ticket.
    pub(crate) notes: u32,
    /// Those of them whose call was answered with an error. Another one may have been written
    /// instead, and only that one is counted.
    pub(crate) late_notes: u32,
    /// Those of them whose call was not answered. They are found on the ticket, unless a technician
    /// merged it meanwhile.
    pub(crate) lost_notes: u32,
    /// How long its ticket took. `None` unless the alert is active and has one.
    pub(crate) delay: Option<ObservedDelay>,
}

/// From the receipt of the raise to the ticket, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObservedDelay {
    pub(crate) least: i64,
    /// `None` if ConnectWise has faults. A ticket whose creation was not answered is found later.
    pub(crate) most: Option<i64>,
}

/// Tickets of one alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TicketCounts {
    pub(crate) created: u32,
    /// Tickets that were closed and not reopened.
    pub(crate) closed: u32,
}

/// What a page shows or counts that is not so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PageMismatch {
    Raised(u32),
    Tickets {
        counted: TicketCounts,
        found: TicketCounts,
    },
    Notes {
        counted: u32,
        written: u32,
    },
    /// Tickets late by an outage, where there was none.
    Late(u32),
    Delays {
        counted: Vec<u32>,
        observed: Option<ObservedDelay>,
    },
    Activity {
        shown: Vec<ActivityRow>,
        state: AlertState,
        ticket: Option<u64>,
    },
}

impl fmt::Display for PageMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raised(times) => write!(f, "its figures count it as raised {times} times"),
            Self::Tickets { counted, found } => write!(
                f,
                "its figures count {counted:?}, and ConnectWise has {found:?}"
            ),
            Self::Notes { counted, written } => write!(
                f,
                "its figures count {counted} notes, and {written} were written"
            ),
            Self::Late(count) => write!(
                f,
                "its figures count {count} tickets as late by an outage, and there was no outage"
            ),
            Self::Delays { counted, observed } => write!(
                f,
                "its figures have the delays {counted:?}, and its ticket took {observed:?}"
            ),
            Self::Activity {
                shown,
                state,
                ticket,
            } => write!(
                f,
                "Activity shows {shown:?} in place of the state {state:?} with ticket {ticket:?}"
            ),
        }
    }
}

/// The first thing that the page of the alert's partner shows or counts and that is not so.
pub(crate) fn page_mismatch(
    alert: &ChaosAlert,
    record: &Record,
    ticket: Option<&ReferencedTicket>,
    observed: &Observation,
    rows: &[&ActivityRow],
) -> Option<PageMismatch> {
    wrong_figures(alert, record, ticket, observed)
        .or_else(|| wrong_rows(alert, record, ticket, rows))
}

fn wrong_figures(
    alert: &ChaosAlert,
    record: &Record,
    ticket: Option<&ReferencedTicket>,
    observed: &Observation,
) -> Option<PageMismatch> {
    let sum = record.figures.total();
    // A resolve may arrive before the raise, which then is no raise.
    let may_be_unknown = alert.expected == Expected::Resolved && ticket.is_none();
    if sum.raised != 1 && !(may_be_unknown && sum.raised == 0) {
        return Some(PageMismatch::Raised(sum.raised));
    }
    let closed = sum.closed + sum.closed_by_person;
    let counted = TicketCounts {
        created: sum.created,
        closed: closed.checked_sub(sum.reopened).unwrap_or(u32::MAX),
    };
    let found = TicketCounts {
        created: u32::from(ticket.is_some()),
        closed: u32::from(ticket.is_some_and(|ticket| ticket.closed)),
    };
    if counted != found {
        return Some(PageMismatch::Tickets { counted, found });
    }
    let lost = match alert.expected {
        Expected::ByTechnician => observed.lost_notes,
        Expected::Open | Expected::Resolved | Expected::Refused => 0,
    };
    let least = observed.notes - observed.late_notes - lost;
    if !(least..=observed.notes).contains(&sum.noted) {
        return Some(PageMismatch::Notes {
            counted: sum.noted,
            written: observed.notes,
        });
    }
    let has_no_faults = observed.delay.is_some_and(|delay| delay.most.is_some());
    if sum.late > sum.created || (has_no_faults && sum.late > 0) {
        return Some(PageMismatch::Late(sum.late));
    }
    let is_possible = match (observed.delay, sum.delays.as_slice()) {
        (Some(observed), [counted]) => observed.admits(*counted),
        // It waited for something else than an outage, or has no delay that is known.
        (Some(ObservedDelay { most: None, .. }), []) => true,
        (Some(_), _) => false,
        (None, counted) => counted.len() <= usize::from(ticket.is_some()),
    };
    (!is_possible).then_some(PageMismatch::Delays {
        counted: sum.delays,
        observed: observed.delay,
    })
}

impl ObservedDelay {
    fn admits(self, seconds: u32) -> bool {
        let seconds = i64::from(seconds);
        seconds >= self.least - TOLERANCE_SECONDS
            && self
                .most
                .is_none_or(|most| seconds <= most + TOLERANCE_SECONDS)
    }
}

/// Each alert is one row with its state and its ticket. One that was never raised is none.
fn wrong_rows(
    alert: &ChaosAlert,
    record: &Record,
    ticket: Option<&ReferencedTicket>,
    rows: &[&ActivityRow],
) -> Option<PageMismatch> {
    let state = match (alert.expected, ticket) {
        (Expected::Refused, _) => AlertState::Failed,
        (_, Some(ticket)) if ticket.closed => AlertState::Closed,
        (_, Some(_)) => AlertState::Open,
        (_, None) => AlertState::Resolved,
    };
    let ticket = ticket.map(|ticket| ticket.id);
    let is_right = match rows {
        [] => record.summary.is_none() && ticket.is_none(),
        [row] => row.state == state && row.ticket == ticket,
        _ => false,
    };
    (!is_right).then(|| PageMismatch::Activity {
        shown: rows.iter().map(|row| (*row).clone()).collect(),
        state,
        ticket,
    })
}
