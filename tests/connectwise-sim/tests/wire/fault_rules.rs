//! Fault rules: effects on calls that match a pattern.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::client::{API, Site, assert_has, columns, replace, replace_id};

fn titled(summary: &str) -> Value {
    json!({ "summary": summary, "company": { "id": 301 } })
}

fn note(text: &str) -> Value {
    json!({ "text": text, "internalAnalysisFlag": true })
}

impl Site {
    async fn rules(&self, rules: Value) {
        self.faults(json!({ "rules": rules })).await;
    }

    /// Sets one rule for one operation.
    async fn rule(&self, operation: &str, then: Value) {
        self.rules(json!([{ "when": { "operations": [operation] }, "then": then }]))
            .await;
    }

    /// Reads as a technician, whom no rule affects.
    async fn look(&self, path: &str) -> Value {
        self.as_technician("GET", path, "").await.json()
    }

    async fn until(&self, path: &str, is_there: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let seen = self.look(path).await;
            if is_there(&seen) {
                return;
            }
            assert!(Instant::now() < deadline, "never came: {seen}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_rule_refuses_a_text_anywhere_in_a_call() {
    let site = Site::start().await;
    site.rules(json!([{
        "when": { "text": "<script>" },
        "then": { "answer": { "status": 403 } },
    }]))
    .await;
    let refused = site.post("/service/tickets", titled("a <script> b")).await;
    assert_eq!(refused.status, 403);
    let page = Some("text/html; charset=utf-8");
    assert_eq!(refused.header("content-type"), page);
    let text = &refused.text;
    assert!(text.starts_with("<!DOCTYPE html>"), "{text}");
    let request_id = refused.header("x-cw-request-id");
    assert_eq!(request_id, None, "no answer of the API");
    assert_eq!(site.post("/service/tickets", titled("b")).await.status, 201);
    let notes = "/service/tickets/10001/notes";
    assert_eq!(site.post(notes, note("<script>")).await.status, 403);
    assert_eq!(site.post(notes, note("plain")).await.status, 201);
    let search = "/service/tickets?conditions=summary%3D%22%3Cscript%3E%22";
    assert_eq!(site.get(search).await.status, 403);
    assert_eq!(site.get("/service/tickets/10001").await.status, 200);
    assert_has!(site.journal(0).await[0], { "status": 403, "committed": false });
}

#[tokio::test]
async fn a_rules_answer_is_sent_as_written() {
    let site = Site::start().await;
    let html = Some("text/html; charset=utf-8");
    let plain = Some("text/plain; charset=utf-8");
    let json = Some("application/json; charset=utf-8");
    let text = json!({ "custom": "Access denied" });
    let object = json!({ "custom": { "error": { "id": 7 } } });
    for status in [
        200, 302, 400, 401, 403, 404, 406, 413, 422, 429, 500, 503, 599,
    ] {
        for (body, content_type, text) in [
            (&json!("page"), html, "<h1>"),
            (&json!("json"), json, "\"message\":"),
            (&json!("text"), plain, ""),
            (&json!("empty"), None, ""),
            (&text, plain, "Access denied"),
            (&object, json, "{\"error\":{\"id\":7}}"),
        ] {
            site.rules(json!([{ "then": { "answer": { "status": status, "body": body } } }]))
                .await;
            let reply = site.post("/service/tickets", titled("a")).await;
            assert_eq!(reply.status, status);
            assert_eq!(reply.header("content-type"), content_type, "{body}");
            assert!(reply.text.contains(text), "{body}: {}", reply.text);
            assert_eq!(reply.text.is_empty(), *body == "empty", "{body}");
        }
    }
    site.rules(json!([{ "then": { "answer": { "status": 204, "body": "empty" } } }]))
        .await;
    assert_eq!(site.post("/service/tickets", titled("a")).await.status, 204);
    assert_eq!(site.look("/service/tickets").await, json!([]));
}

#[tokio::test]
async fn maintenance_answers_every_integration_call() {
    let site = Site::start().await;
    for (answer, location) in [
        (
            json!({ "status": 302, "headers": { "location": "https://example.com/maintenance" } }),
            Some("https://example.com/maintenance"),
        ),
        (json!({ "status": 200 }), None),
        (json!({ "status": 503, "content_type": "text/html" }), None),
    ] {
        site.rules(json!([{ "then": { "answer": answer } }])).await;
        for path in [
            "/system/info",
            "/service/tickets",
            "/company/companies/count",
        ] {
            let reply = site.get(path).await;
            assert_eq!(json!(reply.status), answer["status"], "{path}");
            assert_eq!(reply.header("location"), location, "{path}");
        }
        let login = site.company_info("tbdemo").await;
        assert_eq!(json!(login.status), answer["status"]);
        assert_eq!(site.look("/service/tickets/count").await["count"], 0);
    }
    site.rules(json!([])).await;
    assert_eq!(site.get("/system/info").await.status, 200);
}

#[tokio::test]
async fn the_first_matching_rule_applies_until_used_up() {
    let site = Site::start().await;
    site.rules(json!([
        { "when": { "method": "GET" }, "then": { "answer": { "status": 404 } }, "rate": 0 },
        { "when": { "method": "get" }, "then": { "answer": { "status": 406 } }, "times": 2 },
        { "when": { "path": "/system/*" }, "then": { "answer": { "status": 422 } }, "times": 1 },
    ]))
    .await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(site.get("/system/info").await.status);
    }
    assert_eq!(statuses, [406, 406, 422, 200]);
    assert_eq!(site.present_faults().await["rules"][1]["times"], 0);
}

#[tokio::test]
async fn each_operation_has_its_own_rule() {
    let site = Site::start().await;
    site.post("/service/tickets", titled("a")).await;
    let path = "/service/tickets/10001";
    for (operation, status) in [
        ("create", 471),
        ("note", 472),
        ("priority", 473),
        ("close", 474),
        ("reopen", 475),
        ("status", 476),
        ("read", 477),
        ("other", 478),
    ] {
        site.rule(operation, json!({ "answer": { "status": status } }))
            .await;
        let seen = [
            site.post("/service/tickets", titled("b")).await.status,
            site.post(&format!("{path}/notes"), note("b")).await.status,
            site.patch(path, replace_id("priority", 31)).await.status,
            site.patch(path, replace_id("status", 214)).await.status,
            // The close may have been refused, so that there is no closed ticket to reopen.
            match operation {
                "close" => 200,
                _ => site.patch(path, replace_id("status", 211)).await.status,
            },
            match operation {
                "reopen" => 200,
                _ => site.patch(path, replace_id("status", 212)).await.status,
            },
            site.get(path).await.status,
            site.patch(path, replace("summary", "c")).await.status,
        ];
        let mut expected = [201, 201, 200, 200, 200, 200, 200, 200];
        let index = usize::try_from(status - 471).expect("an index");
        expected[index] = u16::try_from(status).expect("a status");
        assert_eq!(seen, expected, "{operation}");
        site.rules(json!([])).await;
        site.patch(path, replace_id("status", 211)).await;
    }
    // The other spellings of a status are the same operations.
    site.rule("close", json!({ "answer": { "status": 474 } }))
        .await;
    for change in [
        replace("status/id", 214),
        replace("status/name", ">Closed"),
        replace("status", json!({ "name": ">Closed" })),
        json!([
            { "op": "replace", "path": "priority", "value": { "id": 31 } },
            { "op": "replace", "path": "status", "value": { "id": 214 } },
        ]),
    ] {
        let refused = site.patch(path, change.clone()).await;
        assert_eq!(refused.status, 474, "{change}");
    }
}

#[tokio::test]
async fn a_late_write_overwrites_newer_changes() {
    let site = Site::start().await;
    site.post("/service/tickets", titled("a")).await;
    let path = "/service/tickets/10001";
    let notes = format!("{path}/notes");
    let late = json!({ "late": { "seconds": 0.3 } });
    let set = async |member, id| site.patch(path, replace_id(member, id)).await.status;
    site.rule("create", late.clone()).await;
    assert_eq!(site.post("/service/tickets", titled("b")).await.status, 500);
    assert_eq!(site.look("/service/tickets/count").await["count"], 1);
    site.until("/service/tickets/count", |seen| seen["count"] == 2)
        .await;

    site.rule("note", late.clone()).await;
    assert_eq!(site.post(&notes, note("late")).await.status, 500);
    assert_eq!(site.look(&notes).await, json!([]));
    site.until(&notes, |seen| seen[0]["text"] == "late").await;

    site.rule("priority", late.clone()).await;
    assert_eq!(set("priority", 31).await, 500);
    assert_eq!(site.look(path).await["priority"]["id"], 33);
    site.until(path, |seen| seen["priority"]["id"] == 31).await;

    site.rule("close", late.clone()).await;
    assert_eq!(set("status", 214).await, 500);
    assert_eq!(site.look(path).await["closedFlag"], false);
    // A change in the meantime is overwritten.
    assert_eq!(set("status", 212).await, 200);
    site.until(path, |seen| seen["status"]["id"] == 214).await;

    site.rule("reopen", late.clone()).await;
    assert_eq!(set("status", 211).await, 500);
    assert_eq!(site.look(path).await["closedFlag"], true);
    site.until(path, |seen| seen["closedFlag"] == false).await;
    let mut late = site.journal(0).await;
    late.retain(|entry| entry["status"] == 500);
    assert_eq!(late.len(), 5);
    assert!(late.iter().all(|entry| entry["committed"] == true));
}

#[tokio::test]
async fn a_late_write_answers_as_the_rule_says() {
    let site = Site::start().await;
    let answer = json!({ "status": 404, "body": "json" });
    let late = json!({ "late": { "seconds": 0.1, "answer": answer } });
    site.rule("create", late).await;
    assert_eq!(site.post("/service/tickets", titled("a")).await.status, 404);
    site.until("/service/tickets/count", |seen| seen["count"] == 1)
        .await;
}

#[tokio::test]
async fn answer_faults_can_apply_to_one_operation() {
    let site = Site::start().await;
    for (effect, count) in [
        (json!("lost"), 1),
        (json!("cut"), 2),
        (json!({ "slow": { "seconds": 0.2 } }), 3),
    ] {
        site.rule("create", effect.clone()).await;
        let start = Instant::now();
        let reply = site.try_create(&titled("a")).await;
        if effect.is_string() {
            assert!(reply.is_err(), "{effect}: {reply:?}");
        } else {
            assert_eq!(reply.expect("an answer").status, 201);
            assert!(start.elapsed() >= Duration::from_millis(200));
        }
        assert_eq!(site.count("/service/tickets").await, count, "{effect}");
    }
}

#[tokio::test]
async fn a_rule_makes_a_patch_ineffective() {
    let site = Site::start().await;
    site.post("/service/tickets", titled("a")).await;
    let path = "/service/tickets/10001";
    site.rule("close", json!("ignored")).await;
    let reply = site.patch(path, replace_id("status", 214)).await;
    reply.assert_is(200, &json!({ "status": { "id": 211 } }));
    let reply = site.patch(path, replace_id("priority", 31)).await;
    assert_eq!(reply.json()["priority"]["id"], 31);
    assert_eq!(site.look(path).await["closedFlag"], false);
    let mut journal = site.journal(1).await;
    journal.retain(|entry| entry["method"] == "PATCH");
    let committed = columns(&json!(journal), ["committed"]);
    assert_eq!(committed, json!([[false], [true]]));
}

#[tokio::test]
async fn interim_answers_precede_the_final_one_or_never_end() {
    let site = Site::start().await;
    for (status, count, line) in [
        (100, 3, "HTTP/1.1 100 Continue\r\n"),
        (102, 1, "HTTP/1.1 102 Processing\r\n"),
        (103, 1200, "HTTP/1.1 103 Early Hints\r\n"),
    ] {
        let interim = json!({ "interim": { "status": status, "count": count } });
        site.rule("create", interim).await;
        let text = raw(&site, usize::MAX).await;
        assert_eq!(text.matches(line).count(), count, "{status}");
        let end = text.rsplit(line).next().expect("an end");
        assert!(end.contains("HTTP/1.1 201 Created\r\n"), "{end}");
    }
    site.rules(json!([{ "then": { "interim": { "status": 100 } } }]))
        .await;
    let text = raw(&site, 1_000_000).await;
    assert!(text.len() >= 1_000_000);
    assert!(!text.contains("HTTP/1.1 2"));
    let journal = site.journal(0).await;
    let last = journal.last().expect("a call");
    assert_has!(last, { "status": null, "committed": true });
    // The site serves other calls meanwhile and afterwards.
    assert_eq!(site.look("/service/tickets/count").await["count"], 4);
}

/// The first bytes of the response to a create, up to the end of the connection.
async fn raw(site: &Site, most: usize) -> String {
    let mut stream = site.send_raw_create("connection: close\r\n").await;
    let mut bytes = Vec::new();
    let mut piece = [0; 65536];
    while bytes.len() < most {
        match stream.read(&mut piece).await.expect("bytes") {
            0 => break,
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

#[tokio::test]
async fn an_invalid_rule_is_refused() {
    let site = Site::start().await;
    let answer = |answer: Value| json!({ "then": { "answer": answer } });
    let headers = json!({ "status": 302, "headers": { "a b": "c" } });
    for (rule, words) in [
        (answer(json!({ "status": 100 })), "status: from 200 to 599"),
        (answer(headers), "headers: a b is no header"),
        (
            json!({ "then": "lost", "rate": 2 }),
            "rate: a rate is from 0 to 1",
        ),
        (
            json!({ "then": { "interim": { "status": 101 } } }),
            "status: 100, 102 or 103",
        ),
        (
            json!({ "then": { "late": { "seconds": -1 } } }),
            "seconds: from 0 to 86400",
        ),
    ] {
        let body = json!({ "rules": [rule] }).to_string();
        let reply = site.try_faults(&body).await;
        let error = json!({ "error": format!("rules[0].{words}") });
        assert_eq!(reply.status_and_body(), (400, error));
    }
    let unknown = r#"{"rules":[{"then":{"explode":{}}}]}"#;
    let reply = site.try_faults(unknown).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn a_lasting_throttle_refuses_calls_until_disabled() {
    let site = Site::start().await;
    site.faults(json!({ "throttle": { "all": true, "retry_after_seconds": 1 } }))
        .await;
    for _ in 0..3 {
        let reply = site.get("/system/info").await;
        assert_eq!(reply.status, 429);
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    for (variant, header) in [("absent", None), ("absurd", Some("31536000"))] {
        site.variant("retry_after", variant).await;
        let reply = site.post("/service/tickets", titled("a")).await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, header));
    }
    assert_eq!(site.look("/service/tickets/count").await["count"], 0);
    // The journal has the time of each refused call.
    let journal = site.journal(0).await;
    let refused = journal.iter().filter(|entry| entry["status"] == 429);
    assert_eq!(refused.count(), 5);
    assert_eq!(journal[0]["path"], format!("{API}/system/info"));
    assert!(journal[0]["at"].is_string());
    site.faults(json!({ "throttle": { "all": false } })).await;
    assert_eq!(site.get("/system/info").await.status, 200);
}

/// Tests read and act as a technician while a fault is set.
#[tokio::test]
async fn faults_do_not_affect_technicians() {
    for fault in [
        json!({ "outage": true }),
        json!({ "error_rate": 1.0 }),
        json!({ "throttle": { "all": true } }),
        json!({ "rate_limit_per_minute": 1 }),
        json!({ "late_commit": { "rate": 1.0, "seconds": 60.0 } }),
    ] {
        let site = Site::start().await;
        site.faults(fault.clone()).await;
        for subject in ["a", "b"] {
            let body = titled(subject).to_string();
            let path = "/service/tickets";
            let made = site.as_technician("POST", path, &body).await;
            assert_eq!(made.status, 201, "{fault}");
        }
        let tickets = site.look("/service/tickets").await;
        assert_eq!(tickets.as_array().map(Vec::len), Some(2), "{fault}");
    }
}
