//! Set-up's items in the config and access tables: sessions and links, versions, and lists.

use std::collections::{BTreeMap, BTreeSet};

use crate::environment::{
    COMPANY, DISABLED, PARTNER, TENANT, TestEnvironment, after, partner, settings, tenant,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::alert::kind::Category;
use domain::setup::access::Partner;
use domain::setup::mapping::{ChosenCompany, Mapping};
use domain::{AlertId, Blocked, Kind, PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use store::{
    Actor, AuditEntry, DedicatedBoard, DedicatedBoards, OfTenant, PageStart, PartnerItems, Saved,
    Source, Suggested, Suggestions, TestTicket,
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
    }
}

pub(crate) fn saved(version: u64) -> Saved {
    Saved::Yes { version }
}

/// An environment whose partner exists.
pub(crate) async fn environment_with_partner() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let made = env.access.save_partner(&partner(), &northwind(), 0).await;
    assert_eq!(made.unwrap(), saved(1));
    env
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
        .key("pk", AttributeValue::S(format!("P#{PARTNER}")))
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
        .key("pk", AttributeValue::S(format!("P#{PARTNER}")))
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
    let connection = access.connection_to_change(&partner).await.unwrap();
    let mine = connection.value.clone().unwrap();
    let (first, second) = tokio::join!(
        access.save_connection(&partner, &mine, 1),
        access.save_connection(&partner, &mine, 1),
    );
    let both = BTreeSet::from([
        format!("{:?}", first.unwrap()),
        format!("{:?}", second.unwrap()),
    ]);
    let one = [format!("{:?}", Saved::Conflict), format!("{:?}", saved(2))];
    assert_eq!(both, BTreeSet::from(one));
    let read = access.connection_to_change(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (connection.value, 2));

    let mut hourly = settings();
    hourly.note_interval_minutes = 61;
    for (version, expected) in [
        (0, Saved::Conflict),
        (2, Saved::Conflict),
        (1, saved(2)),
        (1, Saved::Conflict),
        (2, saved(3)),
    ] {
        let save = config.save_settings(&partner, &hourly, version).await;
        assert_eq!(save.unwrap(), expected, "{version}");
    }
    let read = config.settings_to_change(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (Some(hourly), 3));

    let mapping = config.mapping_to_change(&partner, &tenant).await.unwrap();
    assert_eq!(mapping.version, 1);
    let seeded = mapping.value.unwrap();
    config
        .put_mapping(&partner, &tenant, &seeded)
        .await
        .unwrap();
    let save = config.save_mapping(&partner, &tenant, &seeded, 1).await;
    assert_eq!(save.unwrap(), Saved::Conflict, "the seed created it");
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
    let read = config.boards_wanted_to_change(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (None, 0));
    for (version, expected) in [(0, saved(1)), (0, Saved::Conflict), (1, saved(2))] {
        let save = config.save_boards_wanted(&partner, &desired, version).await;
        assert_eq!(save.unwrap(), expected, "{version}");
    }
    let read = config.boards_wanted_to_change(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (Some(desired), 2));

    let begun = Suggestions {
        epoch: 1,
        next: Some(300),
        read: 250,
        total: 400,
        ..Suggestions::default()
    };
    let ended = Suggestions {
        next: None,
        read: 400,
        finished_at: Some(at(9)),
        ..begun.clone()
    };
    let found = Suggested {
        company: COMPANY,
        name: "Acme Dental Inc.".into(),
    };
    let suggested = OfTenant {
        epoch: 1,
        companies: vec![found],
    };
    let acme = tenant(TENANT);
    let nothing = config.suggested(&partner, &acme).await.unwrap();
    assert_eq!((nothing.value, nothing.version), (OfTenant::default(), 0));
    let save = config.save_suggested(&partner, &acme, &suggested, 0);
    assert_eq!(save.await.unwrap(), saved(1));
    let (first, last) = (tenant("a"), tenant("b"));
    let between = config.suggested_between(&partner, &first, &last).await;
    assert_eq!(between.unwrap(), [(acme, suggested)].into());
    let elsewhere = config.suggested_between(&partner, &last, &last).await;
    assert!(elsewhere.unwrap().is_empty());
    for (suggestions, version) in [(begun, 0), (ended, 1)] {
        let save = config.save_suggestions(&partner, &suggestions, version);
        assert_eq!(save.await.unwrap(), saved(version + 1));
        let read = config.suggestions_to_change(&partner).await.unwrap();
        assert_eq!((read.value, read.version), (Some(suggestions), version + 1));
    }

    let test = TestTicket {
        tenant: tenant(TENANT),
        alert_id: AlertId::parse("test-1").unwrap(),
        kind: Kind::parse("disk").unwrap(),
        category: Category::Operations,
        asked_at: at(0),
        gone: false,
    };
    for (version, expected) in [(0, saved(1)), (0, Saved::Conflict)] {
        let save = config.save_test_ticket(&partner, &test, version).await;
        assert_eq!(save.unwrap(), expected, "{version}");
    }
    let read = config.test_ticket_to_change(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (Some(test), 1));
}

