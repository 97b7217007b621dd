//! Alerts that count as resolved without an event: they are missing from the source's snapshot, or they
//! were not repeated in time. Also every snapshot that must not close anything.

use aws_lambda_events::sqs::SqsMessage;
use domain::SourceId;
use domain::alert::record::ClosedBy;
use domain::wire::message::Message;
use domain::wire::webhook::{self, RequestTimes, SourcePolicy};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::environment::{
    COMPANY, SOURCE, TENANT, TestEnvironment, assert_closed_by, event, is_open, minute, partner,
    raised_event, record_of,
};
use crate::proxy::Refused;

/// When alerts are raised, in minutes from now.
const RAISED: i64 = -15;

fn from_now(minutes: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_mins(minutes)
}

/// A complete snapshot of `TENANT`'s active alerts, taken so many minutes from now.
pub(crate) fn snapshot(id: &str, minutes: i64, active: &[&str]) -> Value {
    part(id, minutes, active, (1, 1))
}

fn part(id: &str, minutes: i64, active: &[&str], (part, parts): (u32, u32)) -> Value {
    json!({
        "specversion": "1.0", "id": format!("{id}-{part}"), "source": "/test", "type": "alerts.snapshot",
        "data": {
            "tenant": TENANT, "snapshot_id": id, "taken_at": from_now(minutes).to_string(), "active": active,
            "part": part, "parts": parts,
        }
    })
}

/// Raises alerts 15 minutes ago, so that a snapshot that is taken now does not lag behind them.
async fn raise(env: &mut TestEnvironment, kind: &str, alerts: &[&str]) {
    for alert in alerts {
        let mut raised = raised_event(&format!("e{alert}"), alert, -300);
        raised["data"]["kind"] = kind.into();
        env.source.post_at(RAISED, &raised).await;
    }
    env.worker.work().await;
}

/// Runs reconcile so many minutes from now and works off its messages. Returns the number of commands.
pub(crate) async fn run_reconcile(env: &mut TestEnvironment, minutes: i64) -> usize {
    let at = from_now(minutes);
    let summary = env.run_reconcile(at).await;
    assert_eq!((summary.completed, summary.failed), (1, 0), "{summary:?}");
    env.worker.work().await;
    summary.totals.commands
}

/// Those of the alerts whose tickets are open in ConnectWise.
pub(crate) async fn open_alerts(env: &TestEnvironment, alerts: &[&str]) -> Vec<String> {
    let mut open = vec![];
    for alert in alerts {
        let ticket = env.find_ticket(alert, 1).await;
        if ticket.is_some_and(|ticket| is_open(&ticket)) {
            open.push((*alert).to_owned());
        }
    }
    open
}

/// Raises two alerts and sends a snapshot that lists only the first one.
async fn one_of_two_is_missing() -> TestEnvironment {
    let mut env = TestEnvironment::new().await;
    raise(&mut env, "disk", &["a0", "a1"]).await;
    env.deliver(&snapshot("s1", 0, &["a0"])).await;
    env
}

#[tokio::test]
async fn alerts_missing_from_a_snapshot_are_closed() {
    let mut env = TestEnvironment::new().await;
    raise(&mut env, "disk", &["a0", "a1", "a2", "a3"]).await;
    raise(&mut env, "ransomware_encryption", &["r0", "r1"]).await;
    env.deliver(&snapshot("s1", 0, &["a0", "a2", "r0"])).await;
    assert_eq!(run_reconcile(&mut env, 1).await, 3);
    let all = ["a0", "a1", "a2", "a3", "r0", "r1"];
    assert_eq!(open_alerts(&env, &all).await, ["a0", "a2", "r0", "r1"]);
    for (alert, done) in [
        ("a1", "Ticketbridge closes this ticket."),
        ("r1", "Nothing was closed"),
    ] {
        let ticket = env.find_ticket(alert, 1).await.unwrap();
        let words = ["its source's list of active alerts of", done];
        env.connectwise.assert_noted(&ticket, &words).await;
    }
    let record = env.record("a1").await.unwrap();
    assert_closed_by(&record, ClosedBy::Us);
    // The same snapshots again cause no command.
    let before = env.connectwise.journal().await.len();
    assert_eq!(run_reconcile(&mut env, 17).await, 0);
    let calls = env.connectwise.calls().await.split_off(before);
    assert!(
        calls.iter().all(|call| call.starts_with("GET ")),
        "{calls:?}"
    );
}

