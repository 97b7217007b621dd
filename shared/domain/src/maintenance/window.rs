//! One maintenance window: when it is, and what it covers.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recurrence::{MAX_MINUTES, Recurrence};
use super::scope::MaintenanceScope;
use super::zone::ZoneName;
use crate::time::later;

/// The longest name, in bytes.
pub const MAX_NAME: usize = 100;
/// The longest pattern of a device, in bytes.
pub const MAX_PATTERN: usize = 100;
/// The days of which a preview looks for occurrences.
const PREVIEW_DAYS: i32 = 400;

/// A maintenance window that passed all checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WindowDefinition", into = "WindowDefinition")]
pub struct MaintenanceWindow {
    definition: WindowDefinition,
    zone: ZoneName,
}

/// A maintenance window as a person or a program defines it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowDefinition {
    /// For people.
    pub name: String,
    /// A name of the IANA time zone database, such as `Europe/Berlin`.
    pub zone: String,
    /// When it first begins, by the clocks of the zone: `2026-12-01T22:00`. A window that recurs
    /// begins at this time of the day on each of its days from this day on.
    #[schemars(with = "String")]
    pub starts: DateTime,
    /// The length in minutes, by the clocks of the zone: a window from 22:00 that is 480 minutes
    /// long ends at 06:00, also when the clocks change that night. Absent for a window that happens
    /// once and lasts until it is ended, 30 days at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    pub repeats: Recurrence,
    #[serde(default)]
    pub scope: MaintenanceScope,
    /// When a person or a program ended the occurrence that was running. Later ones are not
    /// affected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// What is wrong with a definition. `field` is its path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidWindow {
    pub field: &'static str,
    pub problem: String,
}

/// One time at which a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

impl TryFrom<WindowDefinition> for MaintenanceWindow {
    type Error = InvalidWindow;

    fn try_from(definition: WindowDefinition) -> Result<Self, InvalidWindow> {
        let invalid = |field, problem: String| InvalidWindow { field, problem };
        check_text("name", &definition.name, MAX_NAME)?;
        let zone = ZoneName::parse(&definition.zone)
            .map_err(|err| invalid("zone", format!("{:?} {err}", definition.zone)))?;
        let most = definition.repeats.max_minutes();
        match (definition.minutes, &definition.repeats) {
            (Some(0), _) => return Err(invalid("minutes", "must be at least 1".to_owned())),
            (Some(minutes), _) if minutes > most => {
                let problem = format!("is at most {most} for a window that recurs like this");
                return Err(invalid("minutes", problem));
            }
            (Some(_), _) | (None, Recurrence::Once) => {}
            (None, _) => {
                let problem = "is required for a window that recurs".to_owned();
                return Err(invalid("minutes", problem));
            }
        }
        match &definition.repeats {
            Recurrence::Weekly { days } if days.is_empty() => {
                return Err(invalid("repeats.days", "has at least one day".to_owned()));
            }
            Recurrence::Monthly { day } if !(1..=31).contains(day) => {
                return Err(invalid("repeats.day", "is from 1 to 31".to_owned()));
            }
            Recurrence::Once
            | Recurrence::Daily
            | Recurrence::Weekly { .. }
            | Recurrence::Monthly { .. } => {}
        }
        if !(2000..=2200).contains(&definition.starts.year()) {
            let problem = "is in a year from 2000 to 2200".to_owned();
            return Err(invalid("starts", problem));
        }
        for pattern in &definition.scope.devices {
            check_text("scope.devices", pattern, MAX_PATTERN)?;
        }
        Ok(Self { definition, zone })
    }
}

fn check_text(field: &'static str, text: &str, most: usize) -> Result<(), InvalidWindow> {
    let problem = if text.trim().is_empty() {
        "must not be empty".to_owned()
    } else if text.len() > most {
        format!("has at most {most} bytes")
    } else if text.chars().any(char::is_control) {
        "must be one line".to_owned()
    } else {
        return Ok(());
    };
    Err(InvalidWindow { field, problem })
}

impl From<MaintenanceWindow> for WindowDefinition {
    fn from(window: MaintenanceWindow) -> Self {
        window.definition
    }
}

impl MaintenanceWindow {
    #[must_use]
    pub fn definition(&self) -> &WindowDefinition {
        &self.definition
    }

    #[must_use]
    pub fn scope(&self) -> &MaintenanceScope {
        &self.definition.scope
    }

    #[must_use]
    pub fn zone(&self) -> &ZoneName {
        &self.zone
    }

    /// Ends the occurrence that is running.
    #[must_use]
    pub fn ended(mut self, now: Timestamp) -> Self {
        self.definition.ended_at = Some(now);
        self
    }

    /// The occurrence that is running, and that ends last if there are two.
    #[must_use]
    pub fn occurrence_at(&self, now: Timestamp) -> Option<Occurrence> {
        let is_running = |of: &Occurrence| of.starts_at <= now && now < of.ends_at;
        self.occurrences_around(now, 1)
            .filter(is_running)
            .max_by_key(|of| of.ends_at)
    }

    /// The occurrence that is running and the following ones, at most this many.
    #[must_use]
    pub fn next_occurrences(&self, now: Timestamp, most: usize) -> Vec<Occurrence> {
        let is_over = |of: &Occurrence| of.ends_at <= now;
        self.occurrences_around(now, PREVIEW_DAYS)
            .filter(|of| !is_over(of))
            .take(most)
            .collect()
    }

    /// The occurrences that may run at a time, and those that begin on the following days.
    fn occurrences_around(
        &self,
        now: Timestamp,
        days_after: i32,
    ) -> impl Iterator<Item = Occurrence> {
        let definition = &self.definition;
        let first = definition.starts.date();
        let today = self.zone.local(now).date();
        let (from, days) = match definition.repeats {
            Recurrence::Once => (first, 0),
            Recurrence::Daily | Recurrence::Weekly { .. } | Recurrence::Monthly { .. } => {
                // One day more, because the clocks may go back over midnight.
                let before = i32::try_from(self.minutes() / (24 * 60)).unwrap_or_default() + 2;
                let from = today.saturating_sub(before.days()).max(first);
                let to = today.max(first).saturating_add(days_after.days());
                (from, from.until(to).map_or(-1, |span| span.get_days()))
            }
        };
        (0..=days).filter_map(move |day| {
            let day = from.checked_add(day.days()).ok()?;
            self.occurrence_on(day)
        })
    }

    /// The occurrence that begins on this day. `None` if the clocks skip it.
    fn occurrence_on(&self, day: Date) -> Option<Occurrence> {
        let definition = &self.definition;
        if !definition.repeats.begins_on(definition.starts.date(), day) {
            return None;
        }
        let start = day.to_datetime(definition.starts.time());
        let end = start
            .checked_add(i64::from(self.minutes()).minutes())
            .ok()?;
        let starts_at = self.zone.first(start)?;
        let longest = SignedDuration::from_mins(i64::from(MAX_MINUTES));
        let mut ends_at = self.zone.last(end)?.min(later(starts_at, longest));
        if let Some(ended) = definition.ended_at.filter(|ended| starts_at <= *ended) {
            ends_at = ends_at.min(ended);
        }
        (starts_at < ends_at).then_some(Occurrence { starts_at, ends_at })
    }

    fn minutes(&self) -> u32 {
        self.definition.minutes.unwrap_or(MAX_MINUTES)
    }
}

#[cfg(test)]
mod tests;
