//! Of a partner's runs only one is on at a time, and none is lost: whoever dies, comes late or is overtaken.

use domain::PartnerId;
use domain::pipeline::Schedule;
use jiff::Timestamp;
use store::{Due, RunProgress};

use crate::ticks::{after, minute, only};
use crate::world::{TENANT, World, partner};

const TASK: Schedule = Schedule::Reconcile;

async fn due(due: &Due, at: Timestamp) -> Vec<PartnerId> {
    due.list(TASK, at, 100).await.unwrap()
}

#[tokio::test]
async fn two_runs_at_once_let_each_alert_go_once() {
    let world = World::new().await;
    let now = Timestamp::now();
    world.block(TENANT, 50, now).await;
    world.make_due(now).await;
    let apps = [world.reconcile(), world.reconcile(), world.reconcile()];
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
    assert_eq!(world.reconsidered().await.len(), 50);
}

#[tokio::test]
async fn a_dead_runs_partner_is_worked_off_when_its_lease_ends() {
    let world = World::new().await;
    let reconcile = world.reconcile();
    let now = Timestamp::now();
    world.block(TENANT, 1, now).await;
    world.make_due(now).await;
    let table = world.due();
    let until = after(now, 305);
    let dead = table.lease(&partner(), TASK, "dead", now, until).await;
    let dead = dead.unwrap().unwrap();
    assert_eq!(world.tick(&reconcile, after(now, 60)).await.due, 0);
    // Brought forward it is due, and yet in the dead one's hands.
    world.make_due(after(now, 60)).await;
    let early = world.tick(&reconcile, after(now, 120)).await;
    assert_eq!((early.due, early.completed), (1, 0));
    let taken_over = world.tick(&reconcile, after(now, 306)).await;
    assert_eq!((taken_over.completed, taken_over.totals.released), (1, 1));
    // Was it only frozen, it can do no harm any more.
    let progress = RunProgress {
        paced: 300,
        ..RunProgress::default()
    };
    assert!(!table.save_progress(&dead, &progress).await.unwrap());
    assert!(!table.finish(&dead, after(now, 307)).await.unwrap());
    assert!(due(&table, after(now, 308)).await.is_empty());
}

#[tokio::test]
async fn a_partner_that_is_brought_forward_during_a_run_has_another_one() {
    let world = World::new().await;
    let table = world.due();
    let now = Timestamp::now();
    let (until, next) = (after(now, 305), after(now, 900));
    // When it is asked for during the run, and when it is due then.
    let cases = [
        (None, 900),
        (Some(10), 10),
        (Some(400), 400),
        (Some(2000), 900),
    ];
    for (n, (asked, expected)) in cases.into_iter().enumerate() {
        let partner = PartnerId::parse(format!("partner-{n}")).unwrap();
        table.bring_forward(&partner, TASK, now).await.unwrap();
        // A wish for later does not put off one for earlier.
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
            "it is over: {asked:?}"
        );
        let before = due(&table, after(now, expected - 1)).await;
        assert!(!before.contains(&partner), "{asked:?}");
        let then = due(&table, after(now, expected)).await;
        assert!(then.contains(&partner), "{asked:?}");
        let again = table
            .lease(&partner, TASK, "next", after(now, expected), until)
            .await;
        assert!(
            again.unwrap().is_some(),
            "the lease is given back: {asked:?}"
        );
    }
}

#[tokio::test]
async fn the_longest_waiting_come_first_and_no_task_meets_anothers_partners() {
    let world = World::new().await;
    let table = world.due();
    let now = Timestamp::now();
    let partner = |n: usize| PartnerId::parse(format!("partner-{n}")).unwrap();
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
    assert_eq!(due(&table, now).await.len(), 12);
    assert_eq!(
        table.list(Schedule::Health, now, 5).await.unwrap(),
        [partner(3)]
    );
}

#[tokio::test]
async fn the_operator_is_notified_of_a_partner_whose_runs_die_also_where_it_is_the_only_one() {
    let world = World::new().await;
    let reconcile = world.reconcile();
    let now = Timestamp::now();
    let table = world.due();
    world.make_due(now).await;
    let state = async || {
        world
            .config
            .monitoring
            .read()
            .await
            .unwrap()
            .state
            .runs_died
    };
    // Each run is dead by the time that its lease ends.
    for (seconds, died) in [(0, 0), (400, 1)] {
        let (at, until) = (after(now, seconds), after(now, seconds + 300));
        let lease = table.lease(&partner(), TASK, "dead", at, until).await;
        assert_eq!(lease.unwrap().unwrap().died, died);
    }
    assert_eq!(state().await, None);
    assert_eq!(world.tick(&reconcile, after(now, 800)).await.completed, 1);
    assert_eq!(state().await.map(|event| event.count), Some(1));
    // A run that ended is no death.
    world.make_due(after(now, 900)).await;
    assert_eq!(world.tick(&reconcile, after(now, 900)).await.completed, 1);
    assert_eq!(state().await.map(|event| event.count), Some(1));
}
