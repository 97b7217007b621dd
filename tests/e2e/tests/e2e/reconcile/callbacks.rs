//! ConnectWise's callbacks: they are registered for the boards of tickets, and bring the comparison of
//! tickets forward. A callback that is lost, doubled or forged changes nothing else.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::alert::record::{Actual, ClosedBy};
use domain::connection::callbacks::{CallbackProblem, Callbacks};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use scheduled::Period;
use serde_json::{Value, json};

use crate::environment::{
    Answer, CYBER_ALERTS, Call, OPERATIONS, TestEnvironment, partner, raised_event,
};
use crate::reconcile::closing::run_reconcile;
use crate::reconcile::drift::{close_by_technician, names, raise_alerts};

/// The reference of a ticket of Ticketbridge.
const OWN: &str = "tb1-0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef-1";
const CALLBACKS: &str = "/system/callbacks";

/// Minutes after the start of the partner's next period, which is some minutes from now. No other
/// period starts in the following 15 minutes.
fn in_period(minutes: i64) -> Timestamp {
    let period = Period::new(SignedDuration::from_mins(15));
    let soon = Timestamp::now() + SignedDuration::from_mins(1);
    period.next(&partner(), soon) + SignedDuration::from_secs(minutes * 60 + 30)
}

/// Raises an alert, and runs reconcile at the partner's usual time. Returns the ticket.
async fn compared(env: &mut TestEnvironment) -> u64 {
    let tickets = raise_alerts(env, &names(1)).await;
    env.run_reconcile(in_period(0)).await;
    tickets[0]
}

/// The callbacks in ConnectWise.
async fn registered(env: &TestEnvironment) -> Vec<Value> {
    let path = format!("{CALLBACKS}?pageSize=1000");
    let list = env
        .connectwise
        .call_as_technician(Method::GET, &path, None)
        .await;
    list.as_array().unwrap().clone()
}

/// The boards of the callbacks in ConnectWise.
async fn boards(env: &TestEnvironment) -> Vec<u64> {
    let registered = registered(env).await;
    let boards = registered.iter().map(|entry| &entry["objectId"]);
    boards.map(|board| board.as_u64().unwrap()).collect()
}

async fn stored(env: &TestEnvironment) -> Callbacks {
    let stored = env.config.callbacks.get(&partner()).await.unwrap();
    stored.value.unwrap()
}

/// The path that ConnectWise posts to for a ticket.
async fn path_for(env: &TestEnvironment, ticket: u64) -> String {
    let address = registered(env).await[0]["url"].as_str().unwrap().to_owned();
    let path = address.strip_prefix("https://setup.example").unwrap();
    format!("{path}{ticket}&action=updated")
}

async fn post(env: &TestEnvironment, path: &str, body: &str, at: Timestamp) -> Answer {
    let mut call = Call::new("POST", path).header("content-type", "application/json");
    call.body = Some(body.to_owned());
    call.now = at;
    call.to(&env.setup.app).await
}

/// What ConnectWise posts about a ticket.
fn body_of(ticket: u64, reference: &str) -> String {
    let entity = json!({ "id": ticket, "externalXRef": reference }).to_string();
    json!({ "Action": "updated", "Type": "ticket", "ID": ticket, "Entity": entity }).to_string()
}

/// The commands of a tick, for which nothing but a callback can make the partner due.
async fn commands_of_a_tick(env: &mut TestEnvironment, at: Timestamp) -> (usize, usize) {
    let app = env.reconcile();
    let summary = env.schedule.tick(&app, at).await;
    env.worker.work().await;
    (summary.completed, summary.totals.commands)
}

async fn is_closed_by_technician(env: &TestEnvironment, alert: &str) -> bool {
    match env.record(alert).await.unwrap().actual {
        Some(Actual::Closed(closed)) => closed.by == ClosedBy::Technician,
        Some(Actual::Open(_)) | None => false,
    }
}

#[tokio::test]
async fn each_board_of_tickets_gets_one_callback() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(1)).await;
    run_reconcile(&mut env, 2).await;
    assert_eq!(boards(&env).await, [OPERATIONS.0, CYBER_ALERTS.0]);
    let entry = &registered(&env).await[0];
    assert_eq!(
        (&entry["type"], &entry["level"]),
        (&json!("ticket"), &json!("board"))
    );
    assert_eq!(entry["isSelfSuppressedFlag"], true);
    let token = stored(&env).await.token;
    let expected = format!("https://setup.example/v1/callbacks/northwind/{token}?recordId=");
    assert_eq!(entry["url"], expected);
    // No more calls on the same day, and one list on the next.
    let before = env.connectwise.calls().await.len();
    run_reconcile(&mut env, 20).await;
    run_reconcile(&mut env, 24 * 60 + 5).await;
    let calls = env.connectwise.calls().await.split_off(before);
    let about: Vec<_> = calls
        .iter()
        .filter(|call| call.ends_with(CALLBACKS))
        .collect();
    assert_eq!(about, ["GET /system/callbacks"]);
}

