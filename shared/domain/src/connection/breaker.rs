//! The circuit breaker of a connection: whether its ConnectWise may be called.
//!
//! Each connection has one item, which all workers share. The breaker opens when ConnectWise
//! refuses the connection or after a long outage. Only a probe closes it again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Blocked;
use crate::alert::blocked::BlockedSince;
use crate::time::later;

/// An outage that lasts longer opens the breaker. Until then, each message backs off on its own.
const OUTAGE: SignedDuration = SignedDuration::from_mins(15);

/// The shortest and the longest wait between two attempts of one message while ConnectWise fails.
const SHORTEST: Duration = Duration::from_secs(15);

const LONGEST: Duration = Duration::from_mins(2);

/// The longest wait of a message in the queue. A longer wait costs receives and in-flight quota,
/// which all partners share, so then the alert waits in the table. It is more than [`LONGEST`], so
/// that no back-off is too long.
const LONGEST_IN_QUEUE: SignedDuration = SignedDuration::from_secs(150);

/// The longest pause that Ticketbridge makes on its own, plus a second for rounding.
const OWN_PAUSE: SignedDuration = SignedDuration::from_secs(61);

/// Whether an alert must wait in the table rather than as a message.
#[must_use]
pub fn exceeds_queue_wait(wait: SignedDuration) -> bool {
    wait > LONGEST_IN_QUEUE
}

/// The state that all workers share. A connection without an item never failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    /// Incremented each time the breaker opens, so that a probe closes only what it probed.
    #[serde(default)]
    pub generation: u64,
    /// Why no call is made, while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<BlockedSince>,
    /// ConnectWise asked for no calls until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
    /// Since when no call has succeeded: each failed, was throttled, or got an unreadable answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// The version of the keys that set-up stored last. A refusal of older keys is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_version: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub missing_rights: BTreeSet<String>,
}

/// What the outcome of one call says about the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// ConnectWise answers, and accepts keys and `clientId`.
    Works,
    /// Nothing: the call was not made, or its outcome concerns only the call itself.
    Nothing,
    /// No answer, or a server error.
    Fails {
        /// The call timed out, which occupies a worker for seconds.
        timed_out: bool,
    },
    /// ConnectWise asks for a pause.
    Throttled { after: Duration },
    /// ConnectWise refuses keys, `clientId`, company id or host.
    Refused,
    /// A right is missing. ConnectWise answers and accepts the keys.
    MissingRight(&'static str),
}

impl Breaker {
    /// Why no call may be made.
    #[must_use]
    pub fn reason(&self) -> Option<&Blocked> {
        self.open.as_ref().map(|open| &open.reason)
    }

