//! A source whose webhook is an Alertmanager: *Won't fix* silences the alert there.

use aws::secrets::OutgoingWebhook;
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use domain::outgoing::cloud_event::{OutgoingCloudEvent, OutgoingType};
use domain::outgoing::events::{OutgoingEvent, OutgoingEventKind, ReportedTicket};
use domain::outgoing::format::WebhookFormat;
use domain::outgoing::request::{DeliveryRequest, ReportedEvent};
use domain::setup::status_action::{ActionKind, StatusAction};
use domain::{Secret, SourceId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::{Delivery, DeliveryState};

use crate::deliveries::actions::{IN_PROGRESS, answers_of, environment, move_ticket, raise};
use crate::deliveries::crash_points::{DeliveriesProcess, WHENS};
use crate::environment::{
    Alertmanager, OPERATIONS, SOURCE, TENANT, TestEnvironment, Webhook, is_silenced_by, key, minute,
};
use crate::proxy::Stop;
use crate::reconcile::closing::run_reconcile;
use crate::tickets::crash_run::VISIBILITY;

const AUTHORIZATION: &str = "Bearer canary-of-the-authorization";
const DAYS: u32 = 7;
/// The id of an alert of Alertmanager.
const ALERT: &str = "6fcd0b4570c8ce36";

fn labels() -> Value {
    json!({
        "alertname": "Disk \"C:\\\" is full", "customer": "Zahnarzt Größe 😀", "instance": "web-1:9100",
        "note": "two\nlines, a=~\"b.*\" {} '",
    })
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn outgoing(url: &str, authorization: Option<&str>) -> OutgoingWebhook {
    OutgoingWebhook {
        url: url.to_owned(),
        format: WebhookFormat::Alertmanager,
        authorization: authorization.map(Secret::new),
        secrets: vec![],
        takes_actions: true,
    }
}

/// Gives the source an Alertmanager in which the alert fires, and another.
async fn start_alertmanager(env: &TestEnvironment) -> (Webhook, Alertmanager) {
    let mut webhook = env.webhook().await;
    let alertmanager = Alertmanager::start().await;
    alertmanager.demand(AUTHORIZATION);
    alertmanager.fire("1111111111111111", &json!({ "alertname": "Other" }));
    alertmanager.fire(ALERT, &labels());
    webhook.config.webhook_origins = vec![alertmanager.origin.clone()];
    webhook.app = webhook.new_app();
    let url = format!("{}/", alertmanager.origin);
    env.put_outgoing_webhook(outgoing(&url, Some(AUTHORIZATION)))
        .await;
    (webhook, alertmanager)
}

async fn start() -> (TestEnvironment, Webhook, Alertmanager) {
    let env = environment(&[
        (ActionKind::WontFix, IN_PROGRESS),
        (ActionKind::Act, COMPLETED),
    ])
    .await;
    let mut own = env.settings().await;
    own.wont_fix_days = DAYS;
    env.put_settings(&own).await;
    let (webhook, alertmanager) = start_alertmanager(&env).await;
    (env, webhook, alertmanager)
}

/// A status that asks the source to act.
const COMPLETED: u64 = 223;

/// A technician says *Won't fix*. Returns the ticket.
async fn ask(env: &mut TestEnvironment) -> u64 {
    let ticket = raise(env, ALERT).await;
    move_ticket(env, ticket, IN_PROGRESS).await;
    assert_eq!(run_reconcile(env, 2).await, 1);
    ticket
}

async fn tick(webhook: &Webhook, start: Timestamp, from: i64, to: i64) {
    for minute in from..to {
        webhook.tick_at(start + minutes(minute)).await;
    }
}

async fn replay(webhook: &Webhook, delivery: &Delivery, now: Timestamp) {
    assert!(webhook.table.replay(delivery, now).await.unwrap());
    let source = SourceId::parse(SOURCE).unwrap();
    let scheduled = webhook.table.schedule(&source, delivery.queue(), now);
    scheduled.await.unwrap();
    webhook.tick_at(now + SignedDuration::from_secs(2)).await;
}

/// The one delivery in this state.
async fn only(webhook: &Webhook, state: DeliveryState) -> Delivery {
    let mut log = webhook.log(state).await;
    assert_eq!(log.len(), 1, "{log:#?}");
    log.remove(0)
}

fn problem(delivery: &Delivery) -> Option<&str> {
    delivery.last_attempt.as_ref()?.problem.as_deref()
}

/// The notes with answers on a ticket, once the queue is empty.
async fn notes(env: &mut TestEnvironment, ticket: u64) -> Vec<String> {
    let messages = env.queue.take_records().await;
    env.worker.handle_until_done(messages, 3, 1).await;
    answers_of(env, ticket).await
}

#[tokio::test]
async fn an_alert_is_silenced_once_however_often_the_event_is_delivered() {
    let (mut env, webhook, alertmanager) = start().await;
    let ticket = ask(&mut env).await;
    webhook.work().await;
    let calls = [
        "GET /api/v2/silences",
        "GET /api/v2/alerts",
        "POST /api/v2/silences",
    ];
    assert_eq!(alertmanager.take_calls(), calls);
    let delivered = only(&webhook, DeliveryState::Delivered).await;
    assert_eq!(delivered.kind, OutgoingType::TicketAction, "no other event");
    assert_eq!(problem(&delivered), None);
    let event: OutgoingCloudEvent = serde_json::from_str(&delivered.body).unwrap();
    let until = event.data.until.unwrap();
    let [silence] = &alertmanager.silences()[..] else {
        panic!("{:?}", alertmanager.silences());
    };
    assert!(is_silenced_by(silence, &labels()));
    assert!(!is_silenced_by(silence, &json!({ "alertname": "Other" })));
    assert_eq!(silence["matchers"].as_array().unwrap().len(), 4);
    assert_eq!(silence["endsAt"], until.to_string());
    assert_eq!(silence["createdBy"], "Ticketbridge");
    let comment = silence["comment"].as_str().unwrap();
    assert!(comment.contains(&format!("ticket #{ticket} ")), "{comment}");
    assert!(
        comment.ends_with(&format!("[event {}]", event.id)),
        "{comment}"
    );
    let [note] = &notes(&mut env, ticket).await[..] else {
        panic!("not one note");
    };
    let stated = until.strftime("%-d %B %Y at %H:%M UTC").to_string();
    let text = format!("Alertmanager silences this alert until {stated}.");
    assert!(note.contains(&text), "{note}");
    // It is delivered again, also if the alert is resolved meanwhile.
    for minute in [1, 2] {
        replay(&webhook, &delivered, Timestamp::now() + minutes(minute)).await;
        assert_eq!(alertmanager.take_calls(), calls[..1]);
        assert_eq!(
            problem(&only(&webhook, DeliveryState::Delivered).await),
            None
        );
        alertmanager.forget_alerts();
    }
    assert_eq!(alertmanager.silences().len(), 1);
    assert_eq!(notes(&mut env, ticket).await.len(), 1);
    // A person ended it, and the operator replays the event.
    alertmanager.fire(ALERT, &labels());
    alertmanager.expire_silences();
    replay(&webhook, &delivered, Timestamp::now() + minutes(3)).await;
    assert_eq!(alertmanager.silences().len(), 2);
    assert_eq!(notes(&mut env, ticket).await.len(), 1);
}

#[tokio::test]
async fn only_wont_fix_leads_to_a_call_and_each_move_to_a_silence() {
    let (mut env, webhook, alertmanager) = start().await;
    let ticket = ask(&mut env).await;
    webhook.work().await;
    move_ticket(&env, ticket, COMPLETED).await;
    assert_eq!(run_reconcile(&mut env, 20).await, 1);
    assert_eq!(env.delivery_queue.count().await, 0, "the source is to act");
    move_ticket(&env, ticket, IN_PROGRESS).await;
    assert_eq!(run_reconcile(&mut env, 40).await, 1);
    webhook.work().await;
    let silences = alertmanager.silences();
    assert_eq!(silences.len(), 2);
    assert_ne!(silences[0]["comment"], silences[1]["comment"]);
    // The second answer.
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn an_alert_that_alertmanager_has_no_more_is_not_silenced() {
    let (mut env, webhook, alertmanager) = start().await;
    alertmanager.forget_alerts();
    let ticket = ask(&mut env).await;
    webhook.work().await;
    let delivered = only(&webhook, DeliveryState::Delivered).await;
    let expected = "the Alertmanager has no such alert: nothing was silenced";
    assert_eq!(problem(&delivered), Some(expected));
    assert_eq!(alertmanager.silences(), [""; 0]);
    let notes = notes(&mut env, ticket).await;
    assert!(notes[0].contains("no such alert any more"), "{notes:?}");
}

#[tokio::test]
async fn an_event_that_is_delivered_after_its_days_silences_nothing() {
    let (mut env, webhook, alertmanager) = start().await;
    ask(&mut env).await;
    webhook.work().await;
    let delivered = only(&webhook, DeliveryState::Delivered).await;
    alertmanager.take_calls();
    let after = Timestamp::now() + SignedDuration::from_hours(24 * i64::from(DAYS) + 1);
    replay(&webhook, &delivered, after).await;
    let delivered = only(&webhook, DeliveryState::Delivered).await;
    let expected = "the days of the action are over: nothing was silenced";
    assert_eq!(problem(&delivered), Some(expected));
    assert_eq!(alertmanager.take_calls(), [""; 0]);
    // The answer.
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn a_wrong_authorization_is_shown_in_the_log_and_tried_again() {
    let (mut env, webhook, alertmanager) = start().await;
    alertmanager.demand("Basic b3RoZXI=");
    let start = Timestamp::now();
    ask(&mut env).await;
    webhook.work_at(start).await;
    let pending = only(&webhook, DeliveryState::Pending).await;
    let expected = "the receiver answered 401 (GET /api/v2/silences)";
    assert_eq!(problem(&pending), Some(expected));
    assert!(!format!("{pending:?}").contains("canary"));
    tick(&webhook, start, 1, 10).await;
    let pending = only(&webhook, DeliveryState::Pending).await;
    assert!((3..=7).contains(&pending.attempts), "{}", pending.attempts);
    env.put_outgoing_webhook(outgoing(&alertmanager.origin, Some("Basic b3RoZXI=")))
        .await;
    tick(&webhook, start, 10, 26).await;
    assert_eq!(
        problem(&only(&webhook, DeliveryState::Delivered).await),
        None
    );
    assert_eq!(alertmanager.silences().len(), 1);
    // The answer.
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn an_alertmanager_that_was_down_for_an_hour_silences_until_the_same_time() {
    let (mut env, webhook, alertmanager) = start().await;
    let start = Timestamp::now();
    alertmanager.answer_always(Some((503, "Service Unavailable".to_owned())));
    ask(&mut env).await;
    webhook.work_at(start).await;
    tick(&webhook, start, 1, 60).await;
    let attempts = alertmanager.take_calls().len();
    assert!(
        (5..=10).contains(&attempts),
        "{attempts} attempts in an hour"
    );
    alertmanager.answer_always(None);
    tick(&webhook, start, 60, 77).await;
    let delivered = only(&webhook, DeliveryState::Delivered).await;
    let event: OutgoingCloudEvent = serde_json::from_str(&delivered.body).unwrap();
    let silences = alertmanager.silences();
    assert_eq!(silences.len(), 1);
    assert_eq!(silences[0]["endsAt"], event.data.until.unwrap().to_string());
    // The answer.
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn a_silence_whose_answer_was_lost_is_not_made_again() {
    let (mut env, webhook, alertmanager) = start().await;
    let start = Timestamp::now();
    alertmanager.lose_answer();
    ask(&mut env).await;
    webhook.work_at(start).await;
    let pending = only(&webhook, DeliveryState::Pending).await;
    let expected = "the receiver answered 502 (POST /api/v2/silences)";
    assert_eq!(problem(&pending), Some(expected));
    tick(&webhook, start, 1, 3).await;
    only(&webhook, DeliveryState::Delivered).await;
    assert_eq!(alertmanager.silences().len(), 1);
    // The answer.
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn an_answer_that_is_not_alertmanagers_silences_nothing() {
    let (mut env, webhook, alertmanager) = start().await;
    let start = Timestamp::now();
    let alerts = format!("[{}]", " ".repeat(5 * 1024 * 1024));
    let answers = [
        (
            200,
            "<html>Sign in</html>".to_owned(),
            "the answer is not that of an Alertmanager",
        ),
        (
            200,
            "{\"data\": []}".to_owned(),
            "the answer is not that of an Alertmanager",
        ),
        (200, alerts, "the answer is longer than 4 MiB"),
        (302, String::new(), "the receiver answered 302"),
        (
            400,
            "\"bad matcher format: \"".to_owned(),
            "the receiver answered 400",
        ),
        (
            500,
            "\"secret label\"".to_owned(),
            "the receiver answered 500",
        ),
    ];
    ask(&mut env).await;
    let (event, messages) = env.delivery_queue.receive().await;
    env.delivery_queue.delete(&messages).await;
    let input = serde_json::to_value(event).unwrap();
    for (number, (status, body, expected)) in (0..).zip(answers) {
        alertmanager.answer_always(Some((status, body)));
        let at = start + SignedDuration::from_hours(number);
        let app = webhook.new_app();
        app.handle(input.clone(), &minute(at)).await.unwrap();
        tick(&webhook, at, 0, 1).await;
        let pending = only(&webhook, DeliveryState::Pending).await;
        let expected = format!("{expected} (GET /api/v2/silences)");
        assert_eq!(problem(&pending), Some(&*expected));
    }
    assert_eq!(alertmanager.silences(), [""; 0]);
}

#[tokio::test]
async fn an_alertmanager_in_a_private_network_gets_no_call() {
    let (mut env, mut webhook, alertmanager) = start().await;
    let port = alertmanager.origin.rsplit_once(':').unwrap().1;
    // The origin is listed as 127.0.0.1, and not by this name.
    let url = format!("https://localhost.localdomain:{port}");
    for url in [
        &url,
        &format!("http://localhost:{port}"),
        "https://10.0.0.1",
    ] {
        env.put_outgoing_webhook(outgoing(url, Some(AUTHORIZATION)))
            .await;
        let app = webhook.new_app();
        let now = Timestamp::now();
        let source = SourceId::parse(SOURCE).unwrap();
        let ping = OutgoingCloudEvent::ping(&source, now);
        let ping = Delivery::new(&source, None, &ping, now);
        webhook.table.add(&ping).await.unwrap();
        webhook
            .table
            .schedule(&source, ping.queue(), now)
            .await
            .unwrap();
        let invocation = minute(now + minutes(1));
        app.handle(json!({}), &invocation).await.unwrap();
        let pending = webhook.table.pending(ping.queue()).await.unwrap();
        assert!(problem(&pending[0]).is_some(), "{url}: {pending:?}");
    }
    ask(&mut env).await;
    webhook.app = webhook.new_app();
    webhook.work().await;
    assert_eq!(alertmanager.take_calls(), [""; 0]);
}

#[tokio::test]
async fn a_test_delivery_reads_the_status_of_an_alertmanager() {
    let (_env, webhook, alertmanager) = start().await;
    let source = SourceId::parse(SOURCE).unwrap();
    let mut now = Timestamp::now();
    for (answer, expected) in [
        (None, None),
        (
            Some((200, "{}".to_owned())),
            Some("the answer is not that of an Alertmanager (GET /api/v2/status)"),
        ),
    ] {
        alertmanager.answer_always(answer);
        now += minutes(1);
        let ping = Delivery::new(&source, None, &OutgoingCloudEvent::ping(&source, now), now);
        webhook.table.add(&ping).await.unwrap();
        webhook
            .table
            .schedule(&source, ping.queue(), now)
            .await
            .unwrap();
        webhook.tick_at(now + SignedDuration::from_secs(1)).await;
        let tried = webhook.table.get(&ping.id).await.unwrap().unwrap();
        assert_eq!(problem(&tried), expected);
        assert_eq!(tried.last_attempt.unwrap().status, Some(200));
        assert_eq!(alertmanager.take_calls(), ["GET /api/v2/status"]);
    }
}

#[tokio::test]
async fn events_from_before_the_change_of_format_are_not_sent() {
    let env = environment(&[(ActionKind::Act, IN_PROGRESS)]).await;
    let mut env = env;
    let webhook = env.webhook().await;
    let ticket = raise(&mut env, ALERT).await;
    move_ticket(&env, ticket, IN_PROGRESS).await;
    assert_eq!(run_reconcile(&mut env, 2).await, 1);
    let (webhook, alertmanager) = {
        drop(webhook);
        start_alertmanager(&env).await
    };
    webhook.work().await;
    assert_eq!(alertmanager.take_calls(), [""; 0]);
    let failed = only(&webhook, DeliveryState::Failed).await;
    assert_eq!(failed.kind, OutgoingType::TicketCreated);
    assert_eq!(problem(&failed), Some("the webhook gets only actions now"));
    let action = only(&webhook, DeliveryState::Delivered).await;
    assert_eq!(problem(&action), Some("an Alertmanager gets no such event"));
    // The status that the action left is no new action.
    move_ticket(&env, ticket, OPERATIONS.1).await;
    assert_eq!(run_reconcile(&mut env, 20).await, 1);
    assert_eq!(env.delivery_queue.count().await, 0);
}

/// A message with the action of a technician.
fn request(alert: &str, at: Timestamp) -> Value {
    let ticket = ReportedTicket {
        number: 77,
        epoch: 1,
    };
    let action = StatusAction::WontFix { days: DAYS };
    let event = OutgoingEvent {
        sequence: 1,
        at,
        what: OutgoingEventKind::TicketAction { ticket, action },
    };
    let request = DeliveryRequest {
        key: key(TENANT, alert),
        kind: None,
        events: vec![ReportedEvent { event, link: None }],
    };
    let mut record = SqsMessage::default();
    record.message_id = Some("1".to_owned());
    record.body = Some(request.to_json());
    let mut batch = SqsEvent::default();
    batch.records.push(record);
    serde_json::to_value(batch).unwrap()
}

#[tokio::test]
async fn a_worker_that_dies_at_any_call_silences_each_alert_once() {
    let (env, webhook, alertmanager) = start().await;
    let proxy = env.proxy().await;
    let process = DeliveriesProcess {
        env: &env,
        proxy: &proxy,
        config: &webhook.config,
    };
    let (mut deaths, mut found, mut alerts) = (0, 0, 0);
    let mut now = Timestamp::now();
    for when in WHENS {
        for at in 1.. {
            alerts += 1;
            let alert = format!("{alerts:016x}");
            alertmanager.fire(&alert, &json!({ "alertname": alert }));
            let batch = request(&alert, now);
            let mut stop = Some(Stop { at, when });
            let mut has_died = false;
            while process.handle(&batch, stop.take(), now).await.is_none() {
                has_died = true;
                now += VISIBILITY;
            }
            for _ in 0..5 {
                now += minutes(1);
                process.handle(&json!({}), None, now).await.unwrap();
            }
            let silences = alertmanager.silences();
            assert_eq!(silences.len(), alerts, "{when:?} {at}");
            assert_eq!(
                webhook.log(DeliveryState::Pending).await,
                [],
                "{when:?} {at}"
            );
            let calls = alertmanager.take_calls();
            let looks = calls.iter().filter(|call| *call == "GET /api/v2/silences");
            found += looks.count() - 1;
            if !has_died {
                assert!(at > 5, "{at} calls are no run");
                break;
            }
            deaths += 1;
        }
    }
    println!("{deaths} deaths, {found} silences looked for again");
    assert!(found > 0, "no worker died after it made a silence");
    // A worker that died after it queued the answer queues it again.
    env.queue.allow_leftovers();
}
