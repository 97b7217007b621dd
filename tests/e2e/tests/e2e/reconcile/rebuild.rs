//! The alerts table was lost or restored to an older state: every ticket gets its record back, and no
//! ticket is created twice.

use crate::environment::{
    TestEnvironment, is_open, partner, raise_and_resolve, raised_event, raises, reconsider,
    resolved_event,
};
use domain::alert::record::{Actual, Record};
use domain::ticketing::ticket_index::{TicketIndex, TicketIndexState};
use jiff::{SignedDuration, Timestamp};

/// Runs reconcile so many minutes from now, and works off the messages that it sends.
async fn reconciled(env: &mut TestEnvironment, minutes: i64) {
    let at = Timestamp::now() + SignedDuration::from_mins(minutes);
    let summary = env.run_reconcile(at).await;
    assert_eq!((summary.completed, summary.failed), (1, 0), "{summary:?}");
    let keys = env.queue.take_reconsidered().await;
    let again = keys.iter().map(reconsider).collect();
    env.worker.handle_until_done(again, minutes, 1).await;
}

pub(crate) async fn ticket_index(env: &TestEnvironment) -> TicketIndex {
    let ticket_index = env.alerts.ticket_index.get(&partner()).await.unwrap();
    ticket_index.unwrap()
}

#[tokio::test]
async fn a_lost_table_imports_all_tickets() {
    let mut env = TestEnvironment::new().await;
    let mut events = raises(0..20);
    events.extend((20..30).flat_map(raise_and_resolve));
    let messages = env.post_and_take(&events).await;
    env.worker.handle_until_done(messages.clone(), 0, 1).await;
    env.database.delete_all_alerts().await;

    // The first event shows that the table is incomplete. It is a resolve, which must close its ticket.
    env.process(&[resolved_event("r1", "a1", 9)], 1).await;
    assert_eq!(ticket_index(&env).await.state, TicketIndexState::Rebuilding);
    reconciled(&mut env, 16).await;
    let ticket_index = ticket_index(&env).await;
    assert_eq!(
        (ticket_index.state, ticket_index.imported),
        (TicketIndexState::Complete, 30)
    );

    let before = env.connectwise.calls().await.len();
    env.process(&[raised_event("e99", "a99", 0)], 17).await;
    assert_eq!(env.connectwise.calls().await.len() - before, 1);

    // A repeated event finds its record, and the record has its ticket.
    env.worker.handle_until_done(messages, 18, 1).await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(
        env.connectwise.count_calls("POST /service/tickets").await,
        31,
        "no ticket is new"
    );
    assert_eq!(tickets.iter().filter(|ticket| is_open(ticket)).count(), 20);
    env.process(&[resolved_event("r2", "a2", 9)], 19).await;
    assert_eq!(env.connectwise.count_open().await, 19);
    let known = env.record("a3").await.unwrap();
    assert_eq!(
        known.key,
        crate::environment::key(crate::environment::TENANT, "a3")
    );
}

#[tokio::test]
async fn an_imported_ticket_without_events_is_left_alone() {
    let mut env = TestEnvironment::new().await;
    env.process(&[raised_event("e1", "a1", 0)], 0).await;
    env.database.delete_all_alerts().await;
    env.begin_rebuilding().await;
    reconciled(&mut env, 1).await;
    let key = crate::environment::key(crate::environment::TENANT, "a1");
    env.worker
        .handle_until_done(vec![reconsider(&key)], 2, 1)
        .await;
    assert!(is_open(&env.connectwise.tickets().await[0]));
    let record = env.record("a1").await.unwrap();
    assert!(
        record.open().is_some() && record.desired.details.is_none(),
        "{record:?}"
    );
}

#[tokio::test]
async fn a_restored_table_learns_newer_tickets() {
    let mut env = TestEnvironment::new().await;
    let life = |n: i64, alert: &str| {
        [
            raised_event(&format!("e{n}{alert}"), alert, n),
            resolved_event(&format!("r{n}{alert}"), alert, n + 1),
        ]
    };
    // At the time of the backup a1 is open, a2 is closed, and a3 is blocked.
    let [raised, resolved] = life(0, "a2");
    let events = [life(0, "a1")[0].clone(), raised, resolved];
    env.process(&events, 0).await;
    let backup: Vec<Record> = [
        env.record("a1").await.unwrap(),
        env.record("a2").await.unwrap(),
    ]
    .into();
    // Since then a1 was closed and recurred, a2 recurred, and a3 got its ticket.
    let events = [
        life(0, "a1")[1].clone(),
        life(10, "a1")[0].clone(),
        life(10, "a2")[0].clone(),
        life(10, "a3")[0].clone(),
    ];
    let since = env.post_and_take(&events).await;
    for message in since.clone() {
        env.worker.handle_until_done(vec![message], 1, 1).await;
    }
    assert_eq!(
        (
            env.connectwise.tickets().await.len(),
            env.connectwise.count_calls("POST /service/tickets").await
        ),
        (5, 5)
    );

    env.database.delete_all_alerts().await;
    for record in &backup {
        let old = Record {
            rev: 0,
            ..record.clone()
        };
        env.alerts.write(&old).await.unwrap();
    }
    env.begin_rebuilding().await;
    // The same events are repeated before and after the import, in any order.
    env.worker
        .handle_until_done(since[2..].to_vec(), 2, 1)
        .await;
    reconciled(&mut env, 16).await;
    assert_eq!(ticket_index(&env).await.state, TicketIndexState::Complete);
    env.worker.handle_until_done(since, 20, 1).await;
    assert_eq!(
        env.connectwise.count_calls("POST /service/tickets").await,
        5,
        "no ticket is created twice"
    );
    let open: Vec<_> = env.connectwise.tickets().await;
    assert_eq!(open.iter().filter(|ticket| is_open(ticket)).count(), 3);
    for (alert, occurrence) in [("a1", 2), ("a2", 2), ("a3", 1)] {
        let record = env.record(alert).await.unwrap();
        assert!(
            matches!(record.actual, Some(Actual::Open(_))) && record.occurrence == occurrence,
            "{record:?}"
        );
    }
}