#[tokio::test]
async fn an_inconclusive_snapshot_closes_nothing() {
    let with = |mut event: Value, member: &str, value: Value| {
        event["data"][member] = value;
        event
    };
    let two = |id: &str, minutes| part(id, minutes, &["a0"], (1, 2));
    let taken_at = from_now(0).to_string();
    let snapshot_at =
        |id: &str, active: &str| with(snapshot(id, 0, &[active]), "taken_at", json!(taken_at));
    for (why, lists, minutes) in [
        ("it is empty", vec![snapshot("s1", 0, &[])], 1),
        ("a part is missing", vec![two("s1", 0)], 1),
        (
            "the parts are of two lists",
            vec![two("s1", 0), part("s1", -1, &["a9"], (2, 2))],
            1,
        ),
        (
            "the parts do not agree how many there are",
            vec![two("s1", 0), part("s1", 0, &["a9"], (2, 3))],
            1,
        ),
        (
            "it was taken soon after the last event was received",
            vec![snapshot("s1", -6, &["a0"])],
            1,
        ),
        (
            "several were taken soon after the last event was received",
            vec![snapshot("s1", -12, &["a0"]), snapshot("s2", -6, &["a0"])],
            1,
        ),
        (
            "it states another total",
            vec![with(snapshot("s1", 0, &["a0"]), "total", json!(2))],
            1,
        ),
        (
            "it was received again with other alerts",
            vec![snapshot_at("s1", "a0"), snapshot_at("s1", "a9")],
            1,
        ),
        (
            "it lists the alert's id in capitals",
            vec![snapshot("s1", 0, &["a0", "A1"])],
            1,
        ),
        (
            "it was taken before the last event",
            vec![snapshot("s1", -21, &["a0"]), snapshot("s2", -22, &["a0"])],
            1,
        ),
        (
            "it is of the day before",
            vec![snapshot("s1", 0, &["a0"])],
            25 * 60,
        ),
        (
            "it covers other kinds",
            vec![with(snapshot("s1", 0, &["a0"]), "kinds", json!(["cpu"]))],
            1,
        ),
        (
            "it is of another customer",
            vec![with(
                snapshot("s1", 0, &["a0"]),
                "tenant",
                json!("other-dental"),
            )],
            1,
        ),
        (
            "a newer one is incomplete",
            vec![snapshot("s1", 0, &["a0"]), two("s2", 1)],
            2,
        ),
    ] {
        let mut env = TestEnvironment::new().await;
        raise(&mut env, "disk", &["a0", "a1"]).await;
        for list in &lists {
            env.source.post(list).await;
        }
        env.worker.work().await;
        assert_eq!(run_reconcile(&mut env, minutes).await, 0, "{why}");
        assert_eq!(
            open_alerts(&env, &["a0", "a1"]).await,
            ["a0", "a1"],
            "{why}"
        );
    }
}

