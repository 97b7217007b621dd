//! How long things are stored is what the operator chose.

use aws_sdk_dynamodb::Client;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::environment::{TestEnvironment, partner, raised_event, reconsider, resolved_event};
use crate::health::source_test::SourceTest;

const DAY: i64 = 24 * 60;

/// In how many days each item with this prefix of its sort key ends.
async fn lifetimes(env: &TestEnvironment, table: &str, prefix: &str) -> Vec<i64> {
    let scan = Client::new(&env.aws).scan().table_name(table).send().await;
    let items = scan.unwrap().items.unwrap_or_default();
    let items = items
        .iter()
        .filter(|item| item["sk"].as_s().unwrap().starts_with(prefix));
    let now = Timestamp::now().as_second();
    items
        .map(|item| {
            let ends: i64 = item["ttl"].as_n().unwrap().parse().unwrap();
            // The item is some seconds old.
            (ends - now + 3600) / (24 * 3600)
        })
        .collect()
}

#[tokio::test]
async fn a_history_entry_ends_after_its_retention() {
    let env = TestEnvironment::new().await;
    let path = format!("/v1/operator/partners/{}", partner());
    let name = json!({ "name": "Another name" });
    env.setup.operator("PUT", &path, &name).await.expect(201);
    assert_eq!(lifetimes(&env, "access", "audit#").await, [399]);
}

#[tokio::test]
async fn a_quarantined_message_ends_after_its_retention() {
    let bearer = json!({ "scheme": "bearer" });
    let mut source = SourceTest::new(json!({ "authentication": bearer, "mapping": null })).await;
    source.post_body(&json!({ "unexpected": 1 })).await;
    source.wait_hours(0).await;
    let lifetimes = lifetimes(&source.test.env, "config", "quarantine#").await;
    assert_eq!(lifetimes, [13]);
}

#[tokio::test]
async fn a_longer_retention_keeps_a_record_whole_that_is_due() {
    let mut env = TestEnvironment::new().await;
    env.tickets_config.timeline_retention = SignedDuration::from_hours(24 * 7);
    env.worker.app = env.new_tickets_app();
    env.source.post(&raised_event("e1", "a0", -300)).await;
    env.source.post(&resolved_event("r1", "a0", -200)).await;
    env.worker.work().await;
    let due = |days: i64| {
        let at = Timestamp::now() + SignedDuration::from_mins(days * DAY);
        let alerts = env.alerts.clone();
        async move { alerts.lists.due(&partner(), at, 9).await.unwrap().keys }
    };
    assert_eq!(due(6).await, []);
    let keys = due(8).await;
    assert_eq!(keys.len(), 1);

    env.tickets_config.timeline_retention = SignedDuration::from_hours(24 * 90);
    env.worker.app = env.new_tickets_app();
    let look = vec![reconsider(&keys[0])];
    env.worker.handle_until_done(look, 8 * DAY, 1).await;
    let record = env.record("a0").await.unwrap();
    assert!(record.desired.details.is_some());
    assert_eq!(due(89).await, [], "it is not looked at again and again");
    assert_eq!(due(91).await, keys);
}
