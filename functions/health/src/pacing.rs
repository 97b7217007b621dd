//! When a partner's connection is tried again. Pure.

use domain::PartnerId;
use jiff::{SignedDuration, Timestamp};
use store::spread;

/// The schedule's next tick comes a minute after this one, and no run ends in no time: a minute later would be the tick after it.
const NEXT_TICK: SignedDuration = SignedDuration::from_secs(50);

/// How long one that is in trouble waits, and a run that failed: until the next tick.
pub(crate) fn wait(period: SignedDuration) -> SignedDuration {
    NEXT_TICK.min(period)
}

/// When that is over.
pub(crate) fn soon(period: SignedDuration, now: Timestamp) -> Timestamp {
    now.saturating_add(wait(period)).unwrap_or(Timestamp::MAX)
}

/// The next of the partner's own times: one in each period, half of one away from `reconcile`'s.
pub(crate) fn own_time(partner: &PartnerId, period: SignedDuration, now: Timestamp) -> Timestamp {
    let period = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
    let now = now.as_millisecond();
    let phase = (i64::from(spread(partner)) + period / 2) % period;
    let wait = period - (now - phase).rem_euclid(period);
    Timestamp::from_millisecond(now.saturating_add(wait)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: SignedDuration = SignedDuration::from_mins(15);

    #[test]
    fn partners_who_were_due_at_once_are_spread_over_the_quarter_of_an_hour() {
        let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
        let mut minutes = [0; 15];
        for n in 0..1500 {
            let partner = PartnerId::parse(format!("partner-{n}")).unwrap();
            let own = own_time(&partner, PERIOD, now);
            let wait = own.duration_since(now);
            minutes[usize::try_from((wait.as_secs() - 1) / 60).unwrap()] += 1;
            let following = own_time(&partner, PERIOD, own);
            assert_eq!(following.duration_since(own), PERIOD);
        }
        assert!(minutes.iter().all(|count| *count > 50), "{minutes:?}");
    }
}
