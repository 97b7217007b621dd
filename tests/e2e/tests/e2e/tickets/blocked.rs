//! Blocked alerts: they stay in the table with their reason and cost no call.

use crate::environment::{
    COMPANY, DISABLED, TestEnvironment, event, key, raised_event, resolved_event,
};
use domain::Blocked;
use domain::setup::mapping::Mapping;
use serde_json::json;

#[tokio::test]
async fn an_alert_of_an_unmapped_tenant_is_blocked_and_listed() {
    let mut env = TestEnvironment::new().await;
    for (tenant, kind) in [
        ("unmapped", "disk"),
        (DISABLED, "disk"),
        (DISABLED, "memory"),
    ] {
        let mut raised = raised_event("e1", &format!("{tenant}-{kind}"), 0);
        raised["data"]["tenant"] = tenant.into();
        raised["data"]["kind"] = kind.into();
        env.source.post(&raised).await;
    }
    env.worker.work().await;
    let reason = async |env: &TestEnvironment, tenant: &str, alert: &str| {
        let record = env.record_of(tenant, alert).await.unwrap();
        assert!(record.payload.is_some(), "the record keeps the text");
        record.blocked.unwrap().reason
    };
    assert_eq!(
        reason(&env, "unmapped", "unmapped-disk").await,
        Blocked::Unmapped
    );
    assert_eq!(
        reason(&env, DISABLED, "grove-legal-disk").await,
        Blocked::TenantDisabled
    );
    assert_eq!(
        reason(&env, DISABLED, "grove-legal-memory").await,
        Blocked::KindDisabled
    );
    assert_eq!(env.blocked_keys().await.len(), 3);
    let seen = env.mapping("unmapped").await;
    assert_eq!(
        seen,
        Mapping {
            name: Some("Acme Dental".into()),
            ..Mapping::default()
        }
    );
    env.connectwise.assert_untouched().await;
}

#[tokio::test]
async fn a_tenant_is_listed_although_its_alert_is_resolved_already() {
    let mut env = TestEnvironment::new().await;
    let of = |tenant: &str, mut event: serde_json::Value| {
        event["data"]["tenant"] = tenant.into();
        event
    };
    let raised = raised_event("e1", "a1", 0);
    let resolved = resolved_event("e2", "a1", 60);
    // Within one batch.
    let batch = [of("brief", raised.clone()), of("brief", resolved.clone())];
    env.process(&batch, 0).await;
    // The resolve overtakes the raise.
    env.deliver(&of("overtaken", resolved)).await;
    env.deliver(&of("overtaken", raised)).await;
    for tenant in ["brief", "overtaken"] {
        let record = env.record_of(tenant, "a1").await.unwrap();
        assert!(!record.desired.active, "{tenant}");
        assert_eq!(env.mapping(tenant).await.company, None, "{tenant}");
    }
    let mut browser = env.setup.signed_in().await;
    let list = browser.get_json("tenants").await.expect(200).text;
    for tenant in ["brief", "overtaken"] {
        assert!(list.contains(&format!("\"tenant\":\"{tenant}\"")), "{list}");
    }
    env.connectwise.assert_untouched().await;
}

#[tokio::test]
async fn a_reconsidered_alert_becomes_a_ticket() {
    let mut env = TestEnvironment::new().await;
    let mut raised = raised_event("e1", "a1", 0);
    raised["data"]["tenant"] = "unmapped".into();
    env.deliver(&raised).await;
    let mapped = Mapping {
        company: Some(COMPANY),
        enabled: true,
        ..Mapping::default()
    };
    env.put_mapping("unmapped", &mapped).await;
    let reconsider = domain::wire::message::Message::Reconsider(key("unmapped", "a1"));
    for _ in 0..2 {
        env.queue.send(&reconsider.to_json()).await;
        env.worker.work().await;
    }
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 1);
    assert_eq!(tickets[0]["summary"], "Disk C: of web-1 is full");
    let record = env.record_of("unmapped", "a1").await.unwrap();
    assert_eq!((record.blocked, record.payload), (None, None));
    assert!(env.blocked_keys().await.is_empty());
}

