//! A test alert: what set-up puts on the queue when somebody at the page asks for a test ticket. An alert like any other, from a source
//! that no sender can be; what it may do that others may not is said where its view is made.

use jiff::{SignedDuration, Timestamp};

use crate::alert::event::{Change, Event, Particulars, Payload, Severity};
use crate::alert::kind::{BUILT_IN, Category};
use crate::setup::settings::Settings;
use crate::{AlertId, AlertKey, EventId, Kind, PartnerId, SourceId, TenantId};

const TITLE: &str = "[Test] Ticketbridge test ticket";

const DESCRIPTION: &str = "This is a test. Somebody asked for it on the Ticketbridge set-up page, to see that alerts become tickets \
    here.\n\nNothing has happened, and there is nothing to do. The ticket is closed when the same page is told to close it.";

/// The test alert of this name.
#[must_use]
pub fn key(partner: PartnerId, tenant: TenantId, alert_id: AlertId) -> AlertKey {
    AlertKey {
        partner,
        tenant,
        source: SourceId::of_set_up(),
        alert_id,
    }
}

/// The kind of a role's test alert: one that makes tickets, and if possible one whose ticket type is set up. None where all built-in
/// kinds of the role are switched off.
#[must_use]
pub fn kind_for(category: Category, settings: &Settings) -> Option<Kind> {
    let of_category = BUILT_IN.iter().filter(|(_, of, _)| *of == category);
    let kinds = of_category.filter_map(|(name, ..)| Kind::parse(*name).ok());
    let on: Vec<_> = kinds
        .filter(|kind| !settings.kinds_off.contains(kind))
        .collect();
    let types = &settings.board(category).types;
    let typed = on.iter().find(|kind| types.contains_key(kind));
    typed.or(on.first()).cloned()
}

/// Says that it is there. The same again is the same event.
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
    let change = Change::Raised(Particulars {
        kind,
        category,
        severity: Severity::Informational,
        expires_at: None,
        payload,
    });
    Event::immediate(key, EventId::of_test(asked_at), asked_at, change)
}

/// Says that it is gone. Never before it was asked for, nor in the same moment, whatever the clocks say: it would be an old event.
#[must_use]
pub fn resolved(key: AlertKey, asked_at: Timestamp, now: Timestamp) -> Event {
    let after = asked_at.saturating_add(SignedDuration::from_millis(1));
    let at = now.max(after.unwrap_or(asked_at));
    Event::immediate(key, EventId::of_test(at), at, Change::Resolved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::fold::fold;
    use crate::alert::record::Record;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn test_key() -> AlertKey {
        let partner = PartnerId::parse("northwind").unwrap();
        let tenant = TenantId::parse("acme-dental").unwrap();
        key(partner, tenant, AlertId::of_test(at(0)))
    }

    #[test]
    fn a_test_comes_and_goes_whatever_the_clocks_say() {
        let kind = Kind::parse("disk").unwrap();
        let raised = raised(test_key(), kind, Category::Operations, None, at(0));
        for closed_at in [-60, 0, 60] {
            let resolved = resolved(test_key(), at(0), at(closed_at));
            let active = fold(Record::new(test_key()), &raised);
            assert!(active.desired.active);
            let gone = fold(active, &resolved);
            assert!(!gone.desired.active, "{closed_at}");
            // The raise is sent again, or comes late.
            assert!(!fold(gone, &raised).desired.active, "{closed_at}");
        }
    }

    #[test]
    fn a_tests_kind_makes_tickets() {
        let kind = |name: &str| Kind::parse(name).unwrap();
        let mut settings = Settings {
            ..Settings::default()
        };
        let chosen = |settings: &Settings, category| kind_for(category, settings);
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
        let all = BUILT_IN.iter().map(|(name, ..)| kind(name));
        settings.kinds_off = all.collect();
        assert_eq!(chosen(&settings, Category::Operations), None);
    }

    #[test]
    fn no_drawn_source_is_set_ups() {
        assert!(SourceId::of_set_up().is_of_set_up());
        let id = SourceId::of_set_up();
        // It is read back from the table and the queue, so it is an id as the others are.
        assert_eq!(SourceId::parse(id.as_str()), Ok(id.clone()));
        // Whoever draws ids leaves out what is easily misread.
        assert!(id.as_str().contains('0'));
    }
}
