//! Whether a source has been quiet for too long: longer than the operator set for it, or else longer
//! than it usually is.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::activity::SourceActivity;

/// Without a time that the operator set, no source is inactive before it was quiet this long.
const MIN_QUIET: SignedDuration = SignedDuration::from_hours(24);

/// When a source or a tenant of it is inactive. Absent members are the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct InactivityRules {
    /// The hours without a message after which the source is inactive. Absent: more than usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive_after_hours: Option<u32>,
    /// The days without a message for a tenant after which the tenant is inactive. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_inactive_after_days: Option<u32>,
    /// Whether an inactive source makes a ticket.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inactive_ticket: bool,
}

/// A source that posts for a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedSource {
    pub enabled: bool,
    /// When it began to post, or was switched on again.
    pub since: Timestamp,
    pub rules: InactivityRules,
}

/// Returns since when the source has been quiet, if that is too long. A source that is switched off
/// is never inactive. Without a time that the operator set, a source is inactive once it was quiet
/// half as long again as ever in recent weeks, and never before it has posted for some weeks.
#[must_use]
pub fn inactive_since(
    source: WatchedSource,
    activity: &SourceActivity,
    now: Timestamp,
) -> Option<Timestamp> {
    if !source.enabled {
        return None;
    }
    let usual = || {
        let gap = activity.usual_gap()?;
        Some(gap.saturating_add(gap / 2).max(MIN_QUIET))
    };
    let hours = source.rules.inactive_after_hours.map(i64::from);
    let limit = hours.map(SignedDuration::from_hours).or_else(usual)?;
    let last = activity.last_message_at.unwrap_or(source.since);
    // The time in which it was switched off does not count.
    let quiet_since = last.max(source.since);
    (now.duration_since(quiet_since) > limit).then_some(quiet_since)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday.
    const BEGIN: &str = "2026-10-05T08:00:00Z";

    fn after(hours: i64) -> Timestamp {
        let begin: Timestamp = BEGIN.parse().unwrap();
        begin + SignedDuration::from_hours(hours)
    }

    fn source(inactive_after_hours: Option<u32>) -> WatchedSource {
        WatchedSource {
            enabled: true,
            since: after(0),
            rules: InactivityRules {
                inactive_after_hours,
                ..InactivityRules::default()
            },
        }
    }

    /// Messages each hour from 8 to 18 o'clock on five days a week.
    fn office_hours(weeks: i64) -> SourceActivity {
        let mut activity = SourceActivity::default();
        for day in (0..weeks * 7).filter(|day| day % 7 < 5) {
            for hour in 0..=10 {
                activity = activity.with_message(after(day * 24 + hour));
            }
        }
        activity
    }

    #[test]
    fn a_source_that_is_switched_off_is_never_inactive() {
        for inactive_after in [None, Some(1)] {
            let off = WatchedSource {
                enabled: false,
                ..source(inactive_after)
            };
            assert_eq!(inactive_since(off, &office_hours(6), after(10_000)), None);
        }
    }

    #[test]
    fn a_new_source_without_a_message_is_inactive_only_by_the_operators_time() {
        let none = SourceActivity::default();
        let late = after(10_000);
        assert_eq!(inactive_since(source(None), &none, late), None);
        assert_eq!(inactive_since(source(Some(48)), &none, after(48)), None);
        let since = inactive_since(source(Some(48)), &none, after(49));
        assert_eq!(since, Some(after(0)));
    }

    #[test]
    fn a_source_of_yesterday_has_no_usual_gap() {
        let activity = SourceActivity::default()
            .with_message(after(0))
            .with_message(after(1));
        assert_eq!(inactive_since(source(None), &activity, after(24 * 9)), None);
        let since = inactive_since(source(Some(24)), &activity, after(26));
        assert_eq!(since, Some(after(1)));
    }

    #[test]
    fn a_weekend_is_usual_and_a_week_is_not() {
        let activity = office_hours(5);
        // The last message was on Friday evening.
        let friday = 24 * (4 * 7 + 4) + 10;
        let gap = activity.usual_gap().unwrap();
        assert_eq!(gap, SignedDuration::from_hours(62));
        for quiet in [1, 62, 93] {
            let now = after(friday + quiet);
            assert_eq!(
                inactive_since(source(None), &activity, now),
                None,
                "{quiet}"
            );
        }
        let since = inactive_since(source(None), &activity, after(friday + 94));
        assert_eq!(since, Some(after(friday)));
        // The operator's time counts instead, also if it is shorter or longer.
        let now = after(friday + 62);
        let since = inactive_since(source(Some(12)), &activity, now);
        assert_eq!(since, Some(after(friday)));
        let now = after(friday + 500);
        assert_eq!(inactive_since(source(Some(1000)), &activity, now), None);
    }

    #[test]
    fn a_busy_source_may_be_quiet_for_a_day() {
        let mut activity = SourceActivity::default();
        for hour in 0..24 * 30 {
            activity = activity.with_message(after(hour));
        }
        let last = 24 * 30 - 1;
        assert_eq!(
            inactive_since(source(None), &activity, after(last + 24)),
            None
        );
        let since = inactive_since(source(None), &activity, after(last + 25));
        assert_eq!(since, Some(after(last)));
    }

    #[test]
    fn the_time_in_which_it_was_switched_off_does_not_count() {
        let activity = office_hours(5);
        let switched_on = WatchedSource {
            since: after(2000),
            ..source(Some(24))
        };
        assert_eq!(inactive_since(switched_on, &activity, after(2024)), None);
        let since = inactive_since(switched_on, &activity, after(2025));
        assert_eq!(since, Some(after(2000)));
    }
}
