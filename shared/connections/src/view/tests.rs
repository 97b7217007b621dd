use domain::setup::mapping::ChosenCompany;
use domain::setup::settings::Settings;
use domain::{AlertId, Blocked, Kind, PartnerId};
use jiff::Timestamp;

use super::*;

const EPOCH: u32 = 2;

/// A partner that is confirmed, set up and mapped.
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
        mapping: Some(Mapping::default().with_choice(Some(company), true, Timestamp::UNIX_EPOCH)),
        breaker: None,
        source_since: None,
        maintenance: MaintenanceWindows::default(),
    }
}

/// The company of a disk alert's ticket after a change of the configuration, or why there is none.
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
    let AlertView { view, site } = AlertView::of(items, &source);
    assert_eq!(view.connection.is_some(), site.is_some());
    let disk = Kind::parse("disk").unwrap();
    view.target(&disk).map(|(_, company)| company)
}

#[test]
fn ids_of_another_connectwise_are_ignored() {
    let pointed_to = |items: &mut PartnerItems, epoch| {
        items.connection.as_mut().unwrap().epoch = epoch;
    };
    assert_eq!(target(|_| ()), Ok(301));
    assert_eq!(target(|items| pointed_to(items, 3)), Err(Blocked::NotSetUp));
    // The partner chose the boards again, but not the companies.
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
    assert_eq!(written_before, Ok(301), "stored before there were epochs");
}

#[test]
fn no_ticket_is_made_before_set_up_is_complete() {
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
fn a_test_needs_no_confirmation_and_no_enabled_tenant() {
    fn not_yet(items: &mut PartnerItems) {
        items.connection.as_mut().unwrap().confirmed = false;
        items.mapping.as_mut().unwrap().enabled = false;
    }
    assert_eq!(test_target(|_| ()), Ok(301));
    assert_eq!(test_target(not_yet), Ok(301));
    assert_eq!(target(not_yet), Err(Blocked::NotSetUp));
    let off = |items: &mut PartnerItems| items.mapping.as_mut().unwrap().enabled = false;
    assert_eq!(target(off), Err(Blocked::TenantDisabled));

    // A test needs these too.
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
fn a_test_ticket_is_closed_even_if_others_get_a_note() {
    let mut items = items();
    items.settings.as_mut().unwrap().cyber_alerts.on_resolve = OnResolve::Note;
    let on_resolve = |source: &str| {
        let view = AlertView::of(items.clone(), &SourceId::parse(source).unwrap()).view;
        view.connection.unwrap().settings.cyber_alerts.on_resolve
    };
    let of_set_up = SourceId::for_test_alerts();
    assert_eq!(on_resolve(of_set_up.as_str()), OnResolve::Close);
    let real = on_resolve("src_0123456789abcdefghijklmnop");
    assert_eq!(real, OnResolve::Note);
}

#[test]
fn each_alert_of_a_list_has_its_own_view() {
    let tenant = |name| TenantId::parse(name).unwrap();
    let items = items();
    let mapped = items.mapping.clone().unwrap();
    let off = Mapping {
        enabled: false,
        ..mapped.clone()
    };
    let config = PartnerConfig {
        items: PartnerItems {
            mapping: None,
            ..items
        },
        mappings: [(tenant("acme"), mapped), (tenant("baker"), off)].into(),
        sources: BTreeMap::new(),
    };
    let mut views = config.views();
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
