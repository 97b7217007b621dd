//! Senders with wrong clocks, without clocks, and with retries: one ticket for each occurrence, and none too many.

use domain::record::{Actual, ClosedBy};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::{SECRET, SOURCE, World, event, signed};

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

/// The same body, signed anew and received so many seconds from now.
async fn received(world: &mut World, event: &Value, seconds: i64) {
    let body = event.to_string();
    let media = "application/cloudevents+json";
    let now = Timestamp::now() + SignedDuration::from_secs(seconds);
    let request = signed(SOURCE, SECRET, media, body.as_bytes(), now);
    let answer = world.ingest.handle_at(request, now).await;
    assert_eq!(answer.status_code, 202, "{answer:?}");
    world.work().await;
}

/// How many tickets there are, and how many of them are open.
async fn tickets(world: &World) -> (usize, usize) {
    let all = world.all_tickets().await;
    let open = all.iter().filter(|ticket| ticket["closedFlag"] == false);
    (all.len(), open.count())
}

#[tokio::test]
async fn a_webhook_that_is_retried_after_the_resolve_makes_no_second_ticket() {
    let mut world = World::new().await;
    let ahead = (Timestamp::now() + SignedDuration::from_mins(60)).to_string();
    for (round, raised, resolved) in [
        (
            1,
            without_time("alert.raised", "e1"),
            without_time("alert.resolved", "e2"),
        ),
        // A time that is ahead of every receipt.
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
        received(&mut world, &raised, begin).await;
        received(&mut world, &raised, begin + 1).await;
        received(&mut world, &resolved, begin + 10).await;
        assert_eq!(tickets(&world).await, (round, 0), "round {round}");
        for seconds in [11, 60] {
            received(&mut world, &raised, begin + seconds).await;
            received(&mut world, &resolved, begin + seconds).await;
            assert_eq!(
                tickets(&world).await,
                (round, 0),
                "retried after {seconds} s"
            );
        }
    }
}

#[tokio::test]
async fn a_retried_resolve_does_not_close_what_was_raised_anew() {
    let mut world = World::new().await;
    let resolved = without_time("alert.resolved", "e2");
    received(&mut world, &without_time("alert.raised", "e1"), 0).await;
    received(&mut world, &resolved, 10).await;
    received(&mut world, &without_time("alert.raised", "e3"), 20).await;
    received(&mut world, &resolved, 30).await;
    assert_eq!(tickets(&world).await, (2, 1));
}

#[tokio::test]
async fn a_source_with_a_fast_clock_or_with_two_clocks_has_its_tickets_closed() {
    let mut world = World::new().await;
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
        received(&mut world, &raised, begin).await;
        received(&mut world, &resolved, begin + 150).await;
        assert_eq!(tickets(&world).await, (round, 0), "round {round}");
    }
    // A slow clock says that the alert was resolved before it was raised.
    let raised = at_time("alert.raised", "r4", &from_now(2000));
    received(&mut world, &raised, 2000).await;
    received(
        &mut world,
        &at_time("alert.resolved", "c4", &from_now(1760)),
        2060,
    )
    .await;
    assert_eq!(tickets(&world).await, (4, 0));
}

#[tokio::test]
async fn a_source_that_puts_the_alerts_creation_time_into_every_event_gets_each_occurrence_its_ticket()
 {
    let mut world = World::new().await;
    let created = (Timestamp::now() - SignedDuration::from_hours(1)).to_string();
    let first = at_time("alert.raised", "r1", &created);
    for round in 1..=3 {
        let raised = at_time("alert.raised", &format!("r{round}"), &created);
        let resolved = at_time("alert.resolved", &format!("c{round}"), &created);
        received(&mut world, &raised, 20 * i64::try_from(round).unwrap()).await;
        assert_eq!(tickets(&world).await, (round, 1), "raised {round}");
        received(
            &mut world,
            &resolved,
            20 * i64::try_from(round).unwrap() + 10,
        )
        .await;
        assert_eq!(tickets(&world).await, (round, 0), "resolved {round}");
        received(&mut world, &first, 20 * i64::try_from(round).unwrap() + 15).await;
        assert_eq!(tickets(&world).await, (round, 0), "delivered again");
    }
}

#[tokio::test]
async fn a_batch_with_a_resolve_and_a_raise_of_one_time_loses_no_alert() {
    let mut world = World::new().await;
    let time = (Timestamp::now() - SignedDuration::from_secs(60)).to_string();
    let batch = json!([
        at_time("alert.resolved", "c", &time),
        at_time("alert.raised", "r", &time),
    ]);
    let body = batch.to_string();
    let media = "application/cloudevents-batch+json";
    let answer = world.post_raw(media, body.as_bytes()).await;
    assert_eq!(answer.status_code, 202, "{answer:?}");
    world.work().await;
    assert_eq!(tickets(&world).await, (1, 1));
}

#[tokio::test]
async fn a_zero_time_stands_on_no_ticket_and_a_zero_end_ends_nothing() {
    let mut world = World::new().await;
    let mut raised = at_time("alert.raised", "e1", "0001-01-01T00:00:00Z");
    raised["data"]["expires_at"] = "0001-01-01T00:00:00Z".into();
    received(&mut world, &raised, 0).await;
    let ticket = world.all_tickets().await.remove(0);
    let begun: Timestamp = ticket["estimatedStartDate"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let age = Timestamp::now().duration_since(begun);
    assert!(age < SignedDuration::from_mins(5), "{begun}");
    let details = world.record("a1").await.unwrap().desired.details.unwrap();
    assert_eq!(details.expires_at, None);
}

#[tokio::test]
async fn a_heartbeat_makes_no_ticket_after_a_technician_closed_it_and_a_raise_anew_does() {
    let mut world = World::new().await;
    let first = world.raised(&["a1".to_owned()]).await;
    world.closes(first[0]).await;
    assert_eq!(world.reconciled(2).await, 1);
    for beat in 0..5 {
        let beat = without_time("alert.raised", &format!("beat{beat}"));
        received(&mut world, &beat, 10).await;
    }
    assert_eq!(tickets(&world).await, (1, 0), "it never ended");
    let record = world.record("a1").await.unwrap();
    assert!(
        matches!(record.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Technician)
    );
    received(&mut world, &without_time("alert.resolved", "c"), 20).await;
    received(&mut world, &without_time("alert.raised", "r2"), 30).await;
    assert_eq!(tickets(&world).await, (2, 1));
}

#[tokio::test]
async fn a_heartbeat_makes_the_next_ticket_hours_after_a_technician_closed_it_where_that_is_wanted()
{
    let mut world = World::new().await;
    let mut settings = crate::world::settings();
    settings.operations.renew_after_hours = 2;
    let partner = crate::world::partner();
    world
        .config
        .settings
        .put(&partner, &settings)
        .await
        .unwrap();
    let first = world.raised(&["a1".to_owned()]).await;
    world.closes(first[0]).await;
    assert_eq!(world.reconciled(2).await, 1);
    received(&mut world, &without_time("alert.raised", "b1"), 3600).await;
    assert_eq!(tickets(&world).await, (1, 0));
    received(&mut world, &without_time("alert.raised", "b2"), 3 * 3600).await;
    assert_eq!(tickets(&world).await, (2, 1));
}
