//! Tickets a second while ConnectWise is slow: of one connection, and of many at once.
//!
//! The functions are deployed to the emulator, whose event source mapping receives batches from the
//! queue and invokes `tickets`, at most as many at once as the template's parameter allows. Unlike
//! Lambda's it starts with all of them, and its queue is not fair.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws::queue::QueueSender;
use domain::PartnerId;
use jiff::Timestamp;
use local_stack::empty_stack::{EmptyStack, StackTimes};
use local_stack::emulator::sdk_config;
use local_stack::journal::{JournalEntry, Purpose};
use local_stack::process_usage::MachineTime;
use local_stack::progress::{step, wait_for};
use local_stack::seed::{PartnerFleet, seed_fleet};
use local_stack::table;
use serde_json::json;

use crate::figures::Figures;
use crate::function::Programs;
use crate::tickets::message;

/// The connections of the comparison with one.
const CONNECTIONS: usize = 10;
/// Four calls at the same time, of 500 ms each.
const IDEAL: f64 = 8.0;
/// How much longer than ideal a ticket of one connection may take: 0.95 of the ideal pace.
const IDEAL_REACH: f64 = 1.05;
/// Fifty connections make at least forty times the tickets of one. On two processors the emulator
/// cannot drive fifty, so there are ten, with the same share.
const CONNECTIONS_SHARE: f64 = 0.8;
/// Far more than a run takes.
const WITHIN: Duration = Duration::from_secs(300);

/// A run: some alerts of some connections.
struct Case {
    name: &'static str,
    connections: usize,
    alerts: usize,
    /// The most batches at once. AWS allows no fewer than two.
    concurrency: u32,
    /// Milliseconds of each call of ConnectWise.
    latency: u32,
}

/// ConnectWise is slow in the last two, and there are few calls, so that the emulator is not what is
/// measured.
const CASES: [Case; 4] = [
    Case {
        name: "one connection, the least concurrency",
        connections: 1,
        alerts: 1000,
        concurrency: 2,
        latency: 500,
    },
    Case {
        name: "one connection, the default",
        connections: 1,
        alerts: 1000,
        concurrency: 5,
        latency: 500,
    },
    Case {
        name: "one connection, a slow ConnectWise",
        connections: 1,
        alerts: 60,
        concurrency: 2,
        latency: 6000,
    },
    Case {
        name: "ten connections, a slow ConnectWise",
        connections: CONNECTIONS,
        alerts: 300,
        concurrency: 12,
        latency: 6000,
    },
];

/// What a run showed.
struct Pace {
    tickets_a_second: f64,
    /// How busy the machine was.
    percent_busy: u64,
}

/// A deployed stack whose queue is filled before its event source mapping is enabled.
struct DeployedQueue {
    stack: EmptyStack,
    fleet: PartnerFleet,
    queue: QueueSender,
    mapping: String,
    messages: usize,
}

