//! What a technician reads on the page of an alert, one timeline for each thing that can happen to an
//! alert. The snapshot is the text of all of them.

use std::fmt::Write as _;
use std::time::Duration;

use domain::Kind;
use domain::alert::flapping::FlapRule;
use domain::alert::storm::StormRule;
use domain::setup::status_action::ActionKind;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::Connection;

use crate::environment::{
    DISABLED, OPERATIONS, TENANT, TestEnvironment, key, raised_event, reconsider, resolved_event,
    settings,
};
use crate::reconcile::closing::{run_reconcile, snapshot};
use crate::reconcile::maintenance::{save, window};

/// All timelines, each from an environment of its own.
#[derive(Default)]
struct Timelines {
    text: String,
    count: usize,
}

impl Timelines {
    /// Adds the page of the newest alert, without what differs from run to run.
    async fn add(&mut self, name: &str, env: TestEnvironment) {
        env.queue.allow_leftovers();
        let mut browser = env.setup.signed_in().await;
        let list = browser.get_json("activity").await.expect(200).json();
        let path = list["rows"][0]["path"].as_str().expect(name);
        let page = browser.get_json(path).await.expect(200).json();
        let text = |member: &str| page[member].as_str().unwrap_or_default().to_owned();
        let mut lines = vec![
            format!("== {name}"),
            format!("state: {}. {}", text("state"), text("words")),
            format!("next:  {}", text("next")),
        ];
        let steps = page["steps"].as_array().unwrap().iter();
        lines.extend(steps.map(|step| format!("  - {}", step["words"].as_str().unwrap())));
        // The simulator's first ticket is 10001.
        let timeline = lines.join("\n").replace("#1000", "#");
        writeln!(self.text, "{timeline}\n").unwrap();
        self.count += 1;
    }
}

fn raised(second: i64) -> Value {
    raised_event(&format!("r{second}"), "a1", second)
}

fn resolved(second: i64) -> Value {
    resolved_event(&format!("s{second}"), "a1", second)
}

/// An environment in which an alert was raised.
async fn with_alert() -> TestEnvironment {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised(0)).await;
    env
}

/// An environment in which an alert was raised after a fault was set.
async fn with_fault(name: &str, value: Value) -> TestEnvironment {
    let mut env = TestEnvironment::new().await;
    env.set_fault(name, value).await;
    env.deliver(&raised(0)).await;
    env
}

async fn act(env: &TestEnvironment, action: Value) {
    let ticket = env.connectwise.tickets().await[0]["id"].as_u64().unwrap();
    env.connectwise.act_on_ticket(ticket, &action).await;
}

async fn of_tickets(timelines: &mut Timelines) {
    timelines.add("created", with_alert().await).await;

    let mut env = with_alert().await;
    env.process(&[raised(60)], 61).await;
    timelines.add("repeated", env).await;

    let mut env = with_alert().await;
    let mut critical = raised(60);
    critical["data"]["severity"] = "critical".into();
    env.deliver(&critical).await;
    timelines.add("raised in severity", env).await;

    let mut env = with_alert().await;
    env.deliver(&resolved(60)).await;
    timelines
        .add("closed since the source resolved it", env)
        .await;

    let mut env = TestEnvironment::new().await;
    env.source.post_at(-15, &raised(-300)).await;
    env.worker.work().await;
    env.deliver(&snapshot("s1", 0, &["another"])).await;
    run_reconcile(&mut env, 10).await;
    timelines.add("closed since a list lacks it", env).await;

    let mut env = TestEnvironment::new().await;
    let mut expiring = raised(0);
    let end = Timestamp::now() + SignedDuration::from_secs(2);
    expiring["data"]["expires_at"] = end.to_string().into();
    env.deliver(&expiring).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    run_reconcile(&mut env, 10).await;
    timelines.add("closed since it expired", env).await;

    let mut env = TestEnvironment::new().await;
    let mut cyber = raised(0);
    cyber["data"]["kind"] = "ransomware_encryption".into();
    env.deliver(&cyber).await;
    env.deliver(&resolved(60)).await;
    timelines
        .add("resolved, and left to a technician", env)
        .await;
}

