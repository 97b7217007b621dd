//! Alerts that are gone without an event that says so: not in the source's list any more, or not repeated in time. And every list that
//! proves nothing.

use domain::AlertKey;
use domain::message::Message;
use domain::record::{Actual, ClosedBy};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::proxy::Refused;
use crate::ticks::minute;
use crate::world::{COMPANY, TENANT, World, event, key, partner};

/// When alerts are raised, in minutes from now.
const RAISED: i64 = -15;

fn from_now(minutes: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_mins(minutes)
}

/// A whole list of the mapped tenant's active alerts, taken so many minutes from now.
fn snapshot(id: &str, minutes: i64, active: &[&str]) -> Value {
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

/// Raised and received about a quarter of an hour ago: a snapshot that is taken now cannot lag behind that.
async fn raise(world: &mut World, kind: &str, alerts: &[&str]) {
    for alert in alerts {
        let mut raised = event("alert.raised", &format!("e{alert}"), alert, -300);
        raised["data"]["kind"] = kind.into();
        world.post_at(RAISED, &raised).await;
    }
    world.work().await;
}

impl World {
    /// One run of reconcile, so many minutes from now, and what comes of it. Returns how many commands it gave.
    pub(crate) async fn reconciled(&mut self, minutes: i64) -> usize {
        let at = from_now(minutes);
        self.make_due(at).await;
        let summary = self.tick(&self.reconcile(), at).await;
        assert_eq!((summary.completed, summary.failed), (1, 0), "{summary:?}");
        self.work().await;
        summary.totals.commands
    }

    /// The alerts whose tickets are open in ConnectWise, by the last letters of their summaries' places.
    pub(crate) async fn open_alerts(&self, alerts: &[&str]) -> Vec<String> {
        let tickets = self.all_tickets().await;
        let is_open = |alert: &&&str| {
            let ticket_ref = format!("tb1-{}-1", key(TENANT, alert).item_key());
            let carries = |ticket: &&Value| ticket["externalXRef"] == ticket_ref;
            tickets
                .iter()
                .find(carries)
                .is_some_and(|ticket| ticket["closedFlag"] == false)
        };
        let open = alerts.iter().filter(is_open);
        open.map(|alert| (*alert).to_owned()).collect()
    }

    async fn ticket_of(&self, alert: &str) -> Value {
        let ticket_ref = format!("tb1-{}-1", key(TENANT, alert).item_key());
        let tickets = self.all_tickets().await;
        let carries = |ticket: &Value| ticket["externalXRef"] == ticket_ref;
        tickets.into_iter().find(carries).unwrap()
    }
}

#[tokio::test]
async fn alerts_that_leave_the_list_close_exactly_their_tickets_and_cyber_alerts_get_a_note() {
    let mut world = World::new().await;
    raise(&mut world, "disk", &["a0", "a1", "a2", "a3"]).await;
    raise(&mut world, "ransomware_encryption", &["r0", "r1"]).await;
    world.post(&snapshot("s1", 0, &["a0", "a2", "r0"])).await;
    world.work().await;
    assert_eq!(world.reconciled(1).await, 3);
    let all = ["a0", "a1", "a2", "a3", "r0", "r1"];
    assert_eq!(world.open_alerts(&all).await, ["a0", "a2", "r0", "r1"]);
    for (alert, done) in [
        ("a1", "Ticketbridge closes this ticket."),
        ("r1", "Nothing was closed"),
    ] {
        let notes = world.notes(&world.ticket_of(alert).await).await;
        let said = notes.iter().filter(|note| {
            let text = note["text"].as_str().unwrap();
            text.contains("not in the list of active alerts that its source took at")
                && text.contains(done)
        });
        assert_eq!(said.count(), 1, "{alert}: {notes:?}");
    }
    let record = world.record("a1").await.unwrap();
    assert!(matches!(record.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Us));
    // The same lists again ask for nothing.
    let before = world.journal().await.len();
    assert_eq!(world.reconciled(17).await, 0);
    let calls = world.calls().await.split_off(before);
    assert!(
        calls.iter().all(|call| call.starts_with("GET ")),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_list_that_proves_nothing_closes_nothing() {
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
            "it speaks of other kinds",
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
            "a newer one is on its way",
            vec![snapshot("s1", 0, &["a0"]), two("s2", 1)],
            2,
        ),
    ] {
        let mut world = World::new().await;
        raise(&mut world, "disk", &["a0", "a1"]).await;
        for list in &lists {
            world.post(list).await;
        }
        world.work().await;
        assert_eq!(world.reconciled(minutes).await, 0, "{why}");
        assert_eq!(
            world.open_alerts(&["a0", "a1"]).await,
            ["a0", "a1"],
            "{why}"
        );
    }
}

/// Detected long after it began: its own time says nothing of when a source's list has it.
#[tokio::test]
async fn an_alert_that_was_just_reported_is_not_closed_by_a_snapshot_that_lags() {
    let mut world = World::new().await;
    for alert in ["a0", "a1"] {
        let old = event("alert.raised", &format!("e{alert}"), alert, -7200);
        world.post(&old).await;
    }
    world.work().await;
    for (id, seconds) in [("s1", -2), ("s2", 0)] {
        let mut list = snapshot(id, 0, &["a0"]);
        let taken = Timestamp::now() + SignedDuration::from_secs(seconds);
        list["data"]["taken_at"] = taken.to_string().into();
        world.post(&list).await;
    }
    world.work().await;
    assert_eq!(world.reconciled(1).await, 0);
    world.post_at(11, &snapshot("s3", 11, &["a0"])).await;
    world.work().await;
    assert_eq!(world.reconciled(17).await, 1);
    assert_eq!(world.open_alerts(&["a0", "a1"]).await, ["a0"]);
}

#[tokio::test]
async fn empty_snapshots_close_the_last_alerts_after_half_an_hour_or_at_once_with_a_total() {
    let mut world = World::new().await;
    raise(&mut world, "disk", &["a0", "a1"]).await;
    for (id, minutes) in [("s1", 0), ("s2", 15)] {
        world.post_at(minutes, &snapshot(id, minutes, &[])).await;
        world.work().await;
        assert_eq!(world.reconciled(minutes + 1).await, 0);
    }
    world.post_at(31, &snapshot("s3", 31, &[])).await;
    world.work().await;
    assert_eq!(world.reconciled(32).await, 2);
    assert!(world.open_alerts(&["a0", "a1"]).await.is_empty());

    let mut world = World::new().await;
    raise(&mut world, "disk", &["a0", "a1"]).await;
    let mut stated = snapshot("s1", 0, &[]);
    stated["data"]["total"] = 0.into();
    world.post(&stated).await;
    world.work().await;
    assert_eq!(world.reconciled(1).await, 2);
    assert!(world.open_alerts(&["a0", "a1"]).await.is_empty());
}

#[tokio::test]
async fn an_id_that_a_snapshot_writes_in_another_way_is_counted_and_told() {
    let mut world = World::new().await;
    raise(&mut world, "disk", &["a0", "a1"]).await;
    world.post(&snapshot("s1", 0, &["A0", "a1"])).await;
    world.work().await;
    assert_eq!(world.reconciled(1).await, 0);
    let state = world.config.monitoring.read().await.unwrap().state;
    assert_eq!(state.similar_ids.map(|happened| happened.count), Some(1));
    let mut again = snapshot("s2", 2, &["a0", "a1"]);
    again["data"]["taken_at"] = from_now(2).to_string().into();
    world.post_at(2, &again).await;
    world.work().await;
    assert_eq!(world.reconciled(17).await, 0);
    let state = world.config.monitoring.read().await.unwrap().state;
    assert_eq!(state.similar_ids.map(|happened| happened.count), Some(1));
}

#[tokio::test]
async fn a_part_of_a_list_makes_its_partner_due() {
    let mut world = World::new().await;
    raise(&mut world, "disk", &["a0", "a1"]).await;
    assert_eq!(world.reconciled(0).await, 0);
    let is_due = async |world: &World, minutes| {
        let due = world.due();
        let task = domain::pipeline::Schedule::Reconcile;
        due.list(task, from_now(minutes), 9).await.unwrap() == [partner()]
    };
    world.post(&snapshot("s1", 0, &["a0"])).await;
    world.work().await;
    assert!(is_due(&world, 1).await);
    let summary = world.tick(&world.reconcile(), from_now(1)).await;
    assert_eq!(summary.totals.commands, 1, "{summary:?}");
}

#[tokio::test]
async fn an_alert_that_is_not_repeated_in_time_closes_its_ticket() {
    let mut world = World::new().await;
    for (n, (alert, minutes)) in [("a0", 2), ("a1", 2), ("a2", 60)].into_iter().enumerate() {
        let mut raised = event("alert.raised", &format!("e{n}"), alert, 0);
        raised["data"]["expires_at"] = from_now(minutes).to_string().into();
        world.post(&raised).await;
    }
    world.work().await;
    let mut repeated = event("alert.updated", "e9", "a1", 60);
    repeated["data"]["expires_at"] = from_now(90).to_string().into();
    world.post(&repeated).await;
    world.work().await;
    assert_eq!(world.reconciled(1).await, 0);
    // Its end makes the partner due, whenever its own time is.
    let summary = world.tick(&world.reconcile(), from_now(3)).await;
    assert_eq!(summary.totals.commands, 1, "{summary:?}");
    world.work().await;
    assert_eq!(world.open_alerts(&["a0", "a1", "a2"]).await, ["a1", "a2"]);
    let notes = world.notes(&world.ticket_of("a0").await).await;
    let said = notes.iter().any(|note| {
        let text = note["text"].as_str().unwrap();
        text.contains("it was to end by itself at") && text.contains("closes this ticket")
    });
    assert!(said, "{notes:?}");
}

#[tokio::test]
async fn an_alert_that_waits_and_is_gone_gets_no_ticket() {
    let mut world = World::new().await;
    world.faults(json!({ "keys": "revoked" })).await;
    let raised = [
        event("alert.raised", "e0", "a0", -300),
        event("alert.raised", "e1", "a1", -300),
    ];
    let raised = world.taken(&raised).await;
    world.until_done(raised, 0, 1).await;
    assert_eq!(
        world
            .alerts
            .lists
            .blocked_keys(&partner())
            .await
            .unwrap()
            .len(),
        2
    );
    // Taken when it cannot lag behind the alerts any more.
    world.post_at(11, &snapshot("s1", 11, &["a0"])).await;
    world.work().await;
    world.faults(json!({ "keys": "ok" })).await;
    let breaker = world.config.breaker.get(&partner()).await.unwrap();
    let closed = world
        .config
        .breaker
        .close(&partner(), breaker.generation)
        .await;
    assert!(closed.unwrap());
    assert_eq!(world.reconciled(1).await, 1);
    assert_eq!(world.all_tickets().await.len(), 1);
    assert_eq!(world.open_alerts(&["a0", "a1"]).await, ["a0"]);
}

#[tokio::test]
async fn a_command_is_void_once_its_alert_was_heard_of_again() {
    let mut world = World::new().await;
    raise(&mut world, "disk", &["a0", "a1"]).await;
    world.post(&snapshot("s1", 0, &["a0"])).await;
    world.work().await;
    let at = from_now(1);
    world.make_due(at).await;
    assert_eq!(world.tick(&world.reconcile(), at).await.totals.commands, 1);
    let (commands, receipts) = world.receive().await;
    // Repeated before the command arrives.
    world.show_again(&receipts).await;
    let repeated = event("alert.raised", "e9", "a1", 0);
    let repeated = world.taken_beside(&repeated).await;
    world.until_done(vec![repeated], 0, 1).await;
    for _ in 0..2 {
        let invocation = world.invocation(60);
        let again = world.tickets.handle(commands.clone(), &invocation).await;
        assert_eq!(again.batch_item_failures.len(), 0);
    }
    assert_eq!(world.open_alerts(&["a0", "a1"]).await, ["a0", "a1"]);
    assert!(world.record("a1").await.unwrap().desired.active);
}

#[tokio::test]
async fn a_command_that_comes_twice_is_done_once() {
    let mut world = World::new().await;
    raise(&mut world, "disk", &["a0", "a1"]).await;
    world.post(&snapshot("s1", 0, &["a0"])).await;
    world.work().await;
    let at = from_now(1);
    world.make_due(at).await;
    assert_eq!(world.tick(&world.reconcile(), at).await.totals.commands, 1);
    let (commands, receipts) = world.receive().await;
    let twice = [commands.clone(), commands];
    for commands in twice {
        let invocation = world.invocation(60);
        let answer = world.another_worker().handle(commands, &invocation).await;
        assert_eq!(answer.batch_item_failures.len(), 0);
    }
    world.show_again(&receipts).await;
    world.work().await;
    let notes = world.notes(&world.ticket_of("a1").await).await;
    let said = notes
        .iter()
        .filter(|note| note["text"].as_str().unwrap().contains("is gone"));
    assert_eq!(said.count(), 1, "{notes:?}");
}

#[tokio::test]
async fn a_closed_alert_that_is_heard_of_again_has_its_next_ticket() {
    let mut world = World::new().await;
    raise(&mut world, "disk", &["a0", "a1"]).await;
    world.post(&snapshot("s1", 0, &["a0"])).await;
    world.work().await;
    assert_eq!(world.reconciled(1).await, 1);
    // The list was wrong: an update says as much as a raise.
    world.post(&event("alert.updated", "e9", "a1", 0)).await;
    world.work().await;
    let tickets = world.all_tickets().await;
    let ticket_ref = format!("tb1-{}-2", key(TENANT, "a1").item_key());
    let next = tickets
        .iter()
        .find(|ticket| ticket["externalXRef"] == ticket_ref);
    assert_eq!(next.unwrap()["closedFlag"], false);
    assert_eq!(tickets.len(), 3);
}

#[tokio::test]
async fn what_is_gone_is_closed_though_connectwises_own_list_fails_and_nothing_else_is_asked() {
    let mut world = World::new().await;
    raise(&mut world, "disk", &["a0", "a1"]).await;
    world.post(&snapshot("s1", 0, &["a0"])).await;
    world.work().await;
    // Three pages: the others are of alerts that nobody knows any more.
    let ticket_ref = |n: u32| format!("tb1-{:016x}-{n:032x}-1", 7);
    for n in 0..2100 {
        let ticket =
            json!({ "summary": "x", "company": { "id": COMPANY }, "externalXRef": ticket_ref(n) });
        let path = "/service/tickets";
        world.technician(Method::POST, path, Some(ticket)).await;
    }
    let proxy = world.proxy().await;
    let through = world.through("listing", &proxy).await;
    let table = through.connections.config_table.clone();
    let due = store::Due::new(&world.aws, table.clone());
    let config = store::ConfigTable::new(&world.aws, table);
    let reconcile = reconcile::Config {
        connections: through.connections,
        ..world.reconcile_config()
    };
    let what = "GET /service/tickets";
    let lists = |proxy: &crate::proxy::Proxy| {
        let calls = proxy.calls();
        calls.iter().filter(|call| call.what == what).count()
    };
    let mut at = from_now(1);
    for pages in [0, 1, 2, 3] {
        at += SignedDuration::from_mins(16);
        due.bring_forward(&partner(), domain::pipeline::Schedule::Reconcile, at)
            .await
            .unwrap();
        // Two failures a quarter of an hour apart opened it.
        let breaker = config.breaker.get(&partner()).await.unwrap();
        let mended = config.breaker.close(&partner(), breaker.generation).await;
        assert_eq!(mended.unwrap(), pages == 2);
        let but_for = pages;
        proxy.refuse((pages < 3).then_some(Refused { what, but_for }));
        let before = lists(&proxy);
        let app = reconcile::driver(&reconcile, &world.aws).unwrap();
        let summary = app.handle(json!({}), &minute(at)).await.unwrap();
        // Each run asks again until it is done. Of tickets that differ nothing is asked: the list was not read.
        assert_eq!(
            (summary.completed, summary.totals.commands),
            (1, 1),
            "{pages}"
        );
        assert_eq!(lists(&proxy) - before, pages);
    }
    world.work().await;
    assert_eq!(world.open_alerts(&["a0", "a1"]).await, ["a0"]);
}

#[tokio::test]
async fn two_runs_at_once_ask_for_each_closing_once() {
    let mut world = World::new().await;
    raise(&mut world, "disk", &["a0", "a1", "a2"]).await;
    world.post(&snapshot("s1", 0, &["a0"])).await;
    world.work().await;
    let at = from_now(1);
    world.make_due(at).await;
    let (one, other) = (world.reconcile(), world.reconcile());
    let (one, other) = tokio::join!(world.tick(&one, at), world.tick(&other, at));
    assert_eq!(
        one.totals.commands + other.totals.commands,
        2,
        "{one:?} {other:?}"
    );
    world.work().await;
    assert_eq!(world.open_alerts(&["a0", "a1", "a2"]).await, ["a0"]);
}

impl World {
    /// An event's message, taken out of a queue that holds others.
    async fn taken_beside(&self, event: &Value) -> aws_lambda_events::sqs::SqsMessage {
        let door = domain::webhook::SourcePolicy {
            source: domain::SourceId::parse(crate::world::SOURCE).unwrap(),
            partners: vec![partner()],
            kinds_added: vec![],
        };
        let times = domain::webhook::Times {
            sent_at: Timestamp::now(),
            received_at: Timestamp::now(),
        };
        let body = event.to_string();
        let mut parsed = domain::webhook::parse(body.as_bytes(), &door, times).unwrap();
        let message = parsed.messages.remove(0);
        let details: Option<&AlertKey> = match &message {
            Message::Event(event) => Some(&event.key),
            Message::Snapshot(_)
            | Message::Rejected(_)
            | Message::Reconsider(_)
            | Message::Release(_)
            | Message::Command(_) => None,
        };
        assert!(details.is_some());
        crate::hours::message(&message)
    }
}
