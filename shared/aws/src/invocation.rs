//! One invocation of a function: its name and its time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Time reserved at the end for writing results. No call to another party may use it.
const RESERVE: Duration = Duration::from_secs(2);
/// How long a lease or claim outlives its invocation, to allow for clock differences.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// The longest call to another party.
const MAX_CALL_DURATION: Duration = Duration::from_secs(10);
/// The assumed duration of an invocation without a deadline.
const DEFAULT_DURATION: SignedDuration = SignedDuration::from_secs(60);

/// The person behind an invocation, as far as it is known. Schedules and queues have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The address from which the request came.
    pub address: Option<String>,
    /// The AWS identity that signed it.
    pub identity: Option<String>,
    /// The beginning of the hash of its session, which names the session and opens nothing.
    pub session: Option<String>,
}

/// One invocation of a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    name: String,
    caller: Caller,
    /// How far this invocation's clock is ahead of the machine's. Zero except in tests.
    ahead: SignedDuration,
    ends: Timestamp,
    calls_end: Instant,
}

impl Invocation {
    /// Creates an invocation from the runtime's request id and deadline, in milliseconds since
    /// 1970.
    #[must_use]
    pub fn of(request_id: &str, deadline: u64) -> Self {
        let now = Timestamp::now();
        let ends = i64::try_from(deadline)
            .ok()
            .and_then(|at| Timestamp::from_millisecond(at).ok())
            // `cargo lambda watch` passes ten minutes of 1970. Lambda's own deadlines are never
            // past at the start.
            .filter(|ends| *ends > now);
        let assumed = now
            .saturating_add(DEFAULT_DURATION)
            .unwrap_or(Timestamp::MAX);
        Self::at(request_id, now, ends.unwrap_or(assumed))
    }

    /// Creates an invocation whose clock shows `now`. A function takes every recorded time from
    /// here.
    #[must_use]
    pub fn at(name: &str, now: Timestamp, ends: Timestamp) -> Self {
        let left = Duration::try_from(ends.duration_since(now)).unwrap_or_default();
        // Lambda's limit is 15 minutes, so a later deadline is not one.
        let left = left.min(Duration::from_mins(15));
        Self {
            name: name.to_ascii_lowercase(),
            caller: Caller::default(),
            ahead: now.duration_since(Timestamp::now()),
            ends,
            calls_end: Instant::now() + left.saturating_sub(RESERVE),
        }
    }

    /// Unique, unless Lambda runs one request twice.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn with_caller(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
            .saturating_add(self.ahead)
            .unwrap_or(Timestamp::MAX)
    }

    /// When all calls to other parties must have ended: 2 s before the invocation.
    #[must_use]
    pub fn calls_end(&self) -> Instant {
        self.calls_end
    }

    /// When a call that begins now must have ended: in 10 s, or earlier with all calls.
    #[must_use]
    pub fn call_ends(&self) -> Instant {
        self.calls_end.min(Instant::now() + MAX_CALL_DURATION)
    }

    /// When a lease or claim of this invocation expires: 5 s after its end.
    #[must_use]
    pub fn holds_until(&self) -> Timestamp {
        self.ends
            .saturating_add(LEASE_MARGIN)
            .unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_deadline_is_ignored() {
        let invocation = Invocation::of("6B4F", 600_000);
        assert!(invocation.calls_end() > Instant::now() + Duration::from_secs(50));
        assert_eq!(invocation.name(), "6b4f");
    }

    #[test]
    fn a_lease_outlives_every_call() {
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
