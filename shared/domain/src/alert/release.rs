//! Whether the reason for a block still holds. The check is level-triggered: it is repeated and
//! needs no event that reports a change.

use jiff::{SignedDuration, Timestamp};

use crate::Blocked;
use crate::alert::blocked::BlockedSince;
use crate::alert::record::AlertDetails;
use crate::connection::view::ConnectionView;

/// A deferred alert is retried after this time.
const DEFERRED: SignedDuration = SignedDuration::from_mins(10);

/// Whether a blocked alert may continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockStatus {
    /// The reason is over: decide again.
    Cleared,
    /// The reason still holds.
    Blocked,
    /// ConnectWise refused a call. Of the alerts that were refused for the same reason, one is
    /// retried now and then.
    Refused,
}

/// Checks whether a blocked alert may continue.
#[must_use]
pub fn block_status(
    blocked: &BlockedSince,
    details: Option<&AlertDetails>,
    view: &ConnectionView,
    now: Timestamp,
) -> BlockStatus {
    let waits = |still: bool| {
        if still {
            BlockStatus::Blocked
        } else {
            BlockStatus::Cleared
        }
    };
    let connection = view.connection.as_ref();
    // No alert can continue over a connection that is broken.
    if connection.is_none() || view.breaker.open.is_some() {
        return BlockStatus::Blocked;
    }
    let is_off = |details: &AlertDetails| {
        connection.is_some_and(|connection| connection.settings.kinds_off.contains(&details.kind))
    };
    let mapping = view.mapping.as_ref();
    let company = mapping.and_then(|mapping| mapping.company);
    match &blocked.reason {
        Blocked::NotSetUp | Blocked::ConnectionBroken | Blocked::ConnectionUnavailable => {
            BlockStatus::Cleared
        }
        Blocked::Throttled => waits(view.breaker.pause(now).is_some()),
        Blocked::Deferred => waits(now.duration_since(blocked.since) < DEFERRED),
        Blocked::Unmapped => waits(company.is_none()),
        Blocked::TenantDisabled => {
            waits(company.is_none() || !mapping.is_some_and(|mapping| mapping.enabled))
        }
        Blocked::KindDisabled => waits(details.is_some_and(is_off)),
        Blocked::MissingRight(right) => waits(view.breaker.missing_rights.contains(right)),
        Blocked::TargetMissing(_) | Blocked::Rejected(_) => BlockStatus::Refused,
        // Only a person releases it.
        Blocked::OlderThanBackfill => BlockStatus::Blocked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::breaker::Breaker;
    use crate::connection::view::LiveConnection;
    use crate::setup::settings::Settings;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn view(paused_until: Option<Timestamp>) -> ConnectionView {
        let settings = Settings {
            ..Settings::default()
        };
        ConnectionView {
            connection: Some(LiveConnection {
                epoch: 1,
                confirmed_at: Some(at(0)),
                settings,
            }),
            mapping: None,
            breaker: Breaker {
                paused_until,
                ..Breaker::default()
            },
            ticket_index: None,
            source_since: None,
        }
    }

    fn since(reason: Blocked) -> BlockedSince {
        BlockedSince {
            reason,
            since: at(0),
            refusal: None,
        }
    }

    #[test]
    fn a_throttled_alert_continues_after_the_pause() {
        let throttled = since(Blocked::Throttled);
        let paused = view(Some(at(600)));
        for (second, expected) in [
            (0, BlockStatus::Blocked),
            (599, BlockStatus::Blocked),
            (600, BlockStatus::Cleared),
        ] {
            assert_eq!(
                block_status(&throttled, None, &paused, at(second)),
                expected,
                "{second}"
            );
        }
        assert_eq!(
            block_status(&throttled, None, &view(None), at(0)),
            BlockStatus::Cleared
        );
    }

    #[test]
    fn a_deferred_alert_is_retried_after_ten_minutes() {
        let deferred = since(Blocked::Deferred);
        for (second, expected) in [
            (0, BlockStatus::Blocked),
            (599, BlockStatus::Blocked),
            (600, BlockStatus::Cleared),
        ] {
            assert_eq!(
                block_status(&deferred, None, &view(None), at(second)),
                expected,
                "{second}"
            );
        }
    }
}
