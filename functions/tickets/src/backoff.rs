//! How long SQS hides a message that is received again later.

use std::time::Duration;

/// The first back-off. It doubles with each receipt.
const BACK_OFF: Duration = Duration::from_secs(15);
/// The longest back-off.
const LONGEST: Duration = Duration::from_mins(4);
/// A message that is due at a given time is spread by up to a quarter, at most by this.
const LONGEST_SPREAD: Duration = Duration::from_secs(10);
/// After this many receipts a message no longer waits in the queue: its alert is blocked in the
/// table.
pub(crate) const MAX_RECEIPTS: u32 = 30;
/// The delay of a message that cannot be written to the table either. SQS must not move it to the
/// dead-letter queue: with this delay, a thousand receipts take longer than SQS keeps a message.
const SELDOM: Duration = Duration::from_mins(30);

/// How long a message is hidden that is received again after this time, or after the usual
/// back-off.
pub(crate) fn delay(after: Option<Duration>, received: u32, message_id: &str) -> Duration {
    let delay = match after {
        Some(after) => after + spread(after, message_id).min(LONGEST_SPREAD),
        None => back_off(received, message_id),
    };
    if received < MAX_RECEIPTS {
        delay
    } else {
        delay.max(SELDOM)
    }
}

/// Doubles with each receipt, and is shortened by up to a quarter.
fn back_off(received: u32, message_id: &str) -> Duration {
    let doubled = BACK_OFF
        .saturating_mul(1 << received.saturating_sub(1).min(10))
        .min(LONGEST);
    doubled - spread(doubled, message_id)
}

/// Up to a quarter of a delay, by the message's id, so that messages do not return all at once.
fn spread(delay: Duration, message_id: &str) -> Duration {
    let share = message_id.bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    }) % 256;
    delay * share / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_back_off_doubles_up_to_four_minutes() {
        for (received, longest) in [(1, 15), (2, 30), (4, 120), (7, 240), (1000, 240)] {
            let longest = Duration::from_secs(longest);
            for id in ["6f1b", "c0de", ""] {
                let delay = back_off(received, id);
                assert!(
                    delay <= longest && delay >= longest * 3 / 4,
                    "{received} {id}: {delay:?}"
                );
            }
        }
        assert_ne!(back_off(1, "a"), back_off(1, "b"));
    }

    #[test]
    fn a_message_that_is_due_at_a_time_is_received_then_or_a_little_later() {
        for (after, latest) in [(4, 5), (600, 610)] {
            let (after, latest) = (Duration::from_secs(after), Duration::from_secs(latest));
            for id in ["6f1b", "c0de", ""] {
                let delay = delay(Some(after), 1, id);
                assert!(
                    delay >= after && delay <= latest,
                    "{after:?} {id}: {delay:?}"
                );
            }
        }
    }

    #[test]
    fn a_message_is_seldom_received_after_thirty_receipts() {
        assert!(delay(None, MAX_RECEIPTS - 1, "m") < SELDOM);
        assert_eq!(delay(None, MAX_RECEIPTS, "m"), SELDOM);
    }

    /// Reads a number of the queue from the template.
    fn queue_property(name: &str) -> u64 {
        let template = include_str!("../../../infra/template.yaml");
        let (_, line) = template.split_once(&format!("{name}: ")).unwrap();
        let digits: String = line.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    }

    #[test]
    fn sqs_never_moves_a_message_to_the_dead_letter_queue() {
        let receipts = u32::try_from(queue_property("maxReceiveCount")).unwrap();
        let kept = Duration::from_secs(queue_property("MessageRetentionPeriod"));
        for after in [None, Some(Duration::ZERO), Some(Duration::from_secs(1))] {
            let delays = (1..receipts).map(|received| delay(after, received, "m"));
            assert!(delays.sum::<Duration>() > kept, "{after:?}");
        }
        assert!(receipts > MAX_RECEIPTS);
    }
}
