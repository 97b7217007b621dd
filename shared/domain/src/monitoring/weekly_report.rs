//! When the weekly report of a partner is due: each Monday at 07:00 UTC, once it is live.

use jiff::civil::{Weekday, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::{Deserialize, Serialize};

/// A report that could not be sent for so long is left out: the next one follows soon.
const LATEST: SignedDuration = SignedDuration::from_hours(24);

/// The weekly report that was sent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WeeklyReport {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_at: Option<Timestamp>,
}

/// Whether a report may be due, whatever was sent. The partner went live at this time.
#[must_use]
pub fn may_be_due(live_since: Option<Timestamp>, now: Timestamp) -> bool {
    due_time(now).is_some_and(|due| live_since.is_none_or(|live| live < due))
}

impl WeeklyReport {
    /// Whether the report of this week is due. It stays due until [`Self::sent`] records it.
    #[must_use]
    pub fn is_due(&self, live_since: Option<Timestamp>, now: Timestamp) -> bool {
        let is_sent = |due| self.sent_at.is_some_and(|sent| sent >= due);
        may_be_due(live_since, now) && due_time(now).is_some_and(|due| !is_sent(due))
    }

    #[must_use]
    pub fn sent(now: Timestamp) -> Self {
        Self { sent_at: Some(now) }
    }
}

/// The time of the report of this week, unless it is too late for it.
fn due_time(now: Timestamp) -> Option<Timestamp> {
    let monday = |at: Zoned| {
        let days = at.weekday().since(Weekday::Monday);
        let day = at.date().checked_sub(jiff::Span::new().days(days)).ok()?;
        let due = day.to_datetime(time(7, 0, 0, 0)).to_zoned(TimeZone::UTC);
        due.ok().map(|due| due.timestamp())
    };
    let due = monday(now.to_zoned(TimeZone::UTC))?;
    (due..crate::time::later(due, LATEST))
        .contains(&now)
        .then_some(due)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    /// 2026-11-30 is a Monday.
    #[test]
    fn a_report_is_due_on_monday_morning_until_the_next_day() {
        let report = WeeklyReport::default();
        let live = Some(at("2026-11-26T18:00:00Z"));
        for (now, expected) in [
            ("2026-11-29T23:00:00Z", false),
            ("2026-11-30T06:59:59Z", false),
            ("2026-11-30T07:00:00Z", true),
            ("2026-12-01T06:59:59Z", true),
            ("2026-12-01T07:00:00Z", false),
            ("2026-12-06T12:00:00Z", false),
        ] {
            assert_eq!(report.is_due(live, at(now)), expected, "{now}");
        }
        let later = Some(at("2026-11-30T07:00:01Z"));
        assert!(!report.is_due(later, at("2026-11-30T08:00:00Z")));
        let sent = WeeklyReport::sent(at("2026-11-30T07:01:00Z"));
        assert!(!sent.is_due(live, at("2026-11-30T08:00:00Z")));
        assert!(sent.is_due(live, at("2026-12-07T07:00:00Z")));
    }

    proptest! {
        #[test]
        fn there_is_one_report_a_week(start in 0..7 * 24 * 60_i64, every in 1..12 * 60_i64) {
            let begin = at("2026-11-02T00:00:00Z");
            let minutes = |count: i64| begin + SignedDuration::from_mins(count);
            let (mut report, mut sent) = (WeeklyReport::default(), 0);
            let mut minute = start;
            // Four whole weeks.
            while minute < start + 4 * 7 * 24 * 60 {
                let now = minutes(minute);
                if report.is_due(None, now) {
                    report = WeeklyReport::sent(now);
                    sent += 1;
                }
                minute += every;
            }
            // The first or last day may contain a part of a Monday.
            prop_assert!((4..=5).contains(&sent), "{sent}");
        }
    }
}
