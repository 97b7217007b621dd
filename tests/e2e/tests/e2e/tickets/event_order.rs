//! Senders with wrong clocks, without clocks, and with retries: exactly one ticket for each occurrence.

use crate::environment::{SECRET, SOURCE, TestEnvironment, assert_closed_by, event, signed};
use crate::reconcile::closing::run_reconcile;
use crate::reconcile::drift::close_by_technician;
use crate::reconcile::drift::raise_alerts;
use domain::alert::record::ClosedBy;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// An event without a time.
fn without_time(kind: &str, id: &str) -> Value {
    let mut event = event(kind, id, "a1", 0);
    event.as_object_mut().unwrap().remove("time");
    event
}

fn at_time(kind: &str, id: &str, time: &str) -> Value {
    let mut event = event(kind, id, "a1", 0);
    event["time"] = time.into();
    event
}

/// Posts the event, signed and received so many seconds from now.
async fn received(env: &mut TestEnvironment, event: &Value, seconds: i64) {
    let body = event.to_string();
    let media = "application/cloudevents+json";
    let now = Timestamp::now() + SignedDuration::from_secs(seconds);
    let request = signed(SOURCE, SECRET, media, body.as_bytes(), now);
    let answer = env.source.receive(request, now).await;
    assert_eq!(answer.status_code, 202, "{answer:?}");
    env.worker.work().await;
}

/// The number of tickets, and the number of open ones.
async fn tickets(env: &TestEnvironment) -> (usize, usize) {
    let all = env.connectwise.tickets().await;
    let open = all.iter().filter(|ticket| ticket["closedFlag"] == false);
    (all.len(), open.count())
}

#[tokio::test]
async fn a_raise_retried_after_the_resolve_makes_no_ticket() {
    let mut env = TestEnvironment::new().await;
    let ahead = (Timestamp::now() + SignedDuration::from_mins(60)).to_string();
    for (round, raised, resolved) in [
        (
            1,
            without_time("alert.raised", "e1"),
            without_time("alert.resolved", "e2"),
        ),
        // A time that is later than every receipt.
        (
            2,
            at_time("alert.raised", "e3", &ahead),
            at_time("alert.resolved", "e4", &ahead),
        ),
        (
            3,
            at_time("alert.raised", "e5", "0001-01-01T00:00:00Z"),
            at_time("alert.resolved", "e6", "0001-01-01T00:00:00Z"),
        ),
    ] {
        let begin = i64::try_from(round).unwrap() * 100;
        received(&mut env, &raised, begin).await;
        received(&mut env, &raised, begin + 1).await;
        received(&mut env, &resolved, begin + 10).await;
        assert_eq!(tickets(&env).await, (round, 0), "round {round}");
        for seconds in [11, 60] {
            received(&mut env, &raised, begin + seconds).await;
            received(&mut env, &resolved, begin + seconds).await;
            assert_eq!(tickets(&env).await, (round, 0), "retried after {seconds} s");
        }
    }
}

#[tokio::test]
async fn a_retried_resolve_does_not_close_the_next_occurrence() {
    let mut env = TestEnvironment::new().await;
    let resolved = without_time("alert.resolved", "e2");
    received(&mut env, &without_time("alert.raised", "e1"), 0).await;
    received(&mut env, &resolved, 10).await;
    received(&mut env, &without_time("alert.raised", "e3"), 20).await;
    received(&mut env, &resolved, 30).await;
    assert_eq!(tickets(&env).await, (2, 1));
}

#[tokio::test]
async fn a_source_with_a_wrong_clock_gets_its_tickets_closed() {
    let mut env = TestEnvironment::new().await;
    let now = Timestamp::now();
    let from_now = |seconds| (now + SignedDuration::from_secs(seconds)).to_string();
    for (round, raise_stated, resolve_stated) in [(1, 240, 30), (2, 3600, 130), (3, 200, 140)] {
        let begin = i64::try_from(round).unwrap() * 300;
        let raised = at_time(
            "alert.raised",
            &format!("r{round}"),
            &from_now(begin + raise_stated),
        );
        let resolved = at_time(
            "alert.resolved",
            &format!("c{round}"),
            &from_now(begin + resolve_stated),
        );
        received(&mut env, &raised, begin).await;
        received(&mut env, &resolved, begin + 150).await;
        assert_eq!(tickets(&env).await, (round, 0), "round {round}");
    }
    // By a slow clock the alert was resolved before it was raised.
    let raised = at_time("alert.raised", "r4", &from_now(2000));
    received(&mut env, &raised, 2000).await;
    received(
        &mut env,
        &at_time("alert.resolved", "c4", &from_now(1760)),
        2060,
    )
    .await;
    assert_eq!(tickets(&env).await, (4, 0));
}