#[tokio::test]
async fn a_callback_that_was_switched_off_deleted_or_doubled_is_replaced() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(1)).await;
    run_reconcile(&mut env, 2).await;
    let before = registered(&env).await;
    let path = |entry: &Value| format!("{CALLBACKS}/{}", entry["id"]);
    env.patch(&path(&before[0]), "inactiveFlag", json!(true))
        .await;
    env.delete(&path(&before[1])).await;
    let mut doubled = before[0].clone();
    let members = doubled.as_object_mut().unwrap();
    members.retain(|name, _| !["id", "_info", "memberId"].contains(&name.as_str()));
    for _ in 0..2 {
        env.connectwise
            .call_as_technician(Method::POST, CALLBACKS, Some(doubled.clone()))
            .await;
    }
    let other = json!({ "url": "https://rmm.example/changed?recordId=", "type": "ticket", "level": "owner", "objectId": 1 });
    env.connectwise
        .call_as_technician(Method::POST, CALLBACKS, Some(other))
        .await;
    run_reconcile(&mut env, 24 * 60 + 5).await;
    let after = registered(&env).await;
    let is_active = |entry: &&Value| entry["inactiveFlag"] != json!(true);
    let own = after.iter().filter(|entry| entry["level"] == "board");
    let mut boards: Vec<_> = own
        .clone()
        .filter(is_active)
        .map(|entry| &entry["objectId"])
        .collect();
    boards.sort_by_key(|board| board.as_u64());
    assert_eq!(boards, [&json!(OPERATIONS.0), &json!(CYBER_ALERTS.0)]);
    assert_eq!(own.count(), 2, "{after:?}");
    assert_eq!(after.len(), 3, "that of another program stays");
}

#[tokio::test]
async fn a_callback_brings_the_comparison_forward_by_its_body_or_without() {
    for body in [
        "",
        "not JSON",
        &body_of(1, OWN),
        r#"{"Action":"deleted","Entity":null}"#,
    ] {
        let mut env = TestEnvironment::new().await;
        let ticket = compared(&mut env).await;
        close_by_technician(&env, ticket).await;
        // The partner's usual time is later.
        assert_eq!(commands_of_a_tick(&mut env, in_period(4)).await, (0, 0));
        let path = path_for(&env, ticket).await;
        for _ in 0..2 {
            assert_eq!(post(&env, &path, body, in_period(4)).await.status, 204);
        }
        assert_eq!(
            commands_of_a_tick(&mut env, in_period(5)).await,
            (1, 1),
            "{body}"
        );
        assert!(is_closed_by_technician(&env, "a0").await);
        assert_eq!(commands_of_a_tick(&mut env, in_period(6)).await, (0, 0));
    }
}

#[tokio::test]
async fn a_ticket_without_the_reference_makes_no_partner_due() {
    let mut env = TestEnvironment::new().await;
    compared(&mut env).await;
    let path = path_for(&env, 99).await;
    let body = body_of(99, "RMM-4711");
    assert_eq!(post(&env, &path, &body, in_period(4)).await.status, 204);
    assert_eq!(commands_of_a_tick(&mut env, in_period(5)).await, (0, 0));
    assert!(!is_closed_by_technician(&env, "a0").await);
}

#[tokio::test]
async fn a_forged_callback_changes_no_record_and_a_wrong_token_is_unknown() {
    let mut env = TestEnvironment::new().await;
    let ticket = compared(&mut env).await;
    let path = path_for(&env, ticket).await;
    let token = stored(&env).await.token;
    for (from, to) in [
        (token.as_str(), "no-such-token"),
        ("northwind", "contoso"),
        ("northwind", "Not%20An%20Id"),
    ] {
        let forged = path.replace(from, to);
        let answer = post(&env, &forged, &body_of(1, OWN), in_period(4)).await;
        assert_eq!(answer.status, 404, "{forged}");
    }
    assert_eq!(commands_of_a_tick(&mut env, in_period(5)).await, (0, 0));
    // One that says that the open ticket was deleted.
    let deleted = json!({ "Action": "deleted", "Type": "ticket", "ID": ticket, "Entity": null });
    let before = env.record("a0").await;
    let answer = post(&env, &path, &deleted.to_string(), in_period(5)).await;
    assert_eq!(answer.status, 204);
    assert_eq!(commands_of_a_tick(&mut env, in_period(6)).await, (1, 0));
    assert_eq!(env.record("a0").await, before);
}

