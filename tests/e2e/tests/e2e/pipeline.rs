//! Ticketbridge's own trouble, and what its operator is told of it.

use domain::EmailAddress;
use domain::pipeline::{PipelineIssue, Schedule, issues};
use jiff::{SignedDuration, Timestamp};
use scheduled::Driver;
use serde_json::{Value, json};
use store::OperatorEvent;

use crate::counts::Counts;
use crate::ticks::{after, minute};
use crate::world::{MAIL_FROM, World, event};

const OPERATOR: &str = "oncall@operator.example";

fn health(world: &World, mail_from: &str) -> Driver<health::HealthJob> {
    let config = health::Config {
        mail_from: mail_from.into(),
        operator_mail: Some(EmailAddress::parse(OPERATOR).unwrap()),
        stage: "test".into(),
        ..world.health_config()
    };
    health::driver(&config, &world.aws).unwrap()
}

/// A tick at a time, with reconcile's own just before.
async fn tick(world: &World, app: &Driver<health::HealthJob>, at: Timestamp) {
    let reconciled = world.config.monitoring.record_tick(Schedule::Reconcile, at);
    reconciled.await.unwrap();
    app.handle(json!({}), &minute(at)).await.unwrap();
}

/// The subjects of the operator's mails.
async fn notified(world: &World) -> Vec<String> {
    let mails = world.mails().await;
    let to_operator = |mail: &&Value| mail["To"].to_string().contains(OPERATOR);
    let subject = |mail: &Value| mail["Subject"].as_str().unwrap().to_owned();
    mails.iter().filter(to_operator).map(subject).collect()
}

const WRONG: &str = "Ticketbridge test: something is wrong";
const STILL: &str = "Ticketbridge test: something is still wrong";
const OVER: &str = "Ticketbridge test: all is well again";

#[tokio::test]
async fn the_operator_is_told_once_reminded_daily_and_told_when_it_is_over() {
    let mut world = World::new().await;
    let (app, now) = (health(&world, MAIL_FROM), Timestamp::now());
    let at = |minutes: i64| now + SignedDuration::from_mins(minutes);
    tick(&world, &app, now).await;
    assert_eq!(notified(&world).await, [""; 0]);
    world.enqueue("no message of ours").await;
    world.work().await;
    for minute in 1..12 {
        tick(&world, &app, at(minute)).await;
    }
    assert_eq!(notified(&world).await, [WRONG]);
    let mail = world.mails().await.pop().unwrap();
    let text = mail["BodyText"].as_str().unwrap();
    assert!(
        text.contains("1 message is in the dead-letter queue")
            && text.contains("docs/runbook.md, DeadLettersAlarm"),
        "{text}"
    );
    tick(&world, &app, at(1439)).await;
    assert_eq!(notified(&world).await, [WRONG]);
    tick(&world, &app, at(1441)).await;
    tick(&world, &app, at(1442)).await;
    assert_eq!(notified(&world).await, [WRONG, STILL]);

    // Closings that are stopped are another trouble: it is told of at once.
    let held = world
        .config
        .monitoring
        .record_event(OperatorEvent::ClosingsHeld, at(1443));
    held.await.unwrap();
    tick(&world, &app, at(1443)).await;
    assert_eq!(notified(&world).await, [WRONG, STILL, WRONG]);

    let sqs = aws_sdk_sqs::Client::new(&world.aws);
    let purge = sqs.purge_queue().queue_url(&world.dead_letter_queue_url);
    purge.send().await.unwrap();
    for minute in [1505, 1510, 1519] {
        tick(&world, &app, at(minute)).await;
    }
    assert_eq!(notified(&world).await.len(), 3, "not calm for long enough");
    tick(&world, &app, at(1520)).await;
    tick(&world, &app, at(1521)).await;
    assert_eq!(notified(&world).await, [WRONG, STILL, WRONG, OVER]);
}

