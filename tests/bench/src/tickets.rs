//! What alerts cost `tickets`: CPU time, memory, and calls to ConnectWise, DynamoDB and SQS.
//!
//! The release build gets batches of ten messages, as from the queue. It works on the tables and
//! secrets of a local stack and on the ConnectWise simulator. The emulator and the simulator take
//! most of the time; only the CPU time of `tickets` itself is counted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use domain::wire::message::Message;
use domain::wire::webhook::{self, RequestTimes, SourcePolicy};
use domain::{PartnerId, TenantId};
use jiff::{SignedDuration, Timestamp};
use local_stack::call_counter::{CallCounter, CallCounts};
use local_stack::capacity::Units;
use local_stack::empty_stack::{EmptyStack, StackTimes};
use local_stack::emulator::sdk_config;
use local_stack::journal::{JournalEntry, Purpose};
use local_stack::progress::{step, wait_for};
use local_stack::run_folder::RunFolder;
use local_stack::seed::{self, PartnerFleet};
use local_stack::table;
use serde_json::{Value, json};
use store::ConfigTable;

use crate::PATIENCE;
use crate::figures::Figures;
use crate::function::{FunctionUsage, Programs, RunningFunction, aws_variables};

/// New alerts, whose CPU time has a reach.
const ALERTS: usize = 1000;
/// Messages in one invocation: the template's batch size.
pub(crate) const BATCH: u8 = 10;
/// All events, after which the memory is measured.
const EVENTS: usize = 10_000;
/// CPU seconds for the new alerts.
const CPU_REACH: f64 = 1.0;
/// Resident megabytes after all events.
const MEMORY_REACH: f64 = 24.0;

/// What became of a number of events.
#[derive(Debug)]
pub(crate) struct Work {
    name: &'static str,
    pub(crate) events: usize,
    pub(crate) used: FunctionUsage,
    elapsed: Duration,
    /// The time of the invocations alone.
    pub(crate) invoked: Duration,
    pub(crate) connectwise: BTreeMap<String, usize>,
    /// Of the bodies of these calls.
    pub(crate) connectwise_bytes: f64,
    aws: CallCounts,
}

/// What all functions of a workplace did since its start.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) connectwise: f64,
    pub(crate) connectwise_bytes: f64,
    /// Calls of AWS without those that read secrets.
    pub(crate) aws: f64,
    pub(crate) secret_reads: f64,
    pub(crate) units: Units,
}

/// A running `tickets` and what it works on.
pub(crate) struct Workplace {
    stack: EmptyStack,
    fleet: PartnerFleet,
    counter: CallCounter,
    running: RunningFunction,
    messages: usize,
}

pub(crate) async fn measure(
    programs: &Programs,
    folder: &RunFolder,
    figures: &mut Figures,
) -> Result<()> {
    let mut place = Workplace::start(programs, folder).await?;
    // Before its first ticket a connection searches once for earlier tickets, and partner and keys
    // are read.
    place.work("the first alert", "alert.raised", 0..1).await?;
    let alerts = 1..ALERTS + 1;
    let raised = place.work("new alerts", "alert.raised", alerts.clone());
    let raised = step("1,000 new alerts", raised).await?;
    let repeated = place.work("repeats", "alert.raised", alerts.clone());
    let repeated = step("a repeat of each", repeated).await?;
    let resolved = place.work("resolved alerts", "alert.resolved", alerts);
    let resolved = step("the end of each", resolved).await?;
    let rest = EVENTS.saturating_sub(3 * ALERTS);
    let what = format!("{rest} events more");
    let more = place.work("more new alerts", "alert.raised", 10_000..10_000 + rest);
    step(&what, more).await?;
    let memory = place.running.memory()?;
    let megabytes = |kilobytes: u64| u32::try_from(kilobytes).map(|kb| f64::from(kb) / 1e3);
    let name = "memory of tickets after 10,000 events";
    figures.add_uncompared(name, megabytes(memory.resident)?, "MB", Some(MEMORY_REACH));
    let name = "memory of tickets: peak";
    figures.add_uncompared(name, megabytes(memory.peak)?, "MB", None);
    for work in [&raised, &repeated, &resolved] {
        work.add_to(figures)?;
        work.print()?;
    }
    Ok(())
}

