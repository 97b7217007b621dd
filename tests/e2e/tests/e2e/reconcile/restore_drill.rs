//! The restore drill: the alerts table is restored to an older state, the rebuild command is run, and
//! sources repeat their events. The result is judged by ConnectWise's tickets at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::Message;
use domain::setup::mapping::Mapping;
use domain::ticketing::ticket_index::{TicketIndex, TicketIndexState};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use domain::monitoring::pipeline::Schedule;

use crate::environment::{
    DISABLED, TENANT, TestEnvironment, after, event, is_open, key, partner, raised_event,
    reconsider, tenant,
};
use crate::reconcile::rebuild::ticket_index;

type Items = Vec<HashMap<String, AttributeValue>>;

/// All items of the alerts table.
async fn backup(env: &TestEnvironment) -> Items {
    let client = aws_sdk_dynamodb::Client::new(&env.aws);
    let pages = client.scan().table_name("alerts").into_paginator();
    let items = pages.items().send().collect::<Result<Items, _>>().await;
    items.unwrap()
}

/// Replaces the alerts table's items.
async fn restore(env: &TestEnvironment, items: Items) {
    let client = aws_sdk_dynamodb::Client::new(&env.aws);
    for item in backup(env).await {
        let delete = client.delete_item().table_name("alerts");
        let delete = delete.key("pk", item["pk"].clone());
        delete.send().await.unwrap();
    }
    for item in items {
        let put = client.put_item().table_name("alerts");
        put.set_item(Some(item)).send().await.unwrap();
    }
}

/// What the rebuild command does for the partner.
async fn rebuild(env: &TestEnvironment, now: Timestamp) {
    let epoch = env.access.connections.get(&partner()).await.unwrap().value;
    let epoch = epoch.unwrap().epoch;
    let rebuilt = env
        .alerts
        .ticket_index
        .rebuild(&partner(), epoch, now)
        .await;
    assert!(rebuilt.unwrap());
    let due = &env.schedule.due;
    let due = due
        .bring_forward(&partner(), Schedule::Reconcile, now)
        .await;
    due.unwrap();
}

/// Runs reconcile from so many minutes from now until a run sends nothing more. Works off what they send.
async fn reconcile_until_done(env: &mut TestEnvironment, minutes: i64) {
    let reconcile = env.reconcile();
    for minutes in minutes..minutes + 10 {
        let at = Timestamp::now() + SignedDuration::from_mins(minutes);
        let summary = env.schedule.run(&reconcile, at).await;
        assert_eq!((summary.completed, summary.failed), (1, 0), "{summary:?}");
        let mut asked = vec![];
        loop {
            let (event, messages) = env.queue.receive().await;
            if messages.is_empty() {
                break;
            }
            delete_messages(env, &messages).await;
            asked.extend(event.records);
        }
        if asked.is_empty() && summary.totals.left == 0 {
            return;
        }
        env.worker.handle_until_done(asked, minutes, 1).await;
    }
    unreachable!("reconcile never finishes");
}

async fn delete_messages(env: &TestEnvironment, messages: &[Message]) {
    let sqs = aws_sdk_sqs::Client::new(&env.aws);
    for message in messages {
        let delete = sqs.delete_message().queue_url(&env.queue.url);
        let receipt = message.receipt_handle().unwrap();
        delete.receipt_handle(receipt).send().await.unwrap();
    }
}

/// Changes an alert's open ticket as a technician.
async fn change_by_technician(
    env: &TestEnvironment,
    alert: &str,
    method: Method,
    change: Option<(&str, u64)>,
) {
    let record = env.record(alert).await.unwrap();
    let path = format!("/service/tickets/{}", record.open().unwrap().ticket_id);
    let change =
        change.map(|(path, id)| json!([{ "op": "replace", "path": path, "value": { "id": id } }]));
    env.connectwise
        .call_as_technician(method, &path, change)
        .await;
}

/// The ids of the alerts of one kind of history.
fn alerts(sort: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{sort}-{n}")).collect()
}

/// An event of each alert of one kind of history, so many seconds after the start.
fn of_each(sort: &str, count: usize, kind: &str, second: i64) -> Vec<Value> {
    let alerts = alerts(sort, count).into_iter();
    alerts
        .map(|alert| {
            let id = format!("{alert}-{second}");
            let mut event = event(&format!("alert.{kind}"), &id, &alert, second);
            if sort == "waiting" {
                event["data"]["tenant"] = DISABLED.into();
            }
            event
        })
        .collect()
}

/// All messages in another order. A multiplier without a common factor with the length visits each
/// index once.
fn shuffled(messages: &[SqsMessage]) -> Vec<SqsMessage> {
    let length = messages.len();
    assert_ne!(length % 7919, 0);
    let places = (0..length).map(|place| place * 7919 % length);
    places.map(|place| messages[place].clone()).collect()
}

