//! A worker or a run of reconcile may die at any of its calls: a storm still has one ticket, which
//! lists each of its alerts once and is closed when all are resolved.

use std::pin::pin;

use domain::Blocked;
use domain::alert::storm::{StormRule, TenantStorms};
use domain::monitoring::pipeline::Schedule;
use domain::wire::message::Message;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::{ConfigTable, Due};

use crate::environment::{TENANT, minute, partner, settings, tenant};
use crate::proxy::{Proxy, Stop, When};
use crate::tickets::crash_run::{IN_FLIGHT, Lane, Seat, event, process_message};
use crate::tickets::crash_scenario::EventKind;

/// Alerts that get tickets of their own.
const SINGLE: u32 = 2;

struct Storm {
    lane: Lane,
    /// A process of reconcile has a proxy of its own.
    proxy: Proxy,
    table: ConfigTable,
    due: Due,
    now: Timestamp,
}

impl Storm {
    async fn new() -> Self {
        let lane = Lane::new().await;
        lane.env.queue.allow_leftovers();
        let proxy = lane.env.proxy().await;
        let connections = &lane.seats[0].config.connections;
        let table = ConfigTable::new(&lane.env.aws, connections.config_table.clone());
        let due = Due::new(&lane.env.aws, connections.config_table.clone());
        let mut own = settings();
        own.storm = Some(StormRule {
            alerts: SINGLE,
            minutes: 60,
        });
        table.settings.put(&partner(), &own).await.unwrap();
        Self {
            lane,
            proxy,
            table,
            due,
            now: Timestamp::now(),
        }
    }

    /// Forgets the alerts and storms so far.
    async fn reset(&self) {
        let (partner, tenant) = (partner(), tenant(TENANT));
        let stored = self.table.storms.get(&partner, &tenant).await.unwrap();
        let fresh = TenantStorms::default();
        let saved = self
            .table
            .storms
            .save(&partner, &tenant, &fresh, stored.version);
        assert!(saved.await.unwrap().is_saved());
        self.lane.env.connectwise.reset().await;
    }

    async fn storms(&self) -> TenantStorms {
        let stored = self.table.storms.get(&partner(), &tenant(TENANT)).await;
        stored.unwrap().value
    }

    /// Hands an event to workers, the first of which dies at the stop.
    async fn send(&mut self, alert: &str, what: EventKind, stop: Option<Stop>) -> bool {
        let number = usize::from(what == EventKind::Resolved);
        let body = Message::Event(event(alert, what, number)).to_json();
        process_message(&self.lane, &body, stop, &mut self.now).await
    }

    /// Runs reconcile in a process that dies at the stop, and then once more, and processes what it
    /// sent. Returns whether it died.
    async fn reconcile(&mut self, stop: Option<Stop>) -> bool {
        let has_died = !self.run_and_work(stop).await;
        if has_died {
            assert!(self.run_and_work(None).await, "a run fails");
        }
        has_died
    }

    async fn run_and_work(&mut self, stop: Option<Stop>) -> bool {
        // Longer than a lease lasts. The storm lasts for an hour.
        self.now += SignedDuration::from_mins(3);
        let (partner, schedule) = (partner(), Schedule::Reconcile);
        let bring = self.due.bring_forward(&partner, schedule, self.now);
        bring.await.unwrap();
        let is_whole = self.run(stop).await;
        for message in self.lane.env.queue.take_records().await {
            let body = message.body.unwrap();
            // In a long test the messages of the lane become visible again.
            if body != IN_FLIGHT {
                process_message(&self.lane, &body, None, &mut self.now).await;
            }
        }
        is_whole
    }

    /// Whether a run of reconcile ended.
    async fn run(&self, stop: Option<Stop>) -> bool {
        let Seat { config, .. } = &self.lane.seats[0];
        let config = reconcile::Config {
            connections: config.connections.clone(),
            ..self.lane.env.reconcile_config()
        };
        let name = self.proxy.count(stop);
        let aws = self
            .lane
            .env
            .account
            .sdk_config_through(&self.proxy.origin, &name);
        let job = reconcile::driver(&config, &aws).unwrap();
        let invocation = minute(self.now);
        let tick = pin!(job.handle(json!({}), &invocation));
        tokio::select! {
            tick = tick => tick.is_ok() && !self.proxy.is_past_stop(),
            () = self.proxy.stopped() => false,
        }
    }

    /// The tickets of storms.
    async fn tickets(&self) -> Vec<Value> {
        let mut tickets = self.lane.env.connectwise.tickets().await;
        tickets.retain(|ticket| {
            let summary = ticket["summary"].as_str().unwrap_or_default();
            summary.starts_with("Alert storm")
        });
        tickets
    }
}

#[tokio::test]
async fn a_worker_that_dies_at_any_call_makes_an_alert_part_of_one_storm() {
    let mut storm = Storm::new().await;
    for when in [When::Before, When::Lost] {
        for at in 1.. {
            storm.reset().await;
            let name = |n: u32| format!("{when:?}-{at}-{n}").to_lowercase();
            for n in 0..SINGLE {
                storm.send(&name(n), EventKind::Raised, None).await;
            }
            let stop = Stop { at, when };
            let alert = name(SINGLE);
            let has_died = storm.send(&alert, EventKind::Raised, Some(stop)).await;
            let record = storm.lane.env.record(&alert).await.unwrap();
            let reason = record.blocked.map(|blocked| blocked.reason);
            assert!(
                matches!(reason, Some(Blocked::Storm(_))),
                "{when:?} {at}: {reason:?}"
            );
            assert_eq!(storm.storms().await.storms().len(), 1, "{when:?} {at}");
            let tickets = storm.lane.env.connectwise.tickets().await;
            assert_eq!(tickets.len(), 2, "{when:?} {at}");
            if !has_died {
                assert!(at > 4, "{at} calls are no run");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_run_that_dies_at_any_call_lists_each_alert_once_and_ends_the_storm() {
    let mut storm = Storm::new().await;
    // A death before a call equals one after the effect of the call before.
    for when in [When::Lost] {
        for at in 1.. {
            storm.reset().await;
            let stop = Some(Stop { at, when });
            let name = |n: u32| format!("run-{when:?}-{at}-{n}").to_lowercase();
            for n in 0..SINGLE + 2 {
                storm.send(&name(n), EventKind::Raised, None).await;
            }
            let mut has_died = storm.reconcile(stop).await;
            storm.send(&name(SINGLE + 2), EventKind::Raised, None).await;
            has_died |= storm.reconcile(stop).await;
            for n in 0..SINGLE + 3 {
                storm.send(&name(n), EventKind::Resolved, None).await;
            }
            for _ in 0..4 {
                has_died |= storm.reconcile(stop).await;
            }
            let tickets = storm.tickets().await;
            let [ticket] = &tickets[..] else {
                panic!("{when:?} {at}: {} tickets", tickets.len());
            };
            assert_eq!(ticket["closedFlag"], true, "{when:?} {at}");
            let notes = storm.lane.env.connectwise.notes(ticket).await;
            let lines = notes
                .iter()
                .filter_map(|note| note["text"].as_str())
                .flat_map(str::lines)
                .filter(|line| line.starts_with("- "));
            assert_eq!(lines.count(), 3, "{when:?} {at}: {notes:#?}");
            assert_eq!(storm.storms().await.storms(), [], "{when:?} {at}");
            if !has_died {
                assert!(at > 8, "{at} calls are no run");
                break;
            }
        }
    }
}
