//! Set-up's items in the config and access tables: sessions and links, versions, and lists.

use std::collections::{BTreeMap, BTreeSet};

use crate::environment::{
    COMPANY, DISABLED, PARTNER, TENANT, TestEnvironment, after, numbered_partner, partner,
    settings, tenant,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::alert::kind::Category;
use domain::monitoring::inactive_source::InactivityRules;
use domain::monitoring::issue::CompanyIssue;
use domain::setup::access::Partner;
use domain::setup::company_index::ListedCompany;
use domain::setup::mapping::{ChosenCompany, Mapping};
use domain::{AlertId, Blocked, Kind, PartnerId, SourceId};
use jiff::Timestamp;
use store::{
    Actor, AuditEntry, CompanyScan, DedicatedBoard, DedicatedBoards, PageStart, PartnerItems,
    RegisteredSource, SaveOutcome, TestTicket,
};

/// All times are seconds after this one.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub(crate) fn northwind() -> Partner {
    Partner {
        name: "Northwind".into(),
        enabled: true,
        made_at: at(0),
        sessions_from: None,
        manages_sources: false,
    }
}

pub(crate) fn saved(version: u64) -> SaveOutcome {
    SaveOutcome::Saved { version }
}

/// An environment whose partner exists.
pub(crate) async fn environment_with_partner() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let made = env.access.partners.save(&partner(), &northwind(), 0).await;
    assert_eq!(made.unwrap(), saved(1));
    env
}

fn partition_of(sk: &str) -> String {
    let is_tenant = sk.starts_with("T#");
    format!("P#{PARTNER}{}", if is_tenant { "#tenants" } else { "" })
}

/// Changes an attribute of an item of the config table, as another program would.
pub(crate) async fn update_item(
    env: &TestEnvironment,
    sk: &str,
    change: &str,
    value: AttributeValue,
) {
    let table = aws_sdk_dynamodb::Client::new(&env.aws);
    let update = table.update_item().table_name("config");
    let update = update
        .key("pk", AttributeValue::S(partition_of(sk)))
        .key("sk", AttributeValue::S(sk.into()));
    let update = update.update_expression(change);
    let update = update.expression_attribute_values(":value", value);
    update.send().await.unwrap();
}

pub(crate) async fn config_item(
    env: &TestEnvironment,
    sk: &str,
) -> BTreeMap<String, AttributeValue> {
    let table = aws_sdk_dynamodb::Client::new(&env.aws);
    let get = table.get_item().table_name("config");
    let get = get
        .key("pk", AttributeValue::S(partition_of(sk)))
        .key("sk", AttributeValue::S(sk.into()));
    let item = get.send().await.unwrap().item.unwrap();
    item.into_iter().collect()
}

pub(crate) fn source() -> SourceId {
    SourceId::parse(crate::environment::SOURCE).unwrap()
}

#[tokio::test]
async fn a_stale_version_overwrites_nothing() {
    let env = TestEnvironment::new().await;
    let (config, partner, tenant) = (&env.config, partner(), tenant(TENANT));
    let access = &env.access;
    // The seed wrote each item once.
    let connection = access.connections.get(&partner).await.unwrap();
    let mine = connection.value.clone().unwrap();
    let (first, second) = tokio::join!(
        access.connections.save(&partner, &mine, 1),
        access.connections.save(&partner, &mine, 1),
    );
    let both = BTreeSet::from([
        format!("{:?}", first.unwrap()),
        format!("{:?}", second.unwrap()),
    ]);
    let one = [
        format!("{:?}", SaveOutcome::Conflict),
        format!("{:?}", saved(2)),
    ];
    assert_eq!(both, BTreeSet::from(one));
    let read = access.connections.get(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (connection.value, 2));

    let mut hourly = settings();
    hourly.note_interval_minutes = 61;
    for (version, expected) in [
        (0, SaveOutcome::Conflict),
        (2, SaveOutcome::Conflict),
        (1, saved(2)),
        (1, SaveOutcome::Conflict),
        (2, saved(3)),
    ] {
        let save = config.settings.save(&partner, &hourly, version).await;
        assert_eq!(save.unwrap(), expected, "{version}");
    }
    let read = config.settings.get(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (Some(hourly), 3));

    let mapping = config.tenants.get(&partner, &tenant).await.unwrap();
    assert_eq!(mapping.version, 1);
    let seeded = mapping.value.unwrap();
    config
        .tenants
        .put(&partner, &tenant, &seeded)
        .await
        .unwrap();
    let save = config.tenants.save(&partner, &tenant, &seeded, 1).await;
    assert_eq!(save.unwrap(), SaveOutcome::Conflict, "the seed created it");
}

