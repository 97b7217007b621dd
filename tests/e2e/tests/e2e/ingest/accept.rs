//! The webhook endpoint: what it accepts, and its answer to everything else.

use std::io::Write as _;

use crate::environment::{
    SECRET, SOURCE, TENANT, TestEnvironment, answer, key, partner, raised_event, resolved_event,
    signed, source_document, tenant, webhook_ends,
};
use aws::secrets::{SourceDocument, SourceSecret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{AlertKey, Secret};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

const CLOUD_EVENT: &str = "application/cloudevents+json";

#[tokio::test]
async fn all_authentication_failures_get_the_same_answer() {
    let env = TestEnvironment::new().await;
    let disabled = "src_disabled000005bri6j9iu4uxj";
    // A valid id whose source was deleted.
    let deleted = "src_deleted000000s42w5xg5ju8br";
    let document = SourceDocument {
        enabled: false,
        ..source_document()
    };
    env.account
        .put_secret(
            &format!("tb/source/{disabled}"),
            &serde_json::to_string(&document).unwrap(),
        )
        .await;
    let body = raised_event("e1", "a1", 0).to_string();
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
        let response = env.source.receive(request, Timestamp::now()).await;
        assert_eq!(response.status_code, 401);
        answers.push(format!("{response:?}"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // The reports of the seeded source and of the disabled one.
    assert_eq!(env.queue.count().await, 2);
    env.queue.expect_leftovers(2);
}

#[tokio::test]
async fn forged_source_ids_cause_no_call_and_no_cache_eviction() {
    let env = TestEnvironment::new().await;
    let proxy = env.proxy().await;
    let config = ingest::Config {
        queue_url: env.queue.url.clone(),
        source_secret_prefix: "tb/source/".into(),
    };
    let name = proxy.count(None);
    let endpoint = ingest::Webhook::build(
        config,
        &env.account.sdk_config_through(&proxy.origin, &name),
    );
    let begun = Timestamp::now();
    let body = resolved_event("e1", "a1", 0).to_string();
    let post = async |source: &str, secret: &str, second: i64| {
        let at = begun + SignedDuration::from_secs(second);
        let request = signed(source, secret, CLOUD_EVENT, body.as_bytes(), at);
        endpoint
            .handle_at(request, at, webhook_ends())
            .await
            .status_code
    };
    let reads = || {
        let calls = proxy.calls();
        calls
            .iter()
            .filter(|call| call.what == "GetSecretValue")
            .count()
    };
    assert_eq!(post(SOURCE, SECRET, 0).await, 202);
    // The keys of source ids, and the source's document.
    assert_eq!(reads(), 2);
    for n in 0..1100 {
        let invented = format!("src_{n:026}");
        assert_eq!(post(&invented, SECRET, 1).await, 401);
    }
    assert_eq!(reads(), 2);
    assert_eq!(post(SOURCE, SECRET, 2).await, 202);
    assert_eq!(reads(), 2);
    // A wrong signature makes ingest read the document again, at most every 30 seconds, also for a
    // deleted source.
    assert_eq!(post(SOURCE, THIRD_SECRET, 3).await, 401);
    assert_eq!(post(SOURCE, THIRD_SECRET, 4).await, 401);
    assert_eq!(reads(), 3);
    // With the report of the wrong signatures.
    env.queue.expect_leftovers(3);
}

#[tokio::test]
async fn valid_events_of_a_batch_are_queued_and_others_reported() {
    let env = TestEnvironment::new().await;
    let with = |pointer: &str, value: serde_json::Value| {
        let mut event = raised_event("e2", "a2", 0);
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    let batch = json!([
        raised_event("e1", "a1", 0),
        with("/data/kind", "toaster".into()),
        5,
        with("/data/link", "no address".into()),
        with("/data/tenant", "".into()),
    ]);
    let response = env.source.post_batch(batch.to_string()).await;
    let said = answer(&response);
    assert_eq!((response.status_code, &said["accepted"]), (202, &json!(2)));
    // The accepted events keep their places in the batch.
    let alerts = json!([
        { "index": 0, "alert_key": key(TENANT, "a1").item_key() },
        { "index": 3, "alert_key": key(TENANT, "a2").item_key() },
    ]);
    assert_eq!(said["alerts"], alerts);
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
    // Two events, and one report of rejected events.
    assert!(
        said["rejected"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("toaster")
    );
    assert_eq!(env.queue.count().await, 3);
    // A batch without a valid event is refused, and each event is reported.
    let batch = json!([5, with("/data/kind", "toaster".into())]).to_string();
    let response = env.source.post_batch(batch).await;
    let said = answer(&response);
    assert_eq!((response.status_code, &said["field"]), (400, &json!("[0]")));
    assert_eq!(said["rejected"].as_array().unwrap().len(), 2);
    let response = env.source.post_raw("text/plain", b"{}").await;
    assert_eq!(response.status_code, 415);
    let response = env
        .source
        .post_raw(CLOUD_EVENT, &vec![b'['; 256 * 1024 + 1])
        .await;
    assert_eq!(response.status_code, 413);
    assert_eq!(env.queue.count().await, 4);
    env.queue.expect_leftovers(4);
}

#[tokio::test]
async fn rejected_events_are_counted_once() {
    let mut env = TestEnvironment::new().await;
    let now = Timestamp::now();
    let mut bad = raised_event("e1", "a1", 0);
    bad["data"]["kind"] = "<i>toaster".into();
    let batch = json!([bad, raised_event("e2", "a2", 0), 5]).to_string();
    // The sender retries with the same id.
    for _ in 0..2 {
        let request = signed(SOURCE, SECRET, CLOUD_EVENT, batch.as_bytes(), now);
        let response = env.source.receive(request, now).await;
        assert_eq!(response.status_code, 202);
    }
    let response = env.source.post_raw(CLOUD_EVENT, b"{").await;
    assert_eq!(response.status_code, 400);
    // The queue delivers twice.
    let (event, messages) = env.queue.receive().await;
    let invocation = env.worker.invocation(60);
    env.worker.app.handle(event, &invocation).await;
    env.queue.make_visible(&messages).await;
    env.worker.work().await;
    let rejections = env.config.rejected.get_all(&partner(), now).await.unwrap();
    let of_source = &rejections[&domain::SourceId::parse(SOURCE).unwrap()];
    assert_eq!(of_source.events, 3);
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("overview").await.expect(200).json();
    assert_eq!(view["rejected"][0]["alerts"], 3, "{view}");
    let page = browser.get("overview").await.expect(200);
    assert!(page.text.contains("3 alerts of"), "{}", page.text);
    assert!(!page.text.contains("<i>toaster"), "{}", page.text);
    // After a week the count is not shown any more.
    let later = now + SignedDuration::from_hours(7 * 24 + 1);
    assert!(
        env.config
            .rejected
            .get_all(&partner(), later)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_largest_batch_is_queued_and_a_larger_one_refused() {
    let env = TestEnvironment::new().await;
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
    let response = env.source.post_raw("application/json", &largest).await;
    let said = answer(&response);
    assert_eq!(
        (response.status_code, &said["accepted"]),
        (202, &json!(1000))
    );
    let last = AlertKey {
        tenant: tenant("t"),
        ..key(TENANT, "a999")
    };
    let last = json!({ "index": 999, "alert_key": last.item_key() });
    assert_eq!(said["alerts"][999], last);
    assert_eq!(env.queue.count().await, 1000);
    let response = env.source.post_raw("application/json", &batch(1001)).await;
    let detail = answer(&response)["detail"].as_str().unwrap().to_owned();
    assert_eq!(response.status_code, 413);
    assert!(
        detail.starts_with("A batch has at most 1000 events"),
        "{detail}"
    );
    env.queue.expect_leftovers(1000);
}

#[tokio::test]
async fn gzip_byte_order_mark_and_base64_data_are_accepted() {
    let env = TestEnvironment::new().await;
    let good = raised_event("e1", "a1", 0);
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
        let response = env.source.receive(request, now).await;
        assert_eq!(response.status_code, 202, "{}", answer(&response));
    }
    assert_eq!(env.queue.count().await, 5);
    let bomb = pack(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 256 * 1024);
    assert_eq!(
        env.source
            .post_raw("application/json", &bomb)
            .await
            .status_code,
        413
    );
    let cut = &pack(good.to_string().as_bytes())[..40];
    assert_eq!(
        env.source
            .post_raw("application/json", cut)
            .await
            .status_code,
        400
    );
    env.queue.expect_leftovers(6);
}

#[tokio::test]
async fn irrelevant_events_create_no_ticket() {
    let mut env = TestEnvironment::new().await;
    let mut odd = raised_event("e1", "a1", 0);
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
    let response = env.source.post_raw(CLOUD_EVENT, body).await;
    assert_eq!(response.status_code, 202, "{}", answer(&response));
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await;
    let [ticket] = tickets.as_slice() else {
        panic!("{tickets:?}")
    };
    assert_eq!(ticket["summary"], "disk: Z\u{fc}rich");
    let notes = env.connectwise.notes(ticket).await;
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
    // The same alert with another spelling of its id.
    let mut resolved = resolved_event("e2", "Z\u{fc}rich\u{ad}", 60);
    resolved["time"] = (Timestamp::now() + SignedDuration::from_secs(60))
        .to_string()
        .into();
    env.deliver(&resolved).await;
    assert_eq!(env.connectwise.tickets().await[0]["closedFlag"], true);
}

#[tokio::test]
async fn a_batch_of_more_than_ten_events_is_queued() {
    let env = TestEnvironment::new().await;
    let batch: Vec<_> = (0..23)
        .map(|n| raised_event("e1", &format!("a{n}"), 0))
        .collect();
    let response = env
        .source
        .post_batch(&serde_json::to_vec(&batch).unwrap())
        .await;
    let said = answer(&response);
    assert_eq!((response.status_code, &said["accepted"]), (202, &json!(23)));
    assert_eq!(env.queue.count().await, 23);
    env.queue.expect_leftovers(23);
}

#[tokio::test]
async fn nothing_is_accepted_without_the_queue() {
    let env = TestEnvironment::new().await;
    let config = ingest::Config {
        queue_url: format!("{}-missing", env.queue.url),
        source_secret_prefix: "tb/source/".into(),
    };
    let webhook = ingest::Webhook::build(config, &env.aws);
    let body = raised_event("e1", "a1", 0).to_string();
    let now = Timestamp::now();
    let request = signed(SOURCE, SECRET, CLOUD_EVENT, body.as_bytes(), now);
    let response = webhook.handle_at(request, now, webhook_ends()).await;
    assert_eq!(response.status_code, 503);
    assert!(response.headers.contains_key("retry-after"));
}

const NEW_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const THIRD_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// Replaces the source's document by one with these secrets.
async fn rotate(env: &TestEnvironment, secrets: &[(&str, Option<Timestamp>)]) {
    let secret = |&(value, not_after): &(&str, _)| SourceSecret {
        value: Secret::new(value),
        not_after,
    };
    let document = SourceDocument {
        secrets: secrets.iter().map(secret).collect(),
        ..source_document()
    };
    let document = serde_json::to_string(&document).unwrap();
    env.account
        .put_secret(&format!("tb/source/{SOURCE}"), &document)
        .await;
}

async fn post_at(env: &TestEnvironment, secret: &str, at: Timestamp) -> i64 {
    let body = resolved_event("e1", "a1", 0).to_string();
    let request = signed(SOURCE, secret, CLOUD_EVENT, body.as_bytes(), at);
    env.source.receive(request, at).await.status_code
}

#[tokio::test]
async fn every_valid_secret_is_accepted_during_a_rotation() {
    let env = TestEnvironment::new().await;
    let begun = Timestamp::now();
    let after = |seconds| begun + SignedDuration::from_secs(seconds);
    assert_eq!(post_at(&env, SECRET, begun).await, 202);
    rotate(&env, &[(SECRET, Some(after(600))), (NEW_SECRET, None)]).await;
    // Ingest has cached the old document. The new secret works at once.
    for second in 1..=60 {
        assert_eq!(post_at(&env, NEW_SECRET, after(second)).await, 202);
        assert_eq!(post_at(&env, SECRET, after(second)).await, 202);
    }
    for second in (60..=600).step_by(60) {
        assert_eq!(post_at(&env, SECRET, after(second)).await, 202);
        assert_eq!(post_at(&env, NEW_SECRET, after(second)).await, 202);
    }
    assert_eq!(post_at(&env, SECRET, after(601)).await, 401);
    rotate(
        &env,
        &[(NEW_SECRET, Some(after(900))), (THIRD_SECRET, None)],
    )
    .await;
    assert_eq!(post_at(&env, NEW_SECRET, after(640)).await, 202);
    assert_eq!(post_at(&env, THIRD_SECRET, after(640)).await, 202);
    // With the report of the expired secret.
    env.queue.expect_leftovers(144);
}

#[tokio::test]
async fn a_wrong_signature_rereads_the_secret_every_30_seconds() {
    let env = TestEnvironment::new().await;
    let begun = Timestamp::now();
    let after = |seconds| begun + SignedDuration::from_secs(seconds);
    assert_eq!(post_at(&env, SECRET, begun).await, 202);
    assert_eq!(post_at(&env, THIRD_SECRET, after(1)).await, 401);
    rotate(&env, &[(SECRET, None), (NEW_SECRET, None)]).await;
    for second in [1, 15, 30] {
        assert_eq!(post_at(&env, NEW_SECRET, after(second)).await, 401);
        assert_eq!(post_at(&env, SECRET, after(second)).await, 202);
    }
    assert_eq!(post_at(&env, NEW_SECRET, after(31)).await, 202);
    // With the report of the wrong signatures.
    env.queue.expect_leftovers(6);
}

#[tokio::test]
async fn a_deleted_source_is_unknown() {
    let env = TestEnvironment::new().await;
    let begun = Timestamp::now();
    assert_eq!(post_at(&env, SECRET, begun).await, 202);
    let secrets = aws_sdk_secretsmanager::Client::new(&env.aws);
    let delete = secrets
        .delete_secret()
        .secret_id(format!("tb/source/{SOURCE}"));
    delete.recovery_window_in_days(7).send().await.unwrap();
    let later = begun + SignedDuration::from_mins(5);
    assert_eq!(post_at(&env, SECRET, later).await, 401);
    env.queue.expect_leftovers(1);
}
