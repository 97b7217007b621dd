//! Receivers that are down, refuse or no longer exist, and workers that die.

use domain::SourceId;
use jiff::{SignedDuration, Timestamp};
use store::DeliveryState;

use crate::environment::{
    ReceiverAnswer, SOURCE, TENANT, TestEnvironment, WEBHOOK_SECRET, Webhook, key, raised_event,
    resolved_event,
};

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn source() -> SourceId {
    SourceId::parse(SOURCE).unwrap()
}

/// One tick a minute from the first minute to before the last.
async fn tick(webhook: &Webhook, start: Timestamp, from: i64, to: i64) {
    for minute in from..to {
        webhook.tick_at(start + minutes(minute)).await;
    }
}

#[tokio::test]
async fn a_receiver_that_was_down_for_an_hour_gets_everything_in_order() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    let start = Timestamp::now();
    webhook.receiver.answer_always(Some(503));
    for alert in 1..=4 {
        let raised = raised_event(&format!("r{alert}"), &format!("a{alert}"), 0);
        env.deliver(&raised).await;
        webhook.work_at(start).await;
        let resolved = resolved_event(&format!("c{alert}"), &format!("a{alert}"), 60);
        env.deliver(&resolved).await;
        webhook.work_at(start).await;
    }
    assert_eq!(
        webhook.receiver.received().len(),
        1,
        "one attempt shows that it is down"
    );
    tick(&webhook, start, 1, 60).await;
    let probes = webhook.receiver.received().len();
    assert!((5..=10).contains(&probes), "{probes} attempts in an hour");
    assert_eq!(webhook.log(DeliveryState::Pending).await.len(), 12);
    webhook.receiver.answer_always(None);
    tick(&webhook, start, 60, 77).await;
    for alert in 1..=4 {
        let confirmed = webhook.receiver.confirmed_of(&format!("a{alert}"));
        assert_eq!(
            confirmed,
            ["ticket.created", "ticket.noted", "ticket.closed"]
        );
    }
    assert_eq!(webhook.log(DeliveryState::Delivered).await.len(), 12);
    assert_eq!(webhook.table.next_due(&source()).await.unwrap(), None);
    let receiver = webhook.table.receiver(&source()).await.unwrap();
    assert_eq!(receiver, store::Receiver::default());
}

#[tokio::test]
async fn a_refused_event_delays_only_its_own_alert() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    let start = Timestamp::now();
    webhook.receiver.refuse("a1");
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&raised_event("e2", "a2", 0)).await;
    env.deliver(&resolved_event("e3", "a1", 60)).await;
    webhook.work_at(start).await;
    assert_eq!(webhook.receiver.confirmed(), ["a2 ticket.created"]);
    tick(&webhook, start, 1, 10).await;
    let attempts = webhook.receiver.received().len();
    assert!((4..=7).contains(&attempts), "{attempts}");
    webhook.receiver.accept_all();
    tick(&webhook, start, 10, 26).await;
    assert_eq!(
        webhook.receiver.confirmed_of("a1"),
        ["ticket.created", "ticket.noted", "ticket.closed"]
    );
}

#[tokio::test]
async fn a_receiver_is_left_alone_for_as_long_as_it_asks() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    let start = Timestamp::now();
    webhook.receiver.answer_next(&[ReceiverAnswer {
        status: 429,
        retry_after: Some("1800"),
        body: "",
    }]);
    env.deliver(&raised_event("e1", "a1", 0)).await;
    webhook.work_at(start).await;
    env.deliver(&resolved_event("e2", "a1", 60)).await;
    webhook.work_at(start + minutes(1)).await;
    tick(&webhook, start, 2, 30).await;
    assert_eq!(webhook.receiver.received().len(), 1);
    tick(&webhook, start, 31, 33).await;
    assert_eq!(
        webhook.receiver.confirmed_of("a1"),
        ["ticket.created", "ticket.noted", "ticket.closed"]
    );
}

