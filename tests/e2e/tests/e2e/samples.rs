//! The payloads in `events/`: each is what it claims to be, and each does what its name says.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::sqs::SqsEvent;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::record::{Claim, Op, Record};
use domain::webhook::{RequestTimes, SourcePolicy, parse};
use domain::{AlertKey, ClaimId};
use ingest::signature::{Headers, Key, Signed};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tickets::Invocation;

use crate::world::{SECRET, TENANT, World, key, partner};

macro_rules! samples {
    ($($name:literal),+) => {
        [$((
            $name,
            include_str!(concat!("../../../../events/", $name, ".json")),
            include_str!(concat!("../../../../events/apigw-", $name, ".json")),
        )),+]
    };
}

const WEBHOOKS: [(&str, &str, &str); 5] = samples!(
    "alert.raised",
    "alert.updated",
    "alert.resolved",
    "alerts.snapshot",
    "batch"
);

fn door() -> SourcePolicy {
    let source = key(TENANT, "any").source;
    let (partners, kinds_added) = (vec![partner()], vec![]);
    SourcePolicy {
        source,
        partners,
        kinds_added,
    }
}

#[test]
fn every_webhook_body_is_one_that_the_door_takes() {
    let now = Timestamp::now();
    let times = RequestTimes {
        sent_at: now,
        received_at: now,
    };
    for (name, body, _) in WEBHOOKS {
        let parsed = parse(body.as_bytes(), &door(), times).unwrap();
        assert!(!parsed.messages.is_empty(), "{name}");
        assert_eq!(
            (parsed.rejected, parsed.dropped.total()),
            (vec![], 0),
            "{name}"
        );
    }
}

#[tokio::test]
async fn every_gateway_payload_has_its_body_rightly_signed_and_is_too_old_by_now() {
    let world = World::new().await;
    for (name, body, payload) in WEBHOOKS {
        let request: ApiGatewayV2httpRequest = serde_json::from_str(payload).unwrap();
        let raw = STANDARD.decode(request.body.as_deref().unwrap()).unwrap();
        assert_eq!(raw, body.as_bytes(), "{name}");
        let header = |name: &str| request.headers[name].to_str().unwrap();
        let headers = Headers {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
        };
        let then = Timestamp::from_second(headers.timestamp.parse().unwrap()).unwrap();
        let signed = Signed::read(headers, then).unwrap();
        assert!(signed.fits(&[Key::parse(SECRET).unwrap()], &raw), "{name}");
        let response = world.ingest.handle(request).await;
        assert_eq!(response.status_code, 401, "{name}");
    }
}

fn batch(text: &str) -> (SqsEvent, Invocation) {
    let now = Timestamp::now();
    let ends = now + SignedDuration::from_secs(60);
    (
        serde_json::from_str(text).unwrap(),
        Invocation::at("sample", now, ends),
    )
}

/// Which messages the answer names, as Lambda writes it.
async fn failures(world: &World, text: &str) -> Value {
    let (event, invocation) = batch(text);
    serde_json::to_value(world.tickets.handle(event, &invocation).await).unwrap()
}

#[tokio::test]
async fn the_good_batch_becomes_two_tickets() {
    let world = World::new().await;
    let answer = failures(&world, include_str!("../../../../events/sqs-good.json")).await;
    assert_eq!(answer.to_string(), r#"{"batchItemFailures":[]}"#);
    assert_eq!(world.all_tickets().await.len(), 2);
}

#[tokio::test]
async fn the_partial_failure_names_the_alert_that_another_worker_holds() {
    let world = World::new().await;
    hold(&world, &key(TENANT, "sample-held")).await;
    let sample = include_str!("../../../../events/sqs-partial-failure.json");
    let answer = failures(&world, sample).await;
    assert_eq!(
        answer.to_string(),
        r#"{"batchItemFailures":[{"itemIdentifier":"00000000-0000-4000-8000-000000000002"}]}"#
    );
    assert_eq!(world.all_tickets().await.len(), 1);
}

#[tokio::test]
async fn the_poison_is_parked_and_its_mate_becomes_a_ticket() {
    let world = World::new().await;
    let answer = failures(&world, include_str!("../../../../events/sqs-poison.json")).await;
    assert_eq!(answer.to_string(), r#"{"batchItemFailures":[]}"#);
    assert_eq!(world.all_tickets().await.len(), 1);
    assert_eq!(world.waiting(&world.dead_letter_queue_url).await, 2);
}

/// Writes a record whose claim another worker holds for a minute.
async fn hold(world: &World, key: &AlertKey) {
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
        severity: domain::event::Severity::High,
        began_at: now,
        raise_received_at: None,
        repeats: 0,
        until: now + SignedDuration::from_mins(1),
        uncertain_at: None,
        visits: 0,
        visited_at: None,
        empty_visits: 0,
        suspected_refusal: None,
    };
    world.alerts.write(&record.with_claim(claim)).await.unwrap();
}
