//! The alert "no messages from this source", which becomes a ticket like any other alert.
//!
//! `health` puts its events on the queue of `tickets`. The state of the alert is stored before an
//! event is sent, with the event's time, and once more after it. So an event that is sent again is
//! the same event, and has no second effect.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::event::{AlertChange, Event, Particulars, Payload, Severity};
use crate::alert::kind::{Category, KindInfo};
use crate::{AlertId, AlertKey, EventId, Kind, PartnerId, SourceId, TenantId};

/// The tenant of these alerts. Its company is the partner's own, so it is mapped once for all
/// sources.
const TENANT: &str = "(inactive sources)";
/// The name of the tenant for people.
pub const TENANT_NAME: &str = "Ticketbridge: inactive sources";
const KIND: &str = "inactive_source";
const TYPE_NAME: &str = "Inactive Source";

/// The alert of one inactive source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceAlert {
    /// Since when the source was quiet.
    pub quiet_since: Timestamp,
    pub raised_at: Timestamp,
    /// When the source was no longer inactive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Whether the queue has its last event.
    pub sent: bool,
}

/// The alerts of a partner's sources.
pub type SourceAlerts = BTreeMap<SourceId, SourceAlert>;

/// Raises and resolves alerts. `inactive` are the inactive sources whose alert becomes a ticket, each
/// with the time since which it is quiet. An alert whose resolve is not sent yet is raised again only
/// after that.
#[must_use]
pub fn update(
    mut alerts: SourceAlerts,
    inactive: &BTreeMap<SourceId, Timestamp>,
    now: Timestamp,
) -> SourceAlerts {
    for (source, alert) in &mut alerts {
        if alert.resolved_at.is_none() && !inactive.contains_key(source) {
            // Always later than the raise, or it would count as an old event.
            let after = alert
                .raised_at
                .saturating_add(SignedDuration::from_millis(1));
            alert.resolved_at = Some(now.max(after.unwrap_or(now)));
            alert.sent = false;
        }
    }
    for (source, quiet_since) in inactive {
        alerts.entry(source.clone()).or_insert(SourceAlert {
            quiet_since: *quiet_since,
            raised_at: now,
            resolved_at: None,
            sent: false,
        });
    }
    alerts
}

/// The alerts after the queue accepted all of their events.
#[must_use]
pub fn all_sent(mut alerts: SourceAlerts) -> SourceAlerts {
    alerts.retain(|_, alert| alert.resolved_at.is_none());
    for alert in alerts.values_mut() {
        alert.sent = true;
    }
    alerts
}

impl SourceAlert {
    /// The last event of the alert. The same state makes the same event.
    #[must_use]
    pub fn event(&self, partner: &PartnerId, source: &SourceId, name: &str) -> Option<Event> {
        let key = AlertKey {
            partner: partner.clone(),
            tenant: tenant()?,
            source: SourceId::for_source_alerts(),
            alert_id: AlertId::parse(source.as_str()).ok()?,
        };
        let (at, change) = match self.resolved_at {
            Some(at) => (at, AlertChange::Resolved),
            None => (self.raised_at, self.raised(name)?),
        };
        let id = EventId::parse(format!("{source}-{}", at.as_millisecond())).ok()?;
        Some(Event::immediate(key, id, at, change))
    }

    fn raised(&self, name: &str) -> Option<AlertChange> {
        let KindInfo { kind, category, .. } = kind()?;
        let since = self.quiet_since.strftime("%-d %B %Y at %H:%M UTC");
        let payload = Payload {
            title: format!("No alerts from {name} since {since}"),
            description: format!(
                "Ticketbridge has received no message from the source {name} since {since}, which is longer than expected. If its alerts no longer arrive, they become no tickets.\n\nCheck at the vendor that the source is switched on and still has the address and secret of Ticketbridge. The alert is resolved automatically with the next message of the source."
            ),
            tenant_name: Some(TENANT_NAME.to_owned()),
            device: None,
            user: None,
            link: None,
        };
        Some(AlertChange::Raised(Particulars {
            kind,
            category,
            severity: Severity::Medium,
            expires_at: None,
            payload,
        }))
    }
}