#[tokio::test]
async fn without_the_right_changes_are_found_at_the_usual_time() {
    let mut env = TestEnvironment::new().await;
    let tickets = raise_alerts(&mut env, &names(1)).await;
    let missing = json!({ "missing_rights": ["table_setup.add"] });
    env.connectwise.set_faults(missing).await;
    run_reconcile(&mut env, 2).await;
    let problem = Some(CallbackProblem::MissingRight("table_setup.add".to_owned()));
    assert_eq!(stored(&env).await.problem, problem);
    assert_eq!(boards(&env).await, [0u64; 0]);
    let breaker = env.config.breaker.get(&partner()).await.unwrap();
    assert!(
        breaker.missing_rights.is_empty(),
        "no mail is sent: {breaker:?}"
    );
    close_by_technician(&env, tickets[0]).await;
    assert_eq!(run_reconcile(&mut env, 18).await, 1);
    assert!(is_closed_by_technician(&env, "a0").await);
    // The right is granted, and found on the next day.
    env.connectwise
        .set_faults(json!({ "missing_rights": [] }))
        .await;
    run_reconcile(&mut env, 24 * 60 + 5).await;
    assert_eq!(stored(&env).await.problem, None);
    assert_eq!(boards(&env).await.len(), 2);
}

/// An old ConnectWise, or a proxy before it.
#[tokio::test]
async fn a_connectwise_without_callbacks_is_not_broken() {
    let reply = |status| json!({ "answer": { "status": status } });
    for status in [401, 403, 404, 405, 500, 503] {
        let mut env = TestEnvironment::new().await;
        raise_alerts(&mut env, &names(1)).await;
        env.connectwise
            .set_faults(json!({ "rules": [{
                "when": { "path": "/system/callbacks" }, "then": reply(status),
            }] }))
            .await;
        run_reconcile(&mut env, 2).await;
        assert_eq!(stored(&env).await.problem, Some(CallbackProblem::Refused));
        let breaker = env.config.breaker.get(&partner()).await.unwrap();
        let is_clean = breaker.open.is_none() && breaker.failing_since.is_none();
        assert!(is_clean, "{status}: {breaker:?}");
        assert!(breaker.missing_rights.is_empty(), "{status}: {breaker:?}");
        let raised = raised_event("e2", "a2", -300);
        env.deliver(&raised).await;
        assert!(env.record("a2").await.unwrap().open().is_some(), "{status}");
    }
}

#[tokio::test]
async fn an_unreadable_item_stops_no_comparison() {
    let mut env = TestEnvironment::new().await;
    let tickets = raise_alerts(&mut env, &names(1)).await;
    let client = aws_sdk_dynamodb::Client::new(&env.aws);
    let put = client
        .put_item()
        .table_name("config")
        .item("pk", AttributeValue::S(format!("P#{}", partner())))
        .item("sk", AttributeValue::S("callbacks".to_owned()))
        .item("epoch", AttributeValue::S("not a number".to_owned()));
    put.send().await.unwrap();
    close_by_technician(&env, tickets[0]).await;
    assert_eq!(run_reconcile(&mut env, 2).await, 1);
    assert!(is_closed_by_technician(&env, "a0").await);
    env.setup
        .signed_in()
        .await
        .get("connection")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_write_without_a_response_is_found_in_the_list() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(1)).await;
    env.connectwise
        .set_faults(json!({ "rules": [{
            "when": { "method": "POST", "path": "/system/callbacks" }, "times": 1, "then": "lost",
        }] }))
        .await;
    run_reconcile(&mut env, 2).await;
    let first = stored(&env).await;
    assert_eq!(first.problem, Some(CallbackProblem::Refused));
    assert_eq!(boards(&env).await, [OPERATIONS.0]);
    run_reconcile(&mut env, 24 * 60 + 5).await;
    assert_eq!(boards(&env).await, [OPERATIONS.0, CYBER_ALERTS.0]);
    assert_eq!(stored(&env).await.token, first.token);
}

#[tokio::test]
async fn another_connectwise_gets_another_token() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(1)).await;
    run_reconcile(&mut env, 2).await;
    let path = path_for(&env, 1).await;
    let before = stored(&env).await;
    let later = Callbacks {
        epoch: before.epoch + 7,
        ..before.clone()
    };
    let version = env.config.callbacks.get(&partner()).await.unwrap().version;
    let saved = env.config.callbacks.save(&partner(), &later, version).await;
    assert!(saved.unwrap().is_saved());
    env.source.post(&raised_event("e2", "a9", 0)).await;
    env.worker.work().await;
    run_reconcile(&mut env, 18).await;
    assert_ne!(stored(&env).await.token, before.token);
    assert_eq!(post(&env, &path, "", in_period(19)).await.status, 404);
    let addresses = registered(&env).await;
    assert_eq!(
        addresses.len(),
        2,
        "the older ones are deleted: {addresses:?}"
    );
}