async fn of_technicians(timelines: &mut Timelines) {
    for (name, action) in [
        ("closed by a technician", json!("close")),
        ("deleted by a technician", json!("delete")),
        (
            "merged or moved by a technician",
            json!({ "reference": "INC-7" }),
        ),
    ] {
        let mut env = with_alert().await;
        act(&env, action).await;
        env.deliver(&raised(60)).await;
        timelines.add(name, env).await;
    }

    let mut env = TestEnvironment::new().await;
    let mut desired = settings();
    desired.operations.reopen_days = 7;
    env.put_settings(&desired).await;
    for event in [raised(0), resolved(60), raised(120)] {
        env.deliver(&event).await;
    }
    timelines
        .add("raised again, and its ticket reopened", env)
        .await;

    let mut env = with_alert().await;
    for event in [resolved(60), raised(120)] {
        env.deliver(&event).await;
    }
    timelines.add("raised again, with a new ticket", env).await;
}

async fn of_unknown_outcomes(timelines: &mut Timelines) {
    let mut env = TestEnvironment::new().await;
    env.set_fault("lost_answer_rate", json!(1.0)).await;
    let taken = env.post_and_take(&[raised(0)]).await;
    let taken = env.worker.handle_at(taken, 0).await;
    env.set_fault("lost_answer_rate", json!(0.0)).await;
    env.worker.handle_until_done(taken, 1, 1).await;
    timelines
        .add("an answer was lost, and the ticket found", env)
        .await;

    let mut env = TestEnvironment::new().await;
    env.set_fault("late_commit", json!({ "rate": 1.0, "seconds": 4.0 }))
        .await;
    let taken = env.post_and_take(&[raised(0)]).await;
    let taken = env.worker.handle_at(taken, 0).await;
    env.set_fault("late_commit", json!({ "rate": 0.0 })).await;
    env.worker.handle_until_done(taken, 11, 1).await;
    env.connectwise.wait_for_tickets(2).await;
    let look = vec![reconsider(&key(TENANT, "a1"))];
    env.worker.handle_until_done(look, 90, 1).await;
    timelines
        .add("a second ticket was found and closed", env)
        .await;
}

async fn of_blocks(timelines: &mut Timelines) {
    for (name, fault, value) in [
        ("the keys are refused", "keys", json!("revoked")),
        ("the clientId is refused", "client_id", json!("refused")),
        (
            "a right is missing",
            "missing_rights",
            json!(["service_tickets.add"]),
        ),
    ] {
        timelines.add(name, with_fault(fault, value).await).await;
    }

    let refusal = json!({ "status": 400, "body": { "custom": { "message": "Summary is odd" } } });
    let when = json!({ "operations": ["create"] });
    let rules = json!([{ "when": when, "then": { "answer": refusal } }]);
    timelines
        .add("ConnectWise rejects it", with_fault("rules", rules).await)
        .await;

    let mut env = TestEnvironment::new().await;
    let mut unmapped = raised(0);
    unmapped["data"]["tenant"] = "grove".into();
    env.deliver(&unmapped).await;
    timelines.add("its tenant is not mapped", env).await;

    let mut env = TestEnvironment::new().await;
    let mut off = raised(0);
    off["data"]["tenant"] = DISABLED.into();
    env.deliver(&off).await;
    timelines.add("its tenant is switched off", env).await;

    let mut env = TestEnvironment::new().await;
    let mut desired = settings();
    desired.kinds_off.insert(Kind::parse("disk").unwrap());
    env.put_settings(&desired).await;
    env.deliver(&raised(0)).await;
    timelines.add("its kind is switched off", env).await;

    let mut env = TestEnvironment::new().await;
    let connection = Connection {
        confirmed: false,
        ..env.connection().await
    };
    env.put_connection(&connection).await;
    env.deliver(&raised(0)).await;
    timelines.add("the set-up is not confirmed", env).await;

    let mut env = TestEnvironment::new().await;
    let confirmed = Connection {
        confirmed_at: Some(Timestamp::now()),
        ..env.connection().await
    };
    let connection = Connection {
        confirmed: false,
        ..confirmed.clone()
    };
    env.put_connection(&connection).await;
    let mut old = raised(0);
    let time = Timestamp::now() - SignedDuration::from_hours(100);
    old["time"] = time.to_string().into();
    env.deliver(&old).await;
    env.put_connection(&confirmed).await;
    env.reconsider("a1", 1).await;
    timelines.add("it is too old", env).await;

    let mut env = TestEnvironment::new().await;
    let mut desired = settings();
    desired.kinds_off.insert(Kind::parse("disk").unwrap());
    env.put_settings(&desired).await;
    env.deliver(&raised(0)).await;
    env.deliver(&resolved(60)).await;
    timelines.add("resolved before it had a ticket", env).await;
}

