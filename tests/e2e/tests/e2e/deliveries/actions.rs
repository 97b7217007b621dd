//! A technician moves a ticket to a status that asks for an action.

use domain::Blocked;
use domain::setup::status_action::ActionKind;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::DeliveryState;

use crate::environment::{
    OPERATIONS, Received, ReceiverAnswer, TENANT, TestEnvironment, WEBHOOK_SECRET, after, key,
    raised_event, resolved_event, settings,
};
use crate::reconcile::closing::run_reconcile;

pub(super) const IN_PROGRESS: u64 = 222;
const COMPLETED: u64 = 223;
const DAY: i64 = 24 * 60 * 60;

/// An environment with these statuses for actions.
pub(super) async fn environment(actions: &[(ActionKind, u64)]) -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let mut own = settings();
    own.operations.actions = actions.iter().copied().collect();
    env.put_settings(&own).await;
    env
}

pub(super) async fn raise(env: &mut TestEnvironment, alert: &str) -> u64 {
    env.deliver(&raised_event(&format!("e-{alert}"), alert, -300))
        .await;
    let record = env.record(alert).await.unwrap();
    record.open().unwrap().ticket_id
}

pub(super) async fn move_ticket(env: &TestEnvironment, ticket: u64, status: u64) {
    let path = format!("/service/tickets/{ticket}");
    env.patch(&path, "status", json!({ "id": status })).await;
}

pub(super) async fn answers_of(env: &TestEnvironment, ticket: u64) -> Vec<String> {
    let notes = env.connectwise.notes(&json!({ "id": ticket })).await;
    let texts = notes.iter().filter_map(|note| note["text"].as_str());
    let answers = texts.filter(|text| text.starts_with("The source answered"));
    answers.map(str::to_owned).collect()
}

fn answer(body: &'static str) -> ReceiverAnswer {
    ReceiverAnswer {
        status: 200,
        retry_after: None,
        body,
    }
}

