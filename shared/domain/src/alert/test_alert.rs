//! Test alerts, which set-up sends when a person requests a test ticket. A test alert is like any
//! other, but its source is one that no sender can have. `connections::view` grants its exceptions.

use jiff::{SignedDuration, Timestamp};

use crate::alert::event::{AlertChange, Event, Particulars, Payload, Severity};
use crate::alert::kind::{Category, KindInfo};
use crate::setup::settings::Settings;
use crate::{AlertId, AlertKey, EventId, Kind, PartnerId, SourceId, TenantId};

const TITLE: &str = "[Test] Ticketbridge test ticket";

const DESCRIPTION: &str = "This is a test. It was requested on the Ticketbridge set-up page, to check that alerts become tickets \
    here.\n\nNothing has happened, and there is nothing to do. The set-up page closes the ticket on request.";

#[must_use]
pub fn key(partner: PartnerId, tenant: TenantId, alert_id: AlertId) -> AlertKey {
    AlertKey {
        partner,
        tenant,
        source: SourceId::for_test_alerts(),
        alert_id,
    }
}

/// Chooses the kind for a test alert of a category: an enabled kind, if possible one with a ticket
/// type. Returns `None` if all of these kinds of the category are switched off.
#[must_use]
pub fn kind_for(category: Category, settings: &Settings, kinds: &[KindInfo]) -> Option<Kind> {
    let of_category = kinds.iter().filter(|info| info.category == category);
    let on: Vec<_> = of_category
        .map(|info| info.kind.clone())
        .filter(|kind| !settings.kinds_off.contains(kind))
        .collect();
    let types = &settings.board(category).types;
    let typed = on.iter().find(|kind| types.contains_key(kind));
    typed.or(on.first()).cloned()
}

/// Makes the event that raises the test alert. The same arguments make the same event.
#[must_use]
pub fn raised(
    key: AlertKey,
    kind: Kind,
    category: Category,
    tenant_name: Option<String>,
    asked_at: Timestamp,
) -> Event {
    let payload = Payload {
        title: TITLE.to_owned(),
        description: DESCRIPTION.to_owned(),
        tenant_name,
        device: None,
        user: None,
        link: None,
    };
    let change = AlertChange::Raised(Particulars {
        kind,
        category,
        severity: Severity::Informational,
        expires_at: None,
        payload,
    });
    Event::immediate(key, EventId::for_test(asked_at), asked_at, change)
}

/// Makes the event that resolves the test alert. Its time is always later than `asked_at`, whatever
/// the clocks say; otherwise it would count as an old event.
#[must_use]
pub fn resolved(key: AlertKey, asked_at: Timestamp, now: Timestamp) -> Event {
    let after = asked_at.saturating_add(SignedDuration::from_millis(1));
    let at = now.max(after.unwrap_or(asked_at));
    Event::immediate(key, EventId::for_test(at), at, AlertChange::Resolved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fold::fold;
    use crate::alert::kind::{BUILT_IN, with_added};
    use crate::alert::record::Record;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn test_key() -> AlertKey {
        let partner = PartnerId::parse("northwind").unwrap();
        let tenant = TenantId::parse("acme-dental").unwrap();
        key(partner, tenant, AlertId::for_test(at(0)))
    }

    #[test]
    fn a_test_alert_is_resolved_whatever_the_clocks_say() {
        let kind = Kind::parse("disk").unwrap();
        let raised = raised(test_key(), kind, Category::Operations, None, at(0));
        for closed_at in [-60, 0, 60] {
            let resolved = resolved(test_key(), at(0), at(closed_at));
            let active = fold(Record::new(test_key()), &raised);
            assert!(active.desired.active);
            let ended = fold(active, &resolved);
            assert!(!ended.desired.active, "{closed_at}");
            // The raise is sent again, or comes late.
            assert!(!fold(ended, &raised).desired.active, "{closed_at}");
        }
    }

    #[test]
    fn a_test_alert_has_a_kind_that_makes_tickets() {
        let kind = |name: &str| Kind::parse(name).unwrap();
        let mut settings = Settings {
            ..Settings::default()
        };
        let added = KindInfo {
            kind: kind("monitoring"),
            category: Category::Operations,
            type_name: "Monitoring".to_owned(),
        };
        let kinds = with_added(&[added]);
        let chosen = |settings: &Settings, category| kind_for(category, settings, &kinds);
        let cyber = chosen(&settings, Category::CyberAlerts);
        assert_eq!(cyber, Some(kind("privileged_access_management")));
        assert_eq!(chosen(&settings, Category::Operations), Some(kind("cpu")));
        settings.kinds_off = [kind("cpu")].into();
        assert_eq!(
            chosen(&settings, Category::Operations),
            Some(kind("memory"))
        );
        settings.operations.types = [(kind("cpu"), 1), (kind("disk"), 2)].into();
        assert_eq!(chosen(&settings, Category::Operations), Some(kind("disk")));
        let built_in = BUILT_IN.iter().map(|(name, ..)| kind(name));
        settings.kinds_off = built_in.collect();
        let operations = chosen(&settings, Category::Operations);
        assert_eq!(operations, Some(kind("monitoring")));
        assert_eq!(chosen(&settings, Category::CyberAlerts), None);
        settings.kinds_off.insert(kind("monitoring"));
        assert_eq!(chosen(&settings, Category::Operations), None);
    }

    #[test]
    fn no_issued_source_id_is_a_reserved_one() {
        assert!(SourceId::for_test_alerts().is_for_test_alerts());
        assert!(!SourceId::for_source_alerts().is_for_test_alerts());
        for id in [
            SourceId::for_test_alerts(),
            SourceId::for_source_alerts(),
            SourceId::for_storms(),
        ] {
            assert!(id.is_reserved());
            // It is read back from the table and the queue, so it is an id as the others are.
            assert_eq!(SourceId::parse(id.as_str()), Ok(id.clone()));
            // Ids without easily misread characters are generated elsewhere; this one has a 0.
            assert!(id.as_str().contains('0'));
        }
    }
}
