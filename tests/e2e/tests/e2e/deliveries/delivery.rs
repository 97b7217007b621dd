//! What a receiver gets, and in which order, when all goes well.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::DeliveryState;

use crate::environment::{
    PARTNER, TENANT, TestEnvironment, WEBHOOK_SECRET, key, minute, raised_event, resolved_event,
};

const OLD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[tokio::test]
async fn a_receiver_gets_the_life_of_a_ticket_signed_and_in_order() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    webhook.work().await;
    env.deliver(&resolved_event("e2", "a1", 60)).await;
    webhook.work().await;
    let confirmed = webhook.receiver.confirmed_of("a1");
    assert_eq!(
        confirmed,
        ["ticket.created", "ticket.noted", "ticket.closed"]
    );
    let received = webhook.receiver.received();
    let ticket = &env.connectwise.tickets().await[0];
    let created = received[0].event();
    let item_key = key(TENANT, "a1").item_key();
    assert_eq!(
        created["data"],
        json!({
            "partner": PARTNER, "tenant": TENANT, "alert_id": "a1", "alert_key": item_key,
            "kind": "disk", "sequence": 1,
            "ticket": { "number": ticket["id"], "link": format!(
                "{}/v4_6_release/services/system_io/Service/fv_sr100_request.rails?companyName=tbdemo&service_recid={}",
                env.connectwise.origin(), ticket["id"]
            ) },
        })
    );
    assert_eq!(received[2].event()["data"]["closed_by"], "resolved_alert");
    for (n, request) in received.iter().enumerate() {
        assert!(request.is_signed_with(WEBHOOK_SECRET, Timestamp::now()));
        assert!(!request.is_signed_with(OLD_SECRET, Timestamp::now()));
        let id = format!("{item_key}-{}", n + 1);
        assert_eq!(request.header("webhook-id"), id);
        assert_eq!(request.event()["id"], id);
        assert_eq!(
            request.header("content-type"),
            "application/cloudevents+json"
        );
    }
    assert_eq!(webhook.log(DeliveryState::Delivered).await.len(), 3);
    let later = Timestamp::now() + SignedDuration::from_mins(2);
    assert_eq!(webhook.tick_at(later).await["receivers"], 0);
}

#[tokio::test]
async fn a_source_without_a_webhook_queues_nothing() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(env.delivery_queue.count().await, 0);
    let record = env.alerts.get(&key(TENANT, "a1")).await.unwrap().unwrap();
    assert_eq!(record.outgoing, None);
}

#[tokio::test]
async fn a_blocked_alert_is_reported_once_and_then_released() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    let mapping = env.mapping(TENANT).await;
    let disabled = domain::setup::mapping::Mapping {
        enabled: false,
        ..mapping.clone()
    };
    env.put_mapping(TENANT, &disabled).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&raised_event("e2", "a1", 30)).await;
    webhook.work().await;
    assert_eq!(webhook.receiver.confirmed_of("a1"), ["alert.blocked"]);
    let blocked = webhook.receiver.received()[0].event();
    assert_eq!(blocked["data"]["reason"], "tenant_disabled");
    env.put_mapping(TENANT, &mapping).await;
    env.reconsider("a1", 0).await;
    webhook.work().await;
    assert_eq!(
        webhook.receiver.confirmed_of("a1"),
        ["alert.blocked", "alert.released", "ticket.created"]
    );
}

#[tokio::test]
async fn a_message_that_comes_twice_is_delivered_once() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let (event, messages) = env.delivery_queue.receive().await;
    assert_eq!(messages.len(), 1);
    let input = serde_json::to_value(event).unwrap();
    for _ in 0..2 {
        let invocation = minute(Timestamp::now());
        let answer = webhook.app.handle(input.clone(), &invocation).await;
        assert_eq!(answer.unwrap()["batchItemFailures"], json!([]));
    }
    env.delivery_queue.delete(&messages).await;
    assert_eq!(webhook.receiver.confirmed(), ["a1 ticket.created"]);
}

#[tokio::test]
async fn two_workers_deliver_each_event_once_and_in_order() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&resolved_event("e2", "a1", 60)).await;
    webhook.receiver.set_delay(Duration::from_millis(300));
    let (event, messages) = env.delivery_queue.receive().await;
    let inputs: Vec<_> = event
        .records
        .iter()
        .map(|record| json!({ "Records": [record] }))
        .collect();
    assert_eq!(inputs.len(), 2);
    let other = webhook.new_app();
    let now = Timestamp::now();
    let (one, two) = (minute(now), minute(now + SignedDuration::from_millis(1)));
    let (one, two) = tokio::join!(
        webhook.app.handle(inputs[0].clone(), &one),
        other.handle(inputs[1].clone(), &two)
    );
    one.unwrap();
    two.unwrap();
    env.delivery_queue.delete(&messages).await;
    webhook.tick_at(now + SignedDuration::from_mins(1)).await;
    assert_eq!(
        webhook.receiver.confirmed(),
        ["a1 ticket.created", "a1 ticket.noted", "a1 ticket.closed"]
    );
}

#[tokio::test]
async fn during_a_rotation_each_delivery_has_two_signatures() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    let now = Timestamp::now();
    let url = format!("{}/hooks", webhook.receiver.origin);
    let end = now + SignedDuration::from_hours(24);
    let secrets = [(WEBHOOK_SECRET, None), (OLD_SECRET, Some(end))];
    env.put_webhook(&url, &secrets).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    webhook.work().await;
    let received = webhook.receiver.received();
    assert!(received[0].is_signed_with(WEBHOOK_SECRET, now));
    assert!(received[0].is_signed_with(OLD_SECRET, now));
    env.deliver(&resolved_event("e2", "a1", 60)).await;
    let after = end + SignedDuration::from_secs(1);
    webhook.work_at(after).await;
    let received = webhook.receiver.received();
    assert!(received[1].is_signed_with(WEBHOOK_SECRET, after));
    assert!(!received[1].is_signed_with(OLD_SECRET, after));
}

#[tokio::test]
async fn events_that_were_not_queued_are_queued_when_the_message_comes_again() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    let lost = tickets::Config {
        delivery_queue_url: format!("{}-absent", env.tickets_config.delivery_queue_url),
        ..env.tickets_config.clone()
    };
    let lost = tickets::TicketsHandler::build(&lost, &env.aws).unwrap();
    env.source.post(&raised_event("e1", "a1", 0)).await;
    let (event, messages) = env.queue.receive().await;
    let invocation = env.worker.invocation(60);
    let answer = lost.handle(event, &invocation).await;
    assert_eq!(
        answer.batch_item_failures.len(),
        1,
        "it is not acknowledged"
    );
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    assert_eq!(env.delivery_queue.count().await, 0);
    env.queue.make_visible(&messages).await;
    env.worker.work().await;
    webhook.work().await;
    assert_eq!(webhook.receiver.confirmed(), ["a1 ticket.created"]);
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}
