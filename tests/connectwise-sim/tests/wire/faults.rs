//! The faults of `/_sim/faults`.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::client::{Site, assert_has, replace, replace_id, ticket};

/// The raw bytes of the response to a create, until the connection ends.
async fn raw_create(site: &Site) -> Vec<u8> {
    let mut stream = site.send_raw_create("").await;
    let mut bytes = Vec::new();
    // A connection reset ends the bytes like an end of the stream.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

#[tokio::test]
async fn a_lost_answer_commits_and_returns_no_byte() {
    let site = Site::start().await;
    site.faults(json!({ "lost_answer_rate": 1 })).await;
    assert_eq!(raw_create(&site).await, b"");
    let client = site.try_create(&ticket()).await;
    assert!(client.is_err(), "{client:?}");
    site.faults(json!({ "lost_answer_rate": 0 })).await;
    assert_eq!(site.get("/service/tickets").await.ids(), [10001, 10002]);
    let journal = site.journal(0).await;
    assert_has!(journal[0], { "status": null, "committed": true });
}

#[tokio::test]
async fn a_truncated_answer_is_shorter_than_its_length() {
    let site = Site::start().await;
    site.faults(json!({ "truncate_rate": 1 })).await;
    let bytes = raw_create(&site).await;
    let text = String::from_utf8(bytes).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 201 Created"), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .expect("a length");
    assert_eq!(length.parse::<usize>().expect("a number") / 2, body.len());
    site.faults(json!({ "truncate_rate": 0 })).await;
    assert_eq!(site.get("/service/tickets").await.ids(), [10001]);
}

#[tokio::test]
async fn a_server_error_commits_nothing() {
    let site = Site::start().await;
    site.faults(json!({ "error_rate": 1 })).await;
    assert_eq!(site.post("/service/tickets", ticket()).await.status, 500);
    site.faults(json!({ "error_rate": 0 })).await;
    assert_eq!(site.count("/service/tickets").await, 0);
}

#[tokio::test]
async fn an_outage_affects_the_api_but_not_the_control_api() {
    let site = Site::start().await;
    site.faults(json!({ "outage": true })).await;
    assert_eq!(site.get("/system/info").await.status, 503);
    assert_eq!(site.post("/service/tickets", ticket()).await.status, 503);
    let login = site.company_info("tbdemo").await;
    assert_eq!(login.status, 200);
    site.faults(json!({ "outage": false })).await;
    assert_eq!(site.count("/service/tickets").await, 0);
}

#[tokio::test]
async fn a_late_commit_fails_first_and_commits_later() {
    let site = Site::start().await;
    site.faults(json!({ "late_commit": { "rate": 1, "seconds": 0.3 } }))
        .await;
    let reply = site.post("/service/tickets", ticket()).await;
    let message = "A timeout has occured. Please try again.";
    reply.assert_error(500, "ConnectWiseApi", message);
    assert_eq!(site.count("/service/tickets").await, 0);
    assert_eq!(site.journal(0).await[0]["committed"], false);
    let deadline = Instant::now() + Duration::from_secs(10);
    while site.count("/service/tickets").await != 1 {
        assert!(Instant::now() < deadline, "never committed");
    }
    assert_eq!(site.journal(0).await[0]["committed"], true);
}

#[tokio::test]
async fn a_reset_cancels_a_late_commit() {
    let site = Site::start().await;
    site.faults(json!({ "late_commit": { "rate": 1, "seconds": 0.2 }, "variants": { "late_commit_answer": "timeout" } }))
        .await;
    let body = ticket();
    let answer = tokio::time::timeout(Duration::from_millis(100), site.try_create(&body)).await;
    assert!(answer.is_err(), "an answer came");
    assert_eq!(site.journal(0).await.len(), 1);
    site.reset().await;
    // Nothing announces that a commit does not happen: a later one shows that its time has passed.
    site.faults(json!({ "late_commit": { "rate": 1, "seconds": 0.3 } }))
        .await;
    let second = json!({ "summary": "second", "company": { "id": 301 } });
    site.post("/service/tickets", second).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let tickets = site.get("/service/tickets?fields=summary").await.json();
        if tickets != json!([]) {
            assert_eq!(tickets, json!([{ "summary": "second" }]));
            break;
        }
        assert!(Instant::now() < deadline, "never committed");
    }
}

#[tokio::test]
async fn too_many_calls_get_a_retry_after() {
    let site = Site::start().await;
    site.faults(json!({ "rate_limit_per_minute": 2 })).await;
    assert_eq!(site.get("/system/info").await.status, 200);
    assert_eq!(site.get("/system/info").await.status, 200);
    let body = json!({ "error": "ConnectWiseAPI", "message": "Too many requests. Please try again in 30 seconds." });
    let refused = site.post("/service/tickets", ticket()).await;
    assert_eq!(refused.status_and_body(), (429, body));
    assert_eq!(refused.header("retry-after"), Some("30"));
    for (variant, header) in [("absent", None), ("absurd", Some("31536000"))] {
        site.faults(json!({ "rate_limit_per_minute": 1, "variants": { "retry_after": variant } }))
            .await;
        site.get("/system/info").await;
        assert_eq!(site.get("/system/info").await.header("retry-after"), header);
    }
    site.variant("retry_after", "date").await;
    site.get("/system/info").await;
    let date = site.get("/system/info").await;
    let date = date.header("retry-after").expect("a date");
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    site.faults(json!({ "rate_limit_per_minute": null })).await;
    assert_eq!(site.get("/system/info").await.status, 200);
}

