//! What a decision may look at of what a partner set up. Pure: the one place that says what of it counts.

use std::collections::{BTreeMap, HashMap};

use domain::settings::{ConnectionView, LiveConnection, Mapping, OnResolve};
use domain::{AlertKey, SourceId, TenantId};
use store::{Connection, PartnerItems, PartnerSource};

/// What a decision about a tenant's alert may look at, and the site that it may call.
#[derive(Debug, Clone)]
pub struct View {
    /// For `decide`; its memory is the caller's to fill in.
    pub view: ConnectionView,
    /// The connection that it goes over.
    pub site: Option<Site>,
}

impl View {
    /// Of what the table has, for an alert of this source. What belongs to another ConnectWise than the connection points to is not
    /// there: a number of a board or a company may be anything here.
    ///
    /// A test alert comes before the partner confirms and for a tenant that is switched off: it is there to see whether to do so. And its
    /// ticket is closed whatever happens to others of its board, since nobody wants to keep it.
    #[must_use]
    pub fn of(items: PartnerItems, source: &SourceId) -> Self {
        let is_test = source.is_for_test_alerts();
        let careful = items.breaker.is_none();
        let counts =
            |connection: &Connection| (connection.confirmed || is_test) && !connection.suspended;
        let connection = items.connection.filter(counts);
        let (mut settings, mut mapping) = match &connection {
            Some(Connection { epoch, .. }) => (
                items
                    .settings
                    .filter(|settings| settings.belongs_to(*epoch)),
                items.mapping.map(|mapping| mapping.in_epoch(*epoch)),
            ),
            None => (None, items.mapping),
        };
        if is_test {
            if let Some(settings) = &mut settings {
                settings.operations.on_resolve = OnResolve::Close;
                settings.cyber_alerts.on_resolve = OnResolve::Close;
            }
            if let Some(mapping) = &mut mapping {
                mapping.enabled = true;
            }
        }
        let live = connection.as_ref().zip(settings);
        let live = live.map(|(connection, settings)| LiveConnection {
            epoch: connection.epoch,
            confirmed_at: connection.confirmed_at,
            settings,
        });
        let site = connection.filter(|_| live.is_some());
        Self {
            view: ConnectionView {
                connection: live,
                mapping,
                breaker: items.breaker.unwrap_or_default(),
                ticket_index: None,
                source_since: items.source_since,
            },
            site: site.map(|connection| Site {
                connection,
                careful,
            }),
        }
    }
}

/// All that a partner set up, for whoever goes through a list of its alerts.
#[derive(Debug, Clone)]
pub struct PartnerConfig {
    /// What is the same for all tenants; no mapping is among it.
    pub items: PartnerItems,
    /// Of the tenants.
    pub mappings: HashMap<TenantId, Mapping>,
    /// The sources that post for it.
    pub sources: BTreeMap<SourceId, PartnerSource>,
}

impl PartnerConfig {
    /// What one alert after another sees.
    #[must_use]
    pub fn views(&self) -> Views<'_> {
        Views {
            set_up: self,
            last: None,
        }
    }
}

/// What alerts see, as whoever decides about one makes it. Lists are by tenant: what the alert before saw is kept.
#[derive(Debug)]
pub struct Views<'a> {
    set_up: &'a PartnerConfig,
    last: Option<(Viewer, ConnectionView)>,
}

/// Alerts that see the same.
#[derive(Debug, PartialEq)]
struct Viewer {
    tenant: TenantId,
    source: SourceId,
}

impl Views<'_> {
    /// What this one sees.
    pub fn of(&mut self, alert: &AlertKey) -> &ConnectionView {
        let viewer = Viewer {
            tenant: alert.tenant.clone(),
            source: alert.source.clone(),
        };
        let (_, view) = match self.last.take() {
            Some(same) if same.0 == viewer => self.last.insert(same),
            Some(_) | None => {
                let source = self.set_up.sources.get(&alert.source);
                let items = PartnerItems {
                    mapping: self.set_up.mappings.get(&alert.tenant).cloned(),
                    source_since: source.map(|source| source.since),
                    ..self.set_up.items.clone()
                };
                let view = View::of(items, &alert.source).view;
                self.last.insert((viewer, view))
            }
        };
        view
    }
}