#[tokio::test]
async fn an_alert_resolved_while_blocked_costs_no_call() {
    let mut env = TestEnvironment::new().await;
    for (kind, second) in [("alert.raised", 0), ("alert.resolved", 5)] {
        let mut event = event(kind, "e", "a1", second);
        event["data"]["tenant"] = DISABLED.into();
        env.deliver(&event).await;
    }
    let record = env.record_of(DISABLED, "a1").await.unwrap();
    assert_eq!(
        (record.blocked, record.payload, record.actual),
        (None, None, None)
    );
    assert!(env.connectwise.calls().await.is_empty());
}

#[tokio::test]
async fn a_poison_message_fails_alone_and_keeps_its_reason() {
    let mut env = TestEnvironment::new().await;
    env.queue.send("not a message").await;
    env.queue
        .send(&json!({ "v": 1, "type": "event", "body": { "key": {} } }).to_string())
        .await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    let letters = env.dead_letter_queue.dead_letters().await;
    assert_eq!(letters.len(), 2, "{letters:?}");
    let reason_of = |start: &str| {
        letters
            .iter()
            .find(|(body, _)| body.starts_with(start))
            .unwrap()
            .1
            .clone()
    };
    assert!(
        reason_of("not a").starts_with("not a Ticketbridge message: expected ident"),
        "{letters:?}"
    );
    assert!(
        reason_of(r#"{"body""#).contains("missing field `partner`"),
        "{letters:?}"
    );
    env.dead_letter_queue.expect_leftovers(2);
}

#[tokio::test]
async fn a_message_of_a_newer_release_returns_until_it_can_be_read() {
    let mut env = TestEnvironment::new().await;
    let mut messages = env.post_and_take(&[raised_event("e1", "a1", 0)]).await;
    let body = messages[0].body.clone().unwrap();
    messages[0].body = Some(body.replace(r#""v":1"#, r#""v":2"#));
    let back = env.worker.handle_at(messages, 0).await;
    let mut back = env.worker.handle_at(back, 3 * 24 * 60).await;
    assert_eq!(back.len(), 1);
    assert!(env.dead_letter_queue.dead_letters().await.is_empty());

    // Another release that can read it.
    let newer = back[0].body.replace(body).unwrap();
    env.worker.handle_until_done(back, 3 * 24 * 60, 5).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);

    // A week without that release.
    let mut abandoned = env.post_and_take(&[raised_event("e2", "a2", 0)]).await;
    abandoned[0].body = Some(newer.clone());
    assert!(
        env.worker
            .handle_at(abandoned, 8 * 24 * 60)
            .await
            .is_empty()
    );
    let letters = env.dead_letter_queue.dead_letters().await;
    let reason = "written by a newer release: envelope version 2".to_owned();
    assert_eq!(letters, [(newer, reason)]);
    env.dead_letter_queue.expect_leftovers(1);
}

#[tokio::test]
async fn a_snapshot_part_is_stored_for_reconcile() {
    let mut env = TestEnvironment::new().await;
    let snapshot = json!({
        "specversion": "1.0", "id": "e1", "source": "/test", "type": "alerts.snapshot",
        "data": { "tenant": "acme-dental", "snapshot_id": "s1", "taken_at": "2026-11-22T07:00:00Z", "active": ["a1", "a2"], "part": 1, "parts": 1 }
    });
    env.source.post(&snapshot).await;
    env.deliver(&snapshot).await;
    let table = aws_sdk_dynamodb::Client::new(&env.aws);
    let items = table
        .scan()
        .table_name("alerts")
        .send()
        .await
        .unwrap()
        .items
        .unwrap_or_default();
    let items: Vec<_> = items
        .iter()
        .filter(|item| item.contains_key("snapshot_id"))
        .collect();
    assert_eq!(items.len(), 1, "the same part twice is stored once");
    assert_eq!(items[0]["active"].as_l().unwrap().len(), 2);
    assert!(
        items[0]["state_of"]
            .as_s()
            .unwrap()
            .starts_with("northwind#snapshot#")
    );
    assert_eq!(env.dead_letter_queue.count().await, 0);
}