#[tokio::test]
async fn board_creation_progress_is_stored() {
    let env = TestEnvironment::new().await;
    let (config, partner) = (&env.config, partner());
    let board = |name: &str| DedicatedBoard {
        name: name.into(),
        location: 1,
        department: 2,
        team_lead: 3,
    };
    let desired = DedicatedBoards {
        operations: board("Operations"),
        cyber_alerts: board("Cyber Alerts"),
        epoch: 1,
        finished: false,
    };
    let read = config.boards.get(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (None, 0));
    for (version, expected) in [(0, saved(1)), (0, SaveOutcome::Conflict), (1, saved(2))] {
        let save = config.boards.save(&partner, &desired, version).await;
        assert_eq!(save.unwrap(), expected, "{version}");
    }
    let read = config.boards.get(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (Some(desired), 2));

    let begun = CompanyScan {
        epoch: 1,
        next: Some(300),
        read: 250,
        total: 400,
        ..CompanyScan::default()
    };
    let ended = CompanyScan {
        next: None,
        parts: 2,
        read: 400,
        finished_at: Some(at(9)),
        ..begun.clone()
    };
    let company = |id: u64| ListedCompany {
        id,
        identifier: format!("C{id}"),
        name: format!("Company {id}"),
        issue: (id == 2).then_some(CompanyIssue::Inactive),
    };
    // Parts are read in the order of their numbers, and only those of the scan.
    for (n, ids) in [(0, [1, 2]), (1, [3, 4]), (2, [5, 6])] {
        let part = ids.map(company);
        let put = config.companies.put_part(&partner, &ended, n, &part);
        put.await.unwrap();
    }
    let all = config.companies.get_all(&partner, &ended).await.unwrap();
    assert_eq!(all.unwrap(), [1, 2, 3, 4].map(company));
    let other = CompanyScan {
        started_at: at(5),
        ..ended.clone()
    };
    let put = config.companies.put_part(&partner, &other, 1, &[]);
    put.await.unwrap();
    for scan in [&ended, &other] {
        let mixed = config.companies.get_all(&partner, scan).await.unwrap();
        assert_eq!(mixed, None);
    }
    for (scan, version) in [(begun, 0), (ended, 1)] {
        let save = config.companies.save_scan(&partner, &scan, version);
        assert_eq!(save.await.unwrap(), saved(version + 1));
        let read = config.companies.get_scan(&partner).await.unwrap();
        assert_eq!((read.value, read.version), (Some(scan), version + 1));
    }

    let test = TestTicket {
        tenant: tenant(TENANT),
        alert_id: AlertId::parse("test-1").unwrap(),
        kind: Kind::parse("disk").unwrap(),
        category: Category::Operations,
        asked_at: at(0),
        close_requested: false,
    };
    for (version, expected) in [(0, saved(1)), (0, SaveOutcome::Conflict)] {
        let save = config.test_ticket.save(&partner, &test, version).await;
        assert_eq!(save.unwrap(), expected, "{version}");
    }
    let read = config.test_ticket.get(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (Some(test), 1));
}

#[tokio::test]
async fn a_mapping_starts_from_the_seen_tenant() {
    let env = TestEnvironment::new().await;
    let (config, partner, fresh) = (&env.config, partner(), tenant("fresh"));
    let read = config.tenants.get(&partner, &fresh).await.unwrap();
    assert_eq!((&read.value, read.version), (&None, 0));
    config
        .tenants
        .list_new(&partner, &fresh, &source(), Some("Fresh Foods"))
        .await
        .unwrap();
    let chosen = |mapping: Option<Mapping>| {
        let mapping = mapping.unwrap_or_default();
        let company = ChosenCompany {
            id: COMPANY,
            name: "Fresh Foods Ltd".into(),
            epoch: 1,
        };
        mapping.with_choice(Some(company), true, at(0))
    };
    let blind = chosen(read.value);
    let save = config.tenants.save(&partner, &fresh, &blind, 0).await;
    assert_eq!(
        save.unwrap(),
        SaveOutcome::Conflict,
        "a stale save would lose its name"
    );
    let read = config.tenants.get(&partner, &fresh).await.unwrap();
    let mapped = chosen(read.value);
    let save = config.tenants.save(&partner, &fresh, &mapped, read.version);
    assert_eq!(save.await.unwrap(), saved(2));
    // As `tickets` reads it for an alert.
    let source = SourceId::for_test_alerts();
    let read = PartnerItems::read(config, &env.access, &partner, &fresh, &source);
    let items = read.await.unwrap();
    assert_eq!(items.mapping, Some(mapped.clone()));
    assert_eq!(mapped.name.as_deref(), Some("Fresh Foods"));
    assert!(items.connection.is_some() && items.settings.is_some());
}

