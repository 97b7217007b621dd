//! Leases: only one run of a partner is active at a time, and no run is lost when a process dies, is
//! late or is overtaken.

use crate::environment::{TENANT, TestEnvironment, after, minute, numbered_partner, only, partner};
use domain::PartnerId;
use domain::monitoring::pipeline::Schedule;
use jiff::Timestamp;
use store::{Due, RunProgress};

const TASK: Schedule = Schedule::Reconcile;

async fn due(due: &Due, at: Timestamp) -> Vec<PartnerId> {
    due.list(TASK, at, 100).await.unwrap()
}

#[tokio::test]
async fn two_concurrent_runs_release_each_alert_once() {
    let env = TestEnvironment::new().await;
    let now = Timestamp::now();
    env.write_blocked(TENANT, 50, now).await;
    env.schedule.make_due(now).await;
    let apps = [env.reconcile(), env.reconcile(), env.reconcile()];
    let named = only(&[partner()]);
    let (first, second, third) = (minute(now), minute(now), minute(now));
    let (first, second, third) = tokio::join!(
        apps[0].handle(named.clone(), &first),
        apps[1].handle(named.clone(), &second),
        apps[2].handle(named, &third),
    );
    let runs = [first.unwrap(), second.unwrap(), third.unwrap()];
    assert_eq!(runs.iter().map(|run| run.completed).sum::<usize>(), 1);
    assert!(runs.iter().all(|run| run.failed == 0), "{runs:?}");
    assert_eq!(env.queue.take_reconsidered().await.len(), 50);
}

#[tokio::test]
async fn a_partner_is_run_again_when_a_dead_runs_lease_ends() {
    let env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let now = Timestamp::now();
    env.write_blocked(TENANT, 1, now).await;
    env.schedule.make_due(now).await;
    let table = &env.schedule.due;
    let until = after(now, 305);
    let dead = table.lease(&partner(), TASK, "dead", now, until).await;
    let dead = dead.unwrap().unwrap();
    assert_eq!(env.schedule.tick(&reconcile, after(now, 60)).await.due, 0);
    // Brought forward, the partner is due, but the dead run still has its lease.
    env.schedule.make_due(after(now, 60)).await;
    let early = env.schedule.tick(&reconcile, after(now, 120)).await;
    assert_eq!((early.due, early.completed), (1, 0));
    let taken_over = env.schedule.tick(&reconcile, after(now, 306)).await;
    assert_eq!((taken_over.completed, taken_over.totals.released), (1, 1));
    // If the run was only paused, it can do no harm any more.
    let progress = RunProgress {
        paced: 300,
        ..RunProgress::default()
    };
    assert!(!table.save_progress(&dead, &progress).await.unwrap());
    assert!(!table.finish(&dead, after(now, 307)).await.unwrap());
    assert!(due(table, after(now, 308)).await.is_empty());
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn a_partner_brought_forward_during_a_run_is_run_again() {
    let env = TestEnvironment::new().await;
    let table = &env.schedule.due;
    let now = Timestamp::now();
    let (until, next) = (after(now, 305), after(now, 900));
    // The time that is requested during the run, and the time that the partner is due afterwards.
    let cases = [
        (None, 900),
        (Some(10), 10),
        (Some(400), 400),
        (Some(2000), 900),
    ];
    for (n, (asked, expected)) in cases.into_iter().enumerate() {
        let partner = numbered_partner(n);
        table.bring_forward(&partner, TASK, now).await.unwrap();
        // A later time does not replace an earlier one.
        table.bring_forward(&partner, TASK, next).await.unwrap();
        let leased = table.lease(&partner, TASK, "run", now, until).await;
        let leased = leased.unwrap().unwrap();
        if let Some(seconds) = asked {
            let at = after(now, seconds);
            table.bring_forward(&partner, TASK, at).await.unwrap();
            table.bring_forward(&partner, TASK, next).await.unwrap();
        }
        assert!(table.finish(&leased, next).await.unwrap());
        assert!(
            !table.finish(&leased, next).await.unwrap(),
            "the run has ended: {asked:?}"
        );
        let before = due(table, after(now, expected - 1)).await;
        assert!(!before.contains(&partner), "{asked:?}");
        let then = due(table, after(now, expected)).await;
        assert!(then.contains(&partner), "{asked:?}");
        let again = table
            .lease(&partner, TASK, "next", after(now, expected), until)
            .await;
        assert!(again.unwrap().is_some(), "the lease is returned: {asked:?}");
    }
}

#[tokio::test]
async fn the_longest_due_partners_come_first() {
    let env = TestEnvironment::new().await;
    let table = &env.schedule.due;
    let now = Timestamp::now();
    let partner = |n: usize| numbered_partner(n);
    for n in 0..12 {
        let at = after(now, -(i64::try_from(n).unwrap()));
        table.bring_forward(&partner(n), TASK, at).await.unwrap();
    }
    let later = after(now, 1);
    table
        .bring_forward(&partner(12), TASK, later)
        .await
        .unwrap();
    table
        .bring_forward(&partner(3), Schedule::Health, now)
        .await
        .unwrap();
    let first = table.list(TASK, now, 5).await.unwrap();
    assert_eq!(first, [11, 10, 9, 8, 7].map(partner));
    assert_eq!(due(table, now).await.len(), 12);
    assert_eq!(
        table.list(Schedule::Health, now, 5).await.unwrap(),
        [partner(3)]
    );
}

#[tokio::test]
async fn a_partner_whose_runs_die_is_notified_to_the_operator() {
    let env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    let now = Timestamp::now();
    let table = &env.schedule.due;
    env.schedule.make_due(now).await;
    let state = async || env.config.monitoring.read().await.unwrap().state.runs_died;
    // Each run dies before its lease ends.
    for (seconds, died) in [(0, 0), (400, 1)] {
        let (at, until) = (after(now, seconds), after(now, seconds + 300));
        let lease = table.lease(&partner(), TASK, "dead", at, until).await;
        assert_eq!(lease.unwrap().unwrap().died, died);
    }
    assert_eq!(state().await, None);
    assert_eq!(
        env.schedule
            .tick(&reconcile, after(now, 800))
            .await
            .completed,
        1
    );
    assert_eq!(state().await.map(|event| event.count), Some(1));
    // A finished run does not count as dead.
    assert_eq!(
        env.schedule
            .run(&reconcile, after(now, 900))
            .await
            .completed,
        1
    );
    assert_eq!(state().await.map(|event| event.count), Some(1));
}
