//! Flap detection: an alert that is raised and resolved again and again keeps one ticket until it
//! is calm.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::later;

/// One raise is what every alert has.
pub const MIN_RAISES: u32 = 2;
/// The longest time within which a rule can count raises: a day.
pub const MAX_MINUTES: u32 = 1440;
/// The most raises that a rule can count, and that are stored of an alert.
pub const MAX_RAISES: u32 = 20;

/// When an alert counts as flapping: it was raised this often within this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlapRule {
    /// From 2 to 20.
    pub raises: u32,
    /// From 1 to 1440.
    pub minutes: u32,
}

/// When an alert was raised lately, by the source's clock. A repeat is no raise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecentRaises(Vec<Timestamp>);

impl RecentRaises {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Events can be received in another order than they happened.
    pub(crate) fn add(&mut self, at: Timestamp) {
        let place = self.0.partition_point(|raise| *raise <= at);
        self.0.insert(place, at);
        if u32::try_from(self.0.len()).is_ok_and(|count| count > MAX_RAISES) {
            self.0.remove(0);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl FlapRule {
    /// Until when the alert counts as flapping unless it is raised again. `None` if it is calm.
    #[must_use]
    pub fn flaps_until(self, raises: &RecentRaises, now: Timestamp) -> Option<Timestamp> {
        let index = usize::try_from(self.raises).ok()?.checked_sub(1)?;
        let first = *raises.0.iter().rev().nth(index)?;
        let until = later(first, self.period());
        (now < until).then_some(until)
    }

    /// How often the alert was raised within the rule's time, if it is flapping.
    #[must_use]
    pub fn count(self, raises: &RecentRaises, now: Timestamp) -> Option<usize> {
        self.flaps_until(raises, now)?;
        let is_recent = |raise: &&Timestamp| now < later(**raise, self.period());
        Some(raises.0.iter().filter(is_recent).count())
    }

    fn period(self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + 60 * minute).unwrap()
    }

    fn raises(minutes: &[i64]) -> RecentRaises {
        let mut raises = RecentRaises::default();
        for minute in minutes {
            raises.add(at(*minute));
        }
        raises
    }

    #[test]
    fn an_alert_flaps_until_its_raises_are_old() {
        let rule = FlapRule {
            raises: 3,
            minutes: 30,
        };
        for (minutes, now, until) in [
            (&[0, 10][..], 11, None),
            (&[0, 10, 20], 21, Some(30)),
            (&[0, 10, 20], 29, Some(30)),
            (&[0, 10, 20], 30, None),
            // Each further raise prolongs it, in whatever order the events are received.
            (&[20, 0, 10, 25], 31, Some(40)),
            (&[0, 40, 80], 81, None),
        ] {
            let raises = raises(minutes);
            assert_eq!(
                rule.flaps_until(&raises, at(now)),
                until.map(at),
                "{minutes:?} {now}"
            );
        }
        assert_eq!(rule.count(&raises(&[0, 5, 10, 20]), at(33)), Some(3));
        let recent = rule.count(&raises(&[0, 5, 10, 20]), at(30));
        assert_eq!(recent, Some(3), "the first is 30 minutes old");
        assert_eq!(rule.count(&raises(&[0, 10]), at(11)), None);
    }

    #[test]
    fn raises_that_are_cleared_are_none() {
        let mut raises = raises(&[0, 10]);
        assert!(!raises.is_empty());
        raises.clear();
        assert!(raises.is_empty());
    }

    #[test]
    fn the_newest_raises_are_kept() {
        let minutes: Vec<i64> = (0..100).collect();
        let raises = raises(&minutes);
        assert_eq!(raises.0.len(), 20);
        assert_eq!(raises.0.first(), Some(&at(80)));
        let rule = |raises| FlapRule {
            raises,
            minutes: 60,
        };
        assert_eq!(rule(20).flaps_until(&raises, at(100)), Some(at(140)));
        assert_eq!(rule(0).flaps_until(&raises, at(100)), None);
    }
}
