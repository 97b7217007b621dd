//! What becomes of alerts that wait, if a partner's set-up were as a view says: what a person is shown before deciding.

use jiff::Timestamp;

use crate::Blocked;
use crate::alert::blocked::BlockedSince;
use crate::alert::record::AlertDetails;
use crate::alert::release::{Held, held};
use crate::connection::view::ConnectionView;

/// What becomes of a waiting alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// A ticket, as soon as it is decided again.
    Ticket,
    /// It was raised before the back-fill begins: it waits for a person.
    Older,
    /// It goes on waiting, for this.
    Waits(Blocked),
}

/// What becomes of an alert that stands and is blocked for this reason. What ConnectWise would have to be asked about is taken to wait.
#[must_use]
pub fn fate(
    blocked: &BlockedSince,
    details: &AlertDetails,
    view: &ConnectionView,
    now: Timestamp,
) -> Fate {
    let reason = &blocked.reason;
    match held(blocked, Some(details), view, now) {
        Held::Yes | Held::ByRefusal => return Fate::Waits(reason.clone()),
        Held::No => {}
    }
    match view.target(&details.kind) {
        Err(reason) => Fate::Waits(reason),
        Ok(_)
            if view.is_older_than_backfill(Some(reason), &details.kind, details.raised_at, now) =>
        {
            Fate::Older
        }
        Ok(_) => Fate::Ticket,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::event::Severity;
    use crate::alert::kind::Category;
    use crate::connection::breaker::Breaker;
    use crate::connection::view::LiveConnection;
    use crate::setup::mapping::Mapping;
    use crate::setup::settings::Settings;
    use crate::{Kind, Target};

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
        }
    }

    #[test]
    fn a_waiting_alert_becomes_a_ticket_or_waits_for_what_is_named() {
        use Blocked::{
            ConnectionBroken, KindDisabled, NotSetUp, OlderThanBackfill, Rejected, TargetGone,
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
            (NotSetUp, details("disk", -1), &live, Fate::Ticket),
            (NotSetUp, details("disk", -48), &live, Fate::Ticket),
            (NotSetUp, details("disk", -49), &live, Fate::Older),
            (Unmapped, details("disk", -49), &live, Fate::Older),
            // Not set-up's doing: all of them go on.
            (ConnectionBroken, details("disk", -49), &live, Fate::Ticket),
            (
                NotSetUp,
                details("disk", -1),
                &view(None, true),
                Fate::Waits(Unmapped),
            ),
            (
                NotSetUp,
                details("disk", -1),
                &view(Some(301), false),
                Fate::Waits(TenantDisabled),
            ),
            (
                NotSetUp,
                details("dns_poisoning", -1),
                &live,
                Fate::Waits(KindDisabled),
            ),
            // A person's decision, or ConnectWise's.
            (
                OlderThanBackfill,
                details("disk", -1),
                &live,
                Fate::Waits(OlderThanBackfill),
            ),
            (
                rejected(),
                details("disk", -1),
                &live,
                Fate::Waits(rejected()),
            ),
            (
                TargetGone(Target::Board),
                details("disk", -1),
                &live,
                Fate::Waits(TargetGone(Target::Board)),
            ),
        ] {
            let blocked = since(blocked);
            assert_eq!(
                fate(&blocked, &details, view, at(0)),
                expected,
                "{blocked:?}"
            );
        }
        let off = ConnectionView {
            connection: None,
            ..live
        };
        let waits = fate(&since(NotSetUp), &details("disk", -1), &off, at(0));
        assert_eq!(waits, Fate::Waits(NotSetUp));
    }
}