#[tokio::test]
async fn a_mapping_starts_from_the_seen_tenant() {
    let env = TestEnvironment::new().await;
    let (config, partner, fresh) = (&env.config, partner(), tenant("fresh"));
    let read = config.mapping_to_change(&partner, &fresh).await.unwrap();
    assert_eq!((&read.value, read.version), (&None, 0));
    config
        .tenant_seen(&partner, &fresh, &source(), Some("Fresh Foods"))
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
    let save = config.save_mapping(&partner, &fresh, &blind, 0).await;
    assert_eq!(
        save.unwrap(),
        Saved::Conflict,
        "a stale save would lose its name"
    );
    let read = config.mapping_to_change(&partner, &fresh).await.unwrap();
    let mapped = chosen(read.value);
    let save = config.save_mapping(&partner, &fresh, &mapped, read.version);
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
    let read = config.mapping_to_change(&partner, &tenant).await.unwrap();
    assert_eq!((read.value.is_some(), read.version), (true, 0));
    let mut mapping = read.value.unwrap().with_choice(None, true, at(0));
    mapping.name = Some("Acme Dental".into());
    let save = config.save_mapping(&partner, &tenant, &mapping, 0).await;
    assert_eq!(save.unwrap(), saved(1));
    let item = config_item(&env, &sk).await;
    assert_eq!(item["from_the_future"], it);
    assert!(!item.contains_key("company"), "{item:?}");
    assert_eq!(
        config.mapping(&partner, &tenant).await.unwrap(),
        Some(mapping)
    );
}

#[tokio::test]
async fn partners_and_sources_are_listed_by_page() {
    let env = TestEnvironment::new().await;
    let access = &env.access;
    for n in [3, 1, 5, 2, 4] {
        let id = PartnerId::parse(format!("partner-{n}")).unwrap();
        let made = access.save_partner(&id, &northwind(), 0).await.unwrap();
        assert_eq!(made, saved(1));
        let again = access.save_partner(&id, &northwind(), 0).await.unwrap();
        assert_eq!(again, Saved::Conflict, "it exists");
    }
    let (mut seen, mut from) = (vec![], None);
    for length in [2, 2, 1] {
        let page = access.partners(from.as_ref(), 2).await.unwrap();
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
    let mut source = Source {
        name: "Scanner".into(),
        partner: Some(partner()),
        partners: vec![],
        enabled: true,
        made_at: at(0),
        busy_until: None,
    };
    for n in 0..3 {
        let made = access.save_source(&id(n), &source, 0).await.unwrap();
        assert_eq!(made, saved(1));
    }
    source.enabled = false;
    source.partner = None;
    source.partners = vec![partner()];
    let off = access.save_source(&id(1), &source, 1).await.unwrap();
    assert_eq!(off, saved(2));
    let stale = access.save_source(&id(1), &source, 1).await.unwrap();
    assert_eq!(stale, Saved::Conflict);
    let read = access.source(&id(1)).await.unwrap();
    assert_eq!((read.value, read.version), (Some(source), 2));
    let begin = PageStart::try_from(id(0).to_string()).unwrap();
    let page = access.sources(Some(&begin), 10).await.unwrap();
    let listed = page.entries.into_iter();
    let listed: Vec<_> = listed
        .map(|entry| (entry.id, entry.value.enabled, entry.version))
        .collect();
    assert_eq!(listed, [(id(1), false, 2), (id(2), true, 1)]);
    assert_eq!(page.next, None);
    let all = access.partners(None, 100).await.unwrap();
    assert_eq!(all.entries.len(), 5, "no source is listed");
}

#[tokio::test]
async fn tenants_are_listed_with_their_versions() {
    let env = TestEnvironment::new().await;
    let config = &env.config;
    let others = PartnerId::parse("northwind-2").unwrap();
    let fresh = tenant("fresh");
    config
        .tenant_seen(&others, &fresh, &source(), None)
        .await
        .unwrap();
    let listed = async |from: Option<&PageStart>| {
        let page = config.tenants(&partner(), from, 1).await.unwrap();
        let ids = page
            .entries
            .into_iter()
            .map(|entry| (entry.id, entry.version));
        (ids.collect::<Vec<(TenantId, u64)>>(), page.next)
    };
    let (first, next) = listed(None).await;
    assert_eq!(first, [(tenant(TENANT), 1)]);
    let (second, next) = listed(next.as_ref()).await;
    assert_eq!(second, [(tenant(DISABLED), 1)]);
    // Only the request after the last page sees the end.
    if next.is_some() {
        assert_eq!(listed(next.as_ref()).await, (vec![], None));
    }
    // No value that a browser sends reaches other items.
    for outside in ["", "zz", "#", "\u{10ffff}", "../connection", DISABLED] {
        let from = PageStart::try_from(format!("{outside}~")).unwrap();
        let (rest, _) = listed(Some(&from)).await;
        assert!(
            rest.iter()
                .all(|(id, _)| *id == tenant(DISABLED) || *id == tenant(TENANT))
        );
    }

    // An unreadable item does not hide the others.
    let nonsense = AttributeValue::S("nonsense".into());
    update_item(
        &env,
        &format!("T#{TENANT}"),
        "SET company = :value",
        nonsense,
    )
    .await;
    let page = config.tenants(&partner(), None, 10).await.unwrap();
    let ids: Vec<_> = page.entries.into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [tenant(DISABLED)]);
}

