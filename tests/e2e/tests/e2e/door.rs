//! The door: who is let in, and what is said to the others.

use aws::secrets::{SigningSecret, SourceDocument};
use domain::Secret;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::world::{SECRET, SOURCE, World, answer, event, partner, signed};

const CLOUD_EVENT: &str = "application/cloudevents+json";

#[tokio::test]
async fn an_unknown_source_a_wrong_signature_and_a_disabled_source_get_the_same_answer() {
    let world = World::new().await;
    let disabled = "src_zzzzzzzzzzzzzzzzzzzzzzzzzz";
    let document = SourceDocument {
        partner: Some(partner()),
        partners: vec![],
        enabled: false,
        kinds_added: vec![],
        secrets: vec![SigningSecret {
            value: Secret::new(SECRET),
            not_after: None,
        }],
    };
    world
        .put_secret(
            &format!("tb/source/{disabled}"),
            &serde_json::to_string(&document).unwrap(),
        )
        .await;
    let body = event("alert.raised", "e1", "a1", 0).to_string();
    let other = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    let now = Timestamp::now();
    let old = now - SignedDuration::from_secs(400);
    let mut answers = vec![];
    for request in [
        signed(SOURCE, other, CLOUD_EVENT, body.as_bytes(), now),
        signed(
            "src_yyyyyyyyyyyyyyyyyyyyyyyyyy",
            SECRET,
            CLOUD_EVENT,
            body.as_bytes(),
            now,
        ),
        signed("../etc/passwd", SECRET, CLOUD_EVENT, body.as_bytes(), now),
        signed(disabled, SECRET, CLOUD_EVENT, body.as_bytes(), now),
        signed(SOURCE, SECRET, CLOUD_EVENT, body.as_bytes(), old),
    ] {
        let response = world.ingest.handle(request).await;
        assert_eq!(response.status_code, 401);
        answers.push(format!("{response:?}"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(world.waiting(&world.queue_url).await, 0);
}

#[tokio::test]
async fn a_wrong_body_is_named_and_nothing_of_its_batch_is_queued() {
    let world = World::new().await;
    let mut bad = event("alert.raised", "e2", "a2", 0);
    bad["data"]["kind"] = "toaster".into();
    let batch = json!([event("alert.raised", "e1", "a1", 0), bad]).to_string();
    let response = world
        .post_raw("application/cloudevents-batch+json", batch.as_bytes())
        .await;
    assert_eq!(
        (response.status_code, answer(&response)["field"].as_str()),
        (400, Some("[1].data.kind"))
    );
    let response = world.post_raw("text/plain", b"{}").await;
    assert_eq!(response.status_code, 415);
    let response = world
        .post_raw(CLOUD_EVENT, &vec![b'['; 256 * 1024 + 1])
        .await;
    assert_eq!(response.status_code, 413);
    assert_eq!(world.waiting(&world.queue_url).await, 0);
}

#[tokio::test]
async fn a_batch_of_more_than_ten_is_queued_whole() {
    let world = World::new().await;
    let batch: Vec<_> = (0..23)
        .map(|n| event("alert.raised", "e1", &format!("a{n}"), 0))
        .collect();
    let response = world
        .post_raw(
            "application/cloudevents-batch+json",
            &serde_json::to_vec(&batch).unwrap(),
        )
        .await;
    assert_eq!(
        (response.status_code, answer(&response)),
        (202, json!({ "accepted": 23 }))
    );
    assert_eq!(world.waiting(&world.queue_url).await, 23);
}

#[tokio::test]
async fn without_the_queue_nothing_is_accepted() {
    let world = World::new().await;
    let config = ingest::Config {
        queue_url: format!("{}-gone", world.queue_url),
        source_secret_prefix: "tb/source/".into(),
    };
    let door = ingest::App::build(config, &world.aws);
    let body = event("alert.raised", "e1", "a1", 0).to_string();
    let response = door
        .handle(signed(
            SOURCE,
            SECRET,
            CLOUD_EVENT,
            body.as_bytes(),
            Timestamp::now(),
        ))
        .await;
    assert_eq!(response.status_code, 503);
    assert!(response.headers.contains_key("retry-after"));
}

const NEW_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const THIRD_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// Puts the source's document with these secrets in place.
async fn rotate(world: &World, secrets: &[(&str, Option<Timestamp>)]) {
    let secret = |&(value, not_after): &(&str, _)| SigningSecret {
        value: Secret::new(value),
        not_after,
    };
    let document = SourceDocument {
        partner: Some(partner()),
        partners: vec![],
        enabled: true,
        kinds_added: vec![],
        secrets: secrets.iter().map(secret).collect(),
    };
    let document = serde_json::to_string(&document).unwrap();
    world
        .put_secret(&format!("tb/source/{SOURCE}"), &document)
        .await;
}

async fn post_at(world: &World, secret: &str, at: Timestamp) -> i64 {
    let body = event("alert.resolved", "e1", "a1", 0).to_string();
    let request = signed(SOURCE, secret, CLOUD_EVENT, body.as_bytes(), at);
    world.ingest.handle_at(request, at).await.status_code
}

#[tokio::test]
async fn a_rotation_refuses_nobody_who_signs_with_a_live_secret() {
    let world = World::new().await;
    let begun = Timestamp::now();
    let after = |seconds| begun + SignedDuration::from_secs(seconds);
    assert_eq!(post_at(&world, SECRET, begun).await, 202);
    rotate(&world, &[(SECRET, Some(after(600))), (NEW_SECRET, None)]).await;
    // The door remembers the old document, and nobody has to wait until it forgets.
    for second in 1..=60 {
        assert_eq!(post_at(&world, NEW_SECRET, after(second)).await, 202);
        assert_eq!(post_at(&world, SECRET, after(second)).await, 202);
    }
    for second in (60..=600).step_by(60) {
        assert_eq!(post_at(&world, SECRET, after(second)).await, 202);
        assert_eq!(post_at(&world, NEW_SECRET, after(second)).await, 202);
    }
    assert_eq!(post_at(&world, SECRET, after(601)).await, 401);
    rotate(
        &world,
        &[(NEW_SECRET, Some(after(900))), (THIRD_SECRET, None)],
    )
    .await;
    assert_eq!(post_at(&world, NEW_SECRET, after(640)).await, 202);
    assert_eq!(post_at(&world, THIRD_SECRET, after(640)).await, 202);
}

#[tokio::test]
async fn a_wrong_signature_has_the_secret_read_again_at_most_every_30_seconds() {
    let world = World::new().await;
    let begun = Timestamp::now();
    let after = |seconds| begun + SignedDuration::from_secs(seconds);
    assert_eq!(post_at(&world, SECRET, begun).await, 202);
    assert_eq!(post_at(&world, THIRD_SECRET, after(1)).await, 401);
    rotate(&world, &[(SECRET, None), (NEW_SECRET, None)]).await;
    for second in [1, 15, 30] {
        assert_eq!(post_at(&world, NEW_SECRET, after(second)).await, 401);
        assert_eq!(post_at(&world, SECRET, after(second)).await, 202);
    }
    assert_eq!(post_at(&world, NEW_SECRET, after(31)).await, 202);
}

#[tokio::test]
async fn a_deleted_source_is_unknown() {
    let world = World::new().await;
    let begun = Timestamp::now();
    assert_eq!(post_at(&world, SECRET, begun).await, 202);
    let secrets = aws_sdk_secretsmanager::Client::new(&world.aws);
    let delete = secrets
        .delete_secret()
        .secret_id(format!("tb/source/{SOURCE}"));
    delete.recovery_window_in_days(7).send().await.unwrap();
    let later = begun + SignedDuration::from_mins(5);
    assert_eq!(post_at(&world, SECRET, later).await, 401);
}
