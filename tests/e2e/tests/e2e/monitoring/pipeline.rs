//! Ticketbridge's own incidents, and the mails that its operator gets.

use domain::EmailAddress;
use domain::monitoring::pipeline::{PipelineIssue, Schedule, issues};
use jiff::{SignedDuration, Timestamp};
use scheduled::Driver;
use serde_json::{Value, json};
use store::OperatorEvent;

use crate::environment::{MAIL_FROM, TestEnvironment, after, minute, raised_event};
use crate::monitoring::metrics::CapturedMetrics;

const OPERATOR: &str = "oncall@operator.example";

fn health(env: &TestEnvironment, mail_from: &str) -> Driver<health::HealthJob> {
    let config = health::Config {
        mail_from: mail_from.into(),
        operator_mail: Some(EmailAddress::parse(OPERATOR).unwrap()),
        stack: "test".into(),
        ..env.health_config()
    };
    health::driver(&config, &env.aws).unwrap()
}

/// One tick of health, just after one of reconcile.
async fn tick(env: &TestEnvironment, app: &Driver<health::HealthJob>, at: Timestamp) {
    let reconciled = env.config.monitoring.record_tick(Schedule::Reconcile, at);
    reconciled.await.unwrap();
    app.handle(json!({}), &minute(at)).await.unwrap();
}

/// The subjects of the operator's mails.
async fn notified(env: &TestEnvironment) -> Vec<String> {
    let mails = env.account.mails().await;
    let to_operator = |mail: &&Value| mail["To"].to_string().contains(OPERATOR);
    let subject = |mail: &Value| mail["Subject"].as_str().unwrap().to_owned();
    mails.iter().filter(to_operator).map(subject).collect()
}

const WRONG: &str = "Ticketbridge stack test: something is wrong";
const STILL: &str = "Ticketbridge stack test: something is still wrong";
const OVER: &str = "Ticketbridge stack test: all is well again";

#[tokio::test]
async fn the_operator_is_notified_reminded_daily_and_informed_of_the_end() {
    let mut env = TestEnvironment::new().await;
    let (app, now) = (health(&env, MAIL_FROM), Timestamp::now());
    let at = |minutes: i64| now + SignedDuration::from_mins(minutes);
    tick(&env, &app, now).await;
    assert_eq!(notified(&env).await, [""; 0]);
    env.queue.send("not a message").await;
    env.worker.work().await;
    for minute in 1..12 {
        tick(&env, &app, at(minute)).await;
    }
    assert_eq!(notified(&env).await, [WRONG]);
    let mail = env.account.mails().await.pop().unwrap();
    let text = mail["BodyText"].as_str().unwrap();
    assert!(
        text.contains("1 message is in the dead-letter queue")
            && text.contains("docs/runbook.md, DeadLettersAlarm"),
        "{text}"
    );
    tick(&env, &app, at(1439)).await;
    assert_eq!(notified(&env).await, [WRONG]);
    tick(&env, &app, at(1441)).await;
    tick(&env, &app, at(1442)).await;
    assert_eq!(notified(&env).await, [WRONG, STILL]);

    // Held closings are another incident, which is notified at once.
    let held = env
        .config
        .monitoring
        .record_event(OperatorEvent::ClosingsHeld, at(1443));
    held.await.unwrap();
    tick(&env, &app, at(1443)).await;
    assert_eq!(notified(&env).await, [WRONG, STILL, WRONG]);

    let sqs = aws_sdk_sqs::Client::new(&env.aws);
    let purge = sqs.purge_queue().queue_url(&env.dead_letter_queue.url);
    purge.send().await.unwrap();
    for minute in [1505, 1510, 1519] {
        tick(&env, &app, at(minute)).await;
    }
    assert_eq!(notified(&env).await.len(), 3, "not quiet for long enough");
    tick(&env, &app, at(1520)).await;
    tick(&env, &app, at(1521)).await;
    assert_eq!(notified(&env).await, [WRONG, STILL, WRONG, OVER]);
}

