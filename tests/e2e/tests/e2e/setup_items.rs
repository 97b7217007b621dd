//! What set-up keeps in the config table: who may come in, who was faster, and what is listed.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::access::{Link, Partner, Session, TokenHash};
use domain::kind::Category;
use domain::settings::{Company, Mapping};
use domain::{AlertId, Blocked, Kind, PartnerId, Secret, SourceId, TenantId};
use jiff::Timestamp;
use store::{
    AccessTable, Actor, AuditEntry, CompanyScan, DedicatedBoard, DedicatedBoards, PageStart,
    PartnerItems, RegisteredSource, SaveOutcome, SuggestedCompany, TenantSuggestions, TestTicket,
};
use tokio::task::JoinSet;

use crate::ticks::after;
use crate::world::{COMPANY, DISABLED, PARTNER, TENANT, World, partner, settings, tenant};

/// All times are seconds after this one.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn hash(token: &str) -> TokenHash {
    TokenHash::of(&Secret::new(token))
}

fn northwind() -> Partner {
    Partner {
        name: "Northwind".into(),
        enabled: true,
        made_at: at(0),
        sessions_from: None,
    }
}

fn link(made_at: i64, expires_at: i64) -> Link {
    Link {
        partner: partner(),
        made_at: at(made_at),
        expires_at: at(expires_at),
    }
}

fn session(linked_at: i64, expires_at: i64) -> Session {
    link(linked_at, expires_at).session(at(expires_at))
}

fn saved(version: u64) -> SaveOutcome {
    SaveOutcome::Saved { version }
}

impl World {
    /// A world whose partner the operator has made.
    async fn with_partner() -> Self {
        let world = Self::new().await;
        let made = world
            .access
            .partners
            .save(&partner(), &northwind(), 0)
            .await;
        assert_eq!(made.unwrap(), saved(1));
        world
    }

    /// Writes a member of an item of the config table, as another program would.
    async fn meddle(&self, sk: &str, change: &str, value: AttributeValue) {
        let table = aws_sdk_dynamodb::Client::new(&self.aws);
        let update = table.update_item().table_name("config");
        let update = update
            .key("pk", AttributeValue::S(format!("P#{PARTNER}")))
            .key("sk", AttributeValue::S(sk.into()));
        let update = update.update_expression(change);
        let update = update.expression_attribute_values(":value", value);
        update.send().await.unwrap();
    }

    async fn config_item(&self, sk: &str) -> BTreeMap<String, AttributeValue> {
        let table = aws_sdk_dynamodb::Client::new(&self.aws);
        let get = table.get_item().table_name("config");
        let get = get
            .key("pk", AttributeValue::S(format!("P#{PARTNER}")))
            .key("sk", AttributeValue::S(sk.into()));
        let item = get.send().await.unwrap().item.unwrap();
        item.into_iter().collect()
    }
}

async fn is_in(access: &AccessTable, token: &str, now: Timestamp) -> bool {
    access
        .sessions
        .get(&hash(token), now)
        .await
        .unwrap()
        .is_some()
}

fn source() -> SourceId {
    SourceId::parse(crate::world::SOURCE).unwrap()
}

#[tokio::test]
async fn of_many_who_follow_a_link_at_once_one_comes_in() {
    let world = World::with_partner().await;
    let link = link(10, 100);
    world
        .access
        .sessions
        .put_link(&hash("one"), &link)
        .await
        .unwrap();
    let mut consumers = JoinSet::new();
    for _ in 0..8 {
        let access = world.access.clone();
        consumers.spawn(async move {
            access
                .sessions
                .consume_link(&hash("one"), at(20))
                .await
                .unwrap()
        });
    }
    let taken: Vec<_> = consumers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken, [link]);
}

#[tokio::test]
async fn a_link_that_has_expired_or_was_ended_opens_nothing() {
    let world = World::with_partner().await;
    let access = &world.access;
    let consumed = async |token: &str, second| {
        let link = access.sessions.consume_link(&hash(token), at(second)).await;
        link.unwrap().is_some()
    };
    for token in ["old", "ended", "off"] {
        access
            .sessions
            .put_link(&hash(token), &link(10, 100))
            .await
            .unwrap();
    }
    assert!(!consumed("unknown", 20).await);
    assert!(!consumed("old", 100).await);
    assert!(consumed("old", 99).await, "it was left to its ttl");
    access
        .partners
        .end_sessions(&partner(), at(10))
        .await
        .unwrap();
    assert!(!consumed("ended", 20).await);
    access
        .sessions
        .put_link(&hash("new"), &link(11, 100))
        .await
        .unwrap();
    assert!(consumed("new", 20).await);
    let read = access.partners.get(&partner()).await.unwrap();
    let off = read.value.unwrap().switched(false, at(30));
    let off = access.partners.save(&partner(), &off, read.version).await;
    assert_eq!(off.unwrap(), saved(3));
    access
        .sessions
        .put_link(&hash("off"), &link(40, 100))
        .await
        .unwrap();
    assert!(!consumed("off", 50).await);
}

