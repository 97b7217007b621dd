//! A maintenance window holds alerts. What is still active at its end becomes a ticket.

use crate::environment::{
    DISABLED, TENANT, TestEnvironment, after, key, partner, raised_event, resolved_event, tenant,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::alert::blocked::MaintenanceHold;
use domain::maintenance::recurrence::Recurrence;
use domain::maintenance::scope::MaintenanceScope;
use domain::maintenance::window::{MaintenanceWindow, WindowDefinition};
use domain::maintenance::windows::MaintenanceWindows;
use domain::{Blocked, WindowId};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use store::ConfigTable;

const HOUR: i64 = 3600;

fn id(text: &str) -> WindowId {
    WindowId::parse(text).unwrap()
}

/// A window for the tenant that began a minute ago.
pub(crate) fn window(now: Timestamp, minutes: Option<u32>) -> WindowDefinition {
    let mut window = WindowDefinition {
        name: "Patch night".to_owned(),
        zone: "UTC".to_owned(),
        starts: after(now, -60).to_zoned(TimeZone::UTC).datetime(),
        minutes,
        repeats: Recurrence::Once,
        scope: MaintenanceScope::default(),
        ended_at: None,
    };
    window.scope.tenants.insert(tenant(TENANT));
    window
}

/// Replaces all windows.
pub(crate) async fn save(table: &ConfigTable, windows: &[(&str, WindowDefinition)]) {
    let store = &table.maintenance;
    let before = store.get(&partner()).await.unwrap();
    let mut after = MaintenanceWindows::default();
    for (of, definition) in windows {
        let window = MaintenanceWindow::try_from(definition.clone()).unwrap();
        after = after.with(id(of), window).unwrap();
    }
    let saved = store
        .save(&partner(), &after, before.version)
        .await
        .unwrap();
    assert!(saved.is_saved());
}

/// Runs reconcile and the worker at a time. Returns the number of tickets.
async fn tickets_at(env: &mut TestEnvironment, now: Timestamp) -> usize {
    let reconcile = env.reconcile();
    env.schedule.run(&reconcile, now).await;
    env.worker.work().await;
    env.connectwise.tickets().await.len()
}

#[tokio::test]
async fn what_comes_and_goes_in_maintenance_makes_no_ticket() {
    let mut env = TestEnvironment::new().await;
    let now = Timestamp::now();
    save(&env.config, &[("patch", window(now, Some(60)))]).await;
    let mut raised = raised_event("e1", "a1", 0);
    raised["data"]["device"] = "SRV-1".into();
    env.deliver(&raised).await;
    let Some(Blocked::Maintenance(MaintenanceHold { until, device })) = env.reason("a1").await
    else {
        panic!("{:?}", env.reason("a1").await);
    };
    assert_eq!(until, after(now, HOUR - 60));
    assert_eq!(device.as_deref(), Some("SRV-1"));
    env.deliver(&raised_event("e2", "a2", 0)).await;
    env.deliver(&resolved_event("e3", "a1", 1)).await;
    assert_eq!(env.reason("a1").await, None);
    env.connectwise.assert_untouched().await;
    // The other one is still active at the end.
    assert_eq!(tickets_at(&mut env, after(now, HOUR - 120)).await, 0);
    save(&env.config, &[]).await;
    assert_eq!(tickets_at(&mut env, after(now, HOUR)).await, 1);
    assert_eq!(tickets_at(&mut env, after(now, 2 * HOUR)).await, 1);
    assert!(env.record("a2").await.unwrap().open().is_some());
    assert!(env.record("a1").await.unwrap().open().is_none());
}

#[tokio::test]
async fn reconcile_runs_at_the_end_of_a_window_and_releases_once() {
    let mut env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let now = Timestamp::now();
    save(&env.config, &[("patch", window(now, Some(6)))]).await;
    env.source.post(&raised_event("e1", "a1", 0)).await;
    env.worker.work().await;
    assert!(matches!(
        env.reason("a1").await,
        Some(Blocked::Maintenance(_))
    ));
    env.schedule.run(&reconcile, now).await;
    assert_eq!(env.queue.take_reconsidered().await, []);
    // The window ends in five minutes. The partner's regular run can be later.
    let mut released = vec![];
    for seconds in [120, 240, 299, 301, 361] {
        env.schedule.tick(&reconcile, after(now, seconds)).await;
        released.extend(
            env.queue
                .take_reconsidered()
                .await
                .into_iter()
                .map(|of| (of, seconds)),
        );
        if !released.is_empty() {
            break;
        }
    }
    assert!(
        matches!(&released[..], [(of, 301 | 361)] if *of == key(TENANT, "a1")),
        "{released:?}"
    );
}

#[tokio::test]
async fn windows_that_overlap_hold_until_the_last_end() {
    let mut env = TestEnvironment::new().await;
    let now = Timestamp::now();
    let mut second = window(now, Some(90));
    second.starts = after(now, 10 * 60).to_zoned(TimeZone::UTC).datetime();
    save(
        &env.config,
        &[("first", window(now, Some(30))), ("second", second)],
    )
    .await;
    env.source.post(&raised_event("e1", "a1", 0)).await;
    env.worker.work().await;
    let Some(Blocked::Maintenance(hold)) = env.reason("a1").await else {
        panic!("not held");
    };
    assert_eq!(hold.until, after(now, 100 * 60));
    let reconcile = env.reconcile();
    env.schedule.run(&reconcile, after(now, 40 * 60)).await;
    assert_eq!(env.queue.take_reconsidered().await, []);
    env.schedule.run(&reconcile, after(now, 100 * 60)).await;
    assert_eq!(env.queue.take_reconsidered().await, [key(TENANT, "a1")]);
}

#[tokio::test]
async fn a_window_that_is_shortened_or_deleted_releases_at_the_next_run() {
    let mut env = TestEnvironment::new().await;
    let now = Timestamp::now();
    let wide = window(now, Some(600));
    save(&env.config, &[("patch", wide.clone())]).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&raised_event("e2", "a2", 0)).await;
    assert_eq!(tickets_at(&mut env, now).await, 0);
    // It covers another device from now on, and then the alerts without one again.
    let mut narrow = wide.clone();
    narrow.scope.devices.insert("wks-*".to_owned());
    save(&env.config, &[("patch", narrow)]).await;
    let reconcile = env.reconcile();
    env.schedule.run(&reconcile, after(now, 1)).await;
    save(&env.config, &[("patch", wide)]).await;
    env.worker.work().await;
    assert_eq!(
        env.connectwise.tickets().await.len(),
        0,
        "decided by the windows of that moment"
    );
    let mut ended = window(now, Some(600));
    ended.ended_at = Some(now);
    save(&env.config, &[("patch", ended)]).await;
    assert_eq!(tickets_at(&mut env, after(now, 2)).await, 2);
}

