//! What was held up goes on by itself once nothing holds it up any more: some at a time, each in its turn.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Blocked;
use domain::record::Record;
use domain::settings::{Company, Mapping, Settings};
use domain::time::sortable;
use jiff::Timestamp;
use store::Connection;

use crate::ticks::after;
use crate::world::{COMPANY, DISABLED, TENANT, World, event, key, partner, settings, tenant};

fn mapped(enabled: bool) -> Mapping {
    Mapping {
        company: Some(COMPANY),
        enabled,
        ..Mapping::default()
    }
}

#[tokio::test]
async fn an_alert_becomes_a_ticket_by_itself_once_its_tenant_is_mapped() {
    let mut world = World::new().await;
    let reconcile = world.reconcile();
    let mut raised = event("alert.raised", "e1", "a1", 0);
    raised["data"]["tenant"] = "nobody".into();
    world.post(&raised).await;
    world.work().await;
    let now = Timestamp::now();
    world.make_due(now).await;
    let unmapped = world.tick(&reconcile, now).await;
    assert_eq!((unmapped.completed, unmapped.totals.released), (1, 0));
    world
        .config
        .tenants
        .put(&partner(), &tenant("nobody"), &mapped(true))
        .await
        .unwrap();
    // What set-up does beside the mapping.
    world.make_due(after(now, 1)).await;
    assert_eq!(
        world.tick(&reconcile, after(now, 1)).await.totals.released,
        1
    );
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
    let record = world.record_of("nobody", "a1").await.unwrap();
    assert!(record.open().is_some() && record.blocked.is_none());
    world.make_due(after(now, 2)).await;
    assert_eq!(
        world.tick(&reconcile, after(now, 2)).await.totals.released,
        0,
        "once is enough"
    );
}

#[tokio::test]
async fn only_what_nothing_holds_up_any_more_goes_on() {
    let mut world = World::new().await;
    let reconcile = world.reconcile();
    let connection = |confirmed| Connection {
        origin: world.aws.endpoint_url().unwrap().to_owned(),
        company_id: "tbdemo".into(),
        epoch: 1,
        confirmed,
        confirmed_at: None,
        suspended: false,
    };
    let (unconfirmed, confirmed) = (connection(false), connection(true));
    world
        .access
        .connections
        .put(&partner(), &unconfirmed)
        .await
        .unwrap();
    for (tenant, kind) in [(TENANT, "disk"), (DISABLED, "disk"), (TENANT, "memory")] {
        let mut raised = event("alert.raised", "e1", kind, 0);
        raised["data"]["tenant"] = tenant.into();
        raised["data"]["kind"] = kind.into();
        world.post(&raised).await;
    }
    world.work().await;
    let mut now = Timestamp::now();
    let mut released = async |world: &World| {
        now = after(now, 60);
        world.make_due(now).await;
        world.tick(&reconcile, now).await;
        let mut keys = world.reconsidered().await;
        keys.sort();
        keys
    };
    assert_eq!(released(&world).await, []);
    world
        .access
        .connections
        .put(&partner(), &confirmed)
        .await
        .unwrap();
    // All three waited for the set-up: each is decided again, and held up by what holds it up now.
    let mut all = [
        key(TENANT, "disk"),
        key(DISABLED, "disk"),
        key(TENANT, "memory"),
    ];
    all.sort();
    assert_eq!(released(&world).await, all);
    for (key, reason) in [
        (key(DISABLED, "disk"), Blocked::TenantDisabled),
        (key(TENANT, "memory"), Blocked::KindDisabled),
        (
            key(TENANT, "disk"),
            Blocked::Rejected("a person looks at it".into()),
        ),
    ] {
        let record = world.alerts.get(&key).await.unwrap().unwrap();
        let record = record.with_blocked(reason, None, Timestamp::now());
        world.alerts.write(&record).await.unwrap();
    }
    assert_eq!(released(&world).await, []);
    world
        .config
        .tenants
        .put(&partner(), &tenant(DISABLED), &mapped(true))
        .await
        .unwrap();
    // What ConnectWise refused is retried too: where tickets go was changed.
    let retried = key(TENANT, "disk");
    assert_eq!(released(&world).await, [retried, key(DISABLED, "disk")]);
    world
        .config
        .tenants
        .put(&partner(), &tenant(DISABLED), &mapped(false))
        .await
        .unwrap();
    let mut all_on = settings();
    all_on.kinds_off.clear();
    world
        .config
        .settings
        .put(&partner(), &all_on)
        .await
        .unwrap();
    assert_eq!(released(&world).await, [key(TENANT, "memory")]);
}

#[tokio::test]
async fn three_hundred_go_on_in_a_minute_and_none_that_stays_keeps_others_waiting() {
    let world = World::new().await;
    let reconcile = world.reconcile();
    let now = Timestamp::now();
    world.block(TENANT, 700, now).await;
    world.make_due(now).await;
    let first = world.tick(&reconcile, now).await;
    assert_eq!((first.totals.released, first.totals.left), (300, 1));
    let mut seen: HashSet<_> = world.reconsidered().await.into_iter().collect();
    assert_eq!(seen.len(), 300);
    // Brought forward within the minute, it shares the minute's allowance.
    world.make_due(after(now, 30)).await;
    let same = world.tick(&reconcile, after(now, 30)).await;
    assert_eq!(
        (same.completed, same.totals.released, same.totals.left),
        (1, 0, 1)
    );
    assert_eq!(world.tick(&reconcile, after(now, 59)).await.due, 0);
    // Due again by itself, when the minute is over. Nobody has worked off the first ones: they are behind the others.
    let second = world.tick(&reconcile, after(now, 61)).await;
    assert_eq!((second.totals.released, second.totals.left), (300, 1));
    seen.extend(world.reconsidered().await);
    assert_eq!(seen.len(), 600);
    let third = world.tick(&reconcile, after(now, 122)).await;
    assert_eq!((third.totals.released, third.totals.left), (300, 1));
    seen.extend(world.reconsidered().await);
    assert_eq!(seen.len(), 700, "each has had its turn");
    // Once they are worked off, the run comes round, and the next is not before its time.
    for key in seen {
        let record = world.alerts.get(&key).await.unwrap().unwrap();
        world.alerts.write(&record.at_rest(None)).await.unwrap();
    }
    let last = world.tick(&reconcile, after(now, 183)).await;
    assert_eq!(
        (last.completed, last.totals.released, last.totals.left),
        (1, 0, 0)
    );
    assert_eq!(
        world
            .tick(&reconcile, after(now, 183 + 15 * 60))
            .await
            .completed,
        1
    );
}

