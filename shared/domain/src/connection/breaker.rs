//! A connection's breaker: whether its ConnectWise may be called, and what closed that way.
//!
//! One item a connection, shared by all workers. It opens on a verdict or a long outage, and only a probe closes it again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Blocked;
use crate::alert::blocked::BlockedSince;
use crate::time::later;

/// An outage that lasts longer opens the breaker: until then, messages back off each for itself.
const OUTAGE: SignedDuration = SignedDuration::from_mins(15);

/// Between two attempts of one message while ConnectWise fails, at least and at most.
const SHORTEST: Duration = Duration::from_secs(15);

const LONGEST: Duration = Duration::from_mins(2);

/// The longest wait of a message in the queue. A longer one costs receipts and room in flight, which all
/// partners share, so the alert waits in the table. More than [`LONGEST`], so that no back-off is too long.
const LONGEST_IN_QUEUE: SignedDuration = SignedDuration::from_secs(150);

/// The longest pause that anybody makes by itself, and a second for its rounding.
const OWN_PAUSE: SignedDuration = SignedDuration::from_secs(61);

/// Whether an alert must wait in the table rather than as a message.
#[must_use]
pub fn exceeds_queue_wait(wait: SignedDuration) -> bool {
    wait > LONGEST_IN_QUEUE
}

/// What all workers know of one connection. None in the table is one that was never in trouble.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    /// Raised each time it opens: a probe closes only what it probed.
    #[serde(default)]
    pub generation: u64,
    /// Why no call is made, while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<BlockedSince>,
    /// ConnectWise asked for silence until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
    /// Since when no call has succeeded: each failed, was throttled, or got an answer that cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// The version of the keys that set-up stored last: a refusal of older ones says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_version: Option<String>,
    /// Rights that ConnectWise said are missing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub missing_rights: BTreeSet<String>,
}

/// What the outcome of one call tells of its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// ConnectWise answers, and takes keys and `clientId`.
    Works,
    /// Nothing: the call was not made, or says something of itself alone.
    Nothing,
    /// No answer, or one of a server in trouble.
    Fails {
        /// It let the call run into its end, which ties up a worker for seconds.
        timed_out: bool,
    },
    /// Nobody may call for so long.
    Throttled {
        /// What it asked for.
        after: Duration,
    },
    /// Keys, `clientId`, company id or host are refused.
    Refused,
    /// A right is missing: ConnectWise answers, and takes the keys.
    MissingRight(&'static str),
}

impl Breaker {
    /// Why nobody may call at all.
    #[must_use]
    pub fn reason(&self) -> Option<&Blocked> {
        self.open.as_ref().map(|open| &open.reason)
    }

    /// Until when to wait, if ConnectWise asked for it.
    #[must_use]
    pub fn pause(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| now < *until)
    }

    /// Whether ConnectWise has failed for longer than messages back off.
    #[must_use]
    pub fn is_outage(&self, now: Timestamp) -> bool {
        self.outage_from().is_some_and(|from| now >= from)
    }

    /// From when on it is an outage that nothing succeeds; none while something does.
    #[must_use]
    pub fn outage_from(&self) -> Option<Timestamp> {
        let since = self.failing_since?;
        Some(later(since, OUTAGE))
    }

    /// Whether ConnectWise has asked for silence for so long that it counts as an outage, and does so still: a probe that is not
    /// made then has failed. Pauses of our own are shorter.
    #[must_use]
    pub fn is_throttled_for_long(&self, now: Timestamp) -> bool {
        let left = self.pause(now).map(|until| until.duration_since(now));
        self.is_outage(now) && left.is_some_and(|left| left > OWN_PAUSE)
    }

    /// When to try again what failed: in half the time that it has been failing for. One failure among many successes is no reason
    /// to wait long, whatever else the message has waited for.
    #[must_use]
    pub fn back_off(&self, now: Timestamp) -> Duration {
        self.half_of_failing(now).clamp(SHORTEST, LONGEST)
    }

    /// How long nobody calls after a 429 that asked for `asked`. A 429 that follows others without a success between
    /// them shows that what it asks for is too little, so the pause grows with the time that this has lasted.
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
    fn an_outage_is_one_after_a_quarter_of_an_hour_of_failures() {
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
    fn a_pause_is_what_was_asked_for_and_grows_while_nothing_succeeds() {
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
    fn one_alert_is_received_few_times_before_a_lasting_429_is_an_outage() {
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
                // A message comes back a second after the pause.
                second += pause.as_secs() + 1;
                receipts += 1;
            }
            assert!(receipts < 30, "{asked}: {receipts}");
        }
    }

    #[test]
    fn a_long_silence_that_connectwise_asked_for_is_an_outage_and_a_pause_of_our_own_is_none() {
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