impl Workplace {
    async fn start(programs: &Programs, folder: &RunFolder) -> Result<Self> {
        let stack = Self::stack(0).await?;
        let counter = CallCounter::start(stack.emulator.endpoint()).await?;
        Self::start_on(stack, counter, programs, folder).await
    }

    /// Starts with a second partner, whose ConnectWise is another site.
    pub(crate) async fn start_with_two_partners(
        programs: &Programs,
        folder: &RunFolder,
    ) -> Result<Self> {
        let stack = Self::stack(1).await?;
        let counter = CallCounter::start(stack.emulator.endpoint()).await?;
        Self::start_on(stack, counter, programs, folder).await
    }

    /// Starts with a proxy that computes the capacity units of DynamoDB, which takes time.
    pub(crate) async fn start_with_capacity(
        programs: &Programs,
        folder: &RunFolder,
    ) -> Result<Self> {
        let stack = Self::stack(0).await?;
        let counter = CallCounter::start_with_capacity(stack.emulator.endpoint()).await?;
        Self::start_on(stack, counter, programs, folder).await
    }

    async fn stack(other_sites: usize) -> Result<EmptyStack> {
        let stack = EmptyStack::start("bench-tickets", StackTimes::DEMO, other_sites).await?;
        stack.delete_schedules().await?;
        Ok(stack)
    }

    async fn start_on(
        stack: EmptyStack,
        counter: CallCounter,
        programs: &Programs,
        folder: &RunFolder,
    ) -> Result<Self> {
        let other = stack.other_sites.first();
        let partners = 1 + stack.other_sites.len();
        let fleet = seed::seed_fleet(&stack, partners, other.unwrap_or(&stack.simulator)).await?;
        let running = start_on(&stack, &counter, "tickets", programs, folder, &[]).await?;
        Ok(Self {
            stack,
            fleet,
            counter,
            running,
            messages: 0,
        })
    }