#[tokio::test]
async fn a_session_holds_until_its_time_or_its_end() {
    let world = World::with_partner().await;
    let access = &world.access;
    let mine = session(10, 100);
    for token in ["mine", "hers"] {
        access.sessions.put(&hash(token), &mine).await.unwrap();
    }
    let read = access.sessions.get(&hash("mine"), at(99)).await.unwrap();
    let read = read.map(|(session, _)| session);
    assert_eq!(read, Some(mine));
    assert!(!is_in(access, "mine", at(100)).await);
    assert!(!is_in(access, "nobody's", at(20)).await);
    for _ in 0..2 {
        access.sessions.end(&hash("mine")).await.unwrap();
        assert!(!is_in(access, "mine", at(20)).await);
        assert!(is_in(access, "hers", at(20)).await);
    }
}

#[tokio::test]
async fn a_links_token_is_no_sessions_and_no_token_is_in_the_table() {
    let world = World::with_partner().await;
    let access = &world.access;
    let (link_token, session_token) = (hash("token-of-a-link"), hash("token-of-a-session"));
    access
        .sessions
        .put_link(&link_token, &link(10, 100))
        .await
        .unwrap();
    let put = access.sessions.put(&session_token, &session(10, 100)).await;
    put.unwrap();
    assert!(!is_in(access, "token-of-a-link", at(20)).await);
    let consumed = access
        .sessions
        .consume_link(&session_token, at(20))
        .await
        .unwrap();
    assert_eq!(consumed, None);
    assert!(is_in(access, "token-of-a-session", at(20)).await);

    let table = aws_sdk_dynamodb::Client::new(&world.aws);
    let items = table.scan().table_name("access").send().await.unwrap();
    let items = items.items.unwrap();
    let of_tokens = |name: &str| {
        let ends = items
            .iter()
            .filter(|item| item["pk"].as_s().unwrap().starts_with("S#"));
        let ends = ends.map(|item| item[name].as_n().unwrap().clone());
        ends.collect::<Vec<_>>()
    };
    assert_eq!(of_tokens("ttl"), ["1790000100", "1790000100"]);
    assert!(!format!("{items:?}").contains("token-of-a"));
}

#[tokio::test]
async fn all_sessions_of_a_partner_end_at_once_and_for_good() {
    let world = World::with_partner().await;
    let (access, partner) = (&world.access, partner());
    let other = PartnerId::parse("contoso").unwrap();
    access.partners.save(&other, &northwind(), 0).await.unwrap();
    let theirs = Session {
        partner: other,
        ..session(10, 900)
    };
    access.sessions.put(&hash("theirs"), &theirs).await.unwrap();
    let put = async |token: &str, linked_at| {
        let session = session(linked_at, 900);
        access.sessions.put(&hash(token), &session).await.unwrap();
    };
    put("first", 10).await;
    access
        .sessions
        .put_link(&hash("link"), &link(11, 900))
        .await
        .unwrap();
    let followed = access
        .sessions
        .consume_link(&hash("link"), at(20))
        .await
        .unwrap();

    access
        .partners
        .end_sessions(&partner, at(30))
        .await
        .unwrap();
    assert!(!is_in(access, "first", at(31)).await);
    assert!(is_in(access, "theirs", at(31)).await);
    // Its link was taken before the end, and the session is made after it.
    let late = followed.unwrap().session(at(900));
    access.sessions.put(&hash("late"), &late).await.unwrap();
    assert!(!is_in(access, "late", at(32)).await);
    put("second", 40).await;
    assert!(is_in(access, "second", at(41)).await);
    // Of a clock that is behind.
    access
        .partners
        .end_sessions(&partner, at(29))
        .await
        .unwrap();
    put("third", 30).await;
    assert!(!is_in(access, "third", at(41)).await);

    for (enabled, version) in [(false, 2), (true, 3)] {
        let read = access.partners.get(&partner).await.unwrap();
        assert_eq!(read.version, version);
        let switched = read.value.unwrap().switched(enabled, at(50));
        let switched = access.partners.save(&partner, &switched, version).await;
        assert_eq!(switched.unwrap(), saved(version + 1));
        assert!(!is_in(access, "second", at(51)).await, "{enabled}");
        put("fourth", 60).await;
        assert_eq!(is_in(access, "fourth", at(61)).await, enabled);
    }
}

