//! Recurring alerts whose old ticket is reopened, wherever a technician moved it.

use domain::alert::record::ClosedBy;
use serde_json::json;

use crate::environment::{
    CYBER_ALERTS, OPERATIONS, TestEnvironment, assert_closed_by, is_open, raised_event,
    resolved_event, settings,
};

#[tokio::test]
async fn a_recurrence_reopens_the_ticket_if_configured() {
    let mut env = TestEnvironment::new().await;
    let mut desired = settings();
    desired.operations.reopen_days = 7;
    env.put_settings(&desired).await;
    let life = |n: i64| {
        [
            raised_event(&format!("e{n}"), "a1", n),
            resolved_event(&format!("r{n}"), "a1", n + 1),
        ]
    };
    env.process(&life(0), 0).await;
    for n in [10, 20] {
        env.process(&life(n)[..1], 1).await;
        let tickets = env.connectwise.tickets().await;
        assert_eq!((tickets.len(), is_open(&tickets[0])), (1, true), "life {n}");
        assert_eq!(tickets[0]["status"]["id"], OPERATIONS.1);
        env.process(&life(n)[1..], 1).await;
        assert!(!is_open(&env.connectwise.tickets().await[0]));
    }
    let record = env.record("a1").await.unwrap();
    assert_eq!(record.occurrence, 3);

    // A technician deleted the ticket: a new one is created, and the occurrences continue.
    let id = env.connectwise.tickets().await[0]["id"].clone();
    env.delete(&format!("/service/tickets/{id}")).await;
    env.process(&life(30)[..1], 2).await;
    let record = env.record("a1").await.unwrap();
    assert_eq!(record.open().unwrap().ticket_ref, None, "{record:?}");
    assert_ne!(env.connectwise.tickets().await[0]["id"], id);
}

#[tokio::test]
async fn a_moved_ticket_is_reopened_on_its_new_board() {
    let mut env = TestEnvironment::new().await;
    let mut desired = settings();
    desired.operations.reopen_days = 7;
    env.put_settings(&desired).await;
    let life = [raised_event("e1", "a1", 0), resolved_event("e2", "a1", 1)];
    env.process(&life, 0).await;
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
    env.process(&[raised_event("e3", "a1", 9)], 1).await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!((tickets.len(), is_open(&tickets[0])), (1, true));
    assert_eq!(tickets[0]["status"]["id"], start);
}

#[tokio::test]
async fn a_ticket_moved_during_the_search_is_left_alone() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("lost_answer_rate", 1.0).await;
    let raised = env.post_and_take(&[raised_event("e1", "a1", 0)]).await;
    let raised = env.worker.handle_at(raised, 0).await;
    env.set_fault("lost_answer_rate", 0.0).await;
    let id = env.connectwise.tickets().await[0]["id"].clone();
    env.patch(
        &format!("/service/tickets/{id}"),
        "company",
        json!({ "id": 302 }),
    )
    .await;
    env.worker.handle_until_done(raised, 1, 1).await;
    let record = env.record("a1").await.unwrap();
    assert_closed_by(&record, ClosedBy::Moved);
    assert_eq!(
        env.connectwise.count_calls("POST /service/tickets").await,
        1
    );
}
