//! The alerts table: who wins a race, and what survives a write.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::record::Record;
use store::RecordWrite;

use crate::world::{TENANT, World, event, key};

#[tokio::test]
async fn of_two_writes_from_one_read_only_the_first_is_made() {
    let world = World::new().await;
    let mut read = Record::new(key(TENANT, "a1"));
    for rev in 1..=2 {
        let mut other = read.clone();
        other.occurrence += 1;
        let RecordWrite::Stored(written) = world.alerts.write(&read).await.unwrap() else {
            panic!("nobody else writes")
        };
        assert_eq!(written.rev, rev);
        assert_eq!(
            world.alerts.write(&other).await.unwrap(),
            RecordWrite::Conflict
        );
        // The same write once more is a repeat of the first, whose answer was lost.
        let again = world.alerts.write(&read).await.unwrap();
        assert_eq!(again, RecordWrite::Stored(written.clone()));
        assert_eq!(world.record("a1").await.unwrap(), *written);
        read = *written;
    }
}

#[tokio::test]
async fn what_a_newer_version_added_to_a_record_survives_an_older_ones_write() {
    let mut world = World::new().await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    let table = aws_sdk_dynamodb::Client::new(&world.aws);
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
    world.post(&event("alert.resolved", "e2", "a1", 5)).await;
    world.work().await;
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
async fn two_workers_with_one_repeat_make_one_note() {
    let mut world = World::new().await;
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    world.post(&event("alert.raised", "e2", "a1", 5)).await;
    let (message, _) = world.receive().await;
    let other = world.another_worker();
    let (first, second) = (world.invocation(60), world.invocation(60));
    tokio::join!(
        world.tickets.handle(message.clone(), &first),
        other.handle(message, &second),
    );
    let notes = world.calls().await;
    let notes = notes
        .iter()
        .filter(|call| call.starts_with("POST") && call.ends_with("/notes"));
    assert_eq!(notes.count(), 1);
}