    /// Starts another function on the same tables, with these variables in place of the template's.
    pub(crate) async fn start_function(
        &self,
        function: &str,
        programs: &Programs,
        folder: &RunFolder,
        replaced: &[(&'static str, String)],
    ) -> Result<RunningFunction> {
        start_on(
            &self.stack,
            &self.counter,
            function,
            programs,
            folder,
            replaced,
        )
        .await
    }

    /// Maps further tenants of the partner.
    pub(crate) async fn add_tenants(&self, count: usize) -> Result<()> {
        let aws = sdk_config(self.emulator())?;
        let tenants = ConfigTable::new(&aws, self.config_table().to_owned()).tenants;
        let partner = self.partner()?;
        let mapping = tenants.get(partner, &self.fleet.tenant).await?.value;
        let mapping = mapping.context("the fleet's tenant is not mapped")?;
        for number in 1..count {
            let tenant = TenantId::parse(format!("tenant-{number}"))?;
            tenants.put(partner, &tenant, &mapping).await?;
        }
        Ok(())
    }

    pub(crate) async fn counters(&self) -> Result<Counters> {
        let calls = self.stack.simulator.journal(0).await?;
        let counts = self.counter.counts();
        let is_secret = |operation: &str| operation.ends_with(".GetSecretValue");
        let sum = |of_secrets: bool| {
            let matching = counts
                .iter()
                .filter(|((operation, _), _)| is_secret(operation) == of_secrets);
            u32::try_from(matching.map(|(_, count)| count).sum::<usize>()).map(f64::from)
        };
        Ok(Counters {
            connectwise: f64::from(u32::try_from(calls.len())?),
            connectwise_bytes: body_bytes(&calls)?,
            aws: sum(false)?,
            secret_reads: sum(true)?,
            units: self.counter.units()?,
        })
    }

    pub(crate) fn emulator(&self) -> &str {
        self.stack.emulator.endpoint()
    }

    pub(crate) fn config_table(&self) -> &str {
        &self.stack.deployed.config_table
    }

    pub(crate) fn partner(&self) -> Result<&PartnerId> {
        self.fleet.partners.first().context("no partner")
    }

    /// Hands over one event for each of these alerts, and counts what it costs.
    pub(crate) async fn work(
        &mut self,
        name: &'static str,
        event_type: &str,
        alerts: std::ops::Range<usize>,
    ) -> Result<Work> {
        let calls_before = self.stack.simulator.journal(0).await?.len();
        let aws_before = self.counter.counts();
        let used_before = self.running.usage()?;
        let started = Instant::now();
        let partner = self.partner()?.clone();
        let events = alerts.len();
        let alerts: Vec<usize> = alerts.collect();
        let mut invoked = Duration::ZERO;
        for batch in alerts.chunks(BATCH.into()) {
            let (failures, time) = self.invoke(&partner, event_type, batch).await?;
            ensure!(
                failures == 0,
                "tickets failed messages; see {}",
                self.running.log().display()
            );
            invoked += time;
        }
        let used = self.running.usage()?.since(used_before);
        let calls = self.stack.simulator.journal(calls_before).await?;
        let connectwise_bytes = body_bytes(&calls)?;
        let mut connectwise = BTreeMap::new();
        for call in calls {
            let purpose = match call.purpose() {
                Purpose::Create => "POST tickets".to_owned(),
                Purpose::Search => "search".to_owned(),
                Purpose::Other => format!("{} {}", call.method, without_ids(&call.path)),
            };
            *connectwise.entry(purpose).or_default() += 1;
        }
        let mut aws = self.counter.counts();
        for (call, count) in aws_before {
            aws.entry(call).and_modify(|now| *now -= count);
        }
        aws.retain(|_, count| *count > 0);
        Ok(Work {
            name,
            events,
            used,
            elapsed: started.elapsed(),
            invoked,
            connectwise,
            connectwise_bytes,
            aws,
        })
    }

    /// Lets the second partner's ConnectWise refuse its keys, until its alerts are blocked.
    pub(crate) async fn revoke_other_keys(&mut self) -> Result<()> {
        let site = self.stack.other_sites.first().context("no other site")?;
        site.set_faults(&json!({ "keys": "revoked" })).await?;
        wait_for("the connection's breaker", PATIENCE, async || {
            let (failures, _) = self.block_batch(&[0]).await?;
            Ok((failures == 0).then_some(()))
        })
        .await
    }

    /// Hands over events of the second partner. Returns how many messages return to the queue.
    pub(crate) async fn block(&mut self, alerts: std::ops::Range<usize>) -> Result<usize> {
        let alerts: Vec<usize> = alerts.collect();
        let site = self.stack.other_sites.first().context("no other site")?;
        let calls_before = site.journal(0).await?.len();
        let mut returned = 0;
        for batch in alerts.chunks(BATCH.into()) {
            let (failures, _) = self.block_batch(batch).await?;
            returned += failures;
        }
        let site = self.stack.other_sites.first().context("no other site")?;
        let calls = site.journal(calls_before).await?.len();
        ensure!(calls == 0, "blocked alerts made {calls} calls");
        Ok(returned)
    }

    async fn block_batch(&mut self, alerts: &[usize]) -> Result<(usize, Duration)> {
        let partner = self.fleet.other.clone();
        self.invoke(&partner, "alert.raised", alerts).await
    }

    /// Hands over a batch. Returns how many messages return to the queue, and the time it took.
    async fn invoke(
        &mut self,
        partner: &PartnerId,
        event_type: &str,
        alerts: &[usize],
    ) -> Result<(usize, Duration)> {
        let mut records = vec![];
        for alert in alerts {
            self.messages += 1;
            let message = message(&self.fleet, partner, event_type, *alert, self.messages)?;
            records.push(self.record(&message));
        }
        let started = Instant::now();
        let answer = self.running.invoke(&json!({ "Records": records })).await?;
        let failures = answer["batchItemFailures"].as_array().map(Vec::len);
        let failures = failures.with_context(|| format!("tickets answers {answer}"))?;
        Ok((failures, started.elapsed()))
    }

    /// How long the emulator has answered calls since the start.
    pub(crate) fn emulator_time(&self) -> Duration {
        self.counter.busy_time()
    }

    /// A message as Lambda hands it over.
    fn record(&self, message: &Message) -> Value {
        let now = Timestamp::now().as_millisecond().to_string();
        json!({
            "messageId": format!("message-{}", self.messages),
            "receiptHandle": format!("receipt-{}", self.messages),
            "body": message.to_json(),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "ApproximateFirstReceiveTimestamp": now,
                "SentTimestamp": now,
                "SenderId": "bench",
            },
            "messageAttributes": {},
            "md5OfBody": "0",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events",
            "awsRegion": "us-east-1",
        })
    }
}

async fn start_on(
    stack: &EmptyStack,
    counter: &CallCounter,
    function: &str,
    programs: &Programs,
    folder: &RunFolder,
    replaced: &[(&'static str, String)],
) -> Result<RunningFunction> {
    let command = programs.command(function)?;
    let deployed = stack.deployed.variables.get(function);
    let deployed = deployed.with_context(|| format!("{function} has no variables"))?;
    let deployed = deployed.iter().map(|(name, value)| (name.as_str(), value));
    let aws = aws_variables(counter.origin());
    let replaced = aws
        .iter()
        .chain(replaced)
        .map(|(name, value)| (*name, value));
    let variables = deployed.chain(replaced);
    let variables: Vec<_> = variables
        .map(|(name, value)| (name, value.clone()))
        .collect();
    RunningFunction::start(function, command, folder, &variables).await
}

/// The message that `ingest` queues for an event. Its number is unique.
pub(crate) fn message(
    fleet: &PartnerFleet,
    partner: &PartnerId,
    event_type: &str,
    alert: usize,
    number: usize,
) -> Result<Message> {
    // Times of one alert increase from phase to phase.
    let now = Timestamp::now() - SignedDuration::from_secs(1);
    let event = json!({
        "specversion": "1.0",
        "id": format!("event-{}", number),
        "source": "https://rmm.example.com/bench",
        "type": event_type,
        "time": now.to_string(),
        "data": {
            "partner": partner,
            "tenant": fleet.tenant,
            "tenant_name": "Acme Dental Group",
            "alert_id": format!("alert-{alert}"),
            "kind": "disk",
            "severity": "medium",
            "title": "Disk C: of SRV-01 is 95 % full",
            "description": "The volume has little space left. ".repeat(40),
            "device": "SRV-01",
            "link": "https://rmm.example.com/alerts/1",
        },
    });
    let policy = SourcePolicy {
        source: fleet.source.clone(),
        partners: vec![partner.clone()],
        kinds_added: vec![],
        webhook: domain::outgoing::scope::WebhookScope::Nothing,
    };
    let times = RequestTimes {
        sent_at: now,
        received_at: now,
    };
    let body = event.to_string();
    let parsed = webhook::parse(body.as_bytes(), &policy, times);
    let mut parsed = parsed.ok().context("the event is not readable")?;
    let message = parsed.messages.pop();
    message.with_context(|| format!("the event is rejected: {:?}", parsed.rejected))
}

/// The bytes of the bodies of calls. A call without one has the body `null` in the journal.
fn body_bytes(calls: &[JournalEntry]) -> Result<f64> {
    let bodies = calls.iter().filter(|call| !call.body.is_null());
    let bytes: usize = bodies.map(|call| call.body.to_string().len()).sum();
    Ok(f64::from(u32::try_from(bytes)?))
}

impl Counters {
    pub(crate) fn since(self, before: &Self) -> Self {
        Self {
            connectwise: self.connectwise - before.connectwise,
            connectwise_bytes: self.connectwise_bytes - before.connectwise_bytes,
            aws: self.aws - before.aws,
            secret_reads: self.secret_reads - before.secret_reads,
            units: self.units.since(&before.units),
        }
    }
}

/// A path with `{id}` in place of each number.
fn without_ids(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.parse::<u64>() {
        Ok(_) => "{id}",
        Err(_) => part,
    });
    let path = parts.collect::<Vec<_>>().join("/");
    path.trim_start_matches("/v4_6_release/apis/3.0").to_owned()
}

impl Work {
    /// The sum of the AWS calls whose operation contains one of these words.
    fn aws_calls(&self, words: &[&str]) -> usize {
        let matching = self.aws.iter().filter(|((operation, _), _)| {
            let operation = operation.as_str();
            words.iter().any(|word| operation.contains(word))
        });
        matching.map(|(_, count)| count).sum()
    }

    /// Calls that write to a table.
    pub(crate) fn writes(&self) -> usize {
        self.aws_calls(&["PutItem", "UpdateItem", "DeleteItem", "WriteItem"])
    }

    fn for_each_event(&self, count: usize) -> Result<f64> {
        Ok(f64::from(u32::try_from(count)?) / f64::from(u32::try_from(self.events)?))
    }

    fn add_to(&self, figures: &mut Figures) -> Result<()> {
        let is_new = self.name == "new alerts";
        let reach = |value| is_new.then_some(value);
        let name = |what: &str| format!("tickets, {}: {what}", self.name);
        let cpu_time = self.used.cpu_time.as_secs_f64();
        figures.add_uncompared(&name("CPU for 1,000"), cpu_time, "s", reach(CPU_REACH));
        let calls = self.for_each_event(self.connectwise.values().sum())?;
        figures.add(&name("ConnectWise calls"), calls, "each", reach(1.0));
        let writes = self.for_each_event(self.writes())?;
        figures.add(&name("DynamoDB writes"), writes, "each", reach(2.0));
        let reads = self.aws_calls(&["DynamoDB_20120810.Get", "BatchGetItem", ".Query"]);
        let reads = self.for_each_event(reads)?;
        figures.add(&name("DynamoDB reads"), reads, "each", reach(2.0));
        let queue = self.for_each_event(self.aws_calls(&["AmazonSQS"]))?;
        figures.add(&name("SQS calls"), queue, "each", reach(0.0));
        let log = self.used.log_bytes / f64::from(u32::try_from(self.events)?);
        figures.add(&name("bytes of log"), log, "B", None);
        Ok(())
    }

    fn print(&self) -> Result<()> {
        println!(
            "\n{} {}: {:.2} s of CPU time, {:.0} s in all",
            self.events,
            self.name,
            self.used.cpu_time.as_secs_f64(),
            self.elapsed.as_secs_f64()
        );
        let mut rows = vec![["call", "for each event"].map(str::to_owned)];
        for (call, count) in &self.connectwise {
            let count = self.for_each_event(*count)?;
            rows.push([format!("ConnectWise {call}"), format!("{count:.2}")]);
        }
        for ((operation, table), count) in &self.aws {
            let operation = operation.rsplit('.').next().unwrap_or_default();
            let count = self.for_each_event(*count)?;
            let call = format!("{operation} {table}");
            rows.push([call.trim().to_owned(), format!("{count:.2}")]);
        }
        table::print(&rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_counted_without_its_ids() {
        let path = "/v4_6_release/apis/3.0/service/tickets/10001/notes";
        assert_eq!(without_ids(path), "/service/tickets/{id}/notes");
    }
}