#[tokio::test]
async fn a_save_from_before_the_end_of_all_sessions_does_not_bring_them_back() {
    let world = World::with_partner().await;
    let (access, partner) = (&world.access, partner());
    let read = access.partners.get(&partner).await.unwrap();
    access
        .partners
        .end_sessions(&partner, at(30))
        .await
        .unwrap();
    let renamed = Partner {
        name: "Northwind Traders".into(),
        ..read.value.unwrap()
    };
    let save = access.partners.save(&partner, &renamed, read.version).await;
    assert_eq!(save.unwrap(), SaveOutcome::Conflict);
    let nobody = PartnerId::parse("nobody").unwrap();
    access.partners.end_sessions(&nobody, at(30)).await.unwrap();
    assert_eq!(access.partners.get(&nobody).await.unwrap().value, None);
}

#[tokio::test]
async fn nobody_overwrites_what_they_have_not_seen() {
    let world = World::new().await;
    let (config, partner, tenant) = (&world.config, partner(), tenant(TENANT));
    let access = &world.access;
    // Seeding wrote each of them once.
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
    assert_eq!(save.unwrap(), SaveOutcome::Conflict, "seeding counts too");
}

#[tokio::test]
async fn what_was_begun_is_gone_on_with_from_where_it_stands() {
    let world = World::new().await;
    let (config, partner) = (&world.config, partner());
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
        read: 400,
        finished_at: Some(at(9)),
        ..begun.clone()
    };
    let found = SuggestedCompany {
        company: COMPANY,
        name: "Acme Dental Inc.".into(),
    };
    let suggested = TenantSuggestions {
        epoch: 1,
        companies: vec![found],
    };
    let acme = tenant(TENANT);
    let nothing = config.suggestions.get(&partner, &acme).await.unwrap();
    assert_eq!(
        (nothing.value, nothing.version),
        (TenantSuggestions::default(), 0)
    );
    let save = config.suggestions.save(&partner, &acme, &suggested, 0);
    assert_eq!(save.await.unwrap(), saved(1));
    let (first, last) = (tenant("a"), tenant("b"));
    let between = config.suggestions.get_range(&partner, &first, &last).await;
    assert_eq!(between.unwrap(), [(acme, suggested)].into());
    let elsewhere = config.suggestions.get_range(&partner, &last, &last).await;
    assert!(elsewhere.unwrap().is_empty());
    for (suggestions, version) in [(begun, 0), (ended, 1)] {
        let save = config
            .suggestions
            .save_scan(&partner, &suggestions, version);
        assert_eq!(save.await.unwrap(), saved(version + 1));
        let read = config.suggestions.get_scan(&partner).await.unwrap();
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
    for (version, expected) in [(0, saved(1)), (0, SaveOutcome::Conflict)] {
        let save = config.test_ticket.save(&partner, &test, version).await;
        assert_eq!(save.unwrap(), expected, "{version}");
    }
    let read = config.test_ticket.get(&partner).await.unwrap();
    assert_eq!((read.value, read.version), (Some(test), 1));
}

#[tokio::test]
async fn a_tenant_is_mapped_from_what_was_seen_of_it() {
    let world = World::new().await;
    let (config, partner, fresh) = (&world.config, partner(), tenant("fresh"));
    let read = config.tenants.get(&partner, &fresh).await.unwrap();
    assert_eq!((&read.value, read.version), (&None, 0));
    config
        .tenants
        .list_new(&partner, &fresh, &source(), Some("Fresh Foods"))
        .await
        .unwrap();
    let chosen = |mapping: Option<Mapping>| {
        let mapping = mapping.unwrap_or_default();
        let company = Company {
            id: COMPANY,
            name: "Fresh Foods Ltd".into(),
            epoch: 1,
        };
        mapping.chosen(Some(company), true, at(0))
    };
    let blind = chosen(read.value);
    let save = config.tenants.save(&partner, &fresh, &blind, 0).await;
    assert_eq!(
        save.unwrap(),
        SaveOutcome::Conflict,
        "its name would be lost"
    );
    let read = config.tenants.get(&partner, &fresh).await.unwrap();
    let mapped = chosen(read.value);
    let save = config.tenants.save(&partner, &fresh, &mapped, read.version);
    assert_eq!(save.await.unwrap(), saved(2));
    // As the way of an alert reads it.
    let source = SourceId::of_set_up();
    let read = PartnerItems::read(config, &world.access, &partner, &fresh, &source);
    let items = read.await.unwrap();
    assert_eq!(items.mapping, Some(mapped.clone()));
    assert_eq!(mapped.name.as_deref(), Some("Fresh Foods"));
    assert!(items.connection.is_some() && items.settings.is_some());
}

