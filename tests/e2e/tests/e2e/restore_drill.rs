//! The drill that an operator may have to do in earnest: the table is put back to what it was some time ago, the one command is run, and
//! sources send again what they know. What counts is what ConnectWise lists in the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_lambda_events::sqs::SqsMessage;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::Message;
use domain::pipeline::Schedule;
use domain::settings::Mapping;
use domain::ticket_index::{TicketIndex, TicketIndexState};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::hours::reconsider;
use crate::rebuilding::{is_open, posts, ticket_index};
use crate::ticks::after;
use crate::world::{DISABLED, TENANT, World, event, key, partner, tenant};

type Items = Vec<HashMap<String, AttributeValue>>;

impl World {
    /// All that the alerts table has.
    async fn backup(&self) -> Items {
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        let pages = client.scan().table_name("alerts").into_paginator();
        let items = pages.items().send().collect::<Result<Items, _>>().await;
        items.unwrap()
    }

    /// Puts the table back to a copy.
    async fn restore(&self, backup: Items) {
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        for item in self.backup().await {
            let delete = client.delete_item().table_name("alerts");
            let delete = delete.key("pk", item["pk"].clone());
            delete.send().await.unwrap();
        }
        for item in backup {
            let put = client.put_item().table_name("alerts");
            put.set_item(Some(item)).send().await.unwrap();
        }
    }

    /// What the command does to the partner.
    async fn rebuild(&self, now: Timestamp) {
        let epoch = self.access.connections.get(&partner()).await.unwrap().value;
        let epoch = epoch.unwrap().epoch;
        let rebuilt = self
            .alerts
            .ticket_index
            .rebuild(&partner(), epoch, now)
            .await;
        assert!(rebuilt.unwrap());
        let due = self.due();
        let due = due
            .bring_forward(&partner(), Schedule::Reconcile, now)
            .await;
        due.unwrap();
    }

    /// Runs of reconcile, so many minutes from now, until one asks for nothing more; what they ask for is done.
    async fn run_at(&mut self, minutes: i64) {
        let reconcile = self.reconcile();
        for minutes in minutes..minutes + 10 {
            let at = Timestamp::now() + SignedDuration::from_mins(minutes);
            self.make_due(at).await;
            let summary = self.tick(&reconcile, at).await;
            assert_eq!((summary.completed, summary.failed), (1, 0), "{summary:?}");
            let mut asked = vec![];
            loop {
                let (event, messages) = self.receive().await;
                if messages.is_empty() {
                    break;
                }
                self.taken_out(&messages).await;
                asked.extend(event.records);
            }
            if asked.is_empty() && summary.totals.left == 0 {
                return;
            }
            self.until_done(asked, minutes, 1).await;
        }
        unreachable!("it asks for ever");
    }

    async fn taken_out(&self, messages: &[Message]) {
        let sqs = aws_sdk_sqs::Client::new(&self.aws);
        for message in messages {
            let delete = sqs.delete_message().queue_url(&self.queue_url);
            let receipt = message.receipt_handle().unwrap();
            delete.receipt_handle(receipt).send().await.unwrap();
        }
    }

    /// Something that a technician does with an alert's open ticket.
    async fn technician_with(&self, alert: &str, method: Method, change: Option<(&str, u64)>) {
        let record = self.record(alert).await.unwrap();
        let path = format!("/service/tickets/{}", record.open().unwrap().ticket_id);
        let change = change
            .map(|(path, id)| json!([{ "op": "replace", "path": path, "value": { "id": id } }]));
        self.technician(method, &path, change).await;
    }
}

/// The alerts of one sort.
fn alerts(sort: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{sort}-{n}")).collect()
}

/// An event of each alert of a sort, so many seconds into the story.
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

/// All of it in another order: a multiplier that shares no factor with the length meets each place once.
fn shuffled(messages: &[SqsMessage]) -> Vec<SqsMessage> {
    let length = messages.len();
    assert_ne!(length % 7919, 0);
    let places = (0..length).map(|place| place * 7919 % length);
    places.map(|place| messages[place].clone()).collect()
}