#[tokio::test]
async fn a_forgotten_window_ends_after_thirty_days() {
    let mut env = TestEnvironment::new().await;
    let now = Timestamp::now();
    save(&env.config, &[("forgotten", window(now, None))]).await;
    env.source.post(&raised_event("e1", "a1", 0)).await;
    env.worker.work().await;
    let Some(Blocked::Maintenance(hold)) = env.reason("a1").await else {
        panic!("not held");
    };
    let end = after(now, 30 * 24 * HOUR - 60);
    assert_eq!(hold.until, end);
    let reconcile = env.reconcile();
    env.schedule.run(&reconcile, after(end, -1)).await;
    assert_eq!(env.queue.take_reconsidered().await, []);
    env.schedule.run(&reconcile, end).await;
    assert_eq!(env.queue.take_reconsidered().await, [key(TENANT, "a1")]);
}

#[tokio::test]
async fn a_window_does_not_affect_other_tenants_and_open_tickets() {
    let mut env = TestEnvironment::new().await;
    let now = Timestamp::now();
    env.deliver(&raised_event("e1", "before", 0)).await;
    assert_eq!(env.connectwise.count_open().await, 1);
    save(&env.config, &[("patch", window(now, Some(60)))]).await;
    let mut mapping = env.mapping(TENANT).await;
    mapping.enabled = true;
    env.put_mapping(DISABLED, &mapping).await;
    let mut other = raised_event("e2", "other", 0);
    other["data"]["tenant"] = DISABLED.into();
    env.deliver(&other).await;
    env.deliver(&raised_event("e3", "held", 0)).await;
    assert_eq!(env.connectwise.count_open().await, 2);
    env.deliver(&resolved_event("e4", "before", 1)).await;
    assert_eq!(env.connectwise.count_open().await, 1);
    assert!(matches!(
        env.reason("held").await,
        Some(Blocked::Maintenance(_))
    ));
}

#[tokio::test]
async fn a_window_that_cannot_be_read_holds_no_alert() {
    let mut env = TestEnvironment::new().await;
    let table = aws_sdk_dynamodb::Client::new(&env.aws);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let strange = AttributeValue::M([("zone".to_owned(), text("Mars/Olympus"))].into());
    let windows = AttributeValue::M([("strange".to_owned(), strange)].into());
    let put = table.put_item().table_name("config");
    put.item("pk", text(&format!("P#{}", partner())))
        .item("sk", text("maintenance"))
        .item("windows", windows)
        .send()
        .await
        .unwrap();
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}