#[tokio::test]
async fn unknown_attributes_of_an_item_survive_a_save() {
    let env = TestEnvironment::new().await;
    let (config, partner, tenant) = (&env.config, partner(), tenant(TENANT));
    let sk = format!("T#{TENANT}");
    let it = AttributeValue::S("kept".into());
    update_item(
        &env,
        &sk,
        "SET from_the_future = :value REMOVE version",
        it.clone(),
    )
    .await;
    let read = config.tenants.get(&partner, &tenant).await.unwrap();
    assert_eq!((read.value.is_some(), read.version), (true, 0));
    let mut mapping = read.value.unwrap().with_choice(None, true, at(0));
    mapping.name = Some("Acme Dental".into());
    let save = config.tenants.save(&partner, &tenant, &mapping, 0).await;
    assert_eq!(save.unwrap(), saved(1));
    let item = config_item(&env, &sk).await;
    assert_eq!(item["from_the_future"], it);
    assert!(!item.contains_key("company"), "{item:?}");
    assert_eq!(
        config.tenants.get(&partner, &tenant).await.unwrap().value,
        Some(mapping)
    );
}

#[tokio::test]
async fn partners_and_sources_are_listed_by_page() {
    let env = TestEnvironment::new().await;
    let access = &env.access;
    for n in [3, 1, 5, 2, 4] {
        let id = numbered_partner(n);
        let made = access.partners.save(&id, &northwind(), 0).await.unwrap();
        assert_eq!(made, saved(1));
        let again = access.partners.save(&id, &northwind(), 0).await.unwrap();
        assert_eq!(again, SaveOutcome::Conflict, "it exists");
    }
    let (mut seen, mut from) = (vec![], None);
    for length in [2, 2, 1] {
        let page = access.partners.page(from.as_ref(), 2).await.unwrap();
        assert_eq!(page.entries.len(), length);
        from = page.next;
        seen.extend(page.entries.into_iter().map(|entry| {
            assert_eq!((entry.value, entry.version), (northwind(), 1));
            entry.id.to_string()
        }));
    }
    assert_eq!(from, None);
    let expected = [1, 2, 3, 4, 5].map(|n| format!("partner-{n}"));
    assert_eq!(seen, expected);

    let id = |n: u8| SourceId::parse(format!("src_{n:026}")).unwrap();
    let mut source = RegisteredSource {
        name: "Scanner".into(),
        partner: Some(partner()),
        partners: vec![],
        enabled: true,
        made_at: at(0),
        inactivity: InactivityRules::default(),
    };
    for n in 0..3 {
        let made = access.sources.save(&id(n), &source, 0).await.unwrap();
        assert_eq!(made, saved(1));
    }
    source.enabled = false;
    source.partner = None;
    source.partners = vec![partner()];
    let off = access.sources.save(&id(1), &source, 1).await.unwrap();
    assert_eq!(off, saved(2));
    let stale = access.sources.save(&id(1), &source, 1).await.unwrap();
    assert_eq!(stale, SaveOutcome::Conflict);
    let read = access.sources.get(&id(1)).await.unwrap();
    assert_eq!((read.value, read.version), (Some(source), 2));
    let begin = PageStart::try_from(id(0).to_string()).unwrap();
    let page = access.sources.page(Some(&begin), 10).await.unwrap();
    let listed = page.entries.into_iter();
    let listed: Vec<_> = listed
        .map(|entry| (entry.id, entry.value.enabled, entry.version))
        .collect();
    assert_eq!(listed, [(id(1), false, 2), (id(2), true, 1)]);
    assert_eq!(page.next, None);
    let all = access.partners.page(None, 100).await.unwrap();
    assert_eq!(all.entries.len(), 5, "no source is listed");
}

