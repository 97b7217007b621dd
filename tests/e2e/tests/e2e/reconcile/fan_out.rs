//! Many partners: each invocation runs twenty of them, and no partner waits for another.

use std::collections::HashSet;

use crate::environment::{
    LambdaProxy, TestEnvironment, after, minute, numbered_partner, only, quarter_hour,
};
use domain::PartnerId;
use jiff::Timestamp;

use domain::monitoring::pipeline::Schedule;

fn partners(count: usize) -> Vec<PartnerId> {
    (0..count).map(numbered_partner).collect()
}

#[tokio::test]
async fn every_twenty_more_partners_get_an_invocation() {
    let env = TestEnvironment::new().await;
    let proxy = LambdaProxy::start(&env.aws, 202, None).await;
    let reconcile = reconcile::driver(&env.reconcile_config(), &proxy.sdk_config()).unwrap();
    let now = Timestamp::now();
    let all = partners(45);
    env.schedule.make_all_due(&all, now).await;
    let tick = env.schedule.tick_with(&reconcile, &quarter_hour(now)).await;
    assert_eq!((tick.due, tick.started, tick.completed), (45, 2, 20));
    let asked = proxy.invocations.lock().unwrap().clone();
    let mut sizes = vec![];
    let mut named = HashSet::new();
    for (function, input) in &asked {
        assert_eq!(function, "reconcile Event");
        let group: Vec<PartnerId> = serde_json::from_value(input["partners"].clone()).unwrap();
        sizes.push(group.len());
        named.extend(group);
    }
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 20]);
    assert_eq!(named.len(), 25);
    // The requested invocations run the rest, and a duplicate of one has nothing to do.
    let mut done = 0;
    for (_, input) in asked.iter().chain(asked.first()) {
        done += reconcile
            .handle(input.clone(), &quarter_hour(now))
            .await
            .unwrap()
            .completed;
    }
    assert_eq!(done, 25);
    assert_eq!(
        env.schedule
            .tick_with(&reconcile, &quarter_hour(now))
            .await
            .due,
        0
    );
}

#[tokio::test]
async fn partners_without_an_invocation_stay_due() {
    let env = TestEnvironment::new().await;
    let proxy = LambdaProxy::start(&env.aws, 403, None).await;
    let reconcile = reconcile::driver(&env.reconcile_config(), &proxy.sdk_config()).unwrap();
    let now = Timestamp::now();
    env.schedule.make_all_due(&partners(25), now).await;
    let first = env.schedule.tick_with(&reconcile, &quarter_hour(now)).await;
    assert_eq!((first.due, first.started, first.completed), (25, 0, 20));
    let second = env.schedule.tick_with(&reconcile, &quarter_hour(now)).await;
    assert_eq!((second.due, second.completed), (5, 5));
}

#[tokio::test]
async fn a_slow_partner_delays_no_other() {
    let env = TestEnvironment::new().await;
    let proxy = LambdaProxy::start(&env.aws, 202, Some(["P#partner-1", "begins_with"])).await;
    let reconcile = reconcile::driver(&env.reconcile_config(), &proxy.sdk_config()).unwrap();
    let now = Timestamp::now();
    let all = partners(3);
    env.schedule.make_all_due(&all, now).await;
    let short = aws::invocation::Invocation::at("short", now, after(now, 9));
    let run = reconcile.handle(only(&all), &short).await.unwrap();
    assert_eq!((run.completed, run.failed), (2, 1));
    // The run returned its lease, and the partner is due again a minute later.
    let due = &env.schedule.due;
    let due = async |seconds| due.list(Schedule::Reconcile, after(now, seconds), 9).await;
    assert!(!due(50).await.unwrap().contains(&all[1]));
    assert!(due(70).await.unwrap().contains(&all[1]));
    let next_environment = env.reconcile();
    let again = minute(after(now, 70));
    let again = next_environment
        .handle(only(&all[1..2]), &again)
        .await
        .unwrap();
    assert_eq!(again.completed, 1);
}

#[tokio::test]
async fn an_invalid_invocation_input_is_refused() {
    let env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let now = minute(Timestamp::now());
    for wrong in [r#"{"partners": 1}"#, r#"{"partners": ["UPPER"]}"#] {
        let wrong = serde_json::from_str(wrong).unwrap();
        assert!(reconcile.handle(wrong, &now).await.is_err());
    }
}

#[tokio::test]
async fn a_partner_whose_run_died_runs_alone() {
    let env = TestEnvironment::new().await;
    let proxy = LambdaProxy::start(&env.aws, 202, None).await;
    let reconcile = reconcile::driver(&env.reconcile_config(), &proxy.sdk_config()).unwrap();
    let now = Timestamp::now();
    let all = partners(3);
    env.schedule.make_all_due(&all, now).await;
    let table = &env.schedule.due;
    let lease = table.lease(
        &all[0],
        domain::monitoring::pipeline::Schedule::Reconcile,
        "dead",
        now,
        after(now, 300),
    );
    lease.await.unwrap().unwrap();

    let later = after(now, 400);
    let tick = env.schedule.tick(&reconcile, later).await;
    assert_eq!((tick.due, tick.started, tick.completed), (3, 1, 2));
    let (_, input) = proxy.invocations.lock().unwrap().pop().unwrap();
    assert_eq!(input, serde_json::json!({ "partners": [all[0]] }));
    // The partner stays due until its own invocation runs it.
    let second = minute(after(later, 1));
    let apart = reconcile.handle(input.clone(), &second).await.unwrap();
    assert_eq!((apart.completed, apart.started), (1, 0));
    let again = reconcile.handle(input, &second).await.unwrap();
    assert_eq!(again.completed, 0);
    // After a finished run the partner runs with the others again.
    env.schedule.make_all_due(&all, after(now, 500)).await;
    let tick = env.schedule.tick(&reconcile, after(now, 500)).await;
    assert_eq!((tick.started, tick.completed), (0, 3));
}
