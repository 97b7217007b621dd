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
        // Only a person releases it, or the end of its storm, which reconcile checks.
        Blocked::OlderThanBackfill | Blocked::Storm(_) => BlockStatus::Blocked,
        // A person may end it earlier.
        Blocked::WontFix(until) => waits(now < *until),
        Blocked::Flapping(until) => {
            let rule = connection.and_then(|connection| connection.settings.flapping);
            waits(rule.is_some() && now < *until)
        }
        Blocked::Maintenance(hold) => {
            let held = details.and_then(|details| {
                let (kind, device) = (&details.kind, hold.device.as_deref());
                view.maintenance.hold(kind, device, blocked.since, now)
            });
            waits(held.is_some())
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::alert::blocked::MaintenanceHold;
    use crate::alert::event::Severity;
    use crate::alert::kind::Category;
    use crate::connection::breaker::Breaker;
    use crate::connection::view::LiveConnection;
    use crate::maintenance::recurrence::Recurrence;
    use crate::maintenance::scope::MaintenanceScope;
    use crate::maintenance::window::WindowDefinition;
    use crate::maintenance::windows::MaintenanceWindows;
    use crate::setup::settings::Settings;
    use crate::{Kind, WindowId};

    fn details() -> AlertDetails {
        AlertDetails {
            kind: Kind::parse("disk").unwrap(),
            category: Category::Operations,
            severity: Severity::High,
            raised_at: at(0),
            raise_received_at: at(0),
            previous_event_at: None,
            repeats: 0,
            expires_at: None,
        }
    }

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
            maintenance: MaintenanceWindows::default(),
            admission: None,
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

    #[test]
    fn an_alert_in_maintenance_continues_when_no_window_holds_it() {
        use BlockStatus::{Blocked as Waits, Cleared};

        let definition = |minutes| WindowDefinition {
            name: "Patch night".to_owned(),
            zone: "UTC".to_owned(),
            starts: at(0).to_zoned(TimeZone::UTC).datetime(),
            minutes: Some(minutes),
            repeats: Recurrence::Once,
            scope: MaintenanceScope {
                devices: ["srv-*".to_owned()].into(),
                ..MaintenanceScope::default()
            },
            ended_at: None,
        };
        let in_window = |minutes| {
            let id = WindowId::parse("patch-night").unwrap();
            let window = definition(minutes).try_into().unwrap();
            ConnectionView {
                maintenance: MaintenanceWindows::default().with(id, window).unwrap(),
                ..view(None)
            }
        };
        let held = |device: &str| {
            since(Blocked::Maintenance(MaintenanceHold {
                until: at(600),
                device: Some(device.to_owned()),
            }))
        };
        let details = details();
        let status = |device, view: &ConnectionView, second| {
            block_status(&held(device), Some(&details), view, at(second))
        };
        for (device, view, second, expected) in [
            ("srv-1", in_window(10), 599, Waits),
            ("srv-1", in_window(10), 600, Cleared),
            // The window was shortened, made longer, deleted, or covers other devices now.
            ("srv-1", in_window(5), 300, Cleared),
            ("srv-1", in_window(20), 600, Waits),
            ("srv-1", view(None), 1, Cleared),
            ("wks-1", in_window(10), 1, Cleared),
        ] {
            assert_eq!(status(device, &view, second), expected, "{device} {second}");
        }
    }
}