/// The tenant of these alerts.
#[must_use]
pub fn tenant() -> Option<TenantId> {
    TenantId::parse(TENANT).ok()
}

/// The kind of these alerts. It is no built-in kind: only a partner with such tickets needs its
/// ticket type.
#[must_use]
pub fn kind() -> Option<KindInfo> {
    Some(KindInfo {
        kind: Kind::parse(KIND).ok()?,
        category: Category::Operations,
        type_name: TYPE_NAME.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fold::fold;
    use crate::alert::record::Record;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
    }

    fn scanner() -> SourceId {
        SourceId::parse("src_0123456789abcdefghijklmnop").unwrap()
    }

    fn inactive(since: i64) -> BTreeMap<SourceId, Timestamp> {
        BTreeMap::from([(scanner(), at(since))])
    }

    fn events(alerts: &SourceAlerts) -> Vec<Event> {
        let partner = PartnerId::parse("northwind").unwrap();
        let unsent = alerts.iter().filter(|(_, alert)| !alert.sent);
        let events =
            unsent.map(|(source, alert)| alert.event(&partner, source, "Scanner").unwrap());
        events.collect()
    }

    #[test]
    fn an_inactive_source_raises_one_alert_and_its_message_resolves_it() {
        let none = BTreeMap::new();
        let raised = update(SourceAlerts::new(), &inactive(0), at(60));
        // The process died before the event was recorded as sent.
        let again = update(raised.clone(), &inactive(0), at(61));
        assert_eq!(events(&again), events(&raised));
        let active = all_sent(again);
        for minute in 62..70 {
            let alerts = update(active.clone(), &inactive(0), at(minute));
            assert_eq!((events(&alerts), &alerts), (vec![], &active));
        }
        let resolved = update(active, &none, at(70));
        let again = update(resolved.clone(), &none, at(71));
        assert_eq!(events(&again), events(&resolved));
        assert_eq!(all_sent(again), SourceAlerts::new());
    }

    #[test]
    fn the_events_of_each_occurrence_are_newer_than_those_before() {
        let none = BTreeMap::new();
        let mut alerts = SourceAlerts::new();
        let mut record: Option<Record> = None;
        // The clock stands still between the first raise and its resolve.
        for (minute, now) in [(0, true), (0, false), (5, true), (6, false), (7, true)] {
            let found = if now { inactive(0) } else { none.clone() };
            alerts = update(alerts, &found, at(minute));
            for event in events(&alerts) {
                let known = record.unwrap_or_else(|| Record::new(event.key.clone()));
                record = Some(fold(known, &event));
            }
            alerts = all_sent(alerts);
            assert_eq!(record.as_ref().map(|of| of.desired.active), Some(now));
        }
    }

    #[test]
    fn a_source_that_is_quiet_again_before_its_resolve_is_sent_raises_after_it() {
        let active = all_sent(update(SourceAlerts::new(), &inactive(0), at(1)));
        let resolved = update(active, &BTreeMap::new(), at(2));
        let quiet_again = update(resolved.clone(), &inactive(2), at(3));
        assert_eq!(quiet_again, resolved);
        let raised = update(all_sent(quiet_again), &inactive(2), at(4));
        assert_eq!(raised[&scanner()].raised_at, at(4));
    }

    #[test]
    fn the_ticket_says_which_source_is_quiet_since_when() {
        let raised = update(SourceAlerts::new(), &inactive(0), at(60));
        let events = events(&raised);
        let payload = events[0].payload().unwrap();
        insta::assert_snapshot!(format!("{}\n\n{}", payload.title, payload.description));
        assert!(kind().is_some() && tenant().is_some());
    }
}
