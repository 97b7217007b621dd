//! One ticket an alert in spite of late commits, incomplete searches, lost tables and changed
//! connections.

use aws_lambda_events::sqs::SqsMessage;
use domain::Blocked;
use domain::alert::record::ClosedBy;
use serde_json::json;

use crate::environment::{
    OPERATIONS, TENANT, TestEnvironment, assert_closed_by, is_open, key, raise_and_resolve,
    raised_event, raises, reconsider, resolved_event, settings,
};
use crate::reconcile::rebuild::ticket_index;

/// A create that was given up commits during the second one: two tickets.
async fn two_tickets(env: &mut TestEnvironment) {
    env.set_fault("late_commit", json!({ "rate": 1.0, "seconds": 4.0 }))
        .await;
    let raised = env.post_and_take(&[raised_event("e1", "a1", 0)]).await;
    let raised = env.worker.handle_at(raised, 0).await;
    assert_eq!(raised.len(), 1, "uncertain");
    env.set_fault("late_commit", json!({ "rate": 0.0 })).await;
    env.worker.handle_until_done(raised, 11, 1).await;
    assert_eq!(env.record("a1").await.unwrap().rechecks.len(), 1);
    env.connectwise.wait_for_tickets(2).await;
}

#[tokio::test]
async fn a_ticket_committed_very_late_is_closed_as_duplicate() {
    let mut env = TestEnvironment::new().await;
    two_tickets(&mut env).await;
    let recorded = env.record("a1").await.unwrap().open().unwrap().ticket_id;

    let look = vec![reconsider(&key(TENANT, "a1"))];
    env.worker.handle_until_done(look.clone(), 30, 1).await;
    let open = env.connectwise.tickets().await;
    assert_eq!(open.iter().filter(|t| is_open(t)).count(), 2, "not yet");
    env.worker.handle_until_done(look, 90, 1).await;
    let tickets = env.connectwise.tickets().await;
    let (open, closed): (Vec<_>, Vec<_>) = tickets.iter().partition(|ticket| is_open(ticket));
    assert_eq!((open.len(), closed.len()), (1, 1));
    assert_eq!(open[0]["id"], recorded);
    for (ticket, other) in [(open[0], closed[0]), (closed[0], open[0])] {
        let words = other["id"].to_string();
        let mut notes = env.connectwise.notes(ticket).await;
        notes.retain(|note| note["text"].as_str().unwrap().contains(&words));
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert_eq!(notes[0]["internalAnalysisFlag"], true);
    }
    let record = env.record("a1").await.unwrap();
    assert!(
        record.duplicates.is_empty() && record.rechecks[0].last,
        "{record:?}"
    );
    env.reconsider("a1", 26 * 60).await;
    assert_eq!(env.record("a1").await.unwrap().rechecks, []);
}

#[tokio::test]
async fn the_duplicate_that_a_technician_changed_stays() {
    let mut env = TestEnvironment::new().await;
    two_tickets(&mut env).await;
    let recorded = env.record("a1").await.unwrap().open().unwrap().ticket_id;
    let late = env.connectwise.tickets().await;
    let late = late.iter().find(|ticket| ticket["id"] != recorded).unwrap();
    let late = late["id"].as_u64().unwrap();
    env.patch(
        &format!("/service/tickets/{late}"),
        "priority",
        json!({ "id": 31 }),
    )
    .await;
    env.reconsider("a1", 90).await;
    let record = env.record("a1").await.unwrap();
    assert_eq!(record.open().unwrap().ticket_id, late);
    let tickets = env.connectwise.tickets().await;
    let open: Vec<_> = tickets.iter().filter(|ticket| is_open(ticket)).collect();
    assert_eq!((open.len(), &open[0]["id"]), (1, &json!(late)));
}

#[tokio::test]
async fn a_late_ticket_of_a_resolved_alert_is_closed() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("late_commit", json!({ "rate": 1.0, "seconds": 4.0 }))
        .await;
    let events = [raised_event("e1", "a1", 0), resolved_event("e2", "a1", 5)];
    let raised = env.post_and_take(&events[..1]).await;
    let raised = env.worker.handle_at(raised, 0).await;
    let resolved = env.post_and_take(&events[1..]).await;
    let both = [raised, env.worker.handle_at(resolved, 0).await].concat();
    env.set_fault("late_commit", json!({ "rate": 0.0 })).await;
    env.worker.handle_until_done(both, 11, 1).await;
    let record = env.record("a1").await.unwrap();
    assert!(record.actual.is_none() && record.claim.is_none(), "cleared");
    env.connectwise.wait_for_tickets(1).await;
    env.reconsider("a1", 90).await;
    assert!(!is_open(&env.connectwise.tickets().await[0]));
    assert_eq!(
        env.connectwise.count_calls("POST /service/tickets").await,
        1
    );
}

