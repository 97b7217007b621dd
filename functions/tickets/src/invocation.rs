//! An invocation that processes a batch of messages.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws::invocation::Invocation;
use domain::ClaimId;
use jiff::Timestamp;
use tokio::time::Instant;

/// A step begins only if this much time is left for its calls, or a quarter of the invocation's
/// time if that is less.
const STEP: Duration = Duration::from_secs(6);

/// A write begins only if this much time is left for its answer, or an eighth of the invocation's
/// time if that is less.
const WRITE: Duration = Duration::from_secs(4);

/// A look-up before a write ends this early, so that it delays the write by no more.
const LOOKUP: Duration = Duration::from_secs(3);

/// What is left of the time of a write after a look-up, for the table.
const TABLE: Duration = Duration::from_millis(500);

/// An invocation with what only this function needs: time limits for a step and a write, and claim
/// ids.
#[derive(Debug)]
pub struct BatchInvocation {
    time: Invocation,
    step: Duration,
    write: Duration,
    claims: AtomicU32,
}

impl BatchInvocation {
    /// From the runtime's request id, and its deadline in milliseconds since 1970.
    #[must_use]
    pub fn of(request_id: &str, deadline: u64) -> Self {
        Self::new(Invocation::of(request_id, deadline))
    }

    /// An invocation for which it is `now`. Its name must be as unique as a request id.
    #[must_use]
    pub fn at(name: &str, now: Timestamp, ends: Timestamp) -> Self {
        Self::new(Invocation::at(name, now, ends))
    }

    fn new(time: Invocation) -> Self {
        let left = time.calls_end().saturating_duration_since(Instant::now());
        Self {
            time,
            step: STEP.min(left / 4),
            write: WRITE.min(left / 8),
            claims: AtomicU32::new(0),
        }
    }

    #[must_use]
    pub fn has_time(&self) -> bool {
        Instant::now() + self.step < self.calls_end()
    }

    #[must_use]
    pub fn has_time_to_write(&self) -> bool {
        Instant::now() + self.write < self.calls_end()
    }

    /// When a look-up must have ended that precedes a write. `None` if there is no time for both.
    pub(crate) fn lookup_end(&self) -> Option<Instant> {
        let latest = self.calls_end().checked_sub(self.write + TABLE)?;
        Some(latest.min(Instant::now() + LOOKUP))
    }

    /// A unique claim id, or `None` if the invocation's own name is no valid id.
    #[must_use]
    pub fn next_claim(&self) -> Option<ClaimId> {
        let number = self.claims.fetch_add(1, Ordering::Relaxed);
        ClaimId::parse(format!("{}-{number}", self.name())).ok()
    }
}

impl Deref for BatchInvocation {
    type Target = Invocation;

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
        let invocation =
            |ms| BatchInvocation::at("6B4F-A", now, now + SignedDuration::from_millis(ms));
        assert!(invocation(60_000).has_time());
        assert!(invocation(10_000).has_time());
        assert!(!invocation(2000).has_time());
        let invocation = invocation(60_000);
        assert_eq!(invocation.next_claim().unwrap().as_str(), "6b4f-a-0");
        assert_eq!(invocation.next_claim().unwrap().as_str(), "6b4f-a-1");
    }
}