/// The tickets of each alert, by the prefix that the references of all its occurrences share.
fn by_alert(tickets: &[Value]) -> BTreeMap<String, Vec<&Value>> {
    let mut by_alert: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for ticket in tickets {
        let ticket_ref = ticket["externalXRef"].as_str().unwrap();
        let (alert, _episode) = ticket_ref.rsplit_once('-').unwrap();
        by_alert.entry(alert.to_owned()).or_default().push(ticket);
    }
    by_alert
}

fn prefix(alert: &str) -> String {
    let tenant = match alert.starts_with("waiting") {
        true => DISABLED,
        false => TENANT,
    };
    format!("tb1-{}", key(tenant, alert).item_key())
}

fn closed(tickets: &[Value]) -> BTreeSet<u64> {
    let closed = tickets.iter().filter(|ticket| !is_open(ticket));
    closed
        .map(|ticket| ticket["id"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_restore_doubles_no_ticket_and_closes_no_active_alert() {
    let mut env = TestEnvironment::new().await;
    // At the time of the backup.
    let mut known = [
        of_each("stays", 10, "raised", 0),
        of_each("resolved", 10, "raised", 0),
        of_each("back", 5, "raised", 0),
        of_each("back", 5, "resolved", 1),
        of_each("by-technician", 5, "raised", 0),
        of_each("worse", 5, "raised", 0),
        of_each("thrice", 5, "raised", 0),
        of_each("waiting", 3, "raised", 0),
        of_each("deleted", 3, "raised", 0),
        of_each("moved", 3, "raised", 0),
    ]
    .concat();
    let mut sent = vec![];
    for events in known.chunks(40) {
        let messages = env.post_and_take(events).await;
        env.worker.handle_until_done(messages.clone(), 0, 1).await;
        sent.extend(messages);
    }
    let backup = backup(&env).await;
    let tickets_then = env.connectwise.tickets().await.len();

    // Since then.
    let mut worse = of_each("worse", 5, "raised", 20);
    for event in &mut worse {
        event["data"]["severity"] = "critical".into();
    }
    let since = [
        of_each("resolved", 10, "resolved", 20),
        of_each("back", 5, "raised", 20),
        worse,
        of_each("thrice", 5, "resolved", 20),
        of_each("new", 10, "raised", 20),
        of_each("new-and-over", 5, "raised", 20),
        of_each("new-by-technician", 3, "raised", 20),
        of_each("thrice", 5, "raised", 30),
        of_each("thrice", 5, "resolved", 40),
        of_each("new-and-over", 5, "resolved", 40),
        of_each("thrice", 5, "raised", 50),
    ];
    for events in &since {
        let messages = env.post_and_take(events).await;
        env.worker.handle_until_done(messages.clone(), 1, 1).await;
        sent.extend(messages);
    }
    known.extend(since.concat());
    for alert in [alerts("by-technician", 5), alerts("new-by-technician", 3)].concat() {
        let close = Some(("status", 224));
        change_by_technician(&env, &alert, Method::PATCH, close).await;
    }
    for alert in alerts("deleted", 3) {
        change_by_technician(&env, &alert, Method::DELETE, None).await;
    }
    for alert in alerts("moved", 3) {
        let elsewhere = Some(("company", 302));
        change_by_technician(&env, &alert, Method::PATCH, elsewhere).await;
    }
    let enabled = Mapping {
        company: Some(308),
        enabled: true,
        ..Mapping::default()
    };
    let (northwind, grove) = (partner(), tenant(DISABLED));
    let put = env.config.tenants.put(&northwind, &grove, &enabled).await;
    put.unwrap();
    let waiting = alerts("waiting", 3);
    let again: Vec<_> = waiting
        .iter()
        .map(|alert| reconsider(&key(DISABLED, alert)))
        .collect();
    env.worker.handle_until_done(again, 1, 1).await;
    let tickets_since = env.connectwise.tickets().await;
    let (closed_since, posts_since) = (
        closed(&tickets_since),
        env.connectwise.count_calls("POST /service/tickets").await,
    );

    // The restore, the command, and all events again: half of them before the import, all of them after it.
    restore(&env, backup).await;
    rebuild(&env, Timestamp::now()).await;
    assert_eq!(ticket_index(&env).await.state, TicketIndexState::Rebuilding);
    let again = shuffled(&sent);
    let first = again[..again.len() / 2].to_vec();
    env.worker.handle_until_done(first, 2, 1).await;
    reconcile_until_done(&mut env, 20).await;
    let rebuilt = ticket_index(&env).await;
    assert_eq!(rebuilt.state, TicketIndexState::Complete, "{rebuilt:?}");
    env.worker.handle_until_done(again, 21, 1).await;
    let posts_again = env.connectwise.count_calls("POST /service/tickets").await - posts_since;

    // Later events work as usual.
    let later = [
        of_each("later", 5, "raised", 200),
        of_each("resolved", 5, "raised", 200),
        of_each("stays", 4, "resolved", 200),
    ]
    .concat();
    env.process(&later, 22).await;
    reconcile_until_done(&mut env, 40).await;

    let tickets = env.connectwise.tickets().await;
    let by_alert = by_alert(&tickets);
    let open = |alert: &str| {
        let tickets = by_alert.get(&prefix(alert)).into_iter().flatten();
        tickets.filter(|ticket| is_open(ticket)).count()
    };
    let doubled = by_alert
        .values()
        .filter(|of| of.iter().filter(|ticket| is_open(ticket)).count() > 1)
        .count();
    let stand = [
        alerts("stays", 10).split_off(4),
        alerts("resolved", 5),
        alerts("back", 5),
        alerts("worse", 5),
        alerts("thrice", 5),
        alerts("waiting", 3),
        alerts("new", 10),
        alerts("later", 5),
        // Moved, and left there.
        alerts("moved", 3),
    ]
    .concat();
    let over = [
        alerts("stays", 4),
        alerts("resolved", 10).split_off(5),
        alerts("by-technician", 5),
        alerts("new-by-technician", 3),
        alerts("new-and-over", 5),
        alerts("deleted", 3),
    ]
    .concat();
    let without: Vec<_> = stand.iter().filter(|alert| open(alert) == 0).collect();
    let left_open: Vec<_> = over.iter().filter(|alert| open(alert) > 0).collect();
    let opened_again = closed_since.difference(&closed(&tickets)).count();
    println!(
        "{} tickets at the backup, {} at the restore, {} imported; {} events sent again: {posts_again} tickets made; then {} tickets: doubled {doubled}, \
         closed with an active alert {}, open with a resolved alert {}, opened again {opened_again}",
        tickets_then,
        tickets_since.len(),
        rebuilt.imported,
        sent.len(),
        tickets.len(),
        without.len(),
        left_open.len(),
    );
    assert_eq!((doubled, posts_again, opened_again), (0, 0, 0));
    assert!(
        without.is_empty() && left_open.is_empty(),
        "{without:?} {left_open:?}"
    );
    assert_eq!(
        env.connectwise.count_calls("POST /service/tickets").await - posts_since,
        10,
        "new alerts get tickets"
    );
}

#[tokio::test]
async fn an_import_begun_before_the_rebuild_is_abandoned() {
    let env = TestEnvironment::new().await;
    let (northwind, now) = (partner(), Timestamp::now());
    env.database
        .set_ticket_index(Some(TicketIndexState::Rebuilding))
        .await;
    let alerts = &env.alerts;
    let before: TicketIndex = ticket_index(&env).await;
    assert!(
        alerts
            .ticket_index
            .record_import(&northwind, &before, 500, 400)
            .await
            .unwrap()
    );
    rebuild(&env, now).await;
    let fresh = ticket_index(&env).await;
    assert_eq!((fresh.imported_to, fresh.imported), (None, 0));
    for of in [&before, &fresh] {
        let ours = of.begun_at.is_some();
        let kept = alerts
            .ticket_index
            .record_import(&northwind, of, 1000, 900)
            .await;
        assert_eq!(kept.unwrap(), ours);
    }
    // A second command begins the import again.
    rebuild(&env, after(now, 1)).await;
    for of in [&before, &fresh] {
        assert!(
            !alerts
                .ticket_index
                .complete_import(&northwind, of, 900)
                .await
                .unwrap()
        );
    }
    let last = ticket_index(&env).await;
    assert_eq!(
        (last.state, last.imported_to),
        (TicketIndexState::Rebuilding, None)
    );
    assert!(
        alerts
            .ticket_index
            .complete_import(&northwind, &last, 900)
            .await
            .unwrap()
    );
    assert!(
        !alerts
            .ticket_index
            .complete_import(&northwind, &last, 900)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn rebuild_keeps_the_sentinel_and_the_current_epoch() {
    let mut env = TestEnvironment::new().await;
    env.process(&[raised_event("e1", "a1", 0)], 0).await;
    let (northwind, now) = (partner(), Timestamp::now());
    let before = ticket_index(&env).await;
    assert_eq!(
        (before.state, before.sentinels.len()),
        (TicketIndexState::Complete, 1)
    );
    rebuild(&env, now).await;
    let rebuilding = ticket_index(&env).await;
    assert_eq!(rebuilding.state, TicketIndexState::Rebuilding);
    assert_eq!(rebuilding.sentinels, before.sentinels);

    // Sentinels of another site differ. Items of a later epoch are not changed.
    env.set_epoch(2).await;
    rebuild(&env, now).await;
    let second = ticket_index(&env).await;
    assert_eq!(
        (second.epoch, second.state),
        (2, TicketIndexState::Rebuilding)
    );
    assert!(second.sentinels.is_empty());
    let stale = env
        .alerts
        .ticket_index
        .rebuild(&northwind, 1, after(now, 1))
        .await;
    assert!(!stale.unwrap());
    assert_eq!(ticket_index(&env).await, second);

    // It needs none.
    env.database.set_ticket_index(None).await;
    rebuild(&env, now).await;
    assert_eq!(ticket_index(&env).await.epoch, 2);
}
