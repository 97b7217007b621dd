//! ConnectWise refuses, breaks, or loses its answer.

use domain::{Blocked, Target};
use serde_json::json;

use crate::world::{World, event, partner, settings};

#[tokio::test]
async fn a_lost_answer_is_searched_for_and_never_posted_again() {
    let mut world = World::new().await;
    world.faults(json!({ "lost_answer_rate": 1.0 })).await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work_once().await;
    let record = world.record("a1").await.unwrap();
    assert!(
        record
            .claim
            .is_some_and(|claim| claim.uncertain_at.is_some()),
        "uncertain"
    );
    assert!(record.payload.is_some(), "the text is kept while uncertain");
    world.faults(json!({ "lost_answer_rate": 0.0 })).await;
    world.work().await;
    let posts = world
        .calls()
        .await
        .iter()
        .filter(|call| *call == "POST /service/tickets")
        .count();
    assert_eq!((world.all_tickets().await.len(), posts), (1, 1));
    let record = world.record("a1").await.unwrap();
    assert!(record.open().is_some() && record.claim.is_none());
}

#[tokio::test]
async fn a_create_that_did_not_happen_is_made_after_two_empty_searches() {
    let mut world = World::new().await;
    world.faults(json!({ "error_rate": 1.0 })).await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work_once().await;
    world.faults(json!({ "error_rate": 0.0 })).await;
    world.work().await;
    let calls = world.calls().await;
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
    assert_eq!(world.all_tickets().await.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_a_close_is_finished_as_ours() {
    let mut world = World::new().await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    world.post(&event("alert.resolved", "e2", "a1", 5)).await;
    // The GET is lost first: nothing was written, and it is tried again.
    world
        .faults(json!({ "latency_ms": 1, "lost_answer_rate": 0.7 }))
        .await;
    for _ in 0..3 {
        world.work_once().await;
    }
    world.faults(json!({ "lost_answer_rate": 0.0 })).await;
    world.work().await;
    let ticket = world.all_tickets().await.remove(0);
    assert_eq!(ticket["closedFlag"], true);
    let notes = world.notes(&ticket).await;
    let why = notes.iter().filter(|note| {
        note["text"]
            .as_str()
            .unwrap()
            .contains("Ticketbridge closes")
    });
    assert_eq!(why.count(), 1, "{notes:?}");
    let record = world.record("a1").await.unwrap();
    assert!(
        format!("{:?}", record.actual).contains("by: Us"),
        "{record:?}"
    );
}

#[tokio::test]
async fn refused_keys_are_read_afresh_once_and_then_block() {
    let mut world = World::new().await;
    world.faults(json!({ "keys": "revoked" })).await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    let record = world.record("a1").await.unwrap();
    assert_eq!(record.blocked.unwrap().reason, Blocked::ConnectionBroken);
    assert!(record.claim.is_none());
    assert_eq!(world.waiting(&world.dead_letter_queue_url).await, 0);
}

#[tokio::test]
async fn a_missing_right_and_a_missing_target_are_named() {
    let mut world = World::new().await;
    world
        .faults(json!({ "missing_rights": ["service_tickets.add"] }))
        .await;
    world.post(&event("alert.raised", "e1", "right", 0)).await;
    world.work().await;
    world.faults(json!({ "missing_rights": [] })).await;
    let mut broken = settings();
    broken.operations.start_status = Some(999);
    let mut fresh = World::new().await;
    fresh
        .config
        .settings
        .put(&partner(), &broken)
        .await
        .unwrap();
    fresh.post(&event("alert.raised", "e1", "target", 0)).await;
    fresh.work().await;
    let reason = world.record("right").await.unwrap().blocked.unwrap().reason;
    assert_eq!(reason, Blocked::MissingRight("service_tickets.add".into()));
    let reason = fresh
        .record("target")
        .await
        .unwrap()
        .blocked
        .unwrap()
        .reason;
    assert_eq!(reason, Blocked::TargetGone(Target::Status));
}
