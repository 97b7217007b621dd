//! A named time zone.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time::earlier;

/// A time zone of the IANA database, such as `Europe/Berlin`. The database is part of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ZoneName {
    name: String,
    zone: TimeZone,
}

/// A name that the time zone database does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not the name of a time zone, such as Europe/Berlin or America/New_York")]
pub struct UnknownZone;

impl ZoneName {
    /// # Errors
    /// When the database has no such zone.
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        let zone = database().get(name).map_err(|_| UnknownZone)?;
        // The database finds names in any case and returns the spelling of the database.
        let name = zone.iana_name().ok_or(UnknownZone)?.to_owned();
        Ok(Self { name, zone })
    }

    #[must_use]
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            zone: TimeZone::UTC,
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The names of all zones, sorted.
    #[must_use]
    pub fn all() -> Vec<String> {
        let mut names: Vec<_> = database()
            .available()
            .map(|name| name.as_str().to_owned())
            .collect();
        names.sort();
        names
    }

    /// What the clocks of the zone show.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> DateTime {
        self.zone.to_datetime(at)
    }

    /// When the clocks of the zone first show at least this time.
    #[must_use]
    pub(super) fn first(&self, local: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
            AmbiguousOffset::Gap { after, .. } => self.transition(after.to_timestamp(local).ok()?),
        }
    }

    /// When the clocks of the zone show at least this time for good.
    #[must_use]
    pub(super) fn last(&self, local: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, after } => {
                let second = after.to_timestamp(local).ok()?;
                // The clocks go back to this very time, and never show an earlier one again.
                let is_change = self.local(earlier(second, SignedDuration::from_nanos(1))) > local;
                match is_change {
                    true => before.to_timestamp(local).ok(),
                    false => Some(second),
                }
            }
            AmbiguousOffset::Gap { after, .. } => self.transition(after.to_timestamp(local).ok()?),
        }
    }

    /// The change of the clocks that skips a time. `before` is at most an offset's change earlier.
    fn transition(&self, before: Timestamp) -> Option<Timestamp> {
        // A change at this very moment counts.
        let before = earlier(before, SignedDuration::from_nanos(1));
        let next = self.zone.following(before).next()?;
        Some(next.timestamp())
    }
}

/// The database that is part of the program: the zones do not depend on the machine.
fn database() -> TimeZoneDatabase {
    TimeZoneDatabase::bundled()
}

impl TryFrom<String> for ZoneName {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Self, UnknownZone> {
        Self::parse(&name)
    }
}

impl From<ZoneName> for String {
    fn from(zone: ZoneName) -> Self {
        zone.name
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
