//! Workers and runs of reconcile that die at a given call, over one partner's alerts.

use std::pin::pin;

use domain::monitoring::pipeline::Schedule;
use domain::wire::message::Message;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::{ConfigTable, Due};

use crate::environment::{minute, partner};
use crate::proxy::{Proxy, Stop};
use crate::tickets::crash_run::{IN_FLIGHT, Lane, Seat, event, process_message};
use crate::tickets::crash_scenario::EventKind;

pub(crate) struct DyingRuns {
    pub(crate) lane: Lane,
    /// A process of reconcile has a proxy of its own.
    proxy: Proxy,
    pub(crate) table: ConfigTable,
    due: Due,
    pub(crate) now: Timestamp,
}

impl DyingRuns {
    pub(crate) async fn new() -> Self {
        let lane = Lane::new().await;
        lane.env.queue.allow_leftovers();
        let proxy = lane.env.proxy().await;
        let connections = &lane.seats[0].config.connections;
        let table = ConfigTable::new(&lane.env.aws, connections.config_table.clone());
        let due = Due::new(&lane.env.aws, connections.config_table.clone());
        Self {
            lane,
            proxy,
            table,
            due,
            now: Timestamp::now(),
        }
    }

    /// Hands an event to workers, the first of which dies at the stop. Returns whether it died.
    pub(crate) async fn send(&mut self, alert: &str, what: EventKind, stop: Option<Stop>) -> bool {
        let number = usize::from(what == EventKind::Resolved);
        let body = Message::Event(event(alert, what, number)).to_json();
        process_message(&self.lane, &body, stop, &mut self.now).await
    }

    /// Runs reconcile in a process that dies at the stop, and then once more, and processes what it
    /// sent. Returns whether it died.
    pub(crate) async fn reconcile(&mut self, stop: Option<Stop>) -> bool {
        let has_died = !self.run_and_work(stop).await;
        if has_died {
            assert!(self.run_and_work(None).await, "a run fails");
        }
        has_died
    }

    async fn run_and_work(&mut self, stop: Option<Stop>) -> bool {
        // Longer than a lease lasts.
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
}