/// A connection that may be called.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where it is.
    pub connection: Connection,
    /// Nobody knows whether others had trouble with it: its breaker cannot be read. One call at a time, then.
    pub careful: bool,
}

#[cfg(test)]
mod tests {
    use domain::settings::{ChosenCompany, Settings};
    use domain::{AlertId, Blocked, Kind, PartnerId};
    use jiff::Timestamp;

    use super::*;

    const EPOCH: u32 = 2;

    /// Confirmed, set up and mapped.
    fn items() -> PartnerItems {
        let company = ChosenCompany {
            id: 301,
            name: "Acme Dental Inc.".into(),
            epoch: EPOCH,
        };
        PartnerItems {
            connection: Some(Connection {
                origin: "https://na.myconnectwise.net".into(),
                company_id: "acme".into(),
                epoch: EPOCH,
                confirmed: true,
                confirmed_at: None,
                suspended: false,
            }),
            settings: Some(Settings {
                epoch: Some(EPOCH),
                ..Settings::default()
            }),
            mapping: Some(Mapping::default().with_choice(
                Some(company),
                true,
                Timestamp::UNIX_EPOCH,
            )),
            breaker: None,
            source_since: None,
        }
    }

    /// The company that a disk alert's ticket goes to after a change of what was set up, or why there is none.
    fn target(change: impl FnOnce(&mut PartnerItems)) -> Result<u64, Blocked> {
        target_of("src_0123456789abcdefghijklmnop", change)
    }

    /// The same for a test alert.
    fn test_target(change: impl FnOnce(&mut PartnerItems)) -> Result<u64, Blocked> {
        target_of(SourceId::for_test_alerts().as_str(), change)
    }

    fn target_of(source: &str, change: impl FnOnce(&mut PartnerItems)) -> Result<u64, Blocked> {
        let mut items = items();
        change(&mut items);
        let source = SourceId::parse(source).unwrap();
        let View { view, site } = View::of(items, &source);
        assert_eq!(view.connection.is_some(), site.is_some());
        let disk = Kind::parse("disk").unwrap();
        view.target(&disk).map(|(_, company)| company)
    }

    #[test]
    fn numbers_of_another_connectwise_are_not_there() {
        let pointed_to = |items: &mut PartnerItems, epoch| {
            items.connection.as_mut().unwrap().epoch = epoch;
        };
        assert_eq!(target(|_| ()), Ok(301));
        assert_eq!(target(|items| pointed_to(items, 3)), Err(Blocked::NotSetUp));
        // The boards are chosen again, the companies are not.
        let boards_chosen = target(|items| {
            pointed_to(items, 3);
            items.settings.as_mut().unwrap().epoch = Some(3);
        });
        assert_eq!(boards_chosen, Err(Blocked::Unmapped));
        let written_before = target(|items| {
            pointed_to(items, 3);
            items.settings.as_mut().unwrap().epoch = None;
            items.mapping.as_mut().unwrap().epoch = None;
        });
        assert_eq!(written_before, Ok(301), "before there were epochs");
    }

    #[test]
    fn nothing_goes_anywhere_before_all_of_it_is_set_up() {
        let none = |change: fn(&mut PartnerItems)| target(change).unwrap_err();
        assert_eq!(none(|items| items.connection = None), Blocked::NotSetUp);
        assert_eq!(none(|items| items.settings = None), Blocked::NotSetUp);
        assert_eq!(none(|items| items.mapping = None), Blocked::Unmapped);
        let unconfirmed = |items: &mut PartnerItems| {
            items.connection.as_mut().unwrap().confirmed = false;
        };
        assert_eq!(none(unconfirmed), Blocked::NotSetUp);
        let suspended = |items: &mut PartnerItems| {
            items.connection.as_mut().unwrap().suspended = true;
        };
        assert_eq!(none(suspended), Blocked::NotSetUp);
    }

