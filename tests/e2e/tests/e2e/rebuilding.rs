//! The table was lost, or restored to an older state: every ticket gets its record back, and nothing is made twice.

use domain::record::{Actual, Record};
use domain::ticket_index::{TicketIndex, TicketIndexState};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::hours::reconsider;
use crate::world::{World, event, partner};

pub(crate) fn is_open(ticket: &Value) -> bool {
    ticket["closedFlag"] == false
}

pub(crate) async fn posts(world: &World) -> usize {
    let calls = world.calls().await;
    let posts = calls.iter().filter(|call| *call == "POST /service/tickets");
    posts.count()
}

/// One run of reconcile, so many minutes from now, and what it asks to be decided again.
async fn reconciled(world: &mut World, minutes: i64) {
    let at = Timestamp::now() + SignedDuration::from_mins(minutes);
    world.make_due(at).await;
    let reconcile = world.reconcile();
    let summary = world.tick(&reconcile, at).await;
    assert_eq!((summary.completed, summary.failed), (1, 0), "{summary:?}");
    let again: Vec<_> = world.reconsidered().await.iter().map(reconsider).collect();
    world.until_done(again, minutes, 1).await;
}

pub(crate) async fn ticket_index(world: &World) -> TicketIndex {
    let ticket_index = world.alerts.ticket_index.get(&partner()).await.unwrap();
    ticket_index.unwrap()
}

#[tokio::test]
async fn after_a_loss_all_tickets_are_imported_and_a_new_one_costs_one_call_again() {
    let mut world = World::new().await;
    let mut events = vec![];
    for n in 0..30 {
        events.push(event("alert.raised", &format!("e{n}"), &format!("a{n}"), 0));
        if n >= 20 {
            events.push(event(
                "alert.resolved",
                &format!("r{n}"),
                &format!("a{n}"),
                5,
            ));
        }
    }
    let messages = world.taken(&events).await;
    world.until_done(messages.clone(), 0, 1).await;
    world.empty_alerts_table().await;

    // The first alert that comes shows that something was forgotten; it is resolved, which must close its ticket.
    let resolved = world.taken(&[event("alert.resolved", "r1", "a1", 9)]).await;
    world.until_done(resolved, 1, 1).await;
    assert_eq!(
        ticket_index(&world).await.state,
        TicketIndexState::Rebuilding
    );
    reconciled(&mut world, 16).await;
    let ticket_index = ticket_index(&world).await;
    assert_eq!(
        (ticket_index.state, ticket_index.imported),
        (TicketIndexState::Complete, 30)
    );

    let before = world.calls().await.len();
    let new = world.taken(&[event("alert.raised", "e99", "a99", 0)]).await;
    world.until_done(new, 17, 1).await;
    assert_eq!(world.calls().await.len() - before, 1);

    // What is sent again finds its record, and its record finds its ticket.
    world.until_done(messages, 18, 1).await;
    let tickets = world.all_tickets().await;
    assert_eq!(posts(&world).await, 31, "none is new");
    assert_eq!(tickets.iter().filter(|ticket| is_open(ticket)).count(), 20);
    let resolved = world.taken(&[event("alert.resolved", "r2", "a2", 9)]).await;
    world.until_done(resolved, 19, 1).await;
    let tickets = world.all_tickets().await;
    assert_eq!(tickets.iter().filter(|ticket| is_open(ticket)).count(), 19);
    let known = world.record("a3").await.unwrap();
    assert_eq!(known.key, crate::world::key(crate::world::TENANT, "a3"));
}

#[tokio::test]
async fn an_imported_ticket_of_which_nothing_was_heard_stays_as_it_is() {
    let mut world = World::new().await;
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    world.until_done(raised, 0, 1).await;
    world.empty_alerts_table().await;
    world.begin_rebuilding().await;
    reconciled(&mut world, 1).await;
    let key = crate::world::key(crate::world::TENANT, "a1");
    world.until_done(vec![reconsider(&key)], 2, 1).await;
    assert!(is_open(&world.all_tickets().await[0]));
    let record = world.record("a1").await.unwrap();
    assert!(
        record.open().is_some() && record.desired.details.is_none(),
        "{record:?}"
    );
}

#[tokio::test]
async fn a_restored_table_learns_what_happened_since() {
    let mut world = World::new().await;
    let life = |n: i64, alert: &str| {
        [
            event("alert.raised", &format!("e{n}{alert}"), alert, n),
            event("alert.resolved", &format!("r{n}{alert}"), alert, n + 1),
        ]
    };
    // At the time of the backup: a1 is open, a2 is closed, a3 waits.
    let [raised, resolved] = life(0, "a2");
    let events = [life(0, "a1")[0].clone(), raised, resolved];
    let messages = world.taken(&events).await;
    world.until_done(messages, 0, 1).await;
    let backup: Vec<Record> = [
        world.record("a1").await.unwrap(),
        world.record("a2").await.unwrap(),
    ]
    .into();
    // Since then: a1 was closed and came back, a2 came back, a3 was raised.
    let events = [
        life(0, "a1")[1].clone(),
        life(10, "a1")[0].clone(),
        life(10, "a2")[0].clone(),
        life(10, "a3")[0].clone(),
    ];
    let since = world.taken(&events).await;
    for message in since.clone() {
        world.until_done(vec![message], 1, 1).await;
    }
    assert_eq!(
        (world.all_tickets().await.len(), posts(&world).await),
        (5, 5)
    );

    world.empty_alerts_table().await;
    for record in &backup {
        let old = Record {
            rev: 0,
            ..record.clone()
        };
        world.alerts.write(&old).await.unwrap();
    }
    world.begin_rebuilding().await;
    // Before and after the import: the same events again, in any order.
    world.until_done(since[2..].to_vec(), 2, 1).await;
    reconciled(&mut world, 16).await;
    assert_eq!(ticket_index(&world).await.state, TicketIndexState::Complete);
    world.until_done(since, 20, 1).await;
    assert_eq!(posts(&world).await, 5, "nothing is made twice");
    let open: Vec<_> = world.all_tickets().await;
    assert_eq!(open.iter().filter(|ticket| is_open(ticket)).count(), 3);
    for (alert, occurrence) in [("a1", 2), ("a2", 2), ("a3", 1)] {
        let record = world.record(alert).await.unwrap();
        assert!(
            matches!(record.actual, Some(Actual::Open(_))) && record.occurrence == occurrence,
            "{record:?}"
        );
    }
}