#[tokio::test]
async fn two_ticks_at_once_tell_the_operator_once_and_a_mail_that_fails_is_sent_by_the_next() {
    let mut world = World::new().await;
    world.enqueue("no message of ours").await;
    world.work().await;
    let now = Timestamp::now();
    let failing = health(&world, "nobody@unverified.example");
    tick(&world, &failing, now).await;
    assert_eq!(notified(&world).await, [""; 0]);
    let state = world.config.monitoring.read().await.unwrap().state;
    assert_eq!(state.mails_failed.map(|failed| failed.count), Some(1));

    let app = health(&world, MAIL_FROM);
    let ticks = (0..4).map(|_| tick(&world, &app, after(now, 60)));
    futures_util::future::join_all(ticks).await;
    assert_eq!(notified(&world).await, [WRONG]);
    let mail = world.mails().await.pop().unwrap();
    let text = mail["BodyText"].as_str().unwrap();
    assert!(text.contains("did not take mails (1 so far)"), "{text}");
    tick(&world, &app, after(now, 120)).await;
    assert_eq!(notified(&world).await, [WRONG]);
}

#[tokio::test]
async fn a_schedule_that_does_not_run_is_missed_by_the_other_one() {
    let world = World::new().await;
    let (app, now) = (health(&world, MAIL_FROM), Timestamp::now());
    tick(&world, &app, now).await;
    let alone = async |minutes: i64| {
        let at = minute(now + SignedDuration::from_mins(minutes));
        app.handle(json!({}), &at).await.unwrap();
    };
    alone(9).await;
    assert_eq!(notified(&world).await, [""; 0]);
    alone(11).await;
    assert_eq!(notified(&world).await, [WRONG]);

    // The other way round, a count and the log are all that reconcile has.
    let counts = Counts::default();
    let _guard = metrics::set_default_local_recorder(&counts);
    let reconcile = world.reconcile();
    for (minutes, missed) in [(20, 0.0), (22, 1.0)] {
        let at = now + SignedDuration::from_mins(minutes);
        world.tick(&reconcile, at).await;
        let counted = counts.of("schedules_missed");
        assert!((counted - missed).abs() < 0.1, "{minutes}: {counts:?}");
    }
}

#[tokio::test]
async fn an_event_that_comes_back_again_and_again_is_told_of_by_its_age() {
    let mut world = World::new().await;
    let counts = Counts::default();
    let _guard = metrics::set_default_local_recorder(&counts);
    // Creates of unknown outcome: their messages wait until ConnectWise has settled.
    world.faults(json!({ "error_rate": 1.0 })).await;
    let events = ["a1", "a2", "a3"].map(|alert| event("alert.raised", alert, alert, 0));
    let messages = world.taken(&events).await;
    let back = world.hand_over(messages, 0).await;
    assert!(!back.is_empty());
    let unfinished = async || {
        world
            .config
            .monitoring
            .read()
            .await
            .unwrap()
            .state
            .unfinished
    };
    assert_eq!(unfinished().await, None, "it is on its ordinary way");

    world.faults(json!({ "error_rate": 0.0 })).await;
    let back = world.hand_over(back, 45).await;
    assert!(!back.is_empty());
    let age = counts.of("unfinished_age");
    assert!((2650.0..2760.0).contains(&age), "{age}");
    let now = Timestamp::now() + SignedDuration::from_mins(46);
    let pipeline = world.config.monitoring.read().await.unwrap();
    let wrong = issues(&pipeline.state, now);
    assert!(wrong.contains(&PipelineIssue::Unfinished), "{pipeline:?}");

    world.until_done(back, 50, 5).await;
    assert_eq!(world.all_tickets().await.len(), 3);
    let later = now + SignedDuration::from_mins(20);
    let state = world.config.monitoring.read().await.unwrap().state;
    assert!(!issues(&state, later).contains(&PipelineIssue::Unfinished));
}

#[tokio::test]
async fn the_oldest_of_what_is_unfinished_is_remembered_until_it_is_seen_no_more() {
    let world = World::new().await;
    let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
    let at = |minutes: i64| now + SignedDuration::from_mins(minutes);
    for (sent, seen, kept) in [
        (-20, 0, -20),
        // A younger one says nothing while the older one is about.
        (-12, 5, -20),
        (-20, 10, -20),
        (-15, 24, -20),
        // Nobody has seen the older one for a quarter of an hour: it is done.
        (-12, 26, -12),
    ] {
        world
            .config
            .monitoring
            .record_unfinished(at(sent), at(seen))
            .await
            .unwrap();
        let unfinished = world
            .config
            .monitoring
            .read()
            .await
            .unwrap()
            .state
            .unfinished;
        assert_eq!(unfinished.unwrap().sent_at, at(kept), "{sent} {seen}");
    }
}