#[tokio::test]
async fn after_three_days_an_event_has_failed_and_the_operator_replays_it() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    let start = Timestamp::now();
    webhook.receiver.answer_always(Some(500));
    env.deliver(&raised_event("e1", "a1", 0)).await;
    webhook.work_at(start).await;
    let almost = start + SignedDuration::from_hours(71);
    webhook.tick_at(almost).await;
    assert_eq!(webhook.log(DeliveryState::Pending).await.len(), 1);
    let ended = start + SignedDuration::from_hours(72) + minutes(16);
    webhook.tick_at(ended).await;
    let failed = webhook.log(DeliveryState::Failed).await;
    assert_eq!(failed.len(), 1);
    webhook.receiver.answer_always(None);
    tick(&webhook, ended, 1, 20).await;
    assert!(webhook.receiver.confirmed().is_empty(), "it was given up");
    let later = ended + minutes(30);
    assert!(webhook.table.replay(&failed[0], later).await.unwrap());
    assert!(!webhook.table.replay(&failed[0], later).await.unwrap());
    webhook
        .table
        .schedule(&source(), failed[0].queue(), later)
        .await
        .unwrap();
    tick(&webhook, later, 1, 3).await;
    assert_eq!(webhook.receiver.confirmed(), ["a1 ticket.created"]);
    assert_eq!(webhook.log(DeliveryState::Failed).await, []);
}

#[tokio::test]
async fn a_receiver_that_is_gone_fails_the_event_at_once_and_gets_the_next() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    webhook.receiver.answer_next(&[ReceiverAnswer {
        status: 410,
        retry_after: None,
        body: "",
    }]);
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&resolved_event("e2", "a1", 60)).await;
    webhook.work().await;
    assert_eq!(
        webhook.receiver.confirmed_of("a1"),
        ["ticket.noted", "ticket.closed"]
    );
    let failed = webhook.log(DeliveryState::Failed).await;
    assert_eq!(failed.len(), 1);
    let attempt = failed[0].last_attempt.clone().unwrap();
    assert_eq!(attempt.status, Some(410));
}

#[tokio::test]
async fn an_address_that_leads_into_a_private_network_gets_nothing() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    // The receiver's origin is listed as 127.0.0.1, and not by this name.
    let port = webhook.receiver.origin.rsplit_once(':').unwrap().1;
    for (n, url) in [
        format!("http://localhost:{port}/hooks"),
        format!("https://127.0.0.1:{port}/hooks"),
    ]
    .iter()
    .enumerate()
    {
        env.put_webhook(url, &[(WEBHOOK_SECRET, None)]).await;
        let app = webhook.new_app();
        env.deliver(&raised_event(&format!("e{n}"), &format!("a{n}"), 0))
            .await;
        let (event, messages) = env.delivery_queue.receive().await;
        let input = serde_json::to_value(event).unwrap();
        let now = Timestamp::now() + SignedDuration::from_hours(i64::try_from(n).unwrap());
        app.handle(input, &crate::environment::minute(now))
            .await
            .unwrap();
        env.delivery_queue.delete(&messages).await;
        let queue = key(TENANT, &format!("a{n}")).item_key();
        let pending = webhook.table.pending(&queue).await.unwrap();
        let problem = pending[0].last_attempt.clone().unwrap().problem.unwrap();
        assert!(
            problem.contains("address") || problem.contains("https"),
            "{url}: {problem}"
        );
    }
    assert!(webhook.receiver.received().is_empty());
}

#[tokio::test]
async fn what_a_dead_worker_left_is_delivered_by_a_later_tick() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    let start = Timestamp::now();
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let queue = key(TENANT, "a1").item_key();
    let source = &source();
    // It took the lease of the queue, and died.
    let times = (start, start + minutes(1));
    let lease = webhook.table.lease_queue(source, &queue, "dead", times);
    assert!(lease.await.unwrap().is_some());
    webhook.work_at(start).await;
    assert!(
        webhook.receiver.received().is_empty(),
        "the queue is leased"
    );
    // Another took the lease of the receiver, and died.
    let at = start + SignedDuration::from_secs(5);
    let lease = webhook
        .table
        .lease_receiver(source, "dead", (at, at + minutes(2)));
    assert!(lease.await.unwrap().is_some());
    tick(&webhook, start, 1, 3).await;
    assert!(
        webhook.receiver.received().is_empty(),
        "the receiver is leased"
    );
    tick(&webhook, start, 3, 5).await;
    assert_eq!(webhook.receiver.confirmed(), ["a1 ticket.created"]);
}

#[tokio::test]
async fn nothing_waits_for_a_webhook_that_was_removed() {
    let mut env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let document = serde_json::to_string(&crate::environment::source_document()).unwrap();
    env.account
        .put_secret(&format!("tb/source/{SOURCE}"), &document)
        .await;
    webhook.work().await;
    assert!(webhook.receiver.received().is_empty());
    let failed = webhook.log(DeliveryState::Failed).await;
    let problem = failed[0].last_attempt.clone().unwrap().problem.unwrap();
    assert_eq!(problem, "the source has no webhook any more");
    assert_eq!(webhook.table.next_due(&source()).await.unwrap(), None);
}