#[tokio::test]
async fn the_audit_log_is_listed_newest_first() {
    let env = TestEnvironment::new().await;
    let (access, partner) = (&env.access, partner());
    let entry = |second: i64, what: &str| AuditEntry {
        at: at(second),
        who: Actor::Partner,
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
        access.add_audit(&partner, &entry, n).await.unwrap();
    }
    let others = PartnerId::parse("northwind-2").unwrap();
    let other = entry(15, "elsewhere");
    access.add_audit(&others, &other, 1).await.unwrap();

    let page = access.audit(&partner, None, 3).await.unwrap();
    let whats = |entries: &[AuditEntry]| {
        let whats = entries.iter().map(|entry| entry.what.clone());
        whats.collect::<Vec<_>>()
    };
    assert_eq!(whats(&page.entries), ["fourth", "third", "second"]);
    assert_eq!(page.entries[0], entry(30, "fourth"));
    // New entries do not shift the next page.
    let fifth = entry(40, "fifth");
    access.add_audit(&partner, &fifth, 2).await.unwrap();
    let page = access.audit(&partner, page.next.as_ref(), 3).await.unwrap();
    assert_eq!(whats(&page.entries), ["first"]);
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn new_keys_close_the_breaker() {
    let env = TestEnvironment::new().await;
    let (config, partner) = (&env.config, partner());
    let now = at(0);
    let broken = Blocked::ConnectionBroken;
    config.right_missing(&partner, "companies").await.unwrap();
    config.failing(&partner, now).await.unwrap();
    let until = after(now, 60);
    config.pause(&partner, until).await.unwrap();
    let opened = config.open_breaker(&partner, broken.clone(), Some("v1"), now);
    assert!(opened.await.unwrap());
    let before = config.breaker(&partner).await.unwrap();

    config.keys_stored(&partner, "v2").await.unwrap();
    let breaker = config.breaker(&partner).await.unwrap();
    assert_eq!(breaker.key_version.as_deref(), Some("v2"));
    assert_eq!((&breaker.open, breaker.failing_since), (&None, None));
    assert_eq!(breaker.generation, before.generation + 1);
    // A pause does not depend on the keys. Rights do, because new keys may belong to another API member.
    assert_eq!(breaker.paused_until, before.paused_until);
    assert_eq!(breaker.missing_rights, BTreeSet::new());
    config.right_missing(&partner, "boards").await.unwrap();
    let none = BTreeSet::new();
    let seen = config.rights_seen(&partner, &before, &none);
    assert!(!seen.await.unwrap(), "a check of the old role");

    for (version, opens) in [("v1", false), ("v2", true)] {
        let opened = config.open_breaker(&partner, broken.clone(), Some(version), now);
        assert_eq!(opened.await.unwrap(), opens, "{version}");
    }
    let closed = config.close_breaker(&partner, before.generation).await;
    assert!(!closed.unwrap(), "a probe of the old keys");
    let fresh = PartnerId::parse("fresh").unwrap();
    config.keys_stored(&fresh, "v1").await.unwrap();
    let breaker = config.breaker(&fresh).await.unwrap();
    assert_eq!((breaker.generation, breaker.open), (1, None));
}
