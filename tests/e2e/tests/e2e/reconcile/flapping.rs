//! An alert that is raised and resolved again and again keeps one ticket until it is calm.

use crate::environment::{
    TENANT, TestEnvironment, after, key, raised_event, resolved_event, settings,
};
use domain::Blocked;
use domain::alert::flapping::FlapRule;
use jiff::Timestamp;
use serde_json::Value;

/// An environment where 3 raises within 30 minutes make an alert flap.
async fn environment() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let mut own = settings();
    own.flapping = Some(FlapRule {
        raises: 3,
        minutes: 30,
    });
    own.operations.reopen_days = 1;
    env.put_settings(&own).await;
    env
}

/// Raises and resolves the alert this often, each a few seconds after the last.
async fn flap(env: &mut TestEnvironment, times: std::ops::Range<i64>) {
    for n in times {
        env.deliver(&raised_event(&format!("up-{n}"), "a", 10 * n))
            .await;
        env.deliver(&resolved_event(&format!("down-{n}"), "a", 10 * n + 5))
            .await;
    }
}

async fn only_ticket(env: &TestEnvironment) -> Value {
    let mut tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 1);
    tickets.remove(0)
}

#[tokio::test]
async fn the_ticket_of_a_flapping_alert_is_closed_when_it_is_calm() {
    let mut env = environment().await;
    flap(&mut env, 0..2).await;
    assert_eq!(only_ticket(&env).await["closedFlag"], true);
    // From the third raise on, the ticket stays open.
    flap(&mut env, 2..8).await;
    let ticket = only_ticket(&env).await;
    assert_eq!(ticket["closedFlag"], false);
    let notes = env.connectwise.notes(&ticket).await;
    let flapping = |note: &&Value| {
        note["text"]
            .as_str()
            .unwrap()
            .contains("until the alert is calm")
    };
    let count = notes.iter().filter(flapping).count();
    assert!(count <= 1, "six raises are one note: {notes:#?}");
    let Some(Blocked::Flapping(until)) = env.reason("a").await else {
        panic!("not held: {:?}", env.reason("a").await);
    };
    let now = Timestamp::now();
    assert!(
        until > after(now, 15 * 60) && until < after(now, 30 * 60),
        "{until}"
    );
    let reconcile = env.reconcile();
    env.schedule.run(&reconcile, after(until, -60)).await;
    assert_eq!(env.queue.take_reconsidered().await, []);
    env.schedule.run(&reconcile, after(until, 1)).await;
    assert_eq!(env.queue.take_reconsidered().await, [key(TENANT, "a")]);
}

#[tokio::test]
async fn without_the_rule_any_more_the_ticket_is_closed_at_the_next_run() {
    let mut env = environment().await;
    flap(&mut env, 0..4).await;
    assert_eq!(only_ticket(&env).await["closedFlag"], false);
    env.put_settings(&settings()).await;
    let reconcile = env.reconcile();
    env.schedule
        .run(&reconcile, after(Timestamp::now(), 600))
        .await;
    env.worker.work().await;
    assert_eq!(only_ticket(&env).await["closedFlag"], true);
}