#[tokio::test]
async fn concurrent_ticks_notify_the_operator_once() {
    let mut env = TestEnvironment::new().await;
    env.queue.send("not a message").await;
    env.worker.work().await;
    let now = Timestamp::now();
    let failing = health(&env, "contact@unverified.example");
    tick(&env, &failing, now).await;
    assert_eq!(notified(&env).await, [""; 0]);
    let state = env.config.monitoring.read().await.unwrap().state;
    assert_eq!(state.mails_failed.map(|failed| failed.count), Some(1));

    let app = health(&env, MAIL_FROM);
    let ticks = (0..4).map(|_| tick(&env, &app, after(now, 60)));
    futures_util::future::join_all(ticks).await;
    assert_eq!(notified(&env).await, [WRONG]);
    let mail = env.account.mails().await.pop().unwrap();
    let text = mail["BodyText"].as_str().unwrap();
    assert!(text.contains("did not accept mails (1 so far)"), "{text}");
    tick(&env, &app, after(now, 120)).await;
    assert_eq!(notified(&env).await, [WRONG]);
    env.dead_letter_queue.expect_leftovers(1);
}

#[tokio::test]
async fn each_schedule_detects_that_the_other_stopped() {
    let env = TestEnvironment::new().await;
    let (app, now) = (health(&env, MAIL_FROM), Timestamp::now());
    tick(&env, &app, now).await;
    let alone = async |minutes: i64| {
        let at = minute(now + SignedDuration::from_mins(minutes));
        app.handle(json!({}), &at).await.unwrap();
    };
    alone(9).await;
    assert_eq!(notified(&env).await, [""; 0]);
    alone(11).await;
    assert_eq!(notified(&env).await, [WRONG]);

    // The other way round, reconcile can only count and log.
    let metrics = CapturedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    let reconcile = env.reconcile();
    for (minutes, missed) in [(20, 0.0), (22, 1.0)] {
        let at = now + SignedDuration::from_mins(minutes);
        env.schedule.tick(&reconcile, at).await;
        let counted = metrics.value("schedules_missed");
        assert!((counted - missed).abs() < 0.1, "{minutes}: {metrics:?}");
    }
}

#[tokio::test]
async fn an_event_that_keeps_returning_is_notified_by_its_age() {
    let mut env = TestEnvironment::new().await;
    let metrics = CapturedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    // Creates with unknown outcome: their messages wait until the settling time has passed.
    env.set_fault("error_rate", 1.0).await;
    let events = ["a1", "a2", "a3"].map(|alert| raised_event(alert, alert, 0));
    let messages = env.post_and_take(&events).await;
    let back = env.worker.handle_at(messages, 0).await;
    assert!(!back.is_empty());
    let unfinished = async || env.config.monitoring.read().await.unwrap().state.unfinished;
    assert_eq!(unfinished().await, None, "its wait is ordinary");

    env.set_fault("error_rate", 0.0).await;
    let back = env.worker.handle_at(back, 45).await;
    assert!(!back.is_empty());
    let age = metrics.value("unfinished_age");
    assert!((2650.0..2760.0).contains(&age), "{age}");
    let now = Timestamp::now() + SignedDuration::from_mins(46);
    let pipeline = env.config.monitoring.read().await.unwrap();
    let wrong = issues(&pipeline.state, now);
    assert!(wrong.contains(&PipelineIssue::Unfinished), "{pipeline:?}");

    env.worker.handle_until_done(back, 50, 5).await;
    assert_eq!(env.connectwise.tickets().await.len(), 3);
    let later = now + SignedDuration::from_mins(20);
    let state = env.config.monitoring.read().await.unwrap().state;
    assert!(!issues(&state, later).contains(&PipelineIssue::Unfinished));
}

#[tokio::test]
async fn the_oldest_unfinished_event_is_tracked_until_it_is_done() {
    let env = TestEnvironment::new().await;
    let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
    let at = |minutes: i64| now + SignedDuration::from_mins(minutes);
    for (sent, seen, kept) in [
        (-20, 0, -20),
        // A younger event does not count while the older one is unfinished.
        (-12, 5, -20),
        (-20, 10, -20),
        (-15, 24, -20),
        // The older event was not seen for 15 minutes: it counts as done.
        (-12, 26, -12),
    ] {
        env.config
            .monitoring
            .record_unfinished(at(sent), at(seen))
            .await
            .unwrap();
        let unfinished = env.config.monitoring.read().await.unwrap().state.unfinished;
        assert_eq!(unfinished.unwrap().sent_at, at(kept), "{sent} {seen}");
    }
}