/// An alert that began long before it was reported: the receipt counts, not the alert's own time.
#[tokio::test]
async fn a_lagging_snapshot_does_not_close_a_new_alert() {
    let mut env = TestEnvironment::new().await;
    for alert in ["a0", "a1"] {
        let old = raised_event(&format!("e{alert}"), alert, -7200);
        env.source.post(&old).await;
    }
    env.worker.work().await;
    for (id, seconds) in [("s1", -2), ("s2", 0)] {
        let mut list = snapshot(id, 0, &["a0"]);
        let taken = Timestamp::now() + SignedDuration::from_secs(seconds);
        list["data"]["taken_at"] = taken.to_string().into();
        env.source.post(&list).await;
    }
    env.worker.work().await;
    assert_eq!(run_reconcile(&mut env, 1).await, 0);
    env.source.post_at(11, &snapshot("s3", 11, &["a0"])).await;
    env.worker.work().await;
    assert_eq!(run_reconcile(&mut env, 17).await, 1);
    assert_eq!(open_alerts(&env, &["a0", "a1"]).await, ["a0"]);
}

#[tokio::test]
async fn empty_snapshots_close_the_last_alerts() {
    let mut env = TestEnvironment::new().await;
    raise(&mut env, "disk", &["a0", "a1"]).await;
    for (id, minutes) in [("s1", 0), ("s2", 15)] {
        env.source
            .post_at(minutes, &snapshot(id, minutes, &[]))
            .await;
        env.worker.work().await;
        assert_eq!(run_reconcile(&mut env, minutes + 1).await, 0);
    }
    env.source.post_at(31, &snapshot("s3", 31, &[])).await;
    env.worker.work().await;
    assert_eq!(run_reconcile(&mut env, 32).await, 2);
    assert!(open_alerts(&env, &["a0", "a1"]).await.is_empty());

    let mut env = TestEnvironment::new().await;
    raise(&mut env, "disk", &["a0", "a1"]).await;
    let mut stated = snapshot("s1", 0, &[]);
    stated["data"]["total"] = 0.into();
    env.deliver(&stated).await;
    assert_eq!(run_reconcile(&mut env, 1).await, 2);
    assert!(open_alerts(&env, &["a0", "a1"]).await.is_empty());
}

#[tokio::test]
async fn an_id_spelled_differently_in_a_snapshot_is_reported() {
    let mut env = TestEnvironment::new().await;
    raise(&mut env, "disk", &["a0", "a1"]).await;
    env.deliver(&snapshot("s1", 0, &["A0", "a1"])).await;
    assert_eq!(run_reconcile(&mut env, 1).await, 0);
    let state = env.config.monitoring.read().await.unwrap().state;
    assert_eq!(state.similar_ids.map(|happened| happened.count), Some(1));
    let mut again = snapshot("s2", 2, &["a0", "a1"]);
    again["data"]["taken_at"] = from_now(2).to_string().into();
    env.source.post_at(2, &again).await;
    env.worker.work().await;
    assert_eq!(run_reconcile(&mut env, 17).await, 0);
    let state = env.config.monitoring.read().await.unwrap().state;
    assert_eq!(state.similar_ids.map(|happened| happened.count), Some(1));
}