    /// Until when to wait, if ConnectWise asked for that.
    #[must_use]
    pub fn pause(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| now < *until)
    }

    /// Whether ConnectWise has failed for longer than messages back off.
    #[must_use]
    pub fn is_outage(&self, now: Timestamp) -> bool {
        self.outage_from().is_some_and(|from| now >= from)
    }

    /// From when on the failure counts as an outage. `None` while calls succeed.
    #[must_use]
    pub fn outage_from(&self) -> Option<Timestamp> {
        let since = self.failing_since?;
        Some(later(since, OUTAGE))
    }

    /// Whether ConnectWise has asked for pauses for so long that it counts as an outage, and still
    /// does. A probe that is not made because of the pause then counts as failed. Ticketbridge's
    /// own pauses are shorter.
    #[must_use]
    pub fn is_throttled_for_long(&self, now: Timestamp) -> bool {
        let left = self.pause(now).map(|until| until.duration_since(now));
        self.is_outage(now) && left.is_some_and(|left| left > OWN_PAUSE)
    }

    /// The wait before a failed call is retried: half of the time for which calls have been
    /// failing. One failure among many successes is no reason to wait long, however long the
    /// message has waited.
    #[must_use]
    pub fn back_off(&self, now: Timestamp) -> Duration {
        self.half_of_failing(now).clamp(SHORTEST, LONGEST)
    }

    /// The pause after a 429 that asked for `asked`. A 429 that follows others without a success
    /// shows that the requested pause is too short, so the pause grows with the time that this has
    /// lasted.
    #[must_use]
    pub fn throttled_for(&self, asked: Duration, now: Timestamp) -> Duration {
        asked.max(self.half_of_failing(now).min(LONGEST))
    }

    fn half_of_failing(&self, now: Timestamp) -> Duration {
        let failing = self.failing_since.map(|since| now.duration_since(since));
        let failing = failing.and_then(|failing| Duration::try_from(failing).ok());
        failing.unwrap_or_default() / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_an_hour_of_failures_is_an_outage() {
        let at = |minute: i64| Timestamp::from_second(1_790_000_000 + 60 * minute).unwrap();
        let mut breaker = Breaker::default();
        assert!(!breaker.is_outage(at(0)));
        breaker.failing_since = Some(at(0));
        assert!(!breaker.is_outage(at(14)));
        assert!(breaker.is_outage(at(15)));
    }

    #[test]
    fn the_back_off_grows_with_the_outage() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let mut breaker = Breaker::default();
        assert_eq!(breaker.back_off(at(9000)), Duration::from_secs(15));
        breaker.failing_since = Some(at(0));
        for (second, wait) in [
            (-5, 15),
            (0, 15),
            (30, 15),
            (100, 50),
            (240, 120),
            (800, 120),
        ] {
            assert_eq!(
                breaker.back_off(at(second)),
                Duration::from_secs(wait),
                "{second}"
            );
        }
    }

    #[test]
    fn a_pause_grows_while_no_call_succeeds() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let secs = Duration::from_secs;
        let mut breaker = Breaker::default();
        assert_eq!(breaker.throttled_for(secs(1), at(0)), secs(1));
        breaker.failing_since = Some(at(0));
        for (second, asked, pause) in [
            (0, 1, 1),
            (0, 3600, 3600),
            (20, 1, 10),
            (20, 30, 30),
            (200, 30, 100),
            (800, 1, 120),
            (800, 60, 120),
            (800, 3600, 3600),
        ] {
            let paused = breaker.throttled_for(secs(asked), at(second));
            assert_eq!(paused, secs(pause), "{second} {asked}");
        }
    }

    #[test]
    fn an_alert_is_received_rarely_while_throttling_lasts() {
        let at = |second: u64| {
            Timestamp::from_second(1_790_000_000 + i64::try_from(second).unwrap()).unwrap()
        };
        for asked in [1, 15, 30, 60, 140] {
            let breaker = Breaker {
                failing_since: Some(at(0)),
                ..Breaker::default()
            };
            let (mut second, mut receipts) = (0, 1);
            while !breaker.is_outage(at(second)) {
                let pause = breaker.throttled_for(Duration::from_secs(asked), at(second));
                assert!(!exceeds_queue_wait(
                    SignedDuration::try_from(pause).unwrap()
                ));
                // A message is received again a second after the pause.
                second += pause.as_secs() + 1;
                receipts += 1;
            }
            assert!(receipts < 30, "{asked}: {receipts}");
        }
    }

    #[test]
    fn only_a_long_pause_of_connectwise_is_an_outage() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        for (pause, now, expected) in [
            (3600, 899, false),
            (3600, 900, true),
            (3600, 3500, true),
            (3600, 3600, false),
            (960, 900, false),
            (900, 900, false),
        ] {
            let breaker = Breaker {
                failing_since: Some(at(0)),
                paused_until: Some(at(pause)),
                ..Breaker::default()
            };
            let long = breaker.is_throttled_for_long(at(now));
            assert_eq!(long, expected, "{pause} {now}");
        }
    }

    #[test]
    fn a_back_off_never_waits_in_the_table() {
        let longest = SignedDuration::try_from(LONGEST).unwrap();
        assert!(!exceeds_queue_wait(longest));
        assert!(exceeds_queue_wait(SignedDuration::from_mins(3)));
    }

    #[test]
    fn a_pause_ends() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let breaker = Breaker {
            paused_until: Some(at(30)),
            ..Breaker::default()
        };
        assert_eq!(breaker.pause(at(29)), Some(at(30)));
        assert_eq!(breaker.pause(at(30)), None);
    }
}
