//! The cost of a million events, and of a partner at rest: a price table times the counters of a run.
//!
//! Counted in the run: invocations, CPU time, calls, capacity units and bytes. Assumed, since nothing
//! here runs in AWS: how long calls take, what Lambda and the gateway log themselves, and how many
//! events share a batch.

mod bill;
mod prices;
mod rest;

use anyhow::{Result, ensure};
use hot_paths::Format;
use local_stack::capacity::Units;
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::table;

use bill::{Bill, MEMORY, TICKETS_MEMORY, Usage};
use prices::Charge;

use crate::aws_stub::AwsStub;
use crate::figures::Figures;
use crate::function::{Programs, RunningFunction, aws_variables};
use crate::requests::BenchSource;
use crate::tickets::{BATCH, Workplace};

/// Events of the run, and how many of a hundred are of each kind.
const EVENTS: usize = 1000;
const RAISED: usize = 40;
const REPEATED: usize = 20;
const RESOLVED: usize = 40;

const MILLION: f64 = 1e6;
/// USD for a million events.
const REACH: f64 = 5.0;

/// Calls that a connection makes at the same time: the limit of its client.
const CONCURRENT_CALLS: f64 = 4.0;
/// Bytes of `platform.start` and `platform.report` with each invocation, assumed.
const PLATFORM_LOG: f64 = 650.0;
/// Bytes of the gateway's access log, and of the answer to the source, assumed.
const ACCESS_LOG: f64 = 350.0;
const ANSWER: f64 = 600.0;
/// The share of invocations that X-Ray records beyond the first of each second.
const SAMPLED: f64 = 0.05;
/// A million events in a month, evenly: the share of invocations that are the first of their second.
const FIRST_OF_SECOND: f64 = 0.83;

/// What an event needs on average.
struct Event {
    ingest: Usage,
    tickets: Usage,
}

/// How events arrive.
struct Load {
    name: &'static str,
    /// Events in an invocation of `tickets`.
    batch: u8,
    /// Calls to ConnectWise at the same time. The alerts of a batch are assumed to be of one
    /// connection.
    concurrent_calls: f64,
    /// The share of invocations that X-Ray records if tracing is active.
    traced: f64,
}

const LOADS: [Load; 2] = [
    Load {
        name: "in bursts",
        batch: BATCH,
        concurrent_calls: CONCURRENT_CALLS,
        traced: SAMPLED,
    },
    Load {
        name: "evenly over a month",
        batch: 1,
        concurrent_calls: 1.0,
        traced: FIRST_OF_SECOND + (1.0 - FIRST_OF_SECOND) * SAMPLED,
    },
];

pub(crate) async fn measure(
    programs: &Programs,
    folder: &RunFolder,
    figures: &mut Figures,
) -> Result<()> {
    let ingest = step("1,000 requests to ingest", ingest(programs, folder)).await?;
    let mut place = Workplace::start_with_capacity(programs, folder).await?;
    let tickets = step("1,000 events for tickets", tickets(&mut place)).await?;
    let event = Event { ingest, tickets };
    let bills = LOADS.each_ref().map(|load| event.bill(load));
    let mut rows = vec![[
        "USD for a million events".to_owned(),
        LOADS[0].name.to_owned(),
        LOADS[1].name.to_owned(),
    ]];
    let [bursts, evenly] = &bills;
    let row = |name: &str, burst: f64, even: f64| {
        [name.to_owned(), format!("{burst:.2}"), format!("{even:.2}")]
    };
    for ((name, burst), (_, even)) in bursts.lines.iter().zip(&evenly.lines) {
        rows.push(row(name, *burst, *even));
    }
    rows.push(row("sum", bursts.sum(), evenly.sum()));
    let [burst, even] = LOADS.each_ref().map(Load::traces);
    rows.push(row("X-Ray in addition, if it is active", burst, even));
    table::print(&rows);
    event.print();
    for (load, bill) in LOADS.iter().zip(&bills) {
        let figure = |what: &str| format!("a million events {}: {what}", load.name);
        for (name, cost) in &bill.lines {
            figures.add_uncompared(&figure(name), *cost, "USD", None);
        }
        figures.add(&figure("sum"), bill.sum(), "USD", Some(REACH));
        figures.add_uncompared(&figure("X-Ray, if active"), load.traces(), "USD", None);
    }
    let units = &event.tickets.units;
    for (name, value) in [
        ("an event: write units of tables", units.write),
        ("an event: write units of indexes", units.all_index_writes()),
        ("an event: read units", units.read),
    ] {
        figures.add(name, value, "each", None);
    }
    rest::measure(&mut place, programs, folder, figures).await
}

