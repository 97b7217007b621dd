//! Compares the alerts table and ConnectWise's tickets with what must be true at the end. Pure.

use std::collections::BTreeMap;
use std::fmt;

use domain::alert::record::{Actual, Record};
use domain::monitoring::figures::{Counts, FiguresSum};
use domain::{AlertKey, Blocked, PartnerId};
use jiff::Timestamp;
use local_stack::inspector::ReferencedTicket;

use super::page_check::{ActivityRow, Observation, PageMismatch, page_mismatch};

/// The API member of the integration, in the simulator's seed.
const INTEGRATION: &str = "Ticketbridge";

/// An alert of the round, and its expected end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChaosAlert {
    pub(crate) key: AlertKey,
    /// The number of its partner. Each partner has its own site.
    pub(crate) partner: usize,
    pub(crate) expected: Expected,
}

/// The expected end of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Active: it has one open ticket.
    Open,
    /// Resolved: its ticket is closed, or it has none.
    Resolved,
    /// Active, but ConnectWise refuses its text: it is blocked for a reason of its own.
    Refused,
    /// Active, but a technician closed or merged its ticket: it has no second ticket, and the
    /// integration did not close the first.
    ByTechnician,
}

/// What was found at the end.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// By item key.
    pub(crate) records: BTreeMap<String, Record>,
    /// All tickets with a reference, open or closed.
    pub(crate) tickets: Vec<ReferencedTicket>,
    /// What is known of each alert without its record, by its item key.
    pub(crate) observed: BTreeMap<String, Observation>,
    /// What each partner's page shows.
    pub(crate) pages: BTreeMap<PartnerId, PageContent>,
    pub(crate) dead_letters: usize,
}

/// What a partner's page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageContent {
    /// When the figures were counted.
    pub(crate) counted_at: Timestamp,
    /// The figures of the last 90 days.
    pub(crate) figures: Counts,
    /// All alerts.
    pub(crate) activity: Vec<ActivityRow>,
}

/// A violation of an alert's expected end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Violation {
    NoRecord,
    Blocked(String),
    /// Work remains.
    Unfinished,
    /// It is active and has no ticket.
    NoTicket,
    Duplicates(Vec<u64>),
    OpenThoughResolved(u64),
    ClosedThoughActive(u64),
    /// A technician closed its ticket, and the integration changed that.
    NotByTechnician(u64),
    TicketThoughRefused(u64),
    /// Its ticket has another company than its record.
    OtherCompany(u64),
    /// Its partner's page shows or counts something else.
    Page(PageMismatch),
    /// The record names another ticket than the one that exists.
    OtherTicket {
        recorded: Option<u64>,
        found: Option<u64>,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecord => f.write_str("it has no record"),
            Self::Blocked(reason) => write!(f, "it is blocked: {reason}"),
            Self::Unfinished => f.write_str("work remains"),
            Self::NoTicket => f.write_str("it is active and has no ticket"),
            Self::Duplicates(ids) => write!(f, "it has {} tickets: {ids:?}", ids.len()),
            Self::OpenThoughResolved(id) => write!(f, "it is resolved and its ticket {id} is open"),
            Self::ClosedThoughActive(id) => write!(f, "it is active and its ticket {id} is closed"),
            Self::NotByTechnician(id) => {
                write!(
                    f,
                    "a technician closed its ticket {id}, and it is not closed by one now"
                )
            }
            Self::TicketThoughRefused(id) => {
                write!(f, "its text is refused, but it has ticket {id}")
            }
            Self::Page(mismatch) => mismatch.fmt(f),
            Self::OtherCompany(id) => write!(f, "its ticket {id} is for another company"),
            Self::OtherTicket { recorded, found } => {
                write!(
                    f,
                    "its record names ticket {recorded:?}, but it has {found:?}"
                )
            }
        }
    }
}

/// All violations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ChaosVerdict {
    pub(crate) alerts: Vec<(AlertKey, Violation)>,
    /// Tickets whose reference belongs to no alert of the round.
    pub(crate) foreign_tickets: Vec<ReferencedTicket>,
    /// Partners whose page shows other figures than the records have.
    pub(crate) wrong_pages: Vec<PartnerId>,
    pub(crate) dead_letters: usize,
}

/// What a record lacks to be at the alert's expected end.
pub(crate) fn unfinished(alert: &ChaosAlert, record: Option<&Record>) -> Option<Violation> {
    let Some(record) = record else {
        return Some(Violation::NoRecord);
    };
    match (&record.blocked, alert.expected) {
        (Some(blocked), Expected::Refused) if !concerns_connection(&blocked.reason) => {
            return None;
        }
        (Some(blocked), _) => return Some(Violation::Blocked(blocked.reason.to_string())),
        (None, Expected::Refused) => return Some(Violation::Unfinished),
        (None, Expected::Open | Expected::Resolved | Expected::ByTechnician) => {}
    }
    if record.claim.is_some() || !record.duplicates.is_empty() {
        return Some(Violation::Unfinished);
    }
    match (&record.actual, alert.expected) {
        (_, Expected::ByTechnician | Expected::Refused)
        | (Some(Actual::Open(_)), Expected::Open)
        | (Some(Actual::Closed(_)) | None, Expected::Resolved) => None,
        (Some(Actual::Open(_)), Expected::Resolved)
        | (Some(Actual::Closed(_)) | None, Expected::Open) => Some(Violation::Unfinished),
    }
}