#[tokio::test]
async fn tenants_are_listed_with_their_versions() {
    let env = TestEnvironment::new().await;
    let config = &env.config;
    let others = PartnerId::parse("northwind-2").unwrap();
    let fresh = tenant("fresh");
    config
        .tenants
        .list_new(&others, &fresh, &source(), None)
        .await
        .unwrap();
    let listed = config.tenants.list(&partner()).await.unwrap().into_iter();
    let listed: Vec<_> = listed.map(|entry| (entry.id, entry.version)).collect();
    assert_eq!(listed, [(tenant(TENANT), 1), (tenant(DISABLED), 1)]);

    // An unreadable item does not hide the others.
    let nonsense = AttributeValue::S("nonsense".into());
    update_item(
        &env,
        &format!("T#{TENANT}"),
        "SET company = :value",
        nonsense,
    )
    .await;
    let listed = config.tenants.list(&partner()).await.unwrap().into_iter();
    let ids: Vec<_> = listed.map(|entry| entry.id).collect();
    assert_eq!(ids, [tenant(DISABLED)]);
}

#[tokio::test]
async fn the_audit_log_is_listed_newest_first() {
    let env = TestEnvironment::new().await;
    let (access, partner) = (&env.access, partner());
    let entry = |second: i64, what: &str| AuditEntry {
        at: at(second),
        who: Actor::Partner,
        session: Some("3fa9c1".to_owned()),
        identity: None,
        address: None,
        what: what.into(),
        detail: [("tenant".to_owned(), TENANT.to_owned())].into(),
    };
    for (second, n, what) in [
        (20, 1, "third"),
        (10, 0x10, "second"),
        (10, 9, "first"),
        (10, 9, "again"),
        (30, 0, "fourth"),
    ] {
        let entry = entry(second, what);
        access.audit.add(&partner, &entry, n).await.unwrap();
    }
    let others = PartnerId::parse("northwind-2").unwrap();
    let other = entry(15, "elsewhere");
    access.audit.add(&others, &other, 1).await.unwrap();

    let page = access.audit.page(&partner, None, 3).await.unwrap();
    let whats = |entries: &[AuditEntry]| {
        let whats = entries.iter().map(|entry| entry.what.clone());
        whats.collect::<Vec<_>>()
    };
    assert_eq!(whats(&page.entries), ["fourth", "third", "second"]);
    assert_eq!(page.entries[0], entry(30, "fourth"));
    // New entries do not shift the next page.
    let fifth = entry(40, "fifth");
    access.audit.add(&partner, &fifth, 2).await.unwrap();
    let page = access
        .audit
        .page(&partner, page.next.as_ref(), 3)
        .await
        .unwrap();
    assert_eq!(whats(&page.entries), ["first"]);
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn new_keys_close_the_breaker() {
    let env = TestEnvironment::new().await;
    let (config, partner) = (&env.config, partner());
    let now = at(0);
    let broken = Blocked::ConnectionBroken;
    config
        .breaker
        .add_missing_right(&partner, "companies")
        .await
        .unwrap();
    config.breaker.record_failure(&partner, now).await.unwrap();
    let until = after(now, 60);
    config.breaker.pause(&partner, until).await.unwrap();
    let opened = config
        .breaker
        .open(&partner, broken.clone(), Some("v1"), now);
    assert!(opened.await.unwrap());
    let before = config.breaker.get(&partner).await.unwrap();

    config.breaker.keys_stored(&partner, "v2").await.unwrap();
    let breaker = config.breaker.get(&partner).await.unwrap();
    assert_eq!(breaker.key_version.as_deref(), Some("v2"));
    assert_eq!((&breaker.open, breaker.failing_since), (&None, None));
    assert_eq!(breaker.generation, before.generation + 1);
    // A pause does not depend on the keys. Rights do, because new keys may belong to another API member.
    assert_eq!(breaker.paused_until, before.paused_until);
    assert_eq!(breaker.missing_rights, BTreeSet::new());
    config
        .breaker
        .add_missing_right(&partner, "boards")
        .await
        .unwrap();
    let none = BTreeSet::new();
    let seen = config
        .breaker
        .replace_missing_rights(&partner, &before, &none);
    assert!(!seen.await.unwrap(), "a check of the old role");

    for (version, opens) in [("v1", false), ("v2", true)] {
        let opened = config
            .breaker
            .open(&partner, broken.clone(), Some(version), now);
        assert_eq!(opened.await.unwrap(), opens, "{version}");
    }
    let closed = config.breaker.close(&partner, before.generation).await;
    assert!(!closed.unwrap(), "a probe of the old keys");
    let fresh = PartnerId::parse("fresh").unwrap();
    config.breaker.keys_stored(&fresh, "v1").await.unwrap();
    let breaker = config.breaker.get(&fresh).await.unwrap();
    assert_eq!((breaker.generation, breaker.open), (1, None));
}
