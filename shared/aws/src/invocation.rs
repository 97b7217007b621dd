//! One invocation of a function: its name, and the time that it has.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// What is left at the end for recording and answering: no call to another party reaches into it.
const RESERVE: Duration = Duration::from_secs(2);
/// After its function's deadline a lease or claim runs on for so long, to cover the clocks.
const MARGIN: Duration = Duration::from_secs(5);
/// The longest that one call to another party may take.
const CALL: Duration = Duration::from_secs(10);
/// How long an invocation is taken to last that has no deadline.
const ASSUMED: SignedDuration = SignedDuration::from_secs(60);

/// One invocation of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    name: String,
    /// How far this invocation's time is ahead of the machine's: nothing, but in tests.
    ahead: SignedDuration,
    ends: Timestamp,
    calls_end: Instant,
}

impl Invocation {
    /// As the runtime describes it: its request's id, and its deadline in milliseconds since 1970.
    #[must_use]
    pub fn of(request_id: &str, deadline: u64) -> Self {
        let now = Timestamp::now();
        let ends = i64::try_from(deadline)
            .ok()
            .and_then(|at| Timestamp::from_millisecond(at).ok())
            // `cargo lambda watch` hands over ten minutes of 1970; Lambda's own deadlines are never past at the start.
            .filter(|ends| *ends > now);
        let assumed = now.saturating_add(ASSUMED).unwrap_or(Timestamp::MAX);
        Self::at(request_id, now, ends.unwrap_or(assumed))
    }

    /// An invocation that takes the time to be `now`: no function asks another clock for a time that it records.
    #[must_use]
    pub fn at(name: &str, now: Timestamp, ends: Timestamp) -> Self {
        let left = Duration::try_from(ends.duration_since(now)).unwrap_or_default();
        // Lambda's longest run is 15 minutes; a deadline beyond is no deadline.
        let left = left.min(Duration::from_mins(15));
        Self {
            name: name.to_ascii_lowercase(),
            ahead: now.duration_since(Timestamp::now()),
            ends,
            calls_end: Instant::now() + left.saturating_sub(RESERVE),
        }
    }

    /// Its name, unique for ever but where Lambda runs one request twice.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
            .saturating_add(self.ahead)
            .unwrap_or(Timestamp::MAX)
    }

    /// When calls to other parties must have ended, 2 s before the invocation does.
    #[must_use]
    pub fn calls_end(&self) -> Instant {
        self.calls_end
    }

    /// When a call that begins now must have ended: in 10 s, or when all calls must.
    #[must_use]
    pub fn call_ends(&self) -> Instant {
        self.calls_end.min(Instant::now() + CALL)
    }

    /// Until when a lease or claim of this invocation runs, 5 s after its end.
    #[must_use]
    pub fn holds_until(&self) -> Timestamp {
        self.ends.saturating_add(MARGIN).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_of_1970_is_none() {
        let invocation = Invocation::of("6B4F", 600_000);
        assert!(invocation.calls_end() > Instant::now() + Duration::from_secs(50));
        assert_eq!(invocation.name(), "6b4f");
    }

    #[test]
    fn a_hold_outlives_every_call_made_under_it() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let ends = now + SignedDuration::from_secs(7);
        let invocation = Invocation::at("a", now, ends);
        assert_eq!(
            invocation.holds_until(),
            ends + SignedDuration::from_secs(5)
        );
        assert!(invocation.calls_end() <= Instant::now() + Duration::from_secs(5));
        assert_eq!(invocation.call_ends(), invocation.calls_end());
        assert!(invocation.now() >= now && invocation.now() < ends);
        let long = Invocation::at("b", now, now + SignedDuration::from_mins(5));
        assert!(long.call_ends() <= Instant::now() + Duration::from_secs(10));
    }
}