/// A sentinel ticket, and a second alert whose create is uncertain and did not commit.
async fn uncertain_beside_a_sentinel(env: &mut TestEnvironment) -> (String, Vec<SqsMessage>) {
    env.process(&[raised_event("e0", "a0", 0)], 0).await;
    env.set_fault("error_rate", 1.0).await;
    let raised = env.post_and_take(&[raised_event("e1", "a1", 0)]).await;
    let raised = env.worker.handle_at(raised, 0).await;
    env.set_fault("error_rate", 0.0).await;
    let sentinel = env.connectwise.tickets().await[0]["id"].clone();
    (format!("/service/tickets/{sentinel}"), raised)
}

#[tokio::test]
async fn a_search_without_its_sentinel_is_ignored() {
    for (hidden, shown) in [
        (
            json!({ "variants": { "hidden_board_ids": [OPERATIONS.0] } }),
            json!({ "variants": { "hidden_board_ids": [] } }),
        ),
        (
            json!({ "variants": { "rights_at_my": ["service_tickets.inquire"] } }),
            json!({ "variants": { "rights_at_my": [] } }),
        ),
    ] {
        let mut env = TestEnvironment::new().await;
        let (_, mut raised) = uncertain_beside_a_sentinel(&mut env).await;
        env.connectwise.set_faults(hidden.clone()).await;
        for minutes in [11, 12, 13, 40] {
            raised = env.worker.handle_at(raised, minutes).await;
            assert_eq!(raised.len(), 1, "after {minutes} minutes: {hidden}");
        }
        assert_eq!(
            env.connectwise.count_calls("POST /service/tickets").await,
            2,
            "the sentinel and one ticket: {hidden}"
        );
        raised = env.worker.handle_at(raised, 90).await;
        assert_eq!(raised.len(), 0);
        let record = env.record("a1").await.unwrap();
        let missing = Blocked::MissingRight("service_tickets.inquire".into());
        assert_eq!(
            record.blocked.unwrap().reason,
            missing,
            "a person must decide"
        );
        assert_eq!(
            env.connectwise.count_calls("POST /service/tickets").await,
            2
        );

        // A complete search continues where the alert stopped.
        env.connectwise.set_faults(shown).await;
        let look = vec![reconsider(&key(TENANT, "a1"))];
        env.worker.handle_until_done(look, 101, 1).await;
        assert!(env.record("a1").await.unwrap().open().is_some());
    }
}

/// A person deleted the sentinel. No ticket is hidden here.
#[tokio::test]
async fn a_deleted_sentinel_is_not_required() {
    let renamed = json!([{ "op": "replace", "path": "externalXRef", "value": "INC-7" }]);
    for (method, change) in [
        (reqwest::Method::DELETE, None),
        (reqwest::Method::PATCH, Some(renamed)),
    ] {
        let mut env = TestEnvironment::new().await;
        let (sentinel, raised) = uncertain_beside_a_sentinel(&mut env).await;
        env.connectwise
            .call_as_technician(method.clone(), &sentinel, change)
            .await;
        env.worker.handle_until_done(raised, 11, 3).await;
        assert!(env.record("a1").await.unwrap().open().is_some(), "{method}");
        assert_eq!(
            env.connectwise.count_calls("POST /service/tickets").await,
            3,
            "{method}"
        );
        let ticket_index = ticket_index(&env).await;
        let sentinels = ticket_index.sentinels.values().flat_map(|of| &of.tickets);
        let ticket_refs: Vec<_> = sentinels.map(|of| of.ticket_ref.item_key()).collect();
        assert_eq!(ticket_refs, [key(TENANT, "a1").item_key()], "{method}");
    }
}

