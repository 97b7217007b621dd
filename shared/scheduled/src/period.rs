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