impl Load {
    /// The cost of the traces of a million events.
    fn traces(&self) -> f64 {
        (1.0 + 1.0 / f64::from(self.batch)) * self.traced * Charge::Trace.price() * MILLION
    }
}

impl Event {
    /// What a million of them cost.
    fn bill(&self, load: &Load) -> Bill {
        let Self { ingest, tickets } = self;
        let batches = MILLION / f64::from(load.batch);
        let invocations = MILLION + batches;
        // `ingest` sends each event. Lambda receives and deletes each batch.
        let requests = MILLION + 2.0 * batches;
        let log = MILLION * (ingest.log_bytes + tickets.log_bytes + ACCESS_LOG);
        let sent = MILLION * (tickets.sent_bytes() + ANSWER);
        let mut bill = Bill::default();
        bill.add("HTTP API", Charge::ApiRequest, MILLION);
        bill.add("Lambda: requests", Charge::LambdaRequest, invocations);
        for (name, time) in [
            (
                "Lambda: time of ingest",
                ingest.gigabyte_seconds(MEMORY, 1.0),
            ),
            (
                "Lambda: time of tickets",
                tickets.gigabyte_seconds(TICKETS_MEMORY, load.concurrent_calls),
            ),
        ] {
            bill.add(name, Charge::GigabyteSecond, MILLION * time);
        }
        bill.add("SQS: requests", Charge::QueueRequest, requests);
        bill.add("SQS: fair queue", Charge::FairQueue, requests);
        bill.add_units(&tickets.units, MILLION);
        let log = log + PLATFORM_LOG * invocations;
        bill.add("CloudWatch: logs", Charge::LogByte, log);
        bill.add("data to ConnectWise and sources", Charge::SentByte, sent);
        bill
    }

    fn print(&self) {
        let Self { ingest, tickets } = self;
        let units = &tickets.units;
        println!(
            "an event: {:.2} write units of tables and {:.2} of indexes, {:.2} read units; CPU \
             {:.2} ms of ingest and {:.2} ms of tickets; {:.2} calls of ConnectWise with {:.0} \
             bytes; logs {:.0} and {:.0} bytes",
            units.write,
            units.all_index_writes(),
            units.read,
            ingest.cpu * 1e3,
            tickets.cpu * 1e3,
            tickets.connectwise_calls,
            tickets.sent_bytes(),
            ingest.log_bytes,
            tickets.log_bytes,
        );
    }
}

/// What a request needs.
async fn ingest(programs: &Programs, folder: &RunFolder) -> Result<Usage> {
    let source = BenchSource::new(Format::CloudEvents)?;
    let aws = AwsStub::start(source.secrets()?).await?;
    let variables = aws_variables(&aws.endpoint);
    let command = programs.command("ingest")?;
    let mut running = RunningFunction::start("ingest-cost", command, folder, &variables).await?;
    let before = running.usage()?;
    for n in 0..EVENTS {
        let answer = running.invoke(&source.request(n)?).await?;
        ensure!(
            answer["statusCode"] == 202,
            "ingest answers {answer}; see {}",
            running.log().display()
        );
    }
    running.idle_after(u64::try_from(EVENTS)?).await?;
    let events = f64::from(u32::try_from(EVENTS)?);
    let used = running.usage()?.since(before);
    Ok(Usage {
        cpu: used.cpu_time.as_secs_f64() / events,
        aws_calls: 1.0,
        log_bytes: used.log_bytes / events,
        ..Usage::default()
    })
}