#[tokio::test]
async fn a_constant_event_time_still_separates_occurrences() {
    let mut env = TestEnvironment::new().await;
    let created = (Timestamp::now() - SignedDuration::from_hours(1)).to_string();
    let first = at_time("alert.raised", "r1", &created);
    for round in 1..=3 {
        let raised = at_time("alert.raised", &format!("r{round}"), &created);
        let resolved = at_time("alert.resolved", &format!("c{round}"), &created);
        received(&mut env, &raised, 20 * i64::try_from(round).unwrap()).await;
        assert_eq!(tickets(&env).await, (round, 1), "raised {round}");
        received(&mut env, &resolved, 20 * i64::try_from(round).unwrap() + 10).await;
        assert_eq!(tickets(&env).await, (round, 0), "resolved {round}");
        received(&mut env, &first, 20 * i64::try_from(round).unwrap() + 15).await;
        assert_eq!(tickets(&env).await, (round, 0), "delivered again");
    }
}

#[tokio::test]
async fn a_resolve_and_a_raise_at_one_time_lose_no_alert() {
    let mut env = TestEnvironment::new().await;
    let time = (Timestamp::now() - SignedDuration::from_secs(60)).to_string();
    let batch = json!([
        at_time("alert.resolved", "c", &time),
        at_time("alert.raised", "r", &time),
    ]);
    let body = batch.to_string();
    let media = "application/cloudevents-batch+json";
    let answer = env.source.post_raw(media, body).await;
    assert_eq!(answer.status_code, 202, "{answer:?}");
    env.worker.work().await;
    assert_eq!(tickets(&env).await, (1, 1));
}

#[tokio::test]
async fn zero_timestamps_are_ignored() {
    let mut env = TestEnvironment::new().await;
    let mut raised = at_time("alert.raised", "e1", "0001-01-01T00:00:00Z");
    raised["data"]["expires_at"] = "0001-01-01T00:00:00Z".into();
    received(&mut env, &raised, 0).await;
    let ticket = env.connectwise.tickets().await.remove(0);
    let begun: Timestamp = ticket["estimatedStartDate"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let age = Timestamp::now().duration_since(begun);
    assert!(age < SignedDuration::from_mins(5), "{begun}");
    let details = env.record("a1").await.unwrap().desired.details.unwrap();
    assert_eq!(details.expires_at, None);
}

#[tokio::test]
async fn only_a_raise_makes_a_ticket_after_a_manual_close() {
    let mut env = TestEnvironment::new().await;
    let first = raise_alerts(&mut env, &["a1".to_owned()]).await;
    close_by_technician(&env, first[0]).await;
    assert_eq!(run_reconcile(&mut env, 2).await, 1);
    for n in 0..5 {
        let repeat = without_time("alert.raised", &format!("beat{n}"));
        received(&mut env, &repeat, 10).await;
    }
    assert_eq!(tickets(&env).await, (1, 0), "the alert never ended");
    let record = env.record("a1").await.unwrap();
    assert_closed_by(&record, ClosedBy::Technician);
    received(&mut env, &without_time("alert.resolved", "c"), 20).await;
    received(&mut env, &without_time("alert.raised", "r2"), 30).await;
    assert_eq!(tickets(&env).await, (2, 1));
}

#[tokio::test]
async fn renewal_lets_a_heartbeat_make_the_next_ticket() {
    let mut env = TestEnvironment::new().await;
    let mut settings = crate::environment::settings();
    settings.operations.renew_after_hours = 2;
    let partner = crate::environment::partner();
    env.config.settings.put(&partner, &settings).await.unwrap();
    let first = raise_alerts(&mut env, &["a1".to_owned()]).await;
    close_by_technician(&env, first[0]).await;
    assert_eq!(run_reconcile(&mut env, 2).await, 1);
    received(&mut env, &without_time("alert.raised", "b1"), 3600).await;
    assert_eq!(tickets(&env).await, (1, 0));
    received(&mut env, &without_time("alert.raised", "b2"), 3 * 3600).await;
    assert_eq!(tickets(&env).await, (2, 1));
}
