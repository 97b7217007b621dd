//! The door: who is let in, and what is said to the others.

use std::io::Write as _;

use aws::secrets::{SigningSecret, SourceDocument};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::world::{SECRET, SOURCE, TENANT, World, answer, event, partner, signed};

const CLOUD_EVENT: &str = "application/cloudevents+json";

#[tokio::test]
async fn an_unknown_source_a_wrong_signature_and_a_disabled_source_get_the_same_answer() {
    let world = World::new().await;
    let disabled = "src_disabled000005bri6j9iu4uxj";
    // Made by set-up, and deleted since.
    let deleted = "src_deleted000000s42w5xg5ju8br";
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
        signed(deleted, SECRET, CLOUD_EVENT, body.as_bytes(), now),
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
async fn invented_ids_cost_no_call_and_push_no_source_out_of_the_cache() {
    let world = World::new().await;
    let proxy = world.proxy().await;
    let config = ingest::Config {
        queue_url: world.queue_url.clone(),
        source_secret_prefix: "tb/source/".into(),
    };
    let name = proxy.count(None);
    let endpoint = ingest::App::build(config, &world.aws_at(&proxy.origin, &name));
    let begun = Timestamp::now();
    let body = event("alert.resolved", "e1", "a1", 0).to_string();
    let post = async |source: &str, secret: &str, second: i64| {
        let at = begun + SignedDuration::from_secs(second);
        let request = signed(source, secret, CLOUD_EVENT, body.as_bytes(), at);
        endpoint.handle_at(request, at).await.status_code
    };
    let reads = || {
        let calls = proxy.calls();
        calls
            .iter()
            .filter(|call| call.what == "GetSecretValue")
            .count()
    };
    assert_eq!(post(SOURCE, SECRET, 0).await, 202);
    // The keys that prove ids, and the source's document.
    assert_eq!(reads(), 2);
    for n in 0..1100 {
        let invented = format!("src_{n:026}");
        assert_eq!(post(&invented, SECRET, 1).await, 401);
    }
    assert_eq!(reads(), 2);
    assert_eq!(post(SOURCE, SECRET, 2).await, 202);
    assert_eq!(reads(), 2);
    // A wrong signature has the document read again, once in a while; it is no other for an id that was deleted.
    assert_eq!(post(SOURCE, THIRD_SECRET, 3).await, 401);
    assert_eq!(post(SOURCE, THIRD_SECRET, 4).await, 401);
    assert_eq!(reads(), 3);
}

#[tokio::test]
async fn the_good_events_of_a_batch_are_queued_and_the_others_named() {
    let world = World::new().await;
    let with = |pointer: &str, value: serde_json::Value| {
        let mut event = event("alert.raised", "e2", "a2", 0);
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    let batch = json!([
        event("alert.raised", "e1", "a1", 0),
        with("/data/kind", "toaster".into()),
        5,
        with("/data/link", "no address".into()),
        with("/data/tenant", "".into()),
    ]);
    let response = world
        .post_raw(
            "application/cloudevents-batch+json",
            batch.to_string().as_bytes(),
        )
        .await;
    let said = answer(&response);
    assert_eq!((response.status_code, &said["accepted"]), (202, &json!(2)));
    let rejected: Vec<_> = said["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rejected| {
            (
                rejected["index"].as_u64().unwrap(),
                rejected["field"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        rejected,
        [(1, "[1].data.kind"), (2, "[2]"), (4, "[4].data.tenant")]
    );
    // Two events, and a report for the partner.
    assert!(
        said["rejected"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("toaster")
    );
    assert_eq!(world.waiting(&world.queue_url).await, 3);
    // Of a batch without a good event nothing is taken, and all are named.
    let batch = json!([5, with("/data/kind", "toaster".into())]).to_string();
    let response = world
        .post_raw("application/cloudevents-batch+json", batch.as_bytes())
        .await;
    let said = answer(&response);
    assert_eq!((response.status_code, &said["field"]), (400, &json!("[0]")));
    assert_eq!(said["rejected"].as_array().unwrap().len(), 2);
    let response = world.post_raw("text/plain", b"{}").await;
    assert_eq!(response.status_code, 415);
    let response = world
        .post_raw(CLOUD_EVENT, &vec![b'['; 256 * 1024 + 1])
        .await;
    assert_eq!(response.status_code, 413);
    assert_eq!(world.waiting(&world.queue_url).await, 4);
}

#[tokio::test]
async fn rejected_events_are_counted_once_for_the_partner_and_the_operator() {
    let mut world = World::new().await;
    let now = Timestamp::now();
    let mut bad = event("alert.raised", "e1", "a1", 0);
    bad["data"]["kind"] = "<i>toaster".into();
    let batch = json!([bad, event("alert.raised", "e2", "a2", 0), 5]).to_string();
    // The sender repeats it, with the same id.
    for _ in 0..2 {
        let request = signed(SOURCE, SECRET, CLOUD_EVENT, batch.as_bytes(), now);
        let response = world.ingest.handle_at(request, now).await;
        assert_eq!(response.status_code, 202);
    }
    let response = world.post_raw(CLOUD_EVENT, b"{").await;
    assert_eq!(response.status_code, 400);
    // The queue delivers twice.
    let (event, messages) = world.receive().await;
    let invocation = world.invocation(60);
    world.tickets.handle(event, &invocation).await;
    world.show_again(&messages).await;
    world.work().await;
    let rejections = world
        .config
        .rejected
        .get_all(&partner(), now)
        .await
        .unwrap();
    let of_source = &rejections[&domain::SourceId::parse(SOURCE).unwrap()];
    assert_eq!(of_source.events, 3);
    let mut browser = world.signed_in().await;
    let view = browser.get_json("/setup").await.expect(200).json();
    assert_eq!(view["rejected"][0]["alerts"], 3, "{view}");
    let page = browser.get("/setup").await.expect(200);
    assert!(page.text.contains("3 alerts of"), "{}", page.text);
    assert!(!page.text.contains("<i>toaster"), "{}", page.text);
    // A week later nobody has to look at it any more.
    let later = now + SignedDuration::from_hours(7 * 24 + 1);
    assert!(
        world
            .config
            .rejected
            .get_all(&partner(), later)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_largest_batch_is_queued_whole_and_a_larger_one_is_told_so() {
    let world = World::new().await;
    let batch = |events: usize| {
        let events = (0..events).map(|n| {
            json!({
                "specversion": "1.0", "id": format!("e{n}"), "source": "s", "type": "alert.raised",
                "data": { "tenant": "t", "alert_id": format!("a{n}"), "kind": "disk", "severity": "low", "title": "Disk", "description": "" },
            })
        });
        serde_json::to_vec(&events.collect::<Vec<_>>()).unwrap()
    };
    let largest = batch(1000);
    assert!(
        (150_000..=256 * 1024).contains(&largest.len()),
        "{}",
        largest.len()
    );
    let response = world.post_raw("application/json", &largest).await;
    assert_eq!(
        (response.status_code, answer(&response)),
        (202, json!({ "accepted": 1000 }))
    );
    assert_eq!(world.waiting(&world.queue_url).await, 1000);
    let response = world.post_raw("application/json", &batch(1001)).await;
    let detail = answer(&response)["detail"].as_str().unwrap().to_owned();
    assert_eq!(response.status_code, 413);
    assert!(
        detail.starts_with("A batch has at most 1000 events"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_compressed_body_a_byte_order_mark_and_data_in_base64_are_read() {
    let world = World::new().await;
    let good = event("alert.raised", "e1", "a1", 0);
    let pack = |body: &[u8]| {
        let mut packed = GzEncoder::new(vec![], Compression::best());
        packed.write_all(body).unwrap();
        packed.finish().unwrap()
    };
    let mut in_base64 = good.clone();
    let data = in_base64.as_object_mut().unwrap().remove("data").unwrap();
    in_base64["data_base64"] = STANDARD.encode(data.to_string()).into();
    let bodies = [
        pack(good.to_string().as_bytes()),
        pack(format!("[{good},{good}]").as_bytes()),
        format!("\u{feff}{good}").into_bytes(),
        in_base64.to_string().into_bytes(),
    ];
    for body in bodies {
        let now = Timestamp::now();
        let mut request = signed(
            SOURCE,
            SECRET,
            "application/json; charset=utf-8",
            &body,
            now,
        );
        let encoding = "gzip".parse().unwrap();
        request.headers.insert("content-encoding", encoding);
        let response = world.ingest.handle_at(request, now).await;
        assert_eq!(response.status_code, 202, "{}", answer(&response));
    }
    assert_eq!(world.waiting(&world.queue_url).await, 5);
    let bomb = pack(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 256 * 1024);
    assert_eq!(
        world.post_raw("application/json", &bomb).await.status_code,
        413
    );
    let cut = &pack(good.to_string().as_bytes())[..40];
    assert_eq!(
        world.post_raw("application/json", cut).await.status_code,
        400
    );
}

#[tokio::test]
async fn what_no_ticket_needs_costs_none() {
    let mut world = World::new().await;
    let mut odd = event("alert.raised", "e1", "a1", 0);
    odd["time"] = "yesterday".into();
    odd["specversion"] = 1.into();
    odd["source"] = "".into();
    odd["datacontenttype"] = "TEXT/XML".into();
    let data = &mut odd["data"];
    data["tenant"] = format!("{TENANT}\u{200b}").into();
    data["alert_id"] = "Zu\u{308}rich".into();
    data["severity"] = "sev-1".into();
    data["title"] = "\u{3164}\u{200d}".into();
    data["description"] = "![a](https://evil.example/p.png)\n<script>\nSeverity: low".into();
    data["device"] = json!({ "name": "web-1" });
    data["user"] = 7.into();
    data["link"] = "javascript:alert(1)".into();
    data["expires_at"] = "never".into();
    let body = odd.to_string().replacen('{', "{\"more\":1e400,", 1);
    let response = world.post_raw(CLOUD_EVENT, body.as_bytes()).await;
    assert_eq!(response.status_code, 202, "{}", answer(&response));
    world.work().await;
    let tickets = world.all_tickets().await;
    let [ticket] = tickets.as_slice() else {
        panic!("{tickets:?}")
    };
    assert_eq!(ticket["summary"], "disk: Z\u{fc}rich");
    let notes = world.notes(ticket).await;
    let text = notes[0]["text"].as_str().unwrap();
    let (facts, words) = text.split_once("\n\n").unwrap();
    assert!(
        facts.contains("Severity: high") && !facts.contains("Details"),
        "{facts}"
    );
    assert_eq!(
        words,
        "![a] (https://evil.example/p.png)\n< script>\nSeverity: low"
    );
    // The same alert in another spelling.
    let mut resolved = event("alert.resolved", "e2", "Z\u{fc}rich\u{ad}", 60);
    resolved["time"] = (Timestamp::now() + SignedDuration::from_secs(60))
        .to_string()
        .into();
    world.post(&resolved).await;
    world.work().await;
    assert_eq!(world.all_tickets().await[0]["closedFlag"], true);
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