#[tokio::test]
async fn an_item_of_another_version_of_this_program_is_changed_without_loss() {
    let world = World::new().await;
    let (config, partner, tenant) = (&world.config, partner(), tenant(TENANT));
    let sk = format!("T#{TENANT}");
    let it = AttributeValue::S("kept".into());
    world
        .meddle(
            &sk,
            "SET from_the_future = :value REMOVE version",
            it.clone(),
        )
        .await;
    let read = config.tenants.get(&partner, &tenant).await.unwrap();
    assert_eq!((read.value.is_some(), read.version), (true, 0));
    let mut mapping = read.value.unwrap().chosen(None, true, at(0));
    mapping.name = Some("Acme Dental".into());
    let save = config.tenants.save(&partner, &tenant, &mapping, 0).await;
    assert_eq!(save.unwrap(), saved(1));
    let item = world.config_item(&sk).await;
    assert_eq!(item["from_the_future"], it);
    assert!(!item.contains_key("company"), "{item:?}");
    assert_eq!(
        config.tenants.get(&partner, &tenant).await.unwrap().value,
        Some(mapping)
    );
}

#[tokio::test]
async fn the_operator_lists_partners_and_sources_page_by_page() {
    let world = World::new().await;
    let access = &world.access;
    for n in [3, 1, 5, 2, 4] {
        let id = PartnerId::parse(format!("partner-{n}")).unwrap();
        let made = access.partners.save(&id, &northwind(), 0).await.unwrap();
        assert_eq!(made, saved(1));
        let again = access.partners.save(&id, &northwind(), 0).await.unwrap();
        assert_eq!(again, SaveOutcome::Conflict, "it is there");
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
        busy_until: None,
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
    assert_eq!(all.entries.len(), 5, "no source among them");
}

#[tokio::test]
async fn a_partners_tenants_are_listed_with_what_to_save_them_with() {
    let world = World::new().await;
    let config = &world.config;
    let others = PartnerId::parse("northwind-2").unwrap();
    let fresh = tenant("fresh");
    config
        .tenants
        .list_new(&others, &fresh, &source(), None)
        .await
        .unwrap();
    let listed = async |from: Option<&PageStart>| {
        let page = config.tenants.page(&partner(), from, 1).await.unwrap();
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
    // The end may be seen only behind it.
    if next.is_some() {
        assert_eq!(listed(next.as_ref()).await, (vec![], None));
    }
    // Nothing that a browser sends leads out of the list, or into its other items.
    for outside in ["", "zz", "#", "\u{10ffff}", "../connection", DISABLED] {
        let from = PageStart::try_from(format!("{outside}~")).unwrap();
        let (rest, _) = listed(Some(&from)).await;
        assert!(
            rest.iter()
                .all(|(id, _)| *id == tenant(DISABLED) || *id == tenant(TENANT))
        );
    }

    // One that nobody can read does not hide the others.
    let nonsense = AttributeValue::S("nonsense".into());
    world
        .meddle(&format!("T#{TENANT}"), "SET company = :value", nonsense)
        .await;
    let page = config.tenants.page(&partner(), None, 10).await.unwrap();
    let ids: Vec<_> = page.entries.into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [tenant(DISABLED)]);
}

#[tokio::test]
async fn what_was_done_is_listed_newest_first_and_once() {
    let world = World::new().await;
    let (access, partner) = (&world.access, partner());
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
    // New ones do not shift what comes next.
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
async fn new_keys_get_a_new_try() {
    let world = World::new().await;
    let (config, partner) = (&world.config, partner());
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
    // ConnectWise's own wishes have nothing to do with keys; rights do: these may be another API member's.
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
    assert!(!seen.await.unwrap(), "a look at the old role");

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
