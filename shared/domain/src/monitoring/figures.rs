//! The figures of a partner: what happened to its alerts on each day of the last quarter.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::figures::{AlertFigures, DAYS, DayCounts, day_of, first_day};

/// The days of the short chart and of the weekly report.
pub const WEEK: i64 = 7;

/// How many alerts may be read for the figures, on average.
const ALERTS_PER_SECOND: u64 = 10;

/// The sum over all alerts of a partner.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FiguresSum {
    alerts: u64,
    days: BTreeMap<Date, DayCounts>,
}

/// What is stored of a partner's figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerFigures {
    pub counted_at: Timestamp,
    /// How many alerts were read for it.
    pub alerts: u64,
    /// Days on which something happened.
    #[serde(default)]
    pub days: BTreeMap<Date, Counts>,
    /// The last 7 days together, today included.
    pub week: Counts,
    /// The last 90 days together, today included.
    pub quarter: Counts,
}

/// The counts of one day or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Alerts that were raised.
    pub raised: u32,
    /// Tickets that were created.
    pub created: u32,
    /// Tickets that were reopened.
    pub reopened: u32,
    /// Notes on open tickets.
    pub noted: u32,
    /// Tickets that Ticketbridge closed.
    pub closed: u32,
    /// Tickets that a person closed, merged, moved or deleted.
    pub closed_by_person: u32,
    /// Tickets that came late because ConnectWise could not be used.
    pub late: u32,
    /// How long tickets took. `None` if there was none that did not wait for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
}

/// From the receipt of a raise to its ticket, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    pub median: u32,
    /// 95 of 100 tickets took no longer.
    pub p95: u32,
}

impl FiguresSum {
    pub fn add(&mut self, alert: &AlertFigures) {
        self.alerts += 1;
        for (day, counts) in &alert.days {
            self.days.entry(*day).or_default().add(counts);
        }
    }

    #[must_use]
    pub fn finish(self, now: Timestamp) -> PartnerFigures {
        let Self { alerts, mut days } = self;
        let (first, last) = (first_day(now), day_of(now));
        days.retain(|day, _| (first..=last).contains(day));
        let of_last = |count: i64| {
            let from = last.saturating_sub(Span::new().days(count - 1));
            let mut sum = DayCounts::default();
            days.range(from..).for_each(|(_, counts)| sum.add(counts));
            Counts::of(sum)
        };
        let (week, quarter) = (of_last(WEEK), of_last(DAYS));
        PartnerFigures {
            counted_at: now,
            alerts,
            days: days
                .into_iter()
                .map(|(day, counts)| (day, Counts::of(counts)))
                .collect(),
            week,
            quarter,
        }
    }
}

impl PartnerFigures {
    /// Whether they are to be counted again: after 10 seconds if that costs little, for many alerts
    /// at most each hour, and on a new day.
    #[must_use]
    pub fn is_old(&self, now: Timestamp) -> bool {
        let seconds = (self.alerts / ALERTS_PER_SECOND).clamp(10, 3600);
        let age = now.duration_since(self.counted_at);
        age >= SignedDuration::from_secs(seconds.cast_signed())
            || day_of(now) != day_of(self.counted_at)
    }

    /// Each of the last days, today last, also days without anything.
    #[must_use]
    pub fn last_days(&self, count: i64, now: Timestamp) -> Vec<(Date, Counts)> {
        let today = day_of(now);
        (0..count)
            .rev()
            .map(|back| today.saturating_sub(Span::new().days(back)))
            .map(|day| (day, self.days.get(&day).copied().unwrap_or_default()))
            .collect()
    }
}

impl Counts {
    fn of(counts: DayCounts) -> Self {
        let DayCounts {
            raised,
            created,
            reopened,
            noted,
            closed,
            closed_by_person,
            late,
            delays,
        } = counts;
        Self {
            raised,
            created,
            reopened,
            noted,
            closed,
            closed_by_person,
            late,
            delay: Delay::of(delays),
        }
    }
}