#[tokio::test]
async fn a_lost_table_doubles_no_ticket() {
    let mut env = TestEnvironment::new().await;
    let mut events = raises(0..50);
    events.extend((50..60).flat_map(raise_and_resolve));
    let messages = env.post_and_take(&events).await;
    env.worker.handle_until_done(messages.clone(), 0, 1).await;
    let before = env.connectwise.tickets().await;
    assert_eq!(before.iter().filter(|ticket| is_open(ticket)).count(), 50);

    env.database.delete_all_alerts().await;
    // In other orders: raises of closed tickets before their resolves, and the other way round.
    let mut again = messages;
    again.reverse();
    env.worker.handle_until_done(again, 1, 1).await;
    let after = env.connectwise.tickets().await;
    assert_eq!(after.len(), 60, "no ticket is new");
    assert_eq!(after.iter().filter(|ticket| is_open(ticket)).count(), 50);
    assert_eq!(
        env.connectwise.count_calls("POST /service/tickets").await,
        60
    );
    let mut adopted = 0;
    for n in 0..50 {
        let record = env.record(&format!("a{n}")).await.unwrap();
        let open = record.open().unwrap();
        let ticket = before.iter().find(|ticket| ticket["id"] == open.ticket_id);
        assert_eq!(
            ticket.unwrap()["externalXRef"],
            record.occurrence_ref().as_str()
        );
        adopted += 1;
    }
    assert_eq!(adopted, 50);
    env.process(&[resolved_event("r1", "a1", 9)], 2).await;
    assert_eq!(env.connectwise.count_open().await, 49);
}

#[tokio::test]
async fn a_resolve_closes_a_ticket_missing_from_the_table() {
    let mut env = TestEnvironment::new().await;
    env.process(&[raised_event("e1", "a1", 0)], 0).await;
    env.database.delete_all_alerts().await;
    env.process(&[resolved_event("e2", "a1", 5)], 1).await;
    assert!(!is_open(&env.connectwise.tickets().await[0]));
}

#[tokio::test]
async fn a_new_ticket_costs_one_call() {
    let mut env = TestEnvironment::new().await;
    env.database.delete_all_alerts().await;
    let events = raises(0..40);
    env.process(&events[..1], 0).await;
    assert_eq!(
        env.connectwise.calls().await,
        ["GET /service/tickets", "POST /service/tickets"],
        "one search for existing tickets"
    );
    let before = env.connectwise.calls().await.len();
    env.process(&events[1..], 0).await;
    assert_eq!(env.connectwise.calls().await.len() - before, 39);
}

#[tokio::test]
async fn a_person_releases_a_refused_alert() {
    let mut env = TestEnvironment::new().await;
    let mut wrong = settings();
    wrong.operations.types = [(domain::Kind::parse("disk").unwrap(), 999_999)].into();
    env.put_settings(&wrong).await;
    env.process(&[raised_event("e1", "a1", 0)], 0).await;
    let record = env.record("a1").await.unwrap();
    let blocked = record.blocked.clone().unwrap();
    let rejected = record.with_blocked(Blocked::Rejected("no".into()), None, blocked.since);
    env.alerts.write(&rejected).await.unwrap();
    env.put_settings(&settings()).await;
    env.reconsider("a1", 1).await;
    assert!(
        env.record("a1").await.unwrap().open().is_none(),
        "not automatically"
    );
    let release = domain::wire::message::Message::Release(key(TENANT, "a1"));
    env.worker
        .handle_until_done(vec![crate::environment::record_of(&release)], 2, 1)
        .await;
    assert!(env.record("a1").await.unwrap().open().is_some());
}

#[tokio::test]
async fn an_event_repeated_after_three_days_changes_nothing() {
    let mut env = TestEnvironment::new().await;
    let raised = env.post_and_take(&[raised_event("e1", "a1", 0)]).await;
    env.worker.handle_until_done(raised.clone(), 0, 1).await;
    let record = env.record("a1").await.unwrap();
    let calls = env.connectwise.calls().await.len();
    let mut again = raised;
    again[0].message_id = Some("another".into());
    env.worker.handle_until_done(again, 3 * 24 * 60, 1).await;
    assert_eq!(env.record("a1").await.unwrap(), record);
    assert_eq!(env.connectwise.calls().await.len(), calls);
}

#[tokio::test]
async fn workers_with_ten_minutes_of_clock_skew_make_one_ticket() {
    for (first, second) in [(-10, 0), (10, 0), (0, -10), (-10, 10)] {
        let mut env = TestEnvironment::new().await;
        env.set_fault("lost_answer_rate", 1.0).await;
        let raised = env.post_and_take(&[raised_event("e1", "a1", 0)]).await;
        let raised = env.worker.handle_at(raised, first).await;
        env.set_fault("lost_answer_rate", 0.0).await;
        env.worker.handle_until_done(raised, second, 1).await;
        assert!(env.record("a1").await.unwrap().open().is_some());
        let posts = env.connectwise.count_calls("POST /service/tickets").await;
        assert_eq!(posts, 1, "{first} {second}");
    }
}

