//! One mail for one trouble, whoever sends it, and whatever dies on the way.

use scheduled::RunSummary;
use std::pin::pin;

use domain::PartnerId;
use domain::pipeline::Schedule;
use jiff::Timestamp;
use serde_json::json;
use store::{AccessTable, ConfigTable, Due};

use crate::health_tells::CONTACT;
use crate::proxy::{Proxy, Stop, When};
use crate::ticks::{after, minute, only};
use crate::world::{MAIL_FROM, World, partner};

async fn broken() -> (World, Timestamp) {
    let world = World::new().await;
    world.set_contact(CONTACT).await;
    world.faults(json!({ "keys": "revoked" })).await;
    let now = Timestamp::now();
    world.make_health_due(now).await;
    (world, now)
}

#[tokio::test]
async fn two_health_runs_at_once_send_one_mail() {
    let (world, now) = broken().await;
    let (one, other) = (world.health(), world.health());
    for minute in 0..3 {
        let at = after(now, minute * 60);
        let (one, other) = tokio::join!(world.try_out(&one, at), world.try_out(&other, at));
        assert_eq!(one.completed + other.completed, 1, "one run a partner");
    }
    assert_eq!(world.mails().await.len(), 1);
    // One that has lost its lease finds that another one wrote.
    let kept = world.config.health.get(&partner()).await.unwrap();
    let health = kept.value.clone();
    let put = async |health| {
        world
            .config
            .health
            .save(&partner(), &kept, health)
            .await
            .unwrap()
    };
    assert!(put(health.clone()).await.is_some());
    assert_eq!(put(health).await, None);
}

#[tokio::test]
async fn a_mail_that_ses_does_not_take_is_sent_by_a_later_tick_and_once() {
    let (world, now) = broken().await;
    let health = world.health();
    let ses = aws_sdk_sesv2::Client::new(&world.aws);
    let forget = ses.delete_email_identity().email_identity(MAIL_FROM);
    forget.send().await.unwrap();
    for minute in 0..3 {
        let tick = world.try_out(&health, after(now, minute * 60)).await;
        assert_eq!(
            (tick.completed, tick.totals.mails, tick.totals.mails_failed),
            (1, 0, 1)
        );
    }
    let verify = ses.create_email_identity().email_identity(MAIL_FROM);
    verify.send().await.unwrap();
    let mut sent = vec![];
    for minute in 3..6 {
        sent.push(
            world
                .try_out(&health, after(now, minute * 60))
                .await
                .totals
                .mails,
        );
    }
    assert_eq!(sent, [1, 0, 0]);
    assert_eq!(world.mails().await.len(), 1);
}

#[tokio::test]
async fn hundreds_of_due_connections_are_divided_and_each_is_worked_off_by_name() {
    let world = World::new().await;
    let now = Timestamp::now();
    let partners: Vec<_> = (0..45)
        .map(|n| PartnerId::parse(format!("partner-{n}")).unwrap())
        .collect();
    for of in &partners {
        let due = world.due();
        due.bring_forward(of, Schedule::Health, now).await.unwrap();
    }
    let health = world.health();
    // No function of that name is deployed here: those that nobody takes are as due as before.
    let tick = world.try_out(&health, now).await;
    assert_eq!((tick.due, tick.started, tick.completed), (45, 0, 20));
    let left = world.due().list(Schedule::Health, now, 100).await.unwrap();
    assert_eq!(left.len(), 25);
    let asked = health
        .handle(only(&left[..20]), &minute(now))
        .await
        .unwrap();
    assert_eq!((asked.due, asked.completed), (20, 20));
    let again = health
        .handle(only(&left[..20]), &minute(now))
        .await
        .unwrap();
    assert_eq!((again.due, again.completed), (20, 0), "due no more");
}

/// Health as a process whose calls all go through a proxy, over a table of its own.
struct Behind {
    world: World,
    proxy: Proxy,
    config: health::Config,
    table: ConfigTable,
    due: Due,
}