    #[test]
    fn a_test_comes_before_the_partner_confirms_and_for_a_tenant_that_is_off() {
        fn not_yet(items: &mut PartnerItems) {
            items.connection.as_mut().unwrap().confirmed = false;
            items.mapping.as_mut().unwrap().enabled = false;
        }
        assert_eq!(test_target(|_| ()), Ok(301));
        assert_eq!(test_target(not_yet), Ok(301));
        assert_eq!(target(not_yet), Err(Blocked::NotSetUp));
        let off = |items: &mut PartnerItems| items.mapping.as_mut().unwrap().enabled = false;
        assert_eq!(target(off), Err(Blocked::TenantDisabled));

        // What it needs all the same.
        let none = |change: fn(&mut PartnerItems)| test_target(change).unwrap_err();
        assert_eq!(none(|items| items.connection = None), Blocked::NotSetUp);
        assert_eq!(none(|items| items.settings = None), Blocked::NotSetUp);
        assert_eq!(none(|items| items.mapping = None), Blocked::Unmapped);
        let elsewhere = |items: &mut PartnerItems| items.connection.as_mut().unwrap().epoch = 3;
        assert_eq!(none(elsewhere), Blocked::NotSetUp);
        let suspended = |items: &mut PartnerItems| {
            items.connection.as_mut().unwrap().suspended = true;
        };
        assert_eq!(none(suspended), Blocked::NotSetUp);
        let kind_off = |items: &mut PartnerItems| {
            let settings = items.settings.as_mut().unwrap();
            settings.kinds_off = [Kind::parse("disk").unwrap()].into();
        };
        assert_eq!(none(kind_off), Blocked::KindDisabled);
    }

    #[test]
    fn a_tests_ticket_is_closed_where_others_only_get_a_note() {
        let mut items = items();
        items.settings.as_mut().unwrap().cyber_alerts.on_resolve = OnResolve::Note;
        let on_resolve = |source: &str| {
            let view = View::of(items.clone(), &SourceId::parse(source).unwrap()).view;
            view.connection.unwrap().settings.cyber_alerts.on_resolve
        };
        let of_set_up = SourceId::for_test_alerts();
        assert_eq!(on_resolve(of_set_up.as_str()), OnResolve::Close);
        let real = on_resolve("src_0123456789abcdefghijklmnop");
        assert_eq!(real, OnResolve::Note);
    }

    #[test]
    fn each_alert_of_a_list_sees_its_own_tenant_and_a_test_its_own_view() {
        let tenant = |name| TenantId::parse(name).unwrap();
        let items = items();
        let mapped = items.mapping.clone().unwrap();
        let off = Mapping {
            enabled: false,
            ..mapped.clone()
        };
        let set_up = PartnerConfig {
            items: PartnerItems {
                mapping: None,
                ..items
            },
            mappings: [(tenant("acme"), mapped), (tenant("baker"), off)].into(),
            sources: BTreeMap::new(),
        };
        let mut views = set_up.views();
        let mut target = |name, source: &SourceId| {
            let alert = AlertKey {
                partner: PartnerId::parse("northwind").unwrap(),
                tenant: tenant(name),
                source: source.clone(),
                alert_id: AlertId::parse("a1").unwrap(),
            };
            let kind = Kind::parse("disk").unwrap();
            let target = views.of(&alert).target(&kind);
            target.map(|(_, company)| company)
        };
        let real = SourceId::parse("src_0123456789abcdefghijklmnop").unwrap();
        let test = SourceId::for_test_alerts();
        assert_eq!(target("acme", &real), Ok(301));
        assert_eq!(target("acme", &real), Ok(301));
        assert_eq!(target("baker", &real), Err(Blocked::TenantDisabled));
        assert_eq!(target("baker", &test), Ok(301));
        assert_eq!(target("baker", &real), Err(Blocked::TenantDisabled));
        assert_eq!(target("cedar", &real), Err(Blocked::Unmapped));
        assert_eq!(target("acme", &real), Ok(301));
    }
}
