//! A refused write, by ConnectWise or by a proxy in front of it, affects no other alert.

use std::time::{Duration, Instant};

use domain::alert::record::Record;
use domain::connection::breaker::Breaker;
use domain::{Blocked, Kind};
use serde_json::{Value, json};

use crate::environment::{
    TestEnvironment, TypeChildren, event, raised_event, resolved_event, settings,
};

/// Statuses and bodies with which firewalls, proxies and ConnectWise refuse writes, and the part that is
/// quoted.
fn refusals() -> Vec<(u16, Value, &'static str)> {
    let security = json!({ "custom": {
        "code": "Security", "message": "You do not have security permission to perform this action."
    } });
    vec![
        (400, json!("page"), "400, a web page"),
        (400, json!("text"), "400, Bad Request"),
        (401, json!("page"), "401"),
        (401, json!("json"), "401"),
        (403, json!("page"), "403, a web page"),
        (403, json!("text"), "403, Forbidden"),
        (403, json!("empty"), "403"),
        (
            403,
            json!({ "custom": { "message": "Forbidden" } }),
            "403, Forbidden",
        ),
        (403, security, "the API member lacks the right"),
        (404, json!("page"), "404, a web page"),
        (405, json!("page"), "405, a web page"),
        (406, json!("page"), "406, a web page"),
        (409, json!("page"), "409, a web page"),
        (413, json!("empty"), "413"),
        (415, json!("page"), "415, a web page"),
        (422, json!("json"), "422, Unprocessable Entity"),
        (307, json!("empty"), "307, a redirect"),
    ]
}

fn rule(when: &Value, status: u16, body: &Value) -> Value {
    json!({ "when": when, "then": { "answer": { "status": status, "body": body } } })
}

/// Asserts that the alert is blocked as refused, with these words.
fn is_refused(record: &Record, words: &str) {
    let blocked = record.blocked.as_ref().map(|blocked| &blocked.reason);
    let Some(Blocked::Rejected(quoted)) = blocked else {
        unreachable!("{words}: {blocked:?}");
    };
    assert!(quoted.starts_with(words), "{words}: {quoted}");
}

/// Asserts that the breaker is closed, after messages were handed over `times` times, two minutes
/// apart, since `began`.
async fn nothing_is_known_against_the_connection(
    env: &TestEnvironment,
    began: Instant,
    times: usize,
) {
    let breaker = env.breaker().await;
    assert_eq!(breaker, Breaker::default());
    let confirming = env.connectwise.count_calls("GET /system/mySecurity").await;
    // All writes that are refused in one minute share one read.
    let minutes = 2 * times + usize::try_from(began.elapsed().as_secs() / 60).unwrap();
    assert!(
        (1..=minutes).contains(&confirming),
        "{confirming} in {minutes} minutes"
    );
}

#[tokio::test]
async fn a_refused_create_blocks_only_its_alert() {
    let mut env = TestEnvironment::new().await;
    let refusals = refusals();
    let mut rules = vec![];
    let mut events = vec![];
    for (n, (status, body, _)) in refusals.iter().enumerate() {
        let title = format!("Injection {n}: ' OR 1=1");
        rules.push(rule(
            &json!({ "operations": ["create"], "text": title }),
            *status,
            body,
        ));
        let mut raised = raised_event(&format!("e{n}"), &format!("a{n}"), 0);
        raised["data"]["title"] = title.into();
        events.push(raised);
        // Another alert in the same batch.
        events.push(raised_event(&format!("g{n}"), &format!("good{n}"), 0));
    }
    env.set_fault("rules", rules).await;
    let began = Instant::now();
    let messages = env.post_and_take(&events).await;
    let times = env.worker.handle_until_done(messages, 0, 2).await;
    assert_eq!(env.connectwise.tickets().await.len(), refusals.len());
    for (n, (_, _, words)) in refusals.iter().enumerate() {
        let record = env.record(&format!("a{n}")).await.unwrap();
        is_refused(&record, words);
        assert!(record.payload.is_some() && record.claim.is_none());
        let good = env.record(&format!("good{n}")).await.unwrap();
        assert!(good.open().is_some(), "{n}");
    }
    nothing_is_known_against_the_connection(&env, began, times).await;
}

#[tokio::test]
async fn a_refused_note_priority_or_close_blocks_only_its_alert() {
    let mut env = TestEnvironment::new().await;
    let refusals = refusals();
    let operations = ["note", "priority", "close"];
    let name = |operation: &str, n: usize| format!("{operation}{n}");
    let mut raised = vec![];
    for operation in operations {
        for n in 0..=refusals.len() {
            let alert = name(operation, n);
            raised.push(raised_event(&format!("e-{alert}"), &alert, 0));
        }
    }
    let messages = env.post_and_take(&raised).await;
    env.worker.handle_until_done(messages, 0, 2).await;
    let mut rules = vec![];
    let mut changes = vec![];
    for operation in operations {
        for n in 0..=refusals.len() {
            let alert = name(operation, n);
            let ticket = env.record(&alert).await.unwrap().open().unwrap().ticket_id;
            // The last alert of each operation is not refused.
            if let Some((status, body, _)) = refusals.get(n) {
                let path = match operation {
                    "note" => format!("/service/tickets/{ticket}/notes"),
                    _ => format!("/service/tickets/{ticket}"),
                };
                let when = json!({ "operations": [operation], "path": path });
                rules.push(rule(&when, *status, body));
            }
            let kind = match operation {
                "close" => "alert.resolved",
                _ => "alert.raised",
            };
            let mut change = event(kind, &format!("c-{alert}"), &alert, 60);
            if operation == "priority" {
                change["data"]["severity"] = "critical".into();
            }
            changes.push(change);
        }
    }
    env.set_fault("rules", rules).await;
    let began = Instant::now();
    let messages = env.post_and_take(&changes).await;
    let times = env.worker.handle_until_done(messages, 0, 2).await;
    for operation in operations {
        for (n, (_, _, words)) in refusals.iter().enumerate() {
            let record = env.record(&name(operation, n)).await.unwrap();
            is_refused(&record, words);
            assert!(record.open().is_some(), "{operation} {n}");
        }
        let good = env.record(&name(operation, refusals.len())).await.unwrap();
        assert_eq!(good.blocked, None, "{operation}");
        assert_eq!(good.open().is_some(), operation != "close", "{operation}");
    }
    nothing_is_known_against_the_connection(&env, began, times).await;
}