#[tokio::test]
async fn record_clock_and_date_header_skew_independently() {
    let site = Site::start().await;
    let off_by = |written: &serde_json::Value| {
        let at: jiff::Timestamp = written.as_str().expect("a date").parse().expect("a date");
        // One minute of tolerance for a slow machine.
        let seconds = at.duration_since(jiff::Timestamp::now()).as_secs();
        (seconds + 30).div_euclid(60) * 60
    };
    let header = |reply: &crate::client::Reply, name: &str| {
        let text = reply.header(name).expect(name).to_owned();
        let at = jiff::fmt::rfc2822::parse(&text)
            .expect("a date")
            .timestamp();
        json!(at.to_string())
    };
    for offset in [0, 7200, -18000] {
        site.faults(json!({ "clock": { "records_seconds": offset } }))
            .await;
        let made = site.post("/service/tickets", ticket()).await;
        assert_eq!(off_by(&header(&made, "date")), 0);
        let path = format!("/service/tickets/{}", made.id());
        assert_eq!(off_by(&made.json()["_info"]["dateEntered"]), offset);
        let close = replace_id("status", 214);
        let closed = site.patch(&path, close).await.json();
        assert_eq!(off_by(&closed["closedDate"]), offset);
        assert_eq!(off_by(&closed["_info"]["lastUpdated"]), offset);
        let note = json!({ "text": "a", "internalAnalysisFlag": true });
        let note = site.post(&format!("{path}/notes"), note).await.json();
        assert_eq!(off_by(&note["dateCreated"]), offset);
        let action = format!("/_sim/tickets/{}", made.id());
        let headers = [("content-type", "application/json")];
        let touched = site.send("POST", &action, &headers, "\"touch\"");
        assert_eq!(touched.await.status, 204);
        let seen = site.get(&path).await.json();
        assert_eq!(off_by(&seen["_info"]["lastUpdated"]), offset);
    }
    assert_eq!(site.get("/service/tickets").await.ids().len(), 3);
    site.faults(json!({ "clock": { "records_seconds": 0, "date_header_seconds": 3600 } }))
        .await;
    let made = site.post("/service/tickets", ticket()).await;
    assert_eq!(off_by(&header(&made, "date")), 3600);
    assert_eq!(off_by(&made.json()["_info"]["dateEntered"]), 0);
    site.faults(json!({
        "throttle": { "all": true, "retry_after_seconds": 120 },
        "variants": { "retry_after": "date" },
    }))
    .await;
    let refused = site.get("/system/info").await;
    assert_eq!(off_by(&header(&refused, "retry-after")), 3720);
}

#[tokio::test]
async fn references_may_change_case_and_lose_spaces() {
    let site = Site::start().await;
    for (case, space, kept) in [
        ("kept", "kept", " Tb1-Ab "),
        ("kept", "trimmed", "Tb1-Ab"),
        ("lower", "kept", " tb1-ab "),
        ("upper", "trimmed", "TB1-AB"),
    ] {
        site.faults(json!({ "variants": { "reference_case": case, "reference_space": space } }))
            .await;
        let mut body = ticket();
        body["externalXRef"] = json!(" Tb1-Ab ");
        let made = site.post("/service/tickets", body).await;
        assert_eq!(made.json()["externalXRef"], kept);
        let path = format!("/service/tickets/{}", made.id());
        let change = replace("externalXRef", " Tb1-Ab ");
        assert_eq!(site.patch(&path, change).await.json()["externalXRef"], kept);
    }
    for (search, found) in [("ignores_case", 2), ("exact", 1)] {
        site.variant("reference_search", search).await;
        for condition in [
            "externalXRef%3D%22Tb1-Ab%22",
            "externalXRef%20in%20(%22Tb1-Ab%22)",
        ] {
            let path = format!("/service/tickets?conditions={condition}");
            assert_eq!(site.get(&path).await.ids().len(), found, "{search}");
        }
    }
}

#[tokio::test]
async fn latency_delays_the_call() {
    let site = Site::start().await;
    site.faults(json!({ "latency_ms": 150 })).await;
    let start = Instant::now();
    assert_eq!(site.get("/system/info").await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn faults_are_merged_validated_and_returned() {
    let site = Site::start().await;
    let whole = site.present_faults().await;
    let members: Vec<&str> = whole
        .as_object()
        .expect("an object")
        .keys()
        .map(|n| &**n)
        .collect();
    let expected = "callbacks client_id clock error_rate keys late_commit latency_ms lost_answer_rate \
                    missing_rights outage rate_limit_per_minute required rules throttle \
                    truncate_rate variants workflows";
    assert_eq!(members.join(" "), expected);
    assert_has!(whole, { "keys": "ok", "client_id": "ok" });
    site.faults(json!({ "keys": "revoked" })).await;
    let merged = site.faults(json!({ "latency_ms": 1 })).await;
    assert_has!(merged, { "keys": "revoked", "latency_ms": 1 });
    let refused = site.try_faults(r#"{"outage":true,"latency":5}"#).await;
    let error = json!({ "error": "unknown members: latency" });
    assert_eq!(refused.status_and_body(), (400, error));
    let kept = site.present_faults().await;
    assert_eq!(kept["outage"], false, "a refused change changes nothing");
}