#[tokio::test]
async fn a_slow_connectwise_does_not_exceed_the_deadline() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("latency_ms", 30_000).await;
    let events = raises(0..10);
    let messages = env.post_and_take(&events).await;
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(8);
    let invocation = env.worker.invocation_at(jiff::Timestamp::now(), 8);
    let back = env.worker.handle_batch(&messages, &invocation).await;
    assert!(jiff::Timestamp::now() < ends, "Lambda would have ended it");
    assert_eq!(back.len(), 10);
    env.set_fault("latency_ms", 0).await;
    env.worker.handle_until_done(back, 12, 1).await;
    for n in 0..10 {
        let record = env.record(&format!("a{n}")).await.unwrap();
        assert!(record.open().is_some(), "{record:?}");
    }
}

#[tokio::test]
async fn a_close_delayed_after_its_note_is_noted_once() {
    let mut env = TestEnvironment::new().await;
    env.process(&[raised_event("e1", "a1", 0)], 0).await;
    // The ticket is read and noted. The close exceeds the limit.
    env.set_fault("rate_limit_per_minute", 2).await;
    let resolved = env.post_and_take(&[resolved_event("e2", "a1", 5)]).await;
    let resolved = env.worker.handle_at(resolved, 1).await;
    env.set_fault("rate_limit_per_minute", 0).await;
    let ticket = env.connectwise.tickets().await[0].clone();
    assert!(is_open(&ticket) && resolved.len() == 1);
    let other = env.new_tickets_app();
    env.worker.app = other;
    env.worker.handle_until_done(resolved, 3, 1).await;
    assert!(!is_open(&env.connectwise.tickets().await[0]));
    env.connectwise.assert_noted(&ticket, &["[tb "]).await;
    let record = env.record("a1").await.unwrap();
    assert_closed_by(&record, ClosedBy::Us);
}

#[tokio::test]
async fn a_delayed_repair_writes_each_note_once() {
    let mut env = TestEnvironment::new().await;
    two_tickets(&mut env).await;
    // The search, the duplicate's read and note, and the other ticket's read. Its note exceeds the limit.
    env.set_fault("rate_limit_per_minute", 4).await;
    let look = vec![reconsider(&key(TENANT, "a1"))];
    let back = env.worker.handle_at(look, 90).await;
    env.set_fault("rate_limit_per_minute", 0).await;
    assert_eq!(back.len(), 1);
    let other = env.new_tickets_app();
    env.worker.app = other;
    env.worker.handle_until_done(back, 92, 1).await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.iter().filter(|ticket| is_open(ticket)).count(), 1);
    for ticket in &tickets {
        env.connectwise.assert_noted(ticket, &["[tb "]).await;
    }
    assert!(env.record("a1").await.unwrap().duplicates.is_empty());
}

/// A note for customers has no mark. It is found by its text and its time.
#[tokio::test]
async fn a_note_for_customers_without_an_answer_is_written_once() {
    for newlines in ["kept", "flattened"] {
        let mut env = TestEnvironment::new().await;
        let mut own = settings();
        own.notes_for_customers = true;
        env.put_settings(&own).await;
        env.process(&[raised_event("e1", "a1", 0)], 0).await;
        let lost = json!({
            "variants": { "newlines": newlines },
            // ConnectWise's own clock is no evidence.
            "clock": { "records_seconds": -7200 },
            "rules": [{ "when": { "operations": ["note"] }, "then": "lost", "times": 1 }],
        });
        env.connectwise.set_faults(lost).await;
        let resolved = env.post_and_take(&[resolved_event("e2", "a1", 5)]).await;
        let back = env.worker.handle_at(resolved, 1).await;
        assert_eq!(back.len(), 1, "uncertain");
        // The partner makes the notes internal meanwhile: the note is found nevertheless.
        env.put_settings(&settings()).await;
        env.worker.handle_until_done(back, 12, 1).await;
        let ticket = env.connectwise.tickets().await.remove(0);
        assert!(!is_open(&ticket));
        let words = ["Ticketbridge closes this ticket"];
        env.connectwise.assert_noted(&ticket, &words).await;
        let mut notes = env.connectwise.notes(&ticket).await;
        notes.retain(|note| note["resolutionFlag"] == true);
        assert_eq!(notes.len(), 1, "{notes:?}");
        let text = notes[0]["text"].as_str().unwrap();
        assert!(
            !text.contains('[') && text.contains("Written by Ticketbridge at "),
            "{text}"
        );
    }
}