#[tokio::test]
async fn a_create_answered_by_a_proxy_is_searched_then_refused() {
    let mut env = TestEnvironment::new().await;
    let answers = [
        (302, "302, a redirect"),
        (200, "200, "),
        (500, "ConnectWise failed with 500"),
    ];
    let mut rules = vec![];
    let mut events = vec![];
    for (n, (status, _)) in answers.iter().enumerate() {
        let title = format!("Injection {n}");
        let when = json!({ "operations": ["create"], "text": title });
        rules.push(rule(&when, *status, &json!("page")));
        let mut raised = raised_event(&format!("e{n}"), &format!("a{n}"), 0);
        raised["data"]["title"] = title.into();
        events.push(raised);
    }
    env.set_fault("rules", rules).await;
    env.process(&events, 0).await;
    for (n, (_, words)) in answers.iter().enumerate() {
        let record = env.record(&format!("a{n}")).await.unwrap();
        is_refused(&record, words);
        // A late commit would be found by the search.
        assert_eq!(record.rechecks.len(), 1);
    }
    let posts = env.connectwise.count_calls("POST /service/tickets").await;
    assert_eq!(posts, 2 * answers.len());
}

#[tokio::test]
async fn a_refused_create_that_commits_late_is_the_ticket() {
    let mut env = TestEnvironment::new().await;
    let when = json!({ "operations": ["create"] });
    let mut refused = rule(&when, 302, &json!("empty"));
    refused["times"] = json!(1);
    let late = json!({ "when": when, "then": { "late": { "seconds": 1.0 } }, "times": 1 });
    env.set_fault("rules", [refused, late]).await;
    let raised = raised_event("e1", "a1", 0);
    let mut messages = env.post_and_take(&[raised]).await;
    let mut minutes = 0;
    while env.connectwise.count_calls("POST /service/tickets").await < 2 {
        messages = env.worker.handle_at(messages, minutes).await;
        minutes += 1;
        assert!(minutes < 30, "the create is never tried twice");
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    env.worker.handle_until_done(messages, minutes, 1).await;
    let record = env.record("a1").await.unwrap();
    assert!(record.open().is_some(), "{record:?}");
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    assert_eq!(
        env.connectwise.count_calls("POST /service/tickets").await,
        2
    );
}

#[tokio::test]
async fn a_refused_closing_note_does_not_undo_the_close() {
    let mut env = TestEnvironment::new().await;
    env.process(&[raised_event("e1", "a1", 0)], 0).await;
    let refused = rule(&json!({ "operations": ["note"] }), 403, &json!("page"));
    env.set_fault("rules", [refused]).await;
    let messages = env.post_and_take(&[resolved_event("r1", "a1", 9)]).await;
    assert_eq!(env.worker.handle_at(messages, 0).await.len(), 0);
    assert_eq!(env.connectwise.tickets().await[0]["closedFlag"], true);
    let record = env.record("a1").await.unwrap();
    assert_eq!((record.blocked, record.claim), (None, None));
}

#[tokio::test]
async fn an_html_page_for_every_call_is_an_outage() {
    let mut env = TestEnvironment::new().await;
    for (status, body) in [(403, "page"), (404, "page"), (302, "empty"), (400, "text")] {
        env.connectwise.reset().await;
        let alert = format!("a{status}");
        let all = rule(&json!({}), status, &json!(body));
        env.set_fault("rules", [all]).await;
        let raised = raised_event(&format!("e{status}"), &alert, 0);
        let mut messages = env.post_and_take(&[raised]).await;
        for minutes in [0, 2, 4] {
            messages = env.worker.handle_at(messages, minutes).await;
            assert_eq!(messages.len(), 1, "{status}");
        }
        assert_eq!(
            env.worker.handle_at(messages, 17).await.len(),
            0,
            "{status}"
        );
        let reason = env.reason(&alert).await;
        assert_eq!(reason, Some(Blocked::ConnectionUnavailable), "{status}");
        env.close_breaker().await;
        env.worker.app = env.new_tickets_app();
    }
}

#[tokio::test]
async fn a_subtype_of_another_type_is_refused_by_its_name() {
    let mut env = TestEnvironment::new().await;
    let TypeChildren { subtype, .. } = env.connectwise.add_type_children(22, 2203).await;
    let disk = Kind::parse("disk").unwrap();
    let mut own = settings();
    own.operations.types.insert(disk.clone(), 2201);
    own.operations.subtypes = [(disk, subtype)].into();
    env.put_settings(&own).await;
    env.process(&[raised_event("e1", "a1", 0)], 0).await;
    let record = env.record("a1").await.unwrap();
    is_refused(
        &record,
        &format!("Service SubType {subtype} not found for Service Type 2201"),
    );
    assert_eq!(env.connectwise.tickets().await.len(), 0);
}
