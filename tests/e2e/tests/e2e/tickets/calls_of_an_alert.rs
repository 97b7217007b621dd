//! How many calls an alert costs. `docs/performance.md` says why each of them is needed.

use crate::environment::{SECRET, SOURCE, signed};
use crate::environment::{TestEnvironment, raised_event, resolved_event, webhook_ends};
use crate::proxy::Proxy;
use jiff::Timestamp;
use serde_json::Value;

/// A test environment whose `tickets` calls everything through a proxy, after its first alert.
async fn warm() -> (TestEnvironment, Proxy) {
    let mut env = TestEnvironment::new().await;
    let proxy = env.proxy().await;
    let worker = proxy.count(None);
    let config = env.config_through(&worker, &proxy).await;
    let aws = env.account.sdk_config_through(&proxy.origin, &worker);
    env.worker.app = tickets::TicketsHandler::build(&config, &aws).unwrap();
    process(&mut env, &[raised_event("e0", "a0", 0)]).await;
    (env, proxy)
}

/// Hands over events in one batch, each of which must be done at once.
async fn process(env: &mut TestEnvironment, events: &[Value]) {
    let messages = env.post_and_take(events).await;
    let back = env.worker.handle_at(messages, 0).await;
    assert_eq!(back.len(), 0, "{back:?}");
}

/// The calls of `tickets` for these events, after those that it made before.
async fn calls(env: &mut TestEnvironment, proxy: &Proxy, events: &[Value]) -> Vec<String> {
    let before = proxy.calls().len();
    process(env, events).await;
    let calls = proxy.calls().into_iter().skip(before);
    calls.map(|call| call.what).collect()
}

#[tokio::test]
async fn a_new_alert_costs_one_connectwise_call_two_writes_and_no_sqs_call() {
    let (mut env, proxy) = warm().await;
    let raised = [raised_event("e1", "a1", 0)];
    insta::assert_snapshot!(calls(&mut env, &proxy, &raised).await.join("\n"), @r"
    BatchGetItem
    BatchGetItem
    UpdateItem
    POST /service/tickets
    UpdateItem
    ");
}

#[tokio::test]
async fn ten_new_alerts_of_one_batch_cost_ten_times_the_calls_of_one() {
    let (mut env, proxy) = warm().await;
    let raised: Vec<_> = (1..=10)
        .map(|n| raised_event(&format!("e{n}"), &format!("a{n}"), 0))
        .collect();
    let mut calls = calls(&mut env, &proxy, &raised).await;
    calls.sort_unstable();
    let mut counted: Vec<(String, usize)> = vec![];
    for call in calls {
        match counted.last_mut() {
            Some((last, count)) if *last == call => *count += 1,
            _ => counted.push((call, 1)),
        }
    }
    let lines: Vec<_> = counted
        .iter()
        .map(|(call, count)| format!("{count} {call}"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    20 BatchGetItem
    10 POST /service/tickets
    20 UpdateItem
    ");
}

#[tokio::test]
async fn a_repeat_within_the_note_interval_costs_one_write() {
    let (mut env, proxy) = warm().await;
    process(&mut env, &[raised_event("e1", "a1", 0)]).await;
    process(&mut env, &[raised_event("e2", "a1", 1)]).await;
    let repeat = [raised_event("e3", "a1", 2)];
    insta::assert_snapshot!(calls(&mut env, &proxy, &repeat).await.join("\n"), @r"
    BatchGetItem
    BatchGetItem
    UpdateItem
    ");
}

#[tokio::test]
async fn a_resolved_alert_costs_the_calls_that_close_its_ticket_safely() {
    let (mut env, proxy) = warm().await;
    process(&mut env, &[raised_event("e1", "a1", 0)]).await;
    let resolved = [resolved_event("e2", "a1", 5)];
    insta::assert_snapshot!(calls(&mut env, &proxy, &resolved).await.join("\n"), @r"
    BatchGetItem
    BatchGetItem
    UpdateItem
    GET /service/tickets/10002
    POST /service/tickets/10002/notes
    UpdateItem
    GET /service/tickets/10002
    PATCH /service/tickets/10002
    GET /service/tickets/10002
    UpdateItem
    ");
}

#[tokio::test]
async fn a_request_of_a_known_source_costs_ingest_one_sqs_call() {
    let env = TestEnvironment::new().await;
    let proxy = env.proxy().await;
    let name = proxy.count(None);
    let config = ingest::Config {
        queue_url: env.queue.url.clone(),
        source_secret_prefix: "tb/source/".into(),
    };
    let aws = env.account.sdk_config_through(&proxy.origin, &name);
    let webhook = ingest::Webhook::build(config, &aws);
    for n in 0..3 {
        let body = raised_event(&format!("e{n}"), &format!("a{n}"), 0).to_string();
        let now = Timestamp::now();
        let media_type = "application/cloudevents+json";
        let request = signed(SOURCE, SECRET, media_type, body.as_bytes(), now);
        let response = webhook.handle_at(request, now, webhook_ends()).await;
        assert_eq!(response.status_code, 202, "{response:?}");
    }
    let calls: Vec<_> = proxy.calls().into_iter().map(|call| call.what).collect();
    insta::assert_snapshot!(calls.join("\n"), @r"
    GetSecretValue
    GetSecretValue
    SendMessageBatch
    SendMessageBatch
    SendMessageBatch
    ");
    env.queue.expect_leftovers(3);
}
