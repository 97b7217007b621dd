//! What would happen to blocked alerts under another configuration: shown to a person who decides
//! about it.

use jiff::Timestamp;

use crate::Blocked;
use crate::alert::blocked::{BlockedSince, MaintenanceHold};
use crate::alert::record::AlertDetails;
use crate::alert::release::{BlockStatus, block_status};
use crate::connection::view::ConnectionView;

/// The forecast for one blocked alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forecast {
    /// It becomes a ticket.
    Ticket,
    /// It was raised before the back-fill period began, so a person must release it.
    TooOld,
    /// It stays blocked for this reason.
    Blocked(Blocked),
}

/// Predicts what happens to an active, blocked alert. Alerts whose release depends on ConnectWise
/// count as blocked. Maintenance of devices is not known here, because lists of blocked alerts are
/// read without devices.
#[must_use]
pub fn forecast(
    blocked: &BlockedSince,
    details: &AlertDetails,
    view: &ConnectionView,
    now: Timestamp,
) -> Forecast {
    let reason = &blocked.reason;
    match block_status(blocked, Some(details), view, now) {
        BlockStatus::Blocked | BlockStatus::Refused => return Forecast::Blocked(reason.clone()),
        BlockStatus::Cleared => {}
    }
    match view.target(&details.kind) {
        Err(reason) => Forecast::Blocked(reason),
        Ok(_)
            if view.is_older_than_backfill(Some(reason), &details.kind, details.raised_at, now) =>
        {
            Forecast::TooOld
        }
        Ok(_) => {
            let windows = &view.maintenance;
            let held = windows.hold(&details.kind, None, now, now);
            held.map_or(Forecast::Ticket, |until| {
                let device = None;
                Forecast::Blocked(Blocked::Maintenance(MaintenanceHold { until, device }))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::WindowId;
    use crate::alert::event::Severity;
    use crate::alert::kind::Category;
    use crate::connection::breaker::Breaker;
    use crate::connection::view::LiveConnection;
    use crate::maintenance::recurrence::Recurrence;
    use crate::maintenance::scope::MaintenanceScope;
    use crate::maintenance::window::{MaintenanceWindow, WindowDefinition};
    use crate::maintenance::windows::MaintenanceWindows;
    use crate::setup::mapping::Mapping;
    use crate::setup::settings::Settings;
    use crate::{Kind, TicketTarget};

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + 3600 * hours).unwrap()
    }

    fn details(kind: &str, raised: i64) -> AlertDetails {
        AlertDetails {
            kind: Kind::parse(kind).unwrap(),
            category: Category::Operations,
            severity: Severity::High,
            raised_at: at(raised),
            raise_received_at: at(raised),
            previous_event_at: None,
            repeats: 0,
            expires_at: None,
        }
    }

    fn view(company: Option<u64>, enabled: bool) -> ConnectionView {
        let settings = Settings {
            kinds_off: [Kind::parse("dns_poisoning").unwrap()].into(),
            ..Settings::default()
        };
        ConnectionView {
            connection: Some(LiveConnection {
                epoch: 1,
                confirmed_at: Some(at(0)),
                settings,
            }),
            mapping: Some(Mapping {
                company,
                enabled,
                ..Mapping::default()
            }),
            breaker: Breaker::default(),
            ticket_index: None,
            source_since: None,
            maintenance: MaintenanceWindows::default(),
            admission: None,
        }
    }

    #[test]
    fn a_blocked_alert_has_a_forecast() {
        use Blocked::{
            ConnectionBroken, KindDisabled, NotSetUp, OlderThanBackfill, Rejected, TargetMissing,
            TenantDisabled, Unmapped,
        };
        let live = view(Some(301), true);
        let since = |reason| BlockedSince {
            reason,
            since: at(-1),
            refusal: None,
        };
        let rejected = || Rejected("summary".into());
        for (blocked, details, view, expected) in [
            (NotSetUp, details("disk", -1), &live, Forecast::Ticket),
            (NotSetUp, details("disk", -48), &live, Forecast::Ticket),
            (NotSetUp, details("disk", -49), &live, Forecast::TooOld),
            (Unmapped, details("disk", -49), &live, Forecast::TooOld),
            // Not set-up's doing: all of them go on.
            (
                ConnectionBroken,
                details("disk", -49),
                &live,
                Forecast::Ticket,
            ),
            (
                NotSetUp,
                details("disk", -1),
                &view(None, true),
                Forecast::Blocked(Unmapped),
            ),
            (
                NotSetUp,
                details("disk", -1),
                &view(Some(301), false),
                Forecast::Blocked(TenantDisabled),
            ),
            (
                NotSetUp,
                details("dns_poisoning", -1),
                &live,
                Forecast::Blocked(KindDisabled),
            ),
            // A person's decision, or ConnectWise's.
            (
                OlderThanBackfill,
                details("disk", -1),
                &live,
                Forecast::Blocked(OlderThanBackfill),
            ),
            (
                rejected(),
                details("disk", -1),
                &live,
                Forecast::Blocked(rejected()),
            ),
            (
                TargetMissing(TicketTarget::Board),
                details("disk", -1),
                &live,
                Forecast::Blocked(TargetMissing(TicketTarget::Board)),
            ),
        ] {
            let blocked = since(blocked);
            assert_eq!(
                forecast(&blocked, &details, view, at(0)),
                expected,
                "{blocked:?}"
            );
        }
        let off = ConnectionView {
            connection: None,
            ..live
        };
        let waits = forecast(&since(NotSetUp), &details("disk", -1), &off, at(0));
        assert_eq!(waits, Forecast::Blocked(NotSetUp));
    }

    #[test]
    fn maintenance_holds_an_alert_that_could_become_a_ticket() {
        let blocked = BlockedSince {
            reason: Blocked::Unmapped,
            since: at(-1),
            refusal: None,
        };
        let hold = Blocked::Maintenance(MaintenanceHold {
            until: at(1),
            device: None,
        });
        let of = |kinds: &[&str], devices: &[&str]| MaintenanceScope {
            kinds: kinds
                .iter()
                .map(|kind| Kind::parse(*kind).unwrap())
                .collect(),
            devices: devices.iter().map(|&device| device.to_owned()).collect(),
            ..MaintenanceScope::default()
        };
        for (scope, expected) in [
            (of(&[], &[]), Forecast::Blocked(hold.clone())),
            (of(&["disk"], &[]), Forecast::Blocked(hold)),
            (of(&["cpu"], &[]), Forecast::Ticket),
            (of(&[], &["SRV-*"]), Forecast::Ticket),
        ] {
            let window = WindowDefinition {
                name: "Patch night".to_owned(),
                zone: "UTC".to_owned(),
                starts: at(-1).to_zoned(TimeZone::UTC).datetime(),
                minutes: Some(120),
                repeats: Recurrence::Once,
                scope: scope.clone(),
                ended_at: None,
            };
            let window = MaintenanceWindow::try_from(window).unwrap();
            let id = WindowId::parse("patch").unwrap();
            let view = ConnectionView {
                maintenance: MaintenanceWindows::default().with(id, window).unwrap(),
                ..view(Some(301), true)
            };
            let fate = forecast(&blocked, &details("disk", -1), &view, at(0));
            assert_eq!(fate, expected, "{scope:?}");
        }
    }
}
