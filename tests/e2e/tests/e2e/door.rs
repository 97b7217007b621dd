//! The door: who is let in, and what is said to the others.

use aws::secrets::{Secret, SigningSecret, SourceDocument};
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
        answers.push(answer(&response));
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
