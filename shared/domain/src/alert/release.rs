//! Whether what blocks an alert still holds. Level-triggered: asked again and again, it needs no event to tell that something
//! was mended.

use jiff::{SignedDuration, Timestamp};

use crate::Blocked;
use crate::alert::blocked::BlockedSince;
use crate::alert::record::AlertDetails;
use crate::connection::view::ConnectionView;

/// A deferred alert is tried again after so long.
const DEFERRED: SignedDuration = SignedDuration::from_mins(10);

/// What stands between a blocked alert and going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Nothing any more: decide again.
    No,
    /// What it waits for has not happened.
    Yes,
    /// ConnectWise refused it. One alert of those that were refused for the same reason is retried now and then.
    ByRefusal,
}

/// What holds a blocked alert. `about` is what the record says of it.
#[must_use]
pub fn held(
    blocked: &BlockedSince,
    details: Option<&AlertDetails>,
    view: &ConnectionView,
    now: Timestamp,
) -> Held {
    let waits = |still: bool| if still { Held::Yes } else { Held::No };
    let connection = view.connection.as_ref();
    // Whatever else: nothing can go on over a connection that is broken.
    if connection.is_none() || view.breaker.open.is_some() {
        return Held::Yes;
    }
    let is_off = |details: &AlertDetails| {
        connection.is_some_and(|connection| connection.settings.kinds_off.contains(&details.kind))
    };
    let mapping = view.mapping.as_ref();
    let company = mapping.and_then(|mapping| mapping.company);
    match &blocked.reason {
        Blocked::NotSetUp | Blocked::ConnectionBroken | Blocked::ConnectionUnavailable => Held::No,
        Blocked::Throttled => waits(view.breaker.pause(now).is_some()),
        Blocked::Deferred => waits(now.duration_since(blocked.since) < DEFERRED),
        Blocked::Unmapped => waits(company.is_none()),
        Blocked::TenantDisabled => {
            waits(company.is_none() || !mapping.is_some_and(|mapping| mapping.enabled))
        }
        Blocked::KindDisabled => waits(details.is_some_and(is_off)),
        Blocked::MissingRight(right) => waits(view.breaker.missing_rights.contains(right)),
        Blocked::TargetGone(_) | Blocked::Rejected(_) => Held::ByRefusal,
        // A person's decision.
        Blocked::OlderThanBackfill => Held::Yes,
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
    fn a_throttled_alert_goes_on_when_the_pause_is_over() {
        let throttled = since(Blocked::Throttled);
        let paused = view(Some(at(600)));
        for (second, expected) in [(0, Held::Yes), (599, Held::Yes), (600, Held::No)] {
            assert_eq!(
                held(&throttled, None, &paused, at(second)),
                expected,
                "{second}"
            );
        }
        assert_eq!(held(&throttled, None, &view(None), at(0)), Held::No);
    }

    #[test]
    fn a_deferred_alert_is_tried_again_after_ten_minutes() {
        let deferred = since(Blocked::Deferred);
        for (second, expected) in [(0, Held::Yes), (599, Held::Yes), (600, Held::No)] {
            assert_eq!(
                held(&deferred, None, &view(None), at(second)),
                expected,
                "{second}"
            );
        }
    }
}
