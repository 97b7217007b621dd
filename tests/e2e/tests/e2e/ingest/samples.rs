//! The sample payloads in `events/`: each has the format and the effect that its name says.

use crate::environment::{SECRET, TENANT, TestEnvironment, key, partner};
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::sqs::SqsEvent;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::alert::record::{Claim, Op, Record};
use domain::wire::webhook::{RequestTimes, SourcePolicy, parse};
use domain::{AlertKey, ClaimId};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tickets::BatchInvocation;
use webhook_signature::{SignatureHeaders, SignedRequest, SigningKey};

macro_rules! samples {
    ($($name:literal),+) => {
        [$((
            $name,
            include_str!(concat!("../../../../../events/", $name, ".json")),
            include_str!(concat!("../../../../../events/apigw-", $name, ".json")),
        )),+]
    };
}

const WEBHOOKS: [(&str, &str, &str); 6] = samples!(
    "alert.raised",
    "alert.updated",
    "alert.resolved",
    "alerts.snapshot",
    "tenants.snapshot",
    "batch"
);

fn source_policy() -> SourcePolicy {
    let source = key(TENANT, "any").source;
    let (partners, kinds_added) = (vec![partner()], vec![]);
    SourcePolicy {
        source,
        partners,
        kinds_added,
        webhook: domain::outgoing::scope::WebhookScope::Nothing,
    }
}

#[test]
fn every_sample_webhook_is_accepted() {
    let now = Timestamp::now();
    let times = RequestTimes {
        sent_at: now,
        received_at: now,
    };
    for (name, body, _) in WEBHOOKS {
        let parsed = parse(body.as_bytes(), &source_policy(), times).unwrap();
        assert!(!parsed.messages.is_empty(), "{name}");
        assert_eq!(
            (parsed.rejected, parsed.dropped.total()),
            (vec![], 0),
            "{name}"
        );
    }
}

#[tokio::test]
async fn sample_gateway_payloads_are_signed_and_expired() {
    let env = TestEnvironment::new().await;
    for (name, body, payload) in WEBHOOKS {
        let request: ApiGatewayV2httpRequest = serde_json::from_str(payload).unwrap();
        let raw = STANDARD.decode(request.body.as_deref().unwrap()).unwrap();
        assert_eq!(raw, body.as_bytes(), "{name}");
        let header = |name: &str| request.headers[name].to_str().unwrap();
        let headers = SignatureHeaders {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
        };
        let then = Timestamp::from_second(headers.timestamp.parse().unwrap()).unwrap();
        let signed = SignedRequest::read(headers, then).unwrap();
        assert!(
            signed.matches(&[SigningKey::parse(SECRET).unwrap()], &raw),
            "{name}"
        );
        let response = env.source.receive(request, Timestamp::now()).await;
        assert_eq!(response.status_code, 401, "{name}");
    }
    // The report of all of them.
    env.queue.expect_leftovers(1);
}

fn batch(text: &str) -> (SqsEvent, BatchInvocation) {
    let now = Timestamp::now();
    let ends = now + SignedDuration::from_secs(60);
    (
        serde_json::from_str(text).unwrap(),
        BatchInvocation::at("sample", now, ends),
    )
}

/// The function's answer as Lambda serializes it.
async fn failures(env: &TestEnvironment, text: &str) -> Value {
    let (event, invocation) = batch(text);
    serde_json::to_value(env.worker.app.handle(event, &invocation).await).unwrap()
}

#[tokio::test]
async fn the_sample_batch_becomes_two_tickets() {
    let env = TestEnvironment::new().await;
    let answer = failures(&env, include_str!("../../../../../events/sqs-good.json")).await;
    assert_eq!(answer.to_string(), r#"{"batchItemFailures":[]}"#);
    assert_eq!(env.connectwise.tickets().await.len(), 2);
}

#[tokio::test]
async fn the_partial_failure_sample_names_the_claimed_alert() {
    let env = TestEnvironment::new().await;
    hold(&env, &key(TENANT, "sample-held")).await;
    let sample = include_str!("../../../../../events/sqs-partial-failure.json");
    let answer = failures(&env, sample).await;
    assert_eq!(
        answer.to_string(),
        r#"{"batchItemFailures":[{"itemIdentifier":"00000000-0000-4000-8000-000000000002"}]}"#
    );
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn the_poison_sample_goes_to_the_dead_letter_queue() {
    let env = TestEnvironment::new().await;
    let answer = failures(&env, include_str!("../../../../../events/sqs-poison.json")).await;
    assert_eq!(answer.to_string(), r#"{"batchItemFailures":[]}"#);
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    assert_eq!(env.dead_letter_queue.count().await, 2);
    env.dead_letter_queue.expect_leftovers(2);
}

/// Writes a record that another worker has claimed for a minute.
async fn hold(env: &TestEnvironment, key: &AlertKey) {
    let record = Record::new(key.clone());
    let id = ClaimId::parse("another-worker-0").unwrap();
    let now = Timestamp::now();
    let claim = Claim {
        id,
        op: Op::Create,
        reason: "raised".into(),
        ticket_ref: record.occurrence_ref(),
        ticket_id: None,
        board_id: None,
        company_id: 301,
        epoch: 1,
        severity: domain::alert::event::Severity::High,
        kind: None,
        began_at: now,
        raise_received_at: None,
        repeats: 0,
        links_configuration: false,
        until: now + SignedDuration::from_mins(1),
        uncertain_at: None,
        visits: 0,
        visited_at: None,
        empty_visits: 0,
        suspected_refusal: None,
    };
    env.alerts.write(&record.with_claim(claim)).await.unwrap();
}
