//! How often a delivery is tried: what an answer of the receiver means, and when the next attempt
//! is due.
//!
//! A receiver that is down is tried by one delivery at a time, whatever is pending for it. An event
//! that its receiver refuses delays only the later events of its own alert, unless the receiver
//! refuses one after the other.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time::later;

/// How long a delivery is tried. Then it counts as failed.
pub const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(3 * 24);
/// The pause after the first failure. Each further failure doubles it.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// The longest pause of a receiver: so long after its end an outage is noticed.
const MAX_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// The longest pause that a receiver may ask for.
const MAX_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// After this many refused deliveries in a row, a receiver counts as down.
const MAX_REFUSALS: u32 = 5;

/// What an attempt led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver confirmed it with 2xx.
    Delivered,
    /// The receiver says that it wants no more: 410. The delivery is not tried again.
    Gone,
    /// The receiver refused this delivery. It is tried again.
    Refused,
    /// The receiver gave no usable answer, or asked for a pause.
    Unavailable { retry_after: Option<SignedDuration> },
}

impl AttemptOutcome {
    /// Judges a status. `retry_after` is the header's value, in seconds or as a time.
    #[must_use]
    pub fn of_status(status: u16, retry_after: Option<SignedDuration>) -> Self {
        match status {
            200..=299 => Self::Delivered,
            410 => Self::Gone,
            408 | 425 | 429 | 500.. => Self::Unavailable { retry_after },
            _ => Self::Refused,
        }
    }
}

/// The failures of a receiver in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReceiverFailures {
    /// Attempts without a usable answer.
    #[serde(default)]
    pub unavailable: u32,
    /// Deliveries that it refused.
    #[serde(default)]
    pub refused: u32,
}

impl ReceiverFailures {
    /// The failures after an attempt, and how long the receiver is left alone. `None` if others may
    /// be tried at once.
    #[must_use]
    pub fn after(self, outcome: AttemptOutcome) -> (Self, Option<SignedDuration>) {
        match outcome {
            // An answer shows that it is there.
            AttemptOutcome::Delivered | AttemptOutcome::Gone => (Self::default(), None),
            AttemptOutcome::Refused => {
                let failures = Self {
                    unavailable: 0,
                    refused: self.refused.saturating_add(1),
                };
                let beyond = failures.refused.saturating_sub(MAX_REFUSALS - 1);
                (failures, (beyond > 0).then(|| pause(beyond)))
            }
            AttemptOutcome::Unavailable { retry_after } => {
                let failures = Self {
                    unavailable: self.unavailable.saturating_add(1),
                    ..self
                };
                let asked = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
                (failures, Some(pause(failures.unavailable).max(asked)))
            }
        }
    }

    /// Whether its next delivery is a probe, alone.
    #[must_use]
    pub fn is_down(self) -> bool {
        self.unavailable > 0 || self.refused >= MAX_REFUSALS
    }
}

/// How long an alert's deliveries pause after this number of failed attempts.
#[must_use]
pub fn pause(failures: u32) -> SignedDuration {
    let doubled = FIRST_PAUSE.as_secs() << failures.saturating_sub(1).min(10);
    SignedDuration::from_secs(doubled).min(MAX_PAUSE)
}

/// When a delivery counts as failed.
#[must_use]
pub fn gives_up_at(tried_since: Timestamp) -> Timestamp {
    later(tried_since, GIVE_UP_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_a_quarter_of_an_hour() {
        let pauses = [1, 2, 3, 5, 6, 100].map(|failures| pause(failures).as_secs());
        assert_eq!(pauses, [30, 60, 120, 480, 900, 900]);
    }

    #[test]
    fn each_status_has_its_outcome() {
        let unavailable = AttemptOutcome::Unavailable { retry_after: None };
        for (status, outcome) in [
            (200, AttemptOutcome::Delivered),
            (204, AttemptOutcome::Delivered),
            (301, AttemptOutcome::Refused),
            (302, AttemptOutcome::Refused),
            (400, AttemptOutcome::Refused),
            (401, AttemptOutcome::Refused),
            (404, AttemptOutcome::Refused),
            (408, unavailable),
            (410, AttemptOutcome::Gone),
            (429, unavailable),
            (500, unavailable),
            (503, unavailable),
        ] {
            let of_status = AttemptOutcome::of_status(status, None);
            assert_eq!(of_status, outcome, "{status}");
        }
    }

    #[test]
    fn a_receiver_that_is_down_is_left_alone_after_the_first_failure() {
        let down = AttemptOutcome::Unavailable { retry_after: None };
        let (failures, paused) = ReceiverFailures::default().after(down);
        assert!(failures.is_down());
        assert_eq!(paused, Some(SignedDuration::from_secs(30)));
        let (failures, paused) = failures.after(down);
        assert_eq!(paused, Some(SignedDuration::from_secs(60)));
        let (failures, paused) = failures.after(AttemptOutcome::Delivered);
        assert_eq!((failures.is_down(), paused), (false, None));
    }

    #[test]
    fn one_refused_delivery_does_not_stop_the_others_but_five_in_a_row_do() {
        let mut failures = ReceiverFailures::default();
        for refused in 1..=6 {
            let paused;
            (failures, paused) = failures.after(AttemptOutcome::Refused);
            assert_eq!(failures.is_down(), refused >= 5, "{refused}");
            assert_eq!(paused.is_some(), refused >= 5, "{refused}");
        }
        let (failures, _) = failures.after(AttemptOutcome::Gone);
        assert!(!failures.is_down());
    }

    #[test]
    fn a_pause_that_the_receiver_asks_for_is_kept_up_to_a_day() {
        let asked = |hours| AttemptOutcome::Unavailable {
            retry_after: Some(SignedDuration::from_hours(hours)),
        };
        for (hours, kept) in [(1, 1), (24, 24), (500, 24)] {
            let (_, paused) = ReceiverFailures::default().after(asked(hours));
            assert_eq!(paused, Some(SignedDuration::from_hours(kept)));
        }
    }
}