#[tokio::test]
async fn a_move_asks_the_source_once_and_its_answer_is_one_note() {
    let mut env = environment(&[(ActionKind::Act, IN_PROGRESS)]).await;
    let webhook = env.webhook().await;
    let ticket = raise(&mut env, "a1").await;
    webhook.work().await;
    move_ticket(&env, ticket, IN_PROGRESS).await;
    assert_eq!(run_reconcile(&mut env, 2).await, 1);
    // The ticket stays in the status: nothing new.
    assert_eq!(run_reconcile(&mut env, 20).await, 0);
    webhook
        .receiver
        .answer_next(&[answer(r#"{"note": "The device is isolated.", "more": 1}"#)]);
    webhook.work().await;
    let confirmed = webhook.receiver.confirmed_of("a1");
    assert_eq!(confirmed, ["ticket.created", "ticket.action"]);
    let asked = webhook.receiver.received()[1].event();
    assert_eq!(asked["data"]["action"], "act");
    assert_eq!(asked["data"]["ticket"]["number"], ticket);
    assert_eq!(asked["data"].get("until"), None);
    // The answer is a message of the queue, which can come twice.
    let messages = env.queue.take_records().await;
    assert_eq!(messages.len(), 1);
    for _ in 0..2 {
        env.worker.handle_until_done(messages.clone(), 3, 1).await;
    }
    let [note] = &answers_of(&env, ticket).await[..] else {
        panic!("not one answer: {:?}", answers_of(&env, ticket).await);
    };
    assert!(note.contains("The device is isolated."), "{note}");
    // Moved away and back, the source is asked again.
    move_ticket(&env, ticket, OPERATIONS.1).await;
    assert_eq!(run_reconcile(&mut env, 40).await, 1);
    move_ticket(&env, ticket, IN_PROGRESS).await;
    assert_eq!(run_reconcile(&mut env, 60).await, 1);
    webhook.work().await;
    let actions = webhook.receiver.confirmed_of("a1");
    let actions = actions.iter().filter(|line| *line == "ticket.action");
    assert_eq!(actions.count(), 2);
}

#[tokio::test]
async fn an_answer_without_a_note_is_none() {
    let mut env = environment(&[(ActionKind::Acknowledge, IN_PROGRESS)]).await;
    let webhook = env.webhook().await;
    let bodies = ["", "OK", r#"{"note": " "}"#, r#"{"note": 7}"#, "[]"];
    webhook.receiver.answer_next(&[answer("")]);
    let ticket = raise(&mut env, "a1").await;
    webhook.work().await;
    for (n, body) in (0..).zip(bodies) {
        move_ticket(&env, ticket, IN_PROGRESS).await;
        run_reconcile(&mut env, 2 + 40 * n).await;
        webhook.receiver.answer_next(&[answer(body)]);
        webhook.work().await;
        move_ticket(&env, ticket, OPERATIONS.1).await;
        run_reconcile(&mut env, 22 + 40 * n).await;
    }
    assert_eq!(webhook.receiver.received().len(), 1 + bodies.len());
    assert_eq!(answers_of(&env, ticket).await, [""; 0]);
}

#[tokio::test]
async fn a_source_that_takes_no_actions_any_more_gets_none() {
    let mut env = environment(&[(ActionKind::Act, IN_PROGRESS)]).await;
    let webhook = env.webhook().await;
    let ticket = raise(&mut env, "a1").await;
    webhook.work().await;
    move_ticket(&env, ticket, IN_PROGRESS).await;
    run_reconcile(&mut env, 2).await;
    let url = format!("{}/hooks", webhook.receiver.origin);
    let secrets = [(WEBHOOK_SECRET, None)];
    env.put_webhook_with_actions(&url, &secrets, false).await;
    // Another environment of the function has not cached the document.
    let mut webhook = webhook;
    webhook.app = webhook.new_app();
    webhook.work().await;
    assert_eq!(webhook.receiver.confirmed_of("a1"), ["ticket.created"]);
    let failed = webhook.log(DeliveryState::Failed).await;
    let problem = failed[0].last_attempt.as_ref().unwrap().problem.as_deref();
    assert_eq!(problem, Some("the source takes no actions any more"));
}

#[tokio::test]
async fn an_alert_that_is_not_to_be_fixed_gets_its_next_ticket_after_the_days() {
    let mut env = environment(&[(ActionKind::WontFix, COMPLETED)]).await;
    let path = format!("/service/boards/{}/statuses/{COMPLETED}", OPERATIONS.0);
    env.patch(&path, "closedStatus", true).await;
    let mut own = env.settings().await;
    own.wont_fix_days = 7;
    env.put_settings(&own).await;
    let webhook = env.webhook().await;
    let ticket = raise(&mut env, "a1").await;
    move_ticket(&env, ticket, COMPLETED).await;
    assert_eq!(run_reconcile(&mut env, 2).await, 1);
    env.deliver(&resolved_event("e2", "a1", 60)).await;
    env.deliver(&raised_event("e3", "a1", 120)).await;
    let Some(Blocked::WontFix(until)) = env.reason("a1").await else {
        panic!("not blocked: {:?}", env.reason("a1").await);
    };
    let now = Timestamp::now();
    assert!(until > after(now, 7 * DAY - 600) && until <= after(now, 7 * DAY));
    webhook.work().await;
    let events: Vec<Value> = webhook
        .receiver
        .received()
        .iter()
        .map(Received::event)
        .collect();
    let asked = events.iter().find(|event| event["type"] == "ticket.action");
    let asked = &asked.unwrap()["data"];
    assert_eq!(asked["action"], "wont_fix");
    let stated: Timestamp = asked["until"].as_str().unwrap().parse().unwrap();
    assert_eq!(stated, until);
    let blocked = events.iter().find(|event| event["type"] == "alert.blocked");
    assert_eq!(blocked.unwrap()["data"]["reason"], "wont_fix");
    // It goes on after that time, and not before.
    let reconcile = env.reconcile();
    let before = until - SignedDuration::from_mins(1);
    env.schedule.run(&reconcile, before).await;
    assert_eq!(env.queue.take_reconsidered().await, []);
    env.schedule.run(&reconcile, after(until, 1)).await;
    assert_eq!(env.queue.take_reconsidered().await, [key(TENANT, "a1")]);
}