/// The tickets of each alert, by the part of their token that all of its lives share.
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
async fn after_a_restore_and_the_one_command_nothing_is_doubled_and_nothing_that_stands_is_closed()
{
    let mut world = World::new().await;
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
        let messages = world.taken(events).await;
        world.until_done(messages.clone(), 0, 1).await;
        sent.extend(messages);
    }
    let backup = world.backup().await;
    let tickets_then = world.all_tickets().await.len();

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
        let messages = world.taken(events).await;
        world.until_done(messages.clone(), 1, 1).await;
        sent.extend(messages);
    }
    known.extend(since.concat());
    for alert in [alerts("by-technician", 5), alerts("new-by-technician", 3)].concat() {
        let close = Some(("status", 224));
        world.technician_with(&alert, Method::PATCH, close).await;
    }
    for alert in alerts("deleted", 3) {
        world.technician_with(&alert, Method::DELETE, None).await;
    }
    for alert in alerts("moved", 3) {
        let elsewhere = Some(("company", 302));
        world
            .technician_with(&alert, Method::PATCH, elsewhere)
            .await;
    }
    let enabled = Mapping {
        company: Some(308),
        enabled: true,
        ..Mapping::default()
    };
    let (northwind, grove) = (partner(), tenant(DISABLED));
    let put = world.config.tenants.put(&northwind, &grove, &enabled).await;
    put.unwrap();
    let waiting = alerts("waiting", 3);
    let again: Vec<_> = waiting
        .iter()
        .map(|alert| reconsider(&key(DISABLED, alert)))
        .collect();
    world.until_done(again, 1, 1).await;
    let tickets_since = world.all_tickets().await;
    let (closed_since, posts_since) = (closed(&tickets_since), posts(&world).await);

    // The restore, the command, and everything again: half of it while nothing is imported yet, all of it afterwards.
    world.restore(backup).await;
    world.rebuild(Timestamp::now()).await;
    assert_eq!(
        ticket_index(&world).await.state,
        TicketIndexState::Rebuilding
    );
    let again = shuffled(&sent);
    let first = again[..again.len() / 2].to_vec();
    world.until_done(first, 2, 1).await;
    world.run_at(20).await;
    let rebuilt = ticket_index(&world).await;
    assert_eq!(rebuilt.state, TicketIndexState::Complete, "{rebuilt:?}");
    world.until_done(again, 21, 1).await;
    let posts_again = posts(&world).await - posts_since;

    // And life goes on.
    let later = [
        of_each("later", 5, "raised", 200),
        of_each("resolved", 5, "raised", 200),
        of_each("stays", 4, "resolved", 200),
    ]
    .concat();
    let messages = world.taken(&later).await;
    world.until_done(messages, 22, 1).await;
    world.run_at(40).await;

    let tickets = world.all_tickets().await;
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
        // Elsewhere, and not fought.
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
         closed though their alert stands {}, open though it is over {}, opened again {opened_again}",
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
    assert_eq!(posts(&world).await - posts_since, 10, "what is new is made");
}

#[tokio::test]
async fn an_import_that_began_before_the_command_ends_nothing_and_is_not_gone_on_with() {
    let world = World::new().await;
    let (northwind, now) = (partner(), Timestamp::now());
    world.remember(Some(TicketIndexState::Rebuilding)).await;
    let alerts = &world.alerts;
    let before: TicketIndex = ticket_index(&world).await;
    assert!(
        alerts
            .ticket_index
            .record_import(&northwind, &before, 500, 400)
            .await
            .unwrap()
    );
    world.rebuild(now).await;
    let fresh = ticket_index(&world).await;
    assert_eq!((fresh.imported_to, fresh.imported), (None, 0));
    for of in [&before, &fresh] {
        let ours = of.begun_at.is_some();
        let kept = alerts
            .ticket_index
            .record_import(&northwind, of, 1000, 900)
            .await;
        assert_eq!(kept.unwrap(), ours);
    }
    // Run again, it begins anew once more.
    world.rebuild(after(now, 1)).await;
    for of in [&before, &fresh] {
        assert!(
            !alerts
                .ticket_index
                .complete_import(&northwind, of, 900)
                .await
                .unwrap()
        );
    }
    let last = ticket_index(&world).await;
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
async fn the_command_keeps_what_searches_must_find_and_knows_no_epoch_but_the_present_one() {
    let mut world = World::new().await;
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    world.until_done(raised, 0, 1).await;
    let (northwind, now) = (partner(), Timestamp::now());
    let before = ticket_index(&world).await;
    assert_eq!(
        (before.state, before.sentinels.len()),
        (TicketIndexState::Complete, 1)
    );
    world.rebuild(now).await;
    let rebuilding = ticket_index(&world).await;
    assert_eq!(rebuilding.state, TicketIndexState::Rebuilding);
    assert_eq!(rebuilding.sentinels, before.sentinels);

    // Another ConnectWise has other sentinels; and what is of a later epoch is not touched.
    world.repoint(2).await;
    world.rebuild(now).await;
    let second = ticket_index(&world).await;
    assert_eq!(
        (second.epoch, second.state),
        (2, TicketIndexState::Rebuilding)
    );
    assert!(second.sentinels.is_empty());
    let stale = world
        .alerts
        .ticket_index
        .rebuild(&northwind, 1, after(now, 1))
        .await;
    assert!(!stale.unwrap());
    assert_eq!(ticket_index(&world).await, second);

    // Nor does it need one.
    world.remember(None).await;
    world.rebuild(now).await;
    assert_eq!(ticket_index(&world).await.epoch, 2);
}