impl Delay {
    /// The median and the 95th percentile, each one of the delays (nearest rank).
    fn of(mut delays: Vec<u32>) -> Option<Self> {
        delays.sort_unstable();
        let at = |percent: usize| {
            let rank = (delays.len() * percent).div_ceil(100);
            delays.get(rank.saturating_sub(1)).copied()
        };
        Some(Self {
            median: at(50)?,
            p95: at(95)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: &str) -> Date {
        day.parse().unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-26T10:00:00Z".parse().unwrap()
    }

    fn alert(days: &[(&str, u32)]) -> AlertFigures {
        let counts = |created: u32| DayCounts {
            created,
            delays: vec![created; 2],
            ..DayCounts::default()
        };
        let days = days.iter().map(|(of, created)| (day(of), counts(*created)));
        AlertFigures {
            days: days.collect(),
        }
    }

    #[test]
    fn a_week_is_today_and_the_six_days_before() {
        let mut sum = FiguresSum::default();
        sum.add(&alert(&[("2026-11-19", 100), ("2026-11-20", 10)]));
        sum.add(&alert(&[("2026-11-20", 5), ("2026-11-26", 1)]));
        let figures = sum.finish(now());
        assert_eq!(figures.alerts, 2);
        assert_eq!(figures.week.created, 16);
        assert_eq!(figures.quarter.created, 116);
        assert_eq!(figures.days[&day("2026-11-20")].created, 15);
        let days = figures.last_days(WEEK, now());
        let created: Vec<_> = days.iter().map(|(_, counts)| counts.created).collect();
        assert_eq!(created, [15, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_quarter_has_90_days_and_no_day_of_the_future() {
        let mut sum = FiguresSum::default();
        let days = [
            ("2026-08-28", 1),
            ("2026-08-29", 2),
            ("2026-11-26", 4),
            ("2026-11-27", 8),
        ];
        sum.add(&alert(&days));
        let figures = sum.finish(now());
        assert_eq!(figures.quarter.created, 6);
        assert_eq!(figures.days.len(), 2);
        assert_eq!(figures.last_days(DAYS, now()).len(), 90);
    }

    #[test]
    fn figures_of_many_alerts_are_counted_less_often() {
        let old_after = |alerts: u64, seconds: i64| {
            let figures = PartnerFigures {
                alerts,
                ..FiguresSum::default().finish(now())
            };
            figures.is_old(now() + SignedDuration::from_secs(seconds))
        };
        assert!(!old_after(10, 9) && old_after(10, 10));
        assert!(!old_after(6_000, 599) && old_after(6_000, 600));
        assert!(!old_after(1_000_000, 3599) && old_after(1_000_000, 3600));
        let midnight: Timestamp = "2026-11-26T00:00:00Z".parse().unwrap();
        let figures = FiguresSum::default().finish(midnight - SignedDuration::from_secs(1));
        assert!(figures.is_old(midnight), "another day has begun");
    }

    #[test]
    fn percentiles_are_delays_that_were_seen() {
        let of = |delays: Vec<u32>| Delay::of(delays).map(|delay| (delay.median, delay.p95));
        assert_eq!(of(vec![]), None);
        assert_eq!(of(vec![7]), Some((7, 7)));
        assert_eq!(of(vec![9, 1]), Some((1, 9)));
        assert_eq!(of((1..=100).rev().collect()), Some((50, 95)));
        assert_eq!(of((1..=20).collect()), Some((10, 19)));
    }

    #[test]
    fn figures_are_small_when_stored() {
        let counts = DayCounts {
            raised: 1000,
            created: 1000,
            reopened: 1000,
            noted: 1000,
            closed: 1000,
            closed_by_person: 1000,
            late: 1000,
            delays: vec![1000; 1000],
        };
        let days = (0..DAYS).map(|back| {
            let day = day_of(now()).saturating_sub(Span::new().days(back));
            (day, counts.clone())
        });
        let mut sum = FiguresSum::default();
        sum.add(&AlertFigures {
            days: days.collect(),
        });
        let stored = serde_json::to_string(&sum.finish(now())).unwrap();
        assert!(stored.len() < 20_000, "{}", stored.len());
    }
}
