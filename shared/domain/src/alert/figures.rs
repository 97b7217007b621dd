//! What happened to an alert on each day, for the figures of its partner.
//!
//! The counts are part of the record and change in the write that stores it, with the steps of its
//! trail. So they are exact whatever crashes: a step counts once, because it is stored once.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::blocked::BlockClass;
use crate::alert::ticket_end::ClosedBy;
use crate::alert::trail::{StepKind, TrailStep};

/// Days of figures, today included: as far as the charts show.
pub const DAYS: i64 = 90;

/// The most creations of one alert in one day whose delay is stored.
const MAX_DELAYS: usize = 20;

/// The counts of an alert by day, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertFigures {
    pub days: BTreeMap<Date, DayCounts>,
}

/// What happened on one day, to one alert or to all alerts of a partner.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DayCounts {
    /// Raises that began an occurrence, or that followed a resolve.
    #[serde(skip_serializing_if = "is_zero")]
    pub raised: u32,
    /// Tickets that were created.
    #[serde(skip_serializing_if = "is_zero")]
    pub created: u32,
    /// Tickets that were reopened for a raise.
    #[serde(skip_serializing_if = "is_zero")]
    pub reopened: u32,
    /// Notes on open tickets: repeats, resolves, reopenings.
    #[serde(skip_serializing_if = "is_zero")]
    pub noted: u32,
    /// Tickets that Ticketbridge closed.
    #[serde(skip_serializing_if = "is_zero")]
    pub closed: u32,
    /// Tickets that a person closed, merged, moved or deleted.
    #[serde(skip_serializing_if = "is_zero")]
    pub closed_by_person: u32,
    /// Tickets that came late because ConnectWise could not be used.
    #[serde(skip_serializing_if = "is_zero")]
    pub late: u32,
    /// Seconds from the receipt of a raise to its ticket, without tickets that waited for a person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delays: Vec<u32>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl AlertFigures {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The counts of all days together.
    #[must_use]
    pub fn total(&self) -> DayCounts {
        let mut total = DayCounts::default();
        self.days.values().for_each(|counts| total.add(counts));
        total
    }

    /// Counts a step that was just added at the end of `trail`.
    pub(crate) fn count(&mut self, step: &TrailStep, trail: &[TrailStep]) {
        let day = day_of(step.at);
        let counts = self.days.entry(day).or_default();
        match &step.what {
            StepKind::Raised { .. } => counts.raised += 1,
            StepKind::Noted { .. } => counts.noted += 1,
            StepKind::Opened { .. } => {
                counts.created += 1;
                counts.count_delay(step.at, trail);
            }
            StepKind::Reopened { .. } => {
                counts.reopened += 1;
                counts.count_delay(step.at, trail);
            }
            StepKind::Closed { by, .. } => match by {
                ClosedBy::Us => counts.closed += 1,
                ClosedBy::Technician | ClosedBy::Deleted | ClosedBy::Moved => {
                    counts.closed_by_person += 1;
                }
                ClosedBy::OutOfReach => {}
            },
            StepKind::Repeated { .. }
            | StepKind::Resolved
            | StepKind::Ended { .. }
            | StepKind::Blocked { .. }
            | StepKind::Started { .. }
            | StepKind::Unclear { .. }
            | StepKind::ActionRequested { .. }
            | StepKind::AskedAgain
            | StepKind::Released
            | StepKind::Duplicate { .. } => {}
        }
        let oldest = first_day(step.at);
        self.days
            .retain(|day, counts| *day >= oldest && *counts != DayCounts::default());
    }
}

impl DayCounts {
    /// Counts how long a ticket took, if it is the first one since the raise.
    fn count_delay(&mut self, at: Timestamp, trail: &[TrailStep]) {
        let is_raise = |step: &TrailStep| matches!(step.what, StepKind::Raised { .. });
        let Some(raise) = trail.iter().rposition(is_raise) else {
            return;
        };
        let since = &trail[raise + 1..];
        let is_ticket = |step: &&TrailStep| {
            matches!(
                step.what,
                StepKind::Opened { .. } | StepKind::Reopened { .. }
            )
        };
        if since.iter().filter(is_ticket).count() > 1 {
            return;
        }
        let blocks = || {
            since.iter().filter_map(|step| {
                let StepKind::Blocked { blocked, .. } = &step.what else {
                    return None;
                };
                Some(blocked.class())
            })
        };
        let is_outage = |class| class == BlockClass::Outage;
        if blocks().any(is_outage) {
            self.late += 1;
        }
        if blocks().all(is_outage) && self.delays.len() < MAX_DELAYS {
            let delay = at.duration_since(trail[raise].at).max(SignedDuration::ZERO);
            self.delays
                .push(u32::try_from(delay.as_secs()).unwrap_or(u32::MAX));
        }
    }

    /// Adds the counts of another alert.
    pub fn add(&mut self, other: &Self) {
        self.raised += other.raised;
        self.created += other.created;
        self.reopened += other.reopened;
        self.noted += other.noted;
        self.closed += other.closed;
        self.closed_by_person += other.closed_by_person;
        self.late += other.late;
        self.delays.extend(&other.delays);
    }
}

#[must_use]
pub fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// The first of the days that are counted at this time.
#[must_use]
pub fn first_day(now: Timestamp) -> Date {
    day_of(now).saturating_sub(Span::new().days(DAYS - 1))
}