pub(crate) async fn measure(programs: &Programs, figures: &mut Figures) -> Result<()> {
    let mut deployed = DeployedQueue::start(programs).await?;
    // Before its first ticket a connection searches once for earlier tickets.
    let warm_up = Case {
        name: "the first alert of each connection",
        connections: CONNECTIONS,
        alerts: CONNECTIONS,
        concurrency: 5,
        latency: 0,
    };
    step(warm_up.name, deployed.run(&warm_up)).await?;
    let head = [
        "",
        "batches at once",
        "ConnectWise, ms",
        "alerts",
        "tickets a second",
        "CPU, %",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    let mut paces = vec![];
    for case in &CASES {
        let pace = step(case.name, deployed.run(case)).await?;
        rows.push([
            case.name.to_owned(),
            case.concurrency.to_string(),
            case.latency.to_string(),
            case.alerts.to_string(),
            format!("{:.2}", pace.tickets_a_second),
            pace.percent_busy.to_string(),
        ]);
        let name = format!("{}: tickets a second", case.name);
        figures.add_uncompared(&name, pace.tickets_a_second, "each", None);
        paces.push(pace.tickets_a_second);
    }
    table::print(&rows);
    let [least, default, slow, many] = paces[..] else {
        bail!("{} runs in place of four", paces.len());
    };
    // A figure must not exceed its reach, so these are times, not rates.
    for (name, pace) in [("the least concurrency", least), ("the default", default)] {
        let name = format!("time for a ticket of one connection / ideal, {name}");
        figures.add_uncompared(&name, IDEAL / pace, "x", Some(IDEAL_REACH));
    }
    let name = "10 x the time for a ticket of 10 connections / of one";
    let connections = f64::from(u32::try_from(CONNECTIONS)?);
    let reach = 1.0 / CONNECTIONS_SHARE;
    figures.add_uncompared(name, connections * slow / many, "x", Some(reach));
    println!(
        "10 connections make {:.1} times the tickets of one",
        many / slow
    );
    Ok(())
}

impl DeployedQueue {
    async fn start(programs: &Programs) -> Result<Self> {
        let functions = programs.functions()?;
        let stack = EmptyStack::start_with("bench-pace", StackTimes::DEMO, 0, functions).await?;
        stack.delete_schedules().await?;
        let seed = seed_fleet(&stack, CONNECTIONS, &stack.simulator);
        let fleet = step("seeding 10 partners", seed).await?;
        let aws = sdk_config(stack.emulator.endpoint())?;
        let list = json!({ "service": "lambda", "operation": "ListEventSourceMappings",
            "parameters": { "FunctionName": stack.deployed.functions["tickets"] } });
        let listed = stack.emulator.call_all(&[list]).await?;
        let mapping = listed
            .first()
            .map(|listed| &listed["EventSourceMappings"][0]["UUID"]);
        let mapping = mapping.and_then(|mapping| mapping.as_str());
        Ok(Self {
            queue: QueueSender::new(&aws, stack.deployed.queue_url.clone()),
            mapping: mapping.context("tickets reads no queue")?.to_owned(),
            stack,
            fleet,
            messages: 0,
        })
    }

    /// Queues the alerts of a case, and measures how long their tickets take.
    async fn run(&mut self, case: &Case) -> Result<Pace> {
        self.update_mapping(case.concurrency, false).await?;
        let faults = json!({ "latency_ms": case.latency });
        self.stack.simulator.set_faults(&faults).await?;
        let partners: Vec<PartnerId> = self
            .fleet
            .partners
            .iter()
            .take(case.connections)
            .cloned()
            .collect();
        let mut messages = vec![];
        for partner in partners.iter().cycle().take(case.alerts) {
            self.messages += 1;
            let alert = self.messages;
            messages.push(message(&self.fleet, partner, "alert.raised", alert, alert)?);
        }
        self.queue.send_all(&messages).await?;
        let before = self.stack.simulator.journal(0).await?.len();
        let machine = MachineTime::now()?;
        let started = Timestamp::now();
        self.update_mapping(case.concurrency, true).await?;
        let created = wait_for("the tickets", WITHIN, async || {
            let calls = self.stack.simulator.journal(before).await?;
            let created = calls.into_iter().filter(is_creation).collect::<Vec<_>>();
            Ok((created.len() >= case.alerts).then_some(created))
        })
        .await?;
        ensure!(
            created.len() == case.alerts,
            "{} tickets for {} alerts",
            created.len(),
            case.alerts
        );
        let last = created.iter().map(|call| call.at).max();
        let taken = last
            .context("no ticket")?
            .duration_since(started)
            .as_secs_f64();
        // The journal has the time at which a call arrived.
        let taken = taken + f64::from(case.latency) / 1e3;
        Ok(Pace {
            tickets_a_second: f64::from(u32::try_from(case.alerts)?) / taken,
            percent_busy: MachineTime::now()?.percent_busy_since(machine),
        })
    }

    async fn update_mapping(&self, concurrency: u32, is_enabled: bool) -> Result<()> {
        let update = json!({ "service": "lambda", "operation": "UpdateEventSourceMapping",
            "parameters": {
                "UUID": self.mapping,
                "Enabled": is_enabled,
                "ScalingConfig": { "MaximumConcurrency": concurrency },
            } });
        self.stack.emulator.call_all(&[update]).await?;
        Ok(())
    }
}

fn is_creation(call: &JournalEntry) -> bool {
    call.purpose() == Purpose::Create && call.committed
}