/// Whether a reason says that the whole connection does not work, as the refusal of one text must
/// not do.
fn concerns_connection(reason: &Blocked) -> bool {
    matches!(
        reason,
        Blocked::ConnectionBroken
            | Blocked::ConnectionUnavailable
            | Blocked::Throttled
            | Blocked::MissingRight(_)
    )
}

/// Checks every alert and every ticket.
pub(crate) fn verdict(alerts: &[ChaosAlert], evidence: &Evidence) -> ChaosVerdict {
    let mut tickets: BTreeMap<&str, Vec<&ReferencedTicket>> = BTreeMap::new();
    for ticket in &evidence.tickets {
        tickets.entry(ticket.item_key()).or_default().push(ticket);
    }
    let mut verdict = ChaosVerdict {
        dead_letters: evidence.dead_letters,
        ..ChaosVerdict::default()
    };
    for alert in alerts {
        let item = alert.key.item_key();
        let its = tickets.remove(item.as_str()).unwrap_or_default();
        // A rule of the site reopens a ticket after a note, also if a technician closed it meanwhile.
        let observed = evidence.observed.get(&item);
        let is_noted_late = observed.is_some_and(|observed| observed.late_notes > 0);
        let record = evidence.records.get(&item);
        let violation = violation(alert, record, &its, is_noted_late)
            .or_else(|| page_violation(alert, record?, its.first().copied(), evidence));
        verdict
            .alerts
            .extend(violation.map(|violation| (alert.key.clone(), violation)));
    }
    verdict.wrong_pages = wrong_pages(evidence);
    verdict.foreign_tickets = tickets.into_values().flatten().cloned().collect();
    verdict
}

fn violation(
    alert: &ChaosAlert,
    record: Option<&Record>,
    tickets: &[&ReferencedTicket],
    is_noted_late: bool,
) -> Option<Violation> {
    // Duplicates are the worst violation, so they are reported before any other.
    let ticket = match tickets {
        [] => None,
        [one] => Some(one),
        several => {
            return Some(Violation::Duplicates(
                several.iter().map(|ticket| ticket.id).collect(),
            ));
        }
    };
    match (alert.expected, ticket) {
        (Expected::Open | Expected::ByTechnician, None) => {
            return unfinished(alert, record).or(Some(Violation::NoTicket));
        }
        (Expected::Open, Some(ticket)) if ticket.closed => {
            return Some(Violation::ClosedThoughActive(ticket.id));
        }
        (Expected::Resolved, Some(ticket)) if !ticket.closed => {
            return Some(Violation::OpenThoughResolved(ticket.id));
        }
        (Expected::ByTechnician, Some(ticket)) => {
            let is_as_left = match ticket.closed_by.as_deref() {
                Some(by) => by != INTEGRATION,
                None => is_noted_late,
            };
            return unfinished(alert, record)
                .or_else(|| (!is_as_left).then_some(Violation::NotByTechnician(ticket.id)));
        }
        (Expected::Refused, Some(ticket)) => {
            return Some(Violation::TicketThoughRefused(ticket.id));
        }
        (Expected::Refused, None) => return unfinished(alert, record),
        (Expected::Open, Some(_)) | (Expected::Resolved, _) => {}
    }
    if let Some(violation) = unfinished(alert, record) {
        return Some(violation);
    }
    let recorded = record.and_then(|record| match record.actual.as_ref()? {
        Actual::Open(open) => Some((open.ticket_id, Some(open.company_id))),
        Actual::Closed(closed) => Some((closed.ticket_id, closed.company_id)),
    });
    let (recorded, company) = recorded.unzip();
    let found = ticket.map(|ticket| ticket.id);
    if recorded != found {
        return Some(Violation::OtherTicket { recorded, found });
    }
    let other_company = ticket.filter(|ticket| company.flatten() != Some(ticket.company));
    other_company.map(|ticket| Violation::OtherCompany(ticket.id))
}

/// What the page of the alert's partner shows or counts and that is not so.
fn page_violation(
    alert: &ChaosAlert,
    record: &Record,
    ticket: Option<&ReferencedTicket>,
    evidence: &Evidence,
) -> Option<Violation> {
    let item = alert.key.item_key();
    let is_reopened = ticket.is_some_and(|ticket| !ticket.closed);
    if alert.expected == Expected::ByTechnician && is_reopened {
        // A rule of the site reopened it, after Ticketbridge had left it to the technician.
        return None;
    }
    let observed = evidence.observed.get(&item).cloned().unwrap_or_default();
    let page = evidence.pages.get(&alert.key.partner);
    let rows = page.into_iter().flat_map(|page| &page.activity);
    let rows: Vec<_> = rows.filter(|row| row.item == item).collect();
    page_mismatch(alert, record, ticket, &observed, &rows).map(Violation::Page)
}

/// The partners whose page does not show the sum of their records' figures.
fn wrong_pages(evidence: &Evidence) -> Vec<PartnerId> {
    let mut sums: BTreeMap<&PartnerId, FiguresSum> = BTreeMap::new();
    for record in evidence.records.values() {
        let sum = sums.entry(&record.key.partner).or_default();
        sum.add(&record.figures);
    }
    let counted = |partner: &PartnerId, now| {
        let sum = sums.get(partner).cloned().unwrap_or_default();
        sum.finish(now).quarter
    };
    let pages = evidence.pages.iter();
    pages
        .filter(|(partner, page)| counted(partner, page.counted_at) != page.figures)
        .map(|(partner, _)| partner.clone())
        .collect()
}

#[cfg(test)]
mod tests;
