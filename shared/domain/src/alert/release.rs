//! Whether the reason for a block still holds. The check is level-triggered: it is repeated and
//! needs no event that reports a change.

use jiff::{SignedDuration, Timestamp};

use crate::Blocked;
use crate::alert::blocked::BlockedSince;
use crate::alert::record::AlertDetails;
use crate::connection::view::ConnectionView;
use crate::time::later;

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

/// When a deferred alert is tried again at the earliest. `None` for other blocks.
#[must_use]
pub fn deferred_until(blocked: &BlockedSince) -> Option<Timestamp> {
    let is_deferred = blocked.reason == Blocked::Deferred;
    is_deferred.then(|| later(blocked.since, DEFERRED))
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
    use crate::alert::flapping::FlapRule;
    use crate::alert::kind::Category;
    use crate::connection::breaker::Breaker;
    use crate::connection::view::LiveConnection;
    use crate::maintenance::recurrence::Recurrence;
    use crate::maintenance::scope::MaintenanceScope;
    use crate::maintenance::window::WindowDefinition;
    use crate::maintenance::windows::MaintenanceWindows;
    use crate::setup::mapping::Mapping;
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
    fn each_block_lasts_as_long_as_its_reason() {
        use BlockStatus::{Blocked as StillBlocked, Cleared, Refused};

        let with = |change: &dyn Fn(&mut ConnectionView)| {
            let mut view = view(None);
            change(&mut view);
            view
        };
        let ready = view(None);
        let unconnected = with(&|view| view.connection = None);
        let broken = with(&|view| view.breaker.open = Some(since(Blocked::ConnectionBroken)));
        let mapped = |company, enabled| {
            with(&|view| {
                view.mapping = Some(Mapping {
                    company,
                    enabled,
                    ..Mapping::default()
                });
            })
        };
        let settings = |change: &dyn Fn(&mut Settings)| {
            with(&|view| change(&mut view.connection.as_mut().unwrap().settings))
        };
        let off = settings(&|settings| settings.kinds_off = [details().kind].into());
        let rule = FlapRule {
            raises: 3,
            minutes: 10,
        };
        let flapping = settings(&|settings| settings.flapping = Some(rule));
        let right = "service_tickets.add".to_owned();
        let missing = with(&|view| view.breaker.missing_rights = [right.clone()].into());
        let missing_right = Blocked::MissingRight(right.clone());
        let (wont_fix, flaps) = (Blocked::WontFix(at(60)), Blocked::Flapping(at(60)));
        for (reason, view, second, expected) in [
            (&Blocked::NotSetUp, &unconnected, 1, StillBlocked),
            (&Blocked::NotSetUp, &ready, 1, Cleared),
            (&Blocked::ConnectionBroken, &broken, 1, StillBlocked),
            (&Blocked::ConnectionBroken, &ready, 1, Cleared),
            (&Blocked::Unmapped, &ready, 1, StillBlocked),
            (&Blocked::Unmapped, &mapped(None, true), 1, StillBlocked),
            (&Blocked::Unmapped, &mapped(Some(19), false), 1, Cleared),
            (
                &Blocked::TenantDisabled,
                &mapped(Some(19), false),
                1,
                StillBlocked,
            ),
            (
                &Blocked::TenantDisabled,
                &mapped(None, true),
                1,
                StillBlocked,
            ),
            (
                &Blocked::TenantDisabled,
                &mapped(Some(19), true),
                1,
                Cleared,
            ),
            (&Blocked::KindDisabled, &off, 1, StillBlocked),
            (&Blocked::KindDisabled, &ready, 1, Cleared),
            (&missing_right, &missing, 1, StillBlocked),
            (&missing_right, &ready, 1, Cleared),
            (&Blocked::Rejected("no".to_owned()), &ready, 1, Refused),
            (&Blocked::OlderThanBackfill, &ready, 1, StillBlocked),
            (&wont_fix, &ready, 59, StillBlocked),
            (&wont_fix, &ready, 60, Cleared),
            (&flaps, &flapping, 59, StillBlocked),
            (&flaps, &flapping, 60, Cleared),
            (&flaps, &ready, 59, Cleared),
        ] {
            let blocked = since(reason.clone());
            let status = block_status(&blocked, Some(&details()), view, at(second));
            assert_eq!(status, expected, "{reason} {second}");
        }
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
        use BlockStatus::{Blocked as StillBlocked, Cleared};

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
            ("srv-1", in_window(10), 599, StillBlocked),
            ("srv-1", in_window(10), 600, Cleared),
            // The window was shortened, made longer, deleted, or covers other devices now.
            ("srv-1", in_window(5), 300, Cleared),
            ("srv-1", in_window(20), 600, StillBlocked),
            ("srv-1", view(None), 1, Cleared),
            ("wks-1", in_window(10), 1, Cleared),
        ] {
            assert_eq!(status(device, &view, second), expected, "{device} {second}");
        }
    }
}
