//! Recurring alerts whose old ticket is reopened, wherever a technician moved it.

use domain::alert::record::{Actual, ClosedBy};
use serde_json::json;

use crate::environment::{CYBER_ALERTS, OPERATIONS, TestEnvironment, event, partner, settings};
use crate::tickets::exactly_once::{count, is_open};

#[tokio::test]
async fn a_recurrence_reopens_the_ticket_if_configured() {
    let mut env = TestEnvironment::new().await;
    let mut desired = settings();
    desired.operations.reopen_days = 7;
    env.config.settings.put(&partner(), &desired).await.unwrap();
    let life = |n: i64| {
        [
            event("alert.raised", &format!("e{n}"), "a1", n),
            event("alert.resolved", &format!("r{n}"), "a1", n + 1),
        ]
    };
    let messages = env.post_and_take(&life(0)).await;
    env.worker.handle_until_done(messages, 0, 1).await;
    for n in [10, 20] {
        let messages = env.post_and_take(&life(n)[..1]).await;
        env.worker.handle_until_done(messages, 1, 1).await;
        let tickets = env.connectwise.tickets().await;
        assert_eq!((tickets.len(), is_open(&tickets[0])), (1, true), "life {n}");
        assert_eq!(tickets[0]["status"]["id"], OPERATIONS.1);
        let messages = env.post_and_take(&life(n)[1..]).await;
        env.worker.handle_until_done(messages, 1, 1).await;
        assert!(!is_open(&env.connectwise.tickets().await[0]));
    }
    let record = env.record("a1").await.unwrap();
    assert_eq!(record.occurrence, 3);

    // A technician deleted the ticket: a new one is created, and the occurrences continue.
    let id = env.connectwise.tickets().await[0]["id"].clone();
    env.connectwise
        .call_as_technician(
            reqwest::Method::DELETE,
            &format!("/service/tickets/{id}"),
            None,
        )
        .await;
    let messages = env.post_and_take(&life(30)[..1]).await;
    env.worker.handle_until_done(messages, 2, 1).await;
    let record = env.record("a1").await.unwrap();
    assert_eq!(record.open().unwrap().ticket_ref, None, "{record:?}");
    assert_ne!(env.connectwise.tickets().await[0]["id"], id);
}

#[tokio::test]
async fn a_moved_ticket_is_reopened_on_its_new_board() {
    let mut env = TestEnvironment::new().await;
    let mut desired = settings();
    desired.operations.reopen_days = 7;
    env.config.settings.put(&partner(), &desired).await.unwrap();
    let life = [
        event("alert.raised", "e1", "a1", 0),
        event("alert.resolved", "e2", "a1", 1),
    ];
    let messages = env.post_and_take(&life).await;
    env.worker.handle_until_done(messages, 0, 1).await;
    let id = env.connectwise.tickets().await[0]["id"].clone();
    let (board, start, closed) = CYBER_ALERTS;
    let moved = json!([
        { "op": "replace", "path": "board", "value": { "id": board } },
        { "op": "replace", "path": "status", "value": { "id": closed } },
        { "op": "replace", "path": "type", "value": { "id": 2302 } }
    ]);
    env.connectwise
        .call_as_technician(
            reqwest::Method::PATCH,
            &format!("/service/tickets/{id}"),
            Some(moved),
        )
        .await;
    let again = env
        .post_and_take(&[event("alert.raised", "e3", "a1", 9)])
        .await;
    env.worker.handle_until_done(again, 1, 1).await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!((tickets.len(), is_open(&tickets[0])), (1, true));
    assert_eq!(tickets[0]["status"]["id"], start);
}

#[tokio::test]
async fn a_ticket_moved_during_the_search_is_left_alone() {
    let mut env = TestEnvironment::new().await;
    env.connectwise
        .set_faults(json!({ "lost_answer_rate": 1.0 }))
        .await;
    let raised = env
        .post_and_take(&[event("alert.raised", "e1", "a1", 0)])
        .await;
    let raised = env.worker.handle_at(raised, 0).await;
    env.connectwise
        .set_faults(json!({ "lost_answer_rate": 0.0 }))
        .await;
    let id = env.connectwise.tickets().await[0]["id"].clone();
    let moved = json!([{ "op": "replace", "path": "company", "value": { "id": 302 } }]);
    env.connectwise
        .call_as_technician(
            reqwest::Method::PATCH,
            &format!("/service/tickets/{id}"),
            Some(moved),
        )
        .await;
    env.worker.handle_until_done(raised, 1, 1).await;
    let record = env.record("a1").await.unwrap();
    assert!(
        matches!(&record.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Moved),
        "{record:?}"
    );
    assert_eq!(count(&env, "POST /service/tickets").await, 1);
}
