use domain::PartnerId;
use jiff::{SignedDuration, Timestamp};
use store::spread;

/// When each partner is due if nothing happens: once in each period, at a time of its own. The times
/// are spread evenly, so that partners who were all due at once are not due together again.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    length_ms: i64,
    shift_ms: i64,
}

impl Period {
    #[must_use]
    pub fn new(length: SignedDuration) -> Self {
        let length_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1);
        Self {
            length_ms,
            shift_ms: 0,
        }
    }

    /// The same period, half of it later: the farthest from another job of the same partner.
    #[must_use]
    pub fn shifted_by_half(self) -> Self {
        Self {
            shift_ms: self.length_ms / 2,
            ..self
        }
    }

    /// The partner's next time after `now`.
    #[must_use]
    pub fn next(self, partner: &PartnerId, now: Timestamp) -> Timestamp {
        let wait = self.length_ms - self.since(partner, now).rem_euclid(self.length_ms);
        let next = now.as_millisecond().saturating_add(wait);
        Timestamp::from_millisecond(next).unwrap_or(Timestamp::MAX)
    }

    /// Whether two times lie in the same period of the partner.
    #[must_use]
    pub fn is_same(self, partner: &PartnerId, one: Timestamp, other: Timestamp) -> bool {
        let number = |at| self.since(partner, at).div_euclid(self.length_ms);
        number(one) == number(other)
    }

    /// Milliseconds since the start of one of the partner's periods.
    fn since(self, partner: &PartnerId, at: Timestamp) -> i64 {
        let phase = (i64::from(spread(partner)) + self.shift_ms) % self.length_ms;
        at.as_millisecond() - phase
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: SignedDuration = SignedDuration::from_mins(15);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn partners_are_spread_evenly_over_the_period() {
        let now = at("2026-11-22T07:30:00Z");
        let period = Period::new(LENGTH).shifted_by_half();
        let mut minutes = [0; 15];
        for n in 0..1500 {
            let partner = PartnerId::parse(format!("partner-{n}")).unwrap();
            let next = period.next(&partner, now);
            let wait = next.duration_since(now);
            minutes[usize::try_from((wait.as_secs() - 1) / 60).unwrap()] += 1;
            assert_eq!(period.next(&partner, next).duration_since(next), LENGTH);
        }
        assert!(minutes.iter().all(|count| *count > 50), "{minutes:?}");
    }

    /// The longest time between two runs of a partner, and the most partners of one tick, over two
    /// hours of ticks. Each tick takes the longest overdue partners, `limit` at most.
    fn longest_gap(
        partners: usize,
        limit: usize,
        next: impl Fn(&PartnerId, Timestamp) -> Timestamp,
    ) -> (SignedDuration, usize) {
        let start = at("2026-11-22T07:30:00Z");
        let names = (0..partners).map(|n| PartnerId::parse(format!("partner-{n}")).unwrap());
        let mut due: Vec<_> = names
            .map(|partner| (next(&partner, start), start, partner))
            .collect();
        let (mut longest, mut most) = (SignedDuration::ZERO, 0);
        for minute in 1..=120 {
            let now = start + SignedDuration::from_mins(minute);
            due.sort_unstable();
            let count = due
                .partition_point(|(due_at, ..)| *due_at <= now)
                .min(limit);
            for (due_at, last, partner) in &mut due[..count] {
                longest = longest.max(now.duration_since(*last));
                (*due_at, *last) = (next(partner, now), now);
            }
            most = most.max(count);
        }
        (longest, most)
    }

    #[test]
    fn ten_thousand_partners_run_once_a_period() {
        let period = Period::new(LENGTH);
        let next = |partner: &PartnerId, now| period.next(partner, now);
        let minute = SignedDuration::from_mins(1);
        let (gap, most) = longest_gap(10_000, 1_000, next);
        assert!(gap <= LENGTH + minute, "{gap:?}");
        // Each tick has its share of them.
        assert!(most < 10_000 / 15 * 5 / 4, "{most}");
        // With too small a limit all of them run later, and none is left out.
        let (gap, _) = longest_gap(10_000, 500, next);
        assert!(gap > LENGTH && gap <= LENGTH + minute * 7, "{gap:?}");
    }

    /// Connections that fail are probed a minute after each probe.
    #[test]
    fn five_thousand_failing_partners_run_each_minute() {
        let minute = SignedDuration::from_mins(1);
        let (gap, most) = longest_gap(5_000, 5_000, |_, now| now + minute);
        assert_eq!((gap, most), (minute, 5_000));
    }

    #[test]
    fn a_shifted_period_is_half_a_period_away() {
        let partner = PartnerId::parse("acme").unwrap();
        let period = Period::new(LENGTH);
        let own = period.next(&partner, at("2026-11-22T07:30:00Z"));
        let shifted = period.shifted_by_half().next(&partner, own);
        assert_eq!(shifted.duration_since(own), LENGTH / 2);
    }

    #[test]
    fn a_period_begins_at_the_partners_own_time() {
        let partner = PartnerId::parse("acme").unwrap();
        let period = Period::new(LENGTH);
        let own = period.next(&partner, at("2026-11-22T07:30:00Z"));
        let second = SignedDuration::from_secs(1);
        assert!(period.is_same(&partner, own, own + LENGTH - second));
        assert!(!period.is_same(&partner, own, own - second));
        assert!(!period.is_same(&partner, own, own + LENGTH));
    }
}