#[tokio::test]
async fn a_snapshot_part_makes_its_partner_due() {
    let mut env = TestEnvironment::new().await;
    raise(&mut env, "disk", &["a0", "a1"]).await;
    assert_eq!(run_reconcile(&mut env, 0).await, 0);
    let is_due = async |env: &TestEnvironment, minutes| {
        let due = &env.schedule.due;
        let task = domain::monitoring::pipeline::Schedule::Reconcile;
        due.list(task, from_now(minutes), 9).await.unwrap() == [partner()]
    };
    env.deliver(&snapshot("s1", 0, &["a0"])).await;
    assert!(is_due(&env, 1).await);
    let summary = env.schedule.tick(&env.reconcile(), from_now(1)).await;
    assert_eq!(summary.totals.commands, 1, "{summary:?}");
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn an_alert_without_heartbeats_is_closed() {
    let mut env = TestEnvironment::new().await;
    for (n, (alert, minutes)) in [("a0", 2), ("a1", 2), ("a2", 60)].into_iter().enumerate() {
        let mut raised = raised_event(&format!("e{n}"), alert, 0);
        raised["data"]["expires_at"] = from_now(minutes).to_string().into();
        env.source.post(&raised).await;
    }
    env.worker.work().await;
    let mut repeated = event("alert.updated", "e9", "a1", 60);
    repeated["data"]["expires_at"] = from_now(90).to_string().into();
    env.deliver(&repeated).await;
    assert_eq!(run_reconcile(&mut env, 1).await, 0);
    // The end of the alert's time-out makes the partner due, whatever its regular time is.
    let summary = env.schedule.tick(&env.reconcile(), from_now(3)).await;
    assert_eq!(summary.totals.commands, 1, "{summary:?}");
    env.worker.work().await;
    assert_eq!(open_alerts(&env, &["a0", "a1", "a2"]).await, ["a1", "a2"]);
    let ticket = env.find_ticket("a0", 1).await.unwrap();
    let words = ["it expired at", "closes this ticket"];
    env.connectwise.assert_noted(&ticket, &words).await;
}

#[tokio::test]
async fn a_blocked_alert_that_was_resolved_gets_no_ticket() {
    let mut env = TestEnvironment::new().await;
    env.set_fault("keys", "revoked").await;
    let raised = [
        raised_event("e0", "a0", -300),
        raised_event("e1", "a1", -300),
    ];
    env.process(&raised, 0).await;
    assert_eq!(env.blocked_keys().await.len(), 2);
    // Taken late enough not to lag behind the alerts.
    env.source.post_at(11, &snapshot("s1", 11, &["a0"])).await;
    env.worker.work().await;
    env.set_fault("keys", "ok").await;
    env.close_breaker().await;
    assert_eq!(run_reconcile(&mut env, 1).await, 1);
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    assert_eq!(open_alerts(&env, &["a0", "a1"]).await, ["a0"]);
}

#[tokio::test]
async fn a_close_command_is_void_after_a_newer_event() {
    let mut env = one_of_two_is_missing().await;
    let at = from_now(1);
    assert_eq!(env.run_reconcile(at).await.totals.commands, 1);
    let (commands, receipts) = env.queue.receive().await;
    // The alert is repeated before the command arrives.
    env.queue.make_visible(&receipts).await;
    let repeated = raised_event("e9", "a1", 0);
    let repeated = message_of(&repeated);
    env.worker.handle_until_done(vec![repeated], 0, 1).await;
    for _ in 0..2 {
        let invocation = env.worker.invocation(60);
        let again = env.worker.app.handle(commands.clone(), &invocation).await;
        assert_eq!(again.batch_item_failures.len(), 0);
    }
    assert_eq!(open_alerts(&env, &["a0", "a1"]).await, ["a0", "a1"]);
    assert!(env.record("a1").await.unwrap().desired.active);
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn a_command_delivered_twice_is_executed_once() {
    let mut env = one_of_two_is_missing().await;
    let at = from_now(1);
    assert_eq!(env.run_reconcile(at).await.totals.commands, 1);
    let (commands, receipts) = env.queue.receive().await;
    let twice = [commands.clone(), commands];
    for commands in twice {
        let invocation = env.worker.invocation(60);
        let answer = env.new_tickets_app().handle(commands, &invocation).await;
        assert_eq!(answer.batch_item_failures.len(), 0);
    }
    env.queue.make_visible(&receipts).await;
    env.worker.work().await;
    let ticket = env.find_ticket("a1", 1).await.unwrap();
    let words = ["is resolved"];
    env.connectwise.assert_noted(&ticket, &words).await;
}

#[tokio::test]
async fn a_closed_alert_that_repeats_gets_its_next_ticket() {
    let mut env = one_of_two_is_missing().await;
    assert_eq!(run_reconcile(&mut env, 1).await, 1);
    // The snapshot was wrong: an update makes the alert active like a raise.
    env.deliver(&event("alert.updated", "e9", "a1", 0)).await;
    let next = env.find_ticket("a1", 2).await.unwrap();
    assert!(is_open(&next));
    assert_eq!(env.connectwise.tickets().await.len(), 3);
}

#[tokio::test]
async fn closing_needs_no_ticket_list_from_connectwise() {
    let mut env = one_of_two_is_missing().await;
    // Three pages: the other tickets belong to unknown alerts.
    let ticket_ref = |n: u32| format!("tb1-{:016x}-{n:032x}-1", 7);
    for n in 0..2100 {
        let ticket =
            json!({ "summary": "x", "company": { "id": COMPANY }, "externalXRef": ticket_ref(n) });
        let path = "/service/tickets";
        env.connectwise
            .call_as_technician(Method::POST, path, Some(ticket))
            .await;
    }
    let proxy = env.proxy().await;
    let through = env.config_through("listing", &proxy).await;
    let table = through.connections.config_table.clone();
    let due = store::Due::new(&env.aws, table.clone());
    let config = store::ConfigTable::new(&env.aws, table);
    let reconcile = reconcile::Config {
        connections: through.connections,
        ..env.reconcile_config()
    };
    let what = "GET /service/tickets";
    let lists = |proxy: &crate::proxy::Proxy| {
        let calls = proxy.calls();
        calls.iter().filter(|call| call.what == what).count()
    };
    let mut at = from_now(1);
    for pages in [0, 1, 2, 3] {
        at += SignedDuration::from_mins(16);
        due.bring_forward(
            &partner(),
            domain::monitoring::pipeline::Schedule::Reconcile,
            at,
        )
        .await
        .unwrap();
        // Two failures 15 minutes apart opened the breaker.
        let breaker = config.breaker.get(&partner()).await.unwrap();
        let mended = config.breaker.close(&partner(), breaker.generation).await;
        assert_eq!(mended.unwrap(), pages == 2);
        let but_for = pages;
        proxy.refuse((pages < 3).then_some(Refused { what, but_for }));
        let before = lists(&proxy);
        let app = reconcile::driver(&reconcile, &env.aws).unwrap();
        let summary = app.handle(json!({}), &minute(at)).await.unwrap();
        // Each run sends the command again until it is done. Differing tickets are not read, because the list
        // failed.
        assert_eq!(
            (summary.completed, summary.totals.commands),
            (1, 1),
            "{pages}"
        );
        assert_eq!(lists(&proxy) - before, pages);
    }
    env.worker.work().await;
    assert_eq!(open_alerts(&env, &["a0", "a1"]).await, ["a0"]);
}

#[tokio::test]
async fn two_concurrent_runs_send_each_close_command_once() {
    let mut env = TestEnvironment::new().await;
    raise(&mut env, "disk", &["a0", "a1", "a2"]).await;
    env.deliver(&snapshot("s1", 0, &["a0"])).await;
    let at = from_now(1);
    env.schedule.make_due(at).await;
    let (one, other) = (env.reconcile(), env.reconcile());
    let (one, other) = tokio::join!(env.schedule.tick(&one, at), env.schedule.tick(&other, at));
    assert_eq!(
        one.totals.commands + other.totals.commands,
        2,
        "{one:?} {other:?}"
    );
    env.worker.work().await;
    assert_eq!(open_alerts(&env, &["a0", "a1", "a2"]).await, ["a0"]);
}

/// The queue's message of an event, which is in no queue.
fn message_of(event: &Value) -> SqsMessage {
    let policy = SourcePolicy {
        source: SourceId::parse(SOURCE).unwrap(),
        partners: vec![partner()],
        kinds_added: vec![],
        webhook: domain::outgoing::scope::WebhookScope::Nothing,
    };
    let times = RequestTimes {
        sent_at: Timestamp::now(),
        received_at: Timestamp::now(),
    };
    let parsed = webhook::parse(event.to_string().as_bytes(), &policy, times);
    let message = parsed.unwrap().messages.remove(0);
    assert!(matches!(message, Message::Event(_)));
    record_of(&message)
}