/// What the mix of events needs of `tickets`, for each event.
async fn tickets(place: &mut Workplace) -> Result<Usage> {
    // The first alert of a connection has searches of its own.
    place.work("the first alert", "alert.raised", 0..1).await?;
    let units = place.counters().await?.units;
    let of = |percent: usize| 1..EVENTS * percent / 100 + 1;
    let mut usage = Usage::default();
    let mut events = 0;
    for (name, event_type, alerts) in [
        ("raised", "alert.raised", of(RAISED)),
        ("repeated", "alert.raised", of(REPEATED)),
        ("resolved", "alert.resolved", of(RESOLVED)),
    ] {
        let before = place.counters().await?.units;
        let work = place.work(name, event_type, alerts).await?;
        let units_of_kind = place.counters().await?.units.since(&before);
        let each = units_of_kind.for_each(f64::from(u32::try_from(work.events)?));
        let indexes = each.index_writes.iter();
        let indexes: Vec<_> = indexes
            .map(|(index, units)| format!(", {units:.2} of {index}"))
            .collect();
        println!(
            "{name}: {:.2} read units, {:.2} write units of tables{}",
            each.read,
            each.write,
            indexes.concat()
        );
        events += work.events;
        let count = |count: usize| u32::try_from(count).map(f64::from);
        usage.add(&Usage {
            cpu: work.used.cpu_time.as_secs_f64(),
            connectwise_calls: count(work.connectwise.values().sum())?,
            connectwise_bytes: work.connectwise_bytes,
            // The two reads of an event run at the same time.
            aws_calls: count(work.writes() + work.events)?,
            units: Units::default(),
            log_bytes: work.used.log_bytes,
        });
    }
    ensure!(events == EVENTS, "{events} events in place of {EVENTS}");
    usage.units = place.counters().await?.units.since(&units);
    Ok(usage.for_each(f64::from(u32::try_from(events)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_events_cost_their_counters_times_the_prices() {
        let event = Event {
            ingest: Usage {
                log_bytes: 500.0,
                aws_calls: 1.0,
                ..Usage::default()
            },
            tickets: Usage {
                connectwise_calls: 2.4,
                connectwise_bytes: 2000.0,
                units: Units {
                    read: 8.0,
                    write: 4.0,
                    index_writes: [("by_state".to_owned(), 2.0)].into(),
                },
                log_bytes: 500.0,
                ..Usage::default()
            },
        };
        let [bursts, evenly] = LOADS.each_ref().map(|load| event.bill(load));
        let lines = |bill: &Bill| -> Vec<String> {
            let lines = bill.lines.iter();
            lines
                .map(|(name, usd)| format!("{name} {usd:.3}"))
                .collect()
        };
        let expected = [
            "HTTP API 1.000",
            "Lambda: requests 0.220",
            "Lambda: time of ingest 0.017",
            "Lambda: time of tickets 0.500",
            "SQS: requests 0.480",
            "SQS: fair queue 0.120",
            "DynamoDB: writes of tables 2.500",
            "DynamoDB: writes of indexes 1.250",
            "DynamoDB: reads 1.000",
            "CloudWatch: logs 1.032",
            "data to ConnectWise and sources 0.450",
        ];
        assert_eq!(lines(&bursts), expected);
        let evenly = lines(&evenly);
        for line in ["Lambda: requests 0.400", "Lambda: time of tickets 2.000"] {
            assert!(evenly.iter().any(|even| even == line), "{evenly:?}");
        }
        let [burst, even] = LOADS.each_ref().map(|load| format!("{:.3}", load.traces()));
        assert_eq!([burst.as_str(), even.as_str()], ["0.275", "8.385"]);
    }
}
