//! Messages that could not be read: one mail a source, shown on Overview, and no mail again within a
//! day after a person handled them.

use serde_json::{Value, json};

use crate::environment::partner;
use crate::health::source_test::SourceTest;

const UNREAD: &str = "Ticketbridge: messages of Scanner could not be read (Northwind)";

/// A source without a mapping: all its messages are quarantined.
async fn unmapped_source() -> SourceTest {
    let bearer = json!({ "scheme": "bearer" });
    SourceTest::new(json!({ "authentication": bearer, "mapping": null })).await
}

/// Discards all messages, as the operator.
async fn discard_all(source: &SourceTest) {
    let setup = &source.test.env.setup;
    let list = format!("/v1/operator/partners/{}/quarantine", partner());
    let waiting = setup.operator("GET", &list, &Value::Null).await;
    let waiting = waiting.expect(200).json();
    for message in waiting["messages"].as_array().unwrap() {
        if message["outcome"].is_null() {
            let discard = json!({ "id": message["id"], "action": "discard" });
            setup.operator("POST", &list, &discard).await.expect(200);
        }
    }
}

/// The hours of a day, one health run each.
async fn hours(source: &mut SourceTest, hours: usize) {
    for _ in 0..hours {
        source.wait_hours(1).await;
    }
}

#[tokio::test]
async fn quarantined_messages_are_one_mail_until_they_are_handled() {
    let mut source = unmapped_source().await;
    for message in 0..3 {
        source.post_body(&json!({ "unexpected": message })).await;
    }
    source.wait_hours(1).await;
    assert_eq!(source.subjects().await, [UNREAD]);
    source
        .test
        .assert_text(&[
            "New at Northwind: the following waits for a person.",
            "No alert is lost if this is corrected soon: a message is stored for a limited time.",
            "- 3 messages of Scanner could not be read. The first was received on ",
            "The reason of the newest: mapping: the source had no mapping when it arrived.",
            "/setup/partners/northwind/source-messages\n",
        ])
        .await;
    let overview = source.overview().await;
    assert_eq!(overview["quarantined"][0]["messages"], 3, "{overview}");
    assert_eq!(overview["live"]["incidents"], json!([]), "{overview}");
    source.post_body(&json!({ "unexpected": "more" })).await;
    hours(&mut source, 5).await;
    assert_eq!(source.subjects().await, [UNREAD]);

    discard_all(&source).await;
    source.wait_hours(1).await;
    let stored = &source.test.env.config.health;
    let health = stored.get(&partner()).await.unwrap().value;
    assert_eq!(health.sources, None);
    assert_eq!(source.overview().await["quarantined"], json!([]));
    // New ones within a day are no new mail.
    source.post_body(&json!({ "unexpected": "again" })).await;
    hours(&mut source, 16).await;
    assert_eq!(source.subjects().await, [UNREAD]);
    hours(&mut source, 4).await;
    assert_eq!(source.subjects().await, [UNREAD, UNREAD]);
    assert_eq!(source.test.env.connectwise.tickets().await.len(), 0);
}
