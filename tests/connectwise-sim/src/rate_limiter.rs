//! ConnectWise's throttle as observed live: over the limit of a minute every call is refused for 30
//! seconds, then counting restarts.

use jiff::{SignedDuration, Timestamp};

const WINDOW: SignedDuration = SignedDuration::from_secs(60);
const COOL_DOWN: SignedDuration = SignedDuration::from_secs(30);

/// The calls of the present minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimiter {
    window: Option<Timestamp>,
    calls: u32,
    blocked_until: Option<Timestamp>,
}

impl RateLimiter {
    /// Counts one call. The error is the time to wait. A limit of 0 is no limit.
    pub(crate) fn admit(&mut self, limit: u32, now: Timestamp) -> Result<(), SignedDuration> {
        if limit == 0 {
            *self = Self::default();
            return Ok(());
        }
        if let Some(until) = self.blocked_until {
            if now < until {
                return Err(until.duration_since(now));
            }
            *self = Self::default();
        }
        match self.window {
            Some(start) if now.duration_since(start) < WINDOW => {}
            _ => {
                self.window = Some(now);
                self.calls = 0;
            }
        }
        self.calls = self.calls.saturating_add(1);
        if self.calls > limit {
            self.blocked_until = now.checked_add(COOL_DOWN).ok();
            return Err(COOL_DOWN);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_trips_cools_down_and_resets() {
        let mut limiter = RateLimiter::default();
        let mut at = |second: i64| {
            let now = Timestamp::from_second(1_000_000 + second).expect("a time");
            limiter.admit(2, now).map_err(|wait| wait.as_secs())
        };
        assert_eq!(at(0), Ok(()));
        assert_eq!(at(1), Ok(()));
        assert_eq!(at(2), Err(30));
        assert_eq!(at(12), Err(20));
        assert_eq!(at(32), Ok(()));
        assert_eq!(at(33), Ok(()));
        assert_eq!(at(95), Ok(()), "a new minute");
    }
}
