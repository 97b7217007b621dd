//! The alerts table: conditional writes, and attributes that survive a write.

use crate::environment::{TENANT, TestEnvironment, key, raised_event, resolved_event};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::alert::record::Record;
use store::RecordWrite;

#[tokio::test]
async fn only_the_first_of_two_writes_from_one_read_succeeds() {
    let env = TestEnvironment::new().await;
    let mut read = Record::new(key(TENANT, "a1"));
    for rev in 1..=2 {
        let mut other = read.clone();
        other.occurrence += 1;
        let RecordWrite::Stored(written) = env.alerts.write(&read).await.unwrap() else {
            panic!("no other process writes")
        };
        assert_eq!(written.rev, rev);
        assert_eq!(
            env.alerts.write(&other).await.unwrap(),
            RecordWrite::Conflict
        );
        // The same write again is a repeat of the first, whose answer was lost.
        let again = env.alerts.write(&read).await.unwrap();
        assert_eq!(again, RecordWrite::Stored(written.clone()));
        assert_eq!(env.record("a1").await.unwrap(), *written);
        read = *written;
    }
}

#[tokio::test]
async fn attributes_of_a_newer_version_survive_an_older_write() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let table = aws_sdk_dynamodb::Client::new(&env.aws);
    let pk = AttributeValue::S(key(TENANT, "a1").item_key());
    let add = table
        .update_item()
        .table_name("alerts")
        .key("pk", pk.clone());
    let add = add.update_expression("SET from_the_future = :it");
    let it = AttributeValue::S("kept".into());
    add.expression_attribute_values(":it", it.clone())
        .send()
        .await
        .unwrap();
    env.deliver(&resolved_event("e2", "a1", 5)).await;
    let item = table
        .get_item()
        .table_name("alerts")
        .key("pk", pk)
        .send()
        .await
        .unwrap();
    let item = item.item.unwrap();
    assert_eq!(item["from_the_future"], it);
    assert!(
        item["state_of"]
            .as_s()
            .unwrap()
            .starts_with("northwind#closed#")
    );
    assert_eq!(item["schema"], AttributeValue::N("1".into()));
}

#[tokio::test]
async fn two_workers_with_the_same_repeat_make_one_note() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.source.post(&raised_event("e2", "a1", 5)).await;
    let (message, _) = env.queue.receive().await;
    let other = env.new_tickets_app();
    let (first, second) = (env.worker.invocation(60), env.worker.invocation(60));
    tokio::join!(
        env.worker.app.handle(message.clone(), &first),
        other.handle(message, &second),
    );
    let notes = env.connectwise.calls().await;
    let notes = notes
        .iter()
        .filter(|call| call.starts_with("POST") && call.ends_with("/notes"));
    assert_eq!(notes.count(), 1);
    env.queue.expect_leftovers(1);
}
