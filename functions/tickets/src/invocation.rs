//! One invocation: its name, and the time that it has.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use domain::ClaimId;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::Context;
use tokio::time::Instant;

/// What is left at the end for recording and answering: no call to ConnectWise reaches into it.
const RESERVE: Duration = Duration::from_secs(2);
/// A step is begun only with so much time for its calls, or a quarter of the whole where that is less.
const STEP: Duration = Duration::from_secs(6);
/// After its function's deadline a claim runs on for so long, to cover the clocks.
const CLAIM_MARGIN: Duration = Duration::from_secs(5);

/// How long an invocation is taken to last that has no deadline.
const ASSUMED: SignedDuration = SignedDuration::from_secs(60);

/// One invocation of the function.
#[derive(Debug)]
pub struct Invocation {
    name: String,
    /// How far this invocation's time is ahead of the machine's: nothing, but in tests.
    ahead: SignedDuration,
    ends: Timestamp,
    calls_end: Instant,
    step: Duration,
    claims: AtomicU32,
}

impl Invocation {
    /// As the runtime describes it.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        let ends = i64::try_from(context.deadline)
            .ok()
            .and_then(|at| Timestamp::from_millisecond(at).ok());
        let now = Timestamp::now();
        // `cargo lambda watch` hands over ten minutes of 1970; Lambda's own deadlines are never past at the start.
        let ends = ends.filter(|ends| *ends > now);
        let assumed = now.saturating_add(ASSUMED).unwrap_or(Timestamp::MAX);
        Self::new(&context.request_id, ends.unwrap_or(assumed))
    }

    /// An invocation of this name that ends then. Names are unique for ever, as request ids are.
    #[must_use]
    pub fn new(name: &str, ends: Timestamp) -> Self {
        Self::at(name, Timestamp::now(), ends)
    }

    /// An invocation that takes the time to be `now`: nothing in this function asks another clock for a time that it records.
    #[must_use]
    pub fn at(name: &str, now: Timestamp, ends: Timestamp) -> Self {
        let left = Duration::try_from(ends.duration_since(now)).unwrap_or_default();
        // Lambda's longest run is 15 minutes; a deadline beyond is no deadline.
        let left = left.min(Duration::from_mins(15));
        let calls_end = Instant::now() + left.saturating_sub(RESERVE);
        Self {
            name: name.to_ascii_lowercase(),
            ahead: now.duration_since(Timestamp::now()),
            ends,
            calls_end,
            step: STEP.min(left / 4),
            claims: AtomicU32::new(0),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
            .saturating_add(self.ahead)
            .unwrap_or(Timestamp::MAX)
    }

    /// When calls to ConnectWise must have ended.
    #[must_use]
    pub fn calls_end(&self) -> Instant {
        self.calls_end
    }

    /// Whether there is time for one more step.
    #[must_use]
    pub fn has_time(&self) -> bool {
        Instant::now() + self.step < self.calls_end
    }

    /// Until when a claim of this invocation runs.
    #[must_use]
    pub fn claim_until(&self) -> Timestamp {
        self.ends
            .saturating_add(CLAIM_MARGIN)
            .unwrap_or(Timestamp::MAX)
    }

    /// A name for a claim that no other claim has; none where the invocation's own name is not one.
    #[must_use]
    pub fn next_claim(&self) -> Option<ClaimId> {
        let number = self.claims.fetch_add(1, Ordering::Relaxed);
        ClaimId::parse(format!("{}-{number}", self.name)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_of_1970_is_none() {
        let mut context = Context::default();
        context.deadline = 600_000;
        assert!(Invocation::of(&context).has_time());
    }

    #[test]
    fn a_claim_outlives_every_call_made_under_it() {
        let ends = Timestamp::now() + SignedDuration::from_secs(60);
        let invocation = Invocation::new("6B4F-A", ends);
        assert_eq!(
            invocation.claim_until(),
            ends + SignedDuration::from_secs(5)
        );
        assert!(invocation.calls_end() <= Instant::now() + Duration::from_secs(58));
        assert!(invocation.has_time());
        let short =
            |ends| Invocation::new("b", Timestamp::now() + SignedDuration::from_millis(ends));
        assert!(short(10_000).has_time());
        assert!(!short(2500).has_time());
        assert_eq!(invocation.next_claim().unwrap().as_str(), "6b4f-a-0");
        assert_eq!(invocation.next_claim().unwrap().as_str(), "6b4f-a-1");
    }
}
