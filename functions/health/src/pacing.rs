//! When a partner's connection is tried again. Pure.

use domain::PartnerId;
use jiff::{SignedDuration, Timestamp};
use store::spread;

/// The schedule's next tick comes a minute after this one, and no run ends in no time: a minute later would be the tick after it.
const NEXT_TICK: SignedDuration = SignedDuration::from_secs(50);
/// How often a connection is tried that is well, in milliseconds.
const PERIOD: i64 = 15 * 60 * 1000;

/// When one that is in trouble is tried again, and a run that failed: at the next tick.
pub(crate) fn soon(now: Timestamp) -> Timestamp {
    now.saturating_add(NEXT_TICK).unwrap_or(Timestamp::MAX)
}

/// The next of the partner's own times: one in each quarter of an hour, half of one away from `reconcile`'s.
pub(crate) fn own_time(partner: &PartnerId, now: Timestamp) -> Timestamp {
    let now = now.as_millisecond();
    let phase = (i64::from(spread(partner)) + PERIOD / 2) % PERIOD;
    let wait = PERIOD - (now - phase).rem_euclid(PERIOD);
    Timestamp::from_millisecond(now + wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_who_were_due_at_once_are_spread_over_the_quarter_of_an_hour() {
        let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
        let mut minutes = [0; 15];
        for n in 0..1500 {
            let partner = PartnerId::parse(format!("partner-{n}")).unwrap();
            let own = own_time(&partner, now);
            let wait = own.duration_since(now);
            minutes[usize::try_from((wait.as_secs() - 1) / 60).unwrap()] += 1;
            let following = own_time(&partner, own);
            assert_eq!(following.duration_since(own), SignedDuration::from_mins(15));
        }
        assert!(minutes.iter().all(|count| *count > 50), "{minutes:?}");
    }
}