#[tokio::test]
async fn a_record_is_looked_at_when_its_time_comes() {
    let world = World::new().await;
    let reconcile = world.reconcile();
    let now = Timestamp::now();
    let table = aws_sdk_dynamodb::Client::new(&world.aws);
    for (alert, seconds) in [("past", -5), ("soon", 240), ("late", 86400)] {
        let record = Record::new(key(TENANT, alert));
        world.alerts.write(&record).await.unwrap();
        let update = table.update_item().table_name("alerts");
        let update = update.key("pk", AttributeValue::S(record.key.item_key()));
        let look_of = format!("{}#{}", partner(), record.key.shard());
        update
            .update_expression("SET look_of = :of, look_at = :at")
            .expression_attribute_values(":of", AttributeValue::S(look_of))
            .expression_attribute_values(":at", AttributeValue::S(sortable(after(now, seconds))))
            .send()
            .await
            .unwrap();
    }
    world.make_due(now).await;
    world.tick(&reconcile, now).await;
    assert_eq!(world.reconsidered().await, [key(TENANT, "past")]);
    let update = table.update_item().table_name("alerts");
    let update = update.key("pk", AttributeValue::S(key(TENANT, "past").item_key()));
    let looked_at = update.update_expression("REMOVE look_of, look_at");
    looked_at.send().await.unwrap();
    // Whenever the partner's own time comes: not before the record's, and within a minute of it.
    let mut seen = vec![];
    for seconds in [61, 121, 181, 301] {
        world.tick(&reconcile, after(now, seconds)).await;
        seen.push(world.reconsidered().await);
    }
    assert_eq!(seen, [vec![], vec![], vec![], vec![key(TENANT, "soon")]]);
}

#[tokio::test]
async fn nothing_goes_to_another_connectwise_before_its_boards_and_companies_are_chosen() {
    let mut world = World::new().await;
    let reconcile = world.reconcile();
    let (config, partner, tenant) = (world.config.clone(), partner(), tenant(TENANT));
    let settings = |epoch| Settings {
        epoch: Some(epoch),
        ..settings()
    };
    let mapping = |epoch| {
        let company = Company {
            id: COMPANY,
            name: "Acme Dental Inc.".into(),
            epoch,
        };
        Mapping::default().chosen(Some(company), true, Timestamp::now())
    };
    config.settings.put(&partner, &settings(1)).await.unwrap();
    let mapped = config.tenants.put(&partner, &tenant, &mapping(1)).await;
    mapped.unwrap();
    world.repoint(2).await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    let mut now = Timestamp::now();
    let mut released = async |world: &mut World| {
        now = after(now, 60);
        world.make_due(now).await;
        let released = world.tick(&reconcile, now).await.totals.released;
        world.work().await;
        let blocked = world.record("a1").await.unwrap().blocked;
        (released, blocked.map(|blocked| blocked.reason))
    };
    let not_set_up = (0, Some(Blocked::NotSetUp));
    assert_eq!(released(&mut world).await, not_set_up);
    config.settings.put(&partner, &settings(2)).await.unwrap();
    let unmapped = Some(Blocked::Unmapped);
    assert_eq!(released(&mut world).await, (1, unmapped.clone()));
    assert_eq!(released(&mut world).await, (0, unmapped));
    assert_eq!(world.all_tickets().await.len(), 0);
    let mapped = config.tenants.put(&partner, &tenant, &mapping(2)).await;
    mapped.unwrap();
    assert_eq!(released(&mut world).await, (1, None));
    assert_eq!(world.all_tickets().await.len(), 1);
}

#[tokio::test]
async fn alerts_of_a_partner_that_is_switched_off_wait_until_it_is_on_again() {
    let mut world = World::new().await;
    let reconcile = world.reconcile();
    let switch = async |world: &World, suspended| {
        let connection = world
            .access
            .connections
            .get(&partner())
            .await
            .unwrap()
            .value;
        let connection = Connection {
            suspended,
            ..connection.unwrap()
        };
        let partner = partner();
        let put = world.access.connections.put(&partner, &connection);
        put.await.unwrap();
    };
    switch(&world, true).await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    let now = Timestamp::now();
    world.make_due(now).await;
    assert_eq!(world.tick(&reconcile, now).await.totals.released, 0);
    let blocked = world.record("a1").await.unwrap().blocked.unwrap();
    assert_eq!(blocked.reason, Blocked::NotSetUp);
    world.has_no_ticket_and_called_nobody().await;
    switch(&world, false).await;
    world.make_due(after(now, 60)).await;
    assert_eq!(
        world.tick(&reconcile, after(now, 60)).await.totals.released,
        1
    );
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
}
