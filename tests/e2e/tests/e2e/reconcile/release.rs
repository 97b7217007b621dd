//! Blocked alerts are released once their obstacle is removed, at a limited rate.

use std::collections::HashSet;

use crate::environment::{
    COMPANY, DISABLED, TENANT, TestEnvironment, after, key, partner, raised_event, settings,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::Blocked;
use domain::alert::record::Record;
use domain::setup::mapping::{ChosenCompany, Mapping};
use domain::setup::settings::Settings;
use domain::time::sortable;
use jiff::Timestamp;
use store::Connection;

fn mapped(enabled: bool) -> Mapping {
    Mapping {
        company: Some(COMPANY),
        enabled,
        ..Mapping::default()
    }
}

#[tokio::test]
async fn mapping_a_tenant_releases_its_alerts() {
    let mut env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let mut raised = raised_event("e1", "a1", 0);
    raised["data"]["tenant"] = "unmapped".into();
    env.deliver(&raised).await;
    let now = Timestamp::now();
    let unmapped = env.schedule.run(&reconcile, now).await;
    assert_eq!((unmapped.completed, unmapped.totals.released), (1, 0));
    env.put_mapping("unmapped", &mapped(true)).await;
    // Set-up also makes the partner due.
    assert_eq!(
        env.schedule
            .run(&reconcile, after(now, 1))
            .await
            .totals
            .released,
        1
    );
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    let record = env.record_of("unmapped", "a1").await.unwrap();
    assert!(record.open().is_some() && record.blocked.is_none());
    assert_eq!(
        env.schedule
            .run(&reconcile, after(now, 2))
            .await
            .totals
            .released,
        0,
        "released only once"
    );
}

#[tokio::test]
async fn only_alerts_without_a_remaining_obstacle_are_released() {
    let mut env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let confirmed = env.connection().await;
    let unconfirmed = Connection {
        confirmed: false,
        ..confirmed.clone()
    };
    env.put_connection(&unconfirmed).await;
    for (tenant, kind) in [(TENANT, "disk"), (DISABLED, "disk"), (TENANT, "memory")] {
        let mut raised = raised_event("e1", kind, 0);
        raised["data"]["tenant"] = tenant.into();
        raised["data"]["kind"] = kind.into();
        env.source.post(&raised).await;
    }
    env.worker.work().await;
    let mut now = Timestamp::now();
    let mut released = async |env: &TestEnvironment| {
        now = after(now, 60);
        env.schedule.run(&reconcile, now).await;
        let mut keys = env.queue.take_reconsidered().await;
        keys.sort();
        keys
    };
    assert_eq!(released(&env).await, []);
    env.put_connection(&confirmed).await;
    // All three were blocked by the missing set-up. Each is decided again and gets its present reason.
    let mut all = [
        key(TENANT, "disk"),
        key(DISABLED, "disk"),
        key(TENANT, "memory"),
    ];
    all.sort();
    assert_eq!(released(&env).await, all);
    for (key, reason) in [
        (key(DISABLED, "disk"), Blocked::TenantDisabled),
        (key(TENANT, "memory"), Blocked::KindDisabled),
        (
            key(TENANT, "disk"),
            Blocked::Rejected("a person looks at it".into()),
        ),
    ] {
        let record = env.alerts.get(&key).await.unwrap().unwrap();
        let record = record.with_blocked(reason, None, Timestamp::now());
        env.alerts.write(&record).await.unwrap();
    }
    assert_eq!(released(&env).await, []);
    env.put_mapping(DISABLED, &mapped(true)).await;
    // A refused alert is retried too, because the ticket settings changed.
    let retried = key(TENANT, "disk");
    assert_eq!(released(&env).await, [retried, key(DISABLED, "disk")]);
    env.put_mapping(DISABLED, &mapped(false)).await;
    let mut all_on = settings();
    all_on.kinds_off.clear();
    env.put_settings(&all_on).await;
    assert_eq!(released(&env).await, [key(TENANT, "memory")]);
}

#[tokio::test]
async fn three_hundred_alerts_are_released_a_minute() {
    let env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let now = Timestamp::now();
    env.write_blocked(TENANT, 700, now).await;
    let first = env.schedule.run(&reconcile, now).await;
    assert_eq!((first.totals.released, first.totals.left), (300, 1));
    let mut seen: HashSet<_> = env.queue.take_reconsidered().await.into_iter().collect();
    assert_eq!(seen.len(), 300);
    // A run that is brought forward within the minute shares the minute's limit.
    let same = env.schedule.run(&reconcile, after(now, 30)).await;
    assert_eq!(
        (same.completed, same.totals.released, same.totals.left),
        (1, 0, 1)
    );
    assert_eq!(env.schedule.tick(&reconcile, after(now, 59)).await.due, 0);
    // The partner is due again after a minute. The first alerts were not worked off: they come last.
    let second = env.schedule.tick(&reconcile, after(now, 61)).await;
    assert_eq!((second.totals.released, second.totals.left), (300, 1));
    seen.extend(env.queue.take_reconsidered().await);
    assert_eq!(seen.len(), 600);
    let third = env.schedule.tick(&reconcile, after(now, 122)).await;
    assert_eq!((third.totals.released, third.totals.left), (300, 1));
    seen.extend(env.queue.take_reconsidered().await);
    assert_eq!(seen.len(), 700, "each alert was released");
    // Once they are worked off, a run completes, and the next one comes at its regular time.
    for key in seen {
        let record = env.alerts.get(&key).await.unwrap().unwrap();
        env.alerts
            .write(&record.with_nothing_to_do(None))
            .await
            .unwrap();
    }
    let last = env.schedule.tick(&reconcile, after(now, 183)).await;
    assert_eq!(
        (last.completed, last.totals.released, last.totals.left),
        (1, 0, 0)
    );
    assert_eq!(
        env.schedule
            .tick(&reconcile, after(now, 183 + 15 * 60))
            .await
            .completed,
        1
    );
}

#[tokio::test]
async fn a_record_is_reconsidered_when_it_is_due() {
    let env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let now = Timestamp::now();
    let table = aws_sdk_dynamodb::Client::new(&env.aws);
    for (alert, seconds) in [("past", -5), ("soon", 240), ("late", 86400)] {
        let record = Record::new(key(TENANT, alert));
        env.alerts.write(&record).await.unwrap();
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
    env.schedule.run(&reconcile, now).await;
    assert_eq!(env.queue.take_reconsidered().await, [key(TENANT, "past")]);
    let update = table.update_item().table_name("alerts");
    let update = update.key("pk", AttributeValue::S(key(TENANT, "past").item_key()));
    let looked_at = update.update_expression("REMOVE look_of, look_at");
    looked_at.send().await.unwrap();
    // Not before the record is due, and within a minute after it, whatever the partner's regular time is.
    let mut seen = vec![];
    for seconds in [61, 121, 181, 301] {
        env.schedule.tick(&reconcile, after(now, seconds)).await;
        seen.push(env.queue.take_reconsidered().await);
    }
    assert_eq!(seen, [vec![], vec![], vec![], vec![key(TENANT, "soon")]]);
}

#[tokio::test]
async fn a_new_site_gets_no_ticket_before_its_mapping() {
    let mut env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let settings = |epoch| Settings {
        epoch: Some(epoch),
        ..settings()
    };
    let mapping = |epoch| {
        let company = ChosenCompany {
            id: COMPANY,
            name: "Acme Dental Inc.".into(),
            epoch,
        };
        Mapping::default().with_choice(Some(company), true, Timestamp::now())
    };
    env.put_settings(&settings(1)).await;
    env.put_mapping(TENANT, &mapping(1)).await;
    env.set_epoch(2).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let mut now = Timestamp::now();
    let mut released = async |env: &mut TestEnvironment| {
        now = after(now, 60);
        let released = env.schedule.run(&reconcile, now).await.totals.released;
        env.worker.work().await;
        let blocked = env.record("a1").await.unwrap().blocked;
        (released, blocked.map(|blocked| blocked.reason))
    };
    let not_set_up = (0, Some(Blocked::NotSetUp));
    assert_eq!(released(&mut env).await, not_set_up);
    env.put_settings(&settings(2)).await;
    let unmapped = Some(Blocked::Unmapped);
    assert_eq!(released(&mut env).await, (1, unmapped.clone()));
    assert_eq!(released(&mut env).await, (0, unmapped));
    assert_eq!(env.connectwise.tickets().await.len(), 0);
    env.put_mapping(TENANT, &mapping(2)).await;
    assert_eq!(released(&mut env).await, (1, None));
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn alerts_of_a_disabled_partner_wait_until_it_is_enabled() {
    let mut env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let switch = async |env: &TestEnvironment, suspended| {
        let connection = Connection {
            suspended,
            ..env.connection().await
        };
        env.put_connection(&connection).await;
    };
    switch(&env, true).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let now = Timestamp::now();
    assert_eq!(env.schedule.run(&reconcile, now).await.totals.released, 0);
    assert_eq!(env.reason("a1").await, Some(Blocked::NotSetUp));
    env.connectwise.assert_untouched().await;
    switch(&env, false).await;
    assert_eq!(
        env.schedule
            .run(&reconcile, after(now, 60))
            .await
            .totals
            .released,
        1
    );
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}