impl Behind {
    async fn new(name: &str) -> Self {
        let world = World::new().await;
        let proxy = world.proxy().await;
        let connections = world.through(name, &proxy).await.connections;
        let table = ConfigTable::new(&world.aws, connections.config_table.clone());
        let due = Due::new(&world.aws, connections.config_table.clone());
        let contact = domain::contact::Contact {
            address: Some(domain::EmailAddress::parse(CONTACT).unwrap()),
            pending: None,
        };
        let access = AccessTable::new(&world.aws, connections.access_table.clone());
        access.contacts.save(&partner(), &contact, 0).await.unwrap();
        let config = health::Config {
            connections,
            ..world.health_config()
        };
        Self {
            world,
            proxy,
            config,
            table,
            due,
        }
    }

    /// A new process makes one tick; none where it died at the stop.
    async fn tick(
        &self,
        stop: Option<Stop>,
        at: Timestamp,
    ) -> Option<RunSummary<health::HealthTotals>> {
        let name = self.proxy.count(stop);
        let aws = self.world.aws_at(&self.proxy.origin, &name);
        let app = health::driver(&self.config, &aws).unwrap();
        let invocation = minute(at);
        let tick = pin!(app.handle(json!({}), &invocation));
        tokio::select! {
            tick = tick => Some(tick.unwrap()).filter(|_| !self.proxy.is_past_stop()),
            () = self.proxy.stopped() => None,
        }
    }

    async fn mails(&self) -> usize {
        self.world.mails().await.len()
    }
}

/// Breaks a connection, kills the run that finds it at every call, lets others follow, mends it, and kills the run that closes the breaker
/// and the one that tells of it in the same way.
#[tokio::test]
async fn a_run_that_dies_anywhere_tells_at_least_once_and_at_most_once_more() {
    let mut died = 0;
    let mut twice = 0;
    for when in [When::Before, When::Lost, When::After] {
        let lane = Behind::new(&format!("lane-{when:?}").to_lowercase()).await;
        let mut now = Timestamp::now();
        for at in 1.. {
            let details = format!("{when:?} {at}");
            let stop = Some(Stop { at, when });
            let before = lane.mails().await;
            lane.world.faults(json!({ "keys": "revoked" })).await;
            // Longer than any lease.
            now = after(now, 1200);
            lane.due
                .bring_forward(&partner(), Schedule::Health, now)
                .await
                .unwrap();
            let mut has_died = lane.tick(stop, now).await.is_none();
            for _ in 0..3 {
                now = after(now, 120);
                lane.tick(None, now).await.unwrap();
            }
            let notified = lane.mails().await - before;
            assert!(
                (1..=2).contains(&notified),
                "{details}: {notified} mails that it broke"
            );

            lane.world.faults(json!({ "keys": "ok" })).await;
            now = after(now, 120);
            has_died |= lane.tick(stop, now).await.is_none();
            for _ in 0..2 {
                now = after(now, 120);
                lane.tick(None, now).await.unwrap();
            }
            now = after(now, 120);
            has_died |= lane.tick(stop, now).await.is_none();
            for _ in 0..2 {
                now = after(now, 120);
                lane.tick(None, now).await.unwrap();
            }
            let breaker = lane.table.breaker.get(&partner()).await.unwrap();
            assert_eq!(breaker.open, None, "{details}");
            let due = lane.due.list(Schedule::Reconcile, now, 5).await.unwrap();
            assert_eq!(due, [partner()], "{details}: what waited is looked at");
            let health = lane.table.health.get(&partner()).await.unwrap().value;
            assert_eq!(health.connection, None, "{details}");
            let over = lane.mails().await - before - notified;
            assert!(
                (1..=2).contains(&over),
                "{details}: {over} mails that it works"
            );
            twice += usize::from(notified == 2) + usize::from(over == 2);
            if !has_died {
                assert!(at > 15, "{at} calls are no run");
                break;
            }
            died += 1;
        }
    }
    assert!(died > 45, "{died} deaths");
    assert!((1..=12).contains(&twice), "{twice} times one mail more");
}
