//! ConnectWise refuses a call, fails, or loses its answer.

use crate::environment::{TestEnvironment, partner, raised_event, resolved_event, settings};
use domain::{Blocked, TicketTarget};
use serde_json::json;

#[tokio::test]
async fn a_lost_answer_is_searched_for_and_never_posted_again() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("lost_answer_rate", 1.0).await;
    env.source.post(&raised_event("e1", "a1", 0)).await;
    env.worker.work_once().await;
    let record = env.record("a1").await.unwrap();
    assert!(
        record
            .claim
            .is_some_and(|claim| claim.uncertain_at.is_some()),
        "uncertain"
    );
    assert!(
        record.payload.is_some(),
        "the record keeps the text while uncertain"
    );
    env.set_fault("lost_answer_rate", 0.0).await;
    env.worker.work().await;
    let posts = env.connectwise.count_calls("POST /service/tickets").await;
    assert_eq!((env.connectwise.tickets().await.len(), posts), (1, 1));
    let record = env.record("a1").await.unwrap();
    assert!(record.open().is_some() && record.claim.is_none());
}

#[tokio::test]
async fn a_create_is_repeated_after_two_empty_searches() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("error_rate", 1.0).await;
    env.source.post(&raised_event("e1", "a1", 0)).await;
    env.worker.work_once().await;
    env.set_fault("error_rate", 0.0).await;
    env.worker.work().await;
    let calls = env.connectwise.calls().await;
    let made: Vec<_> = calls.iter().map(String::as_str).collect();
    assert_eq!(
        made,
        [
            "POST /service/tickets",
            "GET /service/tickets",
            "GET /service/tickets",
            "POST /service/tickets"
        ]
    );
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn a_close_with_a_lost_answer_counts_as_ours() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.source.post(&resolved_event("e2", "a1", 5)).await;
    // The GET's answer is lost first. Nothing was written, so the GET is repeated.
    env.connectwise
        .set_faults(json!({ "latency_ms": 1, "lost_answer_rate": 0.7 }))
        .await;
    for _ in 0..3 {
        env.worker.work_once().await;
    }
    env.set_fault("lost_answer_rate", 0.0).await;
    env.worker.work().await;
    let ticket = env.connectwise.tickets().await.remove(0);
    assert_eq!(ticket["closedFlag"], true);
    let words = ["Ticketbridge closes"];
    env.connectwise.assert_noted(&ticket, &words).await;
    let record = env.record("a1").await.unwrap();
    assert!(
        format!("{:?}", record.actual).contains("by: Us"),
        "{record:?}"
    );
}

#[tokio::test]
async fn refused_keys_are_read_again_once_and_then_block() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("keys", "revoked").await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let record = env.record("a1").await.unwrap();
    assert_eq!(record.blocked.unwrap().reason, Blocked::ConnectionBroken);
    assert!(record.claim.is_none());
    assert_eq!(env.dead_letter_queue.count().await, 0);
}

#[tokio::test]
async fn replaced_keys_are_read_again_by_the_message_whose_call_is_refused() {
    // The old keys are known to the worker, and are refused first for a new ticket, or for the search
    // that follows a lost answer.
    for first in ["new", "lost"] {
        let mut env = TestEnvironment::new().await;
        env.put_keys("replaced").await;
        env.set_fault("outage", true).await;
        let lost = env.post_and_take(&[raised_event("e1", "lost", 0)]).await;
        let lost = env.worker.handle_at(lost, 0).await;
        assert_eq!(lost.len(), 1, "received again later");
        env.set_fault("outage", false).await;
        env.put_keys("tbPrivateKey01").await;
        let messages = match first {
            "new" => env.post_and_take(&[raised_event("e2", "new", 0)]).await,
            _ => lost,
        };
        env.worker.handle_until_done(messages, 1, 1).await;
        let record = env.record(first).await.unwrap();
        assert!(record.open().is_some(), "{first}: {record:?}");
        assert_eq!(env.connectwise.tickets().await.len(), 1, "{first}");
        let breaker = env.config.breaker.get(&partner()).await.unwrap();
        assert!(breaker.open.is_none(), "{first}: {breaker:?}");
    }
}

#[tokio::test]
async fn a_missing_right_and_a_missing_target_are_named() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("missing_rights", ["service_tickets.add"])
        .await;
    env.deliver(&raised_event("e1", "right", 0)).await;
    env.set_fault("missing_rights", json!([])).await;
    let mut broken = settings();
    broken.operations.start_status = Some(999);
    let mut fresh = TestEnvironment::new().await;
    fresh.put_settings(&broken).await;
    fresh.deliver(&raised_event("e1", "target", 0)).await;
    assert_eq!(
        env.reason("right").await,
        Some(Blocked::MissingRight("service_tickets.add".into()))
    );
    assert_eq!(
        fresh.reason("target").await,
        Some(Blocked::TargetMissing(TicketTarget::Status))
    );
}
