//! On which days a maintenance window begins.

use std::collections::BTreeSet;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const MINUTES_OF_DAY: u32 = 24 * 60;
/// The longest window that happens once, in minutes.
pub const MAX_MINUTES: u32 = 30 * MINUTES_OF_DAY;

/// How often a window recurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Recurrence {
    Once,
    Daily,
    Weekly {
        days: BTreeSet<Weekday>,
    },
    /// On this day of each month, or on the last day of a shorter month.
    Monthly {
        day: u8,
    },
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Recurrence {
    /// The longest window of this kind, in minutes.
    #[must_use]
    pub fn max_minutes(&self) -> u32 {
        match self {
            Self::Once => MAX_MINUTES,
            Self::Daily => MINUTES_OF_DAY,
            Self::Weekly { .. } | Self::Monthly { .. } => 7 * MINUTES_OF_DAY,
        }
    }

    /// Whether a window whose first day is `first` begins on this day.
    pub(super) fn begins_on(&self, first: Date, day: Date) -> bool {
        if day < first {
            return false;
        }
        match self {
            Self::Once => day == first,
            Self::Daily => true,
            Self::Weekly { days } => days.contains(&Weekday::of(day)),
            Self::Monthly { day: of_month } => {
                let last = u8::try_from(day.days_in_month()).unwrap_or(u8::MAX);
                u8::try_from(day.day()).is_ok_and(|day| day == (*of_month).min(last))
            }
        }
    }
}

impl Weekday {
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    #[must_use]
    pub fn of(day: Date) -> Self {
        use jiff::civil::Weekday as Civil;

        match day.weekday() {
            Civil::Monday => Self::Monday,
            Civil::Tuesday => Self::Tuesday,
            Civil::Wednesday => Self::Wednesday,
            Civil::Thursday => Self::Thursday,
            Civil::Friday => Self::Friday,
            Civil::Saturday => Self::Saturday,
            Civil::Sunday => Self::Sunday,
        }
    }

    /// The name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Monday => "Monday",
            Self::Tuesday => "Tuesday",
            Self::Wednesday => "Wednesday",
            Self::Thursday => "Thursday",
            Self::Friday => "Friday",
            Self::Saturday => "Saturday",
            Self::Sunday => "Sunday",
        }
    }

    /// The name on the wire and in forms.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }
}