async fn of_outages(timelines: &mut Timelines) {
    let mut env = TestEnvironment::new().await;
    env.set_fault("outage", json!(true)).await;
    let mut messages = env.post_and_take(&[raised(0)]).await;
    for minutes in [0, 1, 5, 17] {
        messages = env.worker.handle_at(messages, minutes).await;
    }
    assert_eq!(messages.len(), 0);
    timelines.add("ConnectWise does not answer", env).await;

    let throttled = json!({ "all": true, "retry_after_seconds": 1800 });
    timelines
        .add(
            "ConnectWise asks for a long pause",
            with_fault("throttle", throttled).await,
        )
        .await;

    let mut env = TestEnvironment::new().await;
    let in_use = json!({ "answer": { "status": 409, "body": "json" } });
    let rule = json!({ "when": { "operations": ["create"] }, "then": in_use });
    env.set_fault("rules", json!([rule])).await;
    let mut message = env.post_and_take(&[raised(0)]).await.remove(0);
    let name = "ApproximateReceiveCount".to_owned();
    message.attributes.insert(name, "30".to_owned());
    env.worker.handle_at(vec![message], 0).await;
    timelines.add("several attempts failed", env).await;

    let mut env = TestEnvironment::new().await;
    let mut broken = settings();
    broken.operations.start_status = Some(999);
    env.put_settings(&broken).await;
    env.deliver(&raised(0)).await;
    timelines
        .add("ConnectWise does not accept a status", env)
        .await;
}

async fn of_rules(timelines: &mut Timelines) {
    let mut env = TestEnvironment::new().await;
    let mut desired = settings();
    let (raises, minutes) = (3, 30);
    desired.flapping = Some(FlapRule { raises, minutes });
    desired.operations.reopen_days = 1;
    env.put_settings(&desired).await;
    for n in 0..4 {
        env.deliver(&raised(10 * n)).await;
        env.deliver(&resolved(10 * n + 5)).await;
    }
    timelines.add("it comes and goes", env).await;

    let mut env = TestEnvironment::new().await;
    let mut desired = settings();
    let (alerts, minutes) = (3, 5);
    desired.storm = Some(StormRule { alerts, minutes });
    env.put_settings(&desired).await;
    for n in 0..5 {
        env.deliver(&raised_event(&format!("r{n}"), &format!("a{n}"), n))
            .await;
    }
    timelines.add("it is part of a storm", env).await;

    let mut env = TestEnvironment::new().await;
    let status = 223;
    let path = format!("/service/boards/{}/statuses/{status}", OPERATIONS.0);
    env.patch(&path, "closedStatus", true).await;
    let mut desired = settings();
    desired.operations.actions = [(ActionKind::WontFix, status)].into();
    env.put_settings(&desired).await;
    env.deliver(&raised(-300)).await;
    let ticket = env.connectwise.tickets().await[0]["id"].clone();
    let path = format!("/service/tickets/{ticket}");
    env.patch(&path, "status", json!({ "id": status })).await;
    run_reconcile(&mut env, 2).await;
    env.deliver(&resolved(60)).await;
    env.deliver(&raised(120)).await;
    timelines
        .add("a technician said that it is not to be fixed", env)
        .await;

    let mut env = TestEnvironment::new().await;
    save(
        &env.config,
        &[("patch-night", window(Timestamp::now(), None))],
    )
    .await;
    env.deliver(&raised(0)).await;
    timelines.add("a maintenance window holds it", env).await;

    let mut env = TestEnvironment::new().await;
    save(
        &env.config,
        &[("patch-night", window(Timestamp::now(), None))],
    )
    .await;
    env.deliver(&raised(0)).await;
    let mut browser = env.setup.signed_in().await;
    let list = browser.get_json("activity").await.expect(200).json();
    let path = list["rows"][0]["path"].as_str().unwrap();
    let page = browser.get_json(path).await.expect(200).json();
    let id = json!({ "id": page["id"] });
    browser.submit("activity-release", &id, 200).await;
    env.worker.work().await;
    timelines.add("a person released it", env).await;
}

async fn all() -> Timelines {
    let mut timelines = Timelines::default();
    of_tickets(&mut timelines).await;
    of_technicians(&mut timelines).await;
    of_unknown_outcomes(&mut timelines).await;
    of_blocks(&mut timelines).await;
    of_outages(&mut timelines).await;
    of_rules(&mut timelines).await;
    timelines
}

/// So many environments in one future need more than a test's stack.
const STACK: usize = 256 << 20;

#[test]
fn each_timeline_can_be_read_by_a_technician() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(all())
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run);
    let timelines = thread.unwrap().join().unwrap();
    assert!(timelines.count >= 33, "{}", timelines.count);
    insta::assert_snapshot!(timelines.text);
}
