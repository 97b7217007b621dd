//! One invocation: the time that it has, and the names of its claims.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws::invocation;
use domain::ClaimId;
use jiff::Timestamp;
use tokio::time::Instant;

/// A step is begun only with so much time for its calls, or a quarter of the whole where that is less.
const STEP: Duration = Duration::from_secs(6);

/// A write is begun only with so much time for its answer, or an eighth of the whole where that is less.
const WRITE: Duration = Duration::from_secs(4);

/// One invocation of the function.
#[derive(Debug)]
pub struct Invocation {
    time: invocation::Invocation,
    step: Duration,
    write: Duration,
    claims: AtomicU32,
}

impl Invocation {
    /// As the runtime describes it: its request's id, and its deadline in milliseconds since 1970.
    #[must_use]
    pub fn of(request_id: &str, deadline: u64) -> Self {
        Self::new(invocation::Invocation::of(request_id, deadline))
    }

    /// An invocation that takes the time to be `now`. Names are unique for ever, as request ids are.
    #[must_use]
    pub fn at(name: &str, now: Timestamp, ends: Timestamp) -> Self {
        Self::new(invocation::Invocation::at(name, now, ends))
    }

    fn new(time: invocation::Invocation) -> Self {
        let left = time.calls_end().saturating_duration_since(Instant::now());
        Self {
            time,
            step: STEP.min(left / 4),
            write: WRITE.min(left / 8),
            claims: AtomicU32::new(0),
        }
    }

    /// Whether there is time for one more step.
    #[must_use]
    pub fn has_time(&self) -> bool {
        Instant::now() + self.step < self.calls_end()
    }

    /// Whether there is time for the answer of a write.
    #[must_use]
    pub fn has_time_to_write(&self) -> bool {
        Instant::now() + self.write < self.calls_end()
    }

    /// A name for a claim that no other claim has; none where the invocation's own name is not one.
    #[must_use]
    pub fn next_claim(&self) -> Option<ClaimId> {
        let number = self.claims.fetch_add(1, Ordering::Relaxed);
        ClaimId::parse(format!("{}-{number}", self.name())).ok()
    }
}

impl Deref for Invocation {
    type Target = invocation::Invocation;

    fn deref(&self) -> &Self::Target {
        &self.time
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_claim_is_named_after_its_invocation() {
        let now = Timestamp::now();
        let invocation = |ms| Invocation::at("6B4F-A", now, now + SignedDuration::from_millis(ms));
        assert!(invocation(60_000).has_time());
        assert!(invocation(10_000).has_time());
        assert!(!invocation(2000).has_time());
        let invocation = invocation(60_000);
        assert_eq!(invocation.next_claim().unwrap().as_str(), "6b4f-a-0");
        assert_eq!(invocation.next_claim().unwrap().as_str(), "6b4f-a-1");
    }
}
