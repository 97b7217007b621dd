//! Tickets in other hands: people and ConnectWise's workflow rules change what we write to.

use domain::record::{Actual, ClosedBy, Record};
use domain::{Blocked, TicketTarget};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::drift::names;
use crate::world::{World, event};

/// Another company of the simulator.
const OTHER_COMPANY: u64 = 302;

impl World {
    /// The record of the alert after its resolve was handed over.
    async fn resolved(&mut self, alert: &str) -> Record {
        self.post(&event("alert.resolved", "over", alert, 0)).await;
        self.work().await;
        self.record(alert).await.unwrap()
    }

    /// How many notes of the only ticket contain these words.
    async fn notes_with(&self, words: &str) -> usize {
        let ticket = self.all_tickets().await.remove(0);
        let notes = self.notes(&ticket).await;
        let has = |note: &&Value| note["text"].as_str().unwrap().contains(words);
        notes.iter().filter(has).count()
    }

    async fn is_open(&self) -> bool {
        self.all_tickets().await[0]["closedFlag"] == false
    }
}

fn is_closed_by_us(record: &Record) -> bool {
    matches!(&record.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Us)
}

/// The note is written before the close, so that nothing reopens the ticket.
#[tokio::test]
async fn a_workflow_that_reopens_a_ticket_for_its_note_leaves_it_closed() {
    let mut world = World::new().await;
    world.raised(&names(1)).await;
    let workflow = json!([{ "after": "note", "do": "reopen" }]);
    world.faults(json!({ "workflows": workflow })).await;
    let record = world.resolved("a0").await;
    assert!(is_closed_by_us(&record), "{record:?}");
    assert!(!world.is_open().await);
    assert_eq!(world.notes_with("Ticketbridge closes this ticket").await, 1);
}

/// The answer says "closed", and another look says what became of it.
#[tokio::test]
async fn a_close_that_a_workflow_takes_back_is_no_close() {
    let mut world = World::new().await;
    world.raised(&names(1)).await;
    let workflow = json!([{ "after": "close", "do": "reopen" }]);
    world.faults(json!({ "workflows": workflow })).await;
    let record = world.resolved("a0").await;
    assert!(world.is_open().await);
    assert!(record.open().is_some(), "{record:?}");
    let reason = record.blocked.map(|blocked| blocked.reason);
    assert_eq!(reason, Some(Blocked::TargetGone(TicketTarget::Status)));

    world.faults(json!({ "workflows": [] })).await;
    // The refusal is seen, and then retried.
    for minutes in [1, 7] {
        world.reconciled(minutes).await;
    }
    let record = world.record("a0").await.unwrap();
    assert!(is_closed_by_us(&record), "{record:?}");
    assert!(!world.is_open().await);
    assert_eq!(world.notes_with("Ticketbridge closes this ticket").await, 1);
}

#[tokio::test]
async fn nothing_is_written_to_a_ticket_that_a_person_ended_or_gave_to_other_use() {
    for (action, by) in [
        (json!("close"), ClosedBy::Technician),
        (json!("delete"), ClosedBy::Deleted),
        (json!({ "move_to_company": OTHER_COMPANY }), ClosedBy::Moved),
        (json!({ "reference": "INC-7" }), ClosedBy::Moved),
    ] {
        for (change, severity) in [
            ("alert.raised", "medium"),
            ("alert.updated", "critical"),
            ("alert.resolved", "medium"),
        ] {
            let mut world = World::new().await;
            let ticket = world.raised(&names(1)).await[0];
            world.person(ticket, &action).await;
            let before = world.calls().await.len();
            let mut event = event(change, "next", "a0", 0);
            event["data"]["severity"] = severity.into();
            world.post(&event).await;
            world.work().await;
            let calls = world.calls().await.split_off(before);
            let what = format!("{action}, {change}: {calls:?}");
            assert!(calls.iter().all(|call| call.starts_with("GET ")), "{what}");
            let record = world.record("a0").await.unwrap();
            let ended = match &record.actual {
                Some(Actual::Closed(closed)) => Some(closed.by),
                Some(Actual::Open(_)) | None => None,
            };
            assert_eq!(ended, Some(by), "{what}");
        }
    }
}

/// What is cut off is of unknown outcome for minutes.
#[tokio::test]
async fn a_write_begins_only_with_time_for_its_answer() {
    let mut world = World::new().await;
    world.raised(&names(1)).await;
    let raised = event("alert.updated", "more", "a0", 0);
    let messages = world.taken(&[raised]).await;
    // Calls end two seconds before the invocation does, so that half a second is left for the write.
    let slow =
        json!([{ "when": { "operations": ["read"] }, "then": { "slow": { "seconds": 5.5 } } }]);
    world.faults(json!({ "rules": slow })).await;
    let before = world.calls().await.len();
    let invocation = world.invocation_at(Timestamp::now(), 8);
    let back = world.hand_batch(&messages, &invocation).await;
    assert_eq!(back.len(), 1);
    let calls = world.calls().await.split_off(before);
    assert!(
        calls.iter().all(|call| call.starts_with("GET ")),
        "{calls:?}"
    );
    let record = world.record("a0").await.unwrap();
    assert_eq!((&record.claim, &record.blocked), (&None, &None));

    world.faults(json!({ "rules": [] })).await;
    world.until_done(back, 0, 1).await;
    assert_eq!(world.notes_with("repeated once").await, 1);
}
