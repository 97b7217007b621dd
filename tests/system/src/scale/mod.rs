//! Reconciles one partner with 10,000 open tickets, then one with 100,000: the release build of
//! `reconcile` compares them with ConnectWise's list. Nothing differs, so nothing may be written.
//! Calls and memory have limits.

mod fixtures;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use domain::PartnerId;
use domain::monitoring::pipeline::Schedule;
use jiff::Timestamp;
use local_stack::binaries::{self, Profile};
use local_stack::call_counter::CallCounter;
use local_stack::empty_stack::{EmptyStack, StackTimes};
use local_stack::emulator::{credentials, sdk_config};
use local_stack::journal::JournalEntry;
use local_stack::process::ProcessGroup;
use local_stack::process_usage::{cpu_time, memory};
use local_stack::progress::step;
use local_stack::runtime_api::RuntimeApi;
use local_stack::seed;
use local_stack::simulator::SimulatorProcess;
use serde_json::json;
use store::Due;
use tokio::process::Command;

/// Open tickets of one partner.
const SIZES: [usize; 2] = [10_000, 100_000];
/// Tickets on one page of ConnectWise's list.
const PAGE: usize = 1000;
/// Allowed calls beside the full pages, for each 100 pages.
const SPARE: usize = 10;
/// The limit for the function's peak memory, in kilobytes.
const MAX_MEMORY: u64 = 128 * 1024;
/// Lambda's longest time-out. The template gives a run 300 s, in which DynamoDB lists the records
/// within seconds; the emulator reads and sorts a whole index key of 25,000 for each page of 500.
const TIME: Duration = Duration::from_secs(900);
/// The most runs for one comparison.
const MAX_RUNS: usize = 4;

/// The result for one size.
struct ScaleResult {
    tickets: usize,
    runs: usize,
    lists: usize,
    other_reads: usize,
    writes: usize,
    messages: usize,
    records: usize,
    /// In kilobytes.
    peak_memory: u64,
    took: Duration,
    cpu_time: Duration,
}

/// # Errors
/// When a limit is exceeded, or anything is written although nothing differs.
pub async fn run() -> Result<()> {
    let stack = EmptyStack::start("scale", StackTimes::DEMO, 0).await?;
    stack.delete_schedules().await?;
    let built = step("building reconcile and the simulator for release", async {
        let packages = ["-p", "reconcile", "-p", "connectwise-sim", "--bins"];
        binaries::build(Profile::Release, &packages).await
    })
    .await?;
    let mut results = vec![];
    for tickets in SIZES {
        let log = stack.folder().join(format!("simulator-{tickets}.log"));
        let site =
            SimulatorProcess::start(binaries::program(&built, "connectwise-sim")?, &log).await?;
        let partner = PartnerId::parse(format!("with-{tickets}"))?;
        seed::seed_connection(&stack, &partner, &site).await?;
        let what = format!("{tickets} open tickets, and their records");
        let fixtures = fixtures::create(&stack, &partner, &site, tickets);
        step(&what, fixtures).await?;
        let program = binaries::program(&built, "reconcile")?;
        let work = measure(&stack, &site, &partner, program, tickets);
        results.push(step("comparing them", work).await?);
    }
    println!();
    for result in &results {
        result.print();
    }
    if let [few, many] = &results[..] {
        let ratio =
            |of: fn(&ScaleResult) -> Duration| of(many).as_secs_f64() / of(few).as_secs_f64();
        println!(
            "ten times the tickets: {:.1} times the function's CPU time, {:.1} times as long \
             (the emulator sorts a whole index key for each of its pages)",
            ratio(|of| of.cpu_time),
            ratio(|of| of.took)
        );
    }
    results.iter().try_for_each(ScaleResult::check)
}

async fn measure(
    stack: &EmptyStack,
    site: &SimulatorProcess,
    partner: &PartnerId,
    program: &Path,
    tickets: usize,
) -> Result<ScaleResult> {
    let counter = CallCounter::start(stack.emulator.endpoint()).await?;
    let runtime = RuntimeApi::start().await?;
    let log = stack.folder().join(format!("reconcile-{tickets}.log"));
    let mut command = Command::new(program);
    let variables = stack.deployed.variables.get("reconcile");
    command
        .env_clear()
        .envs(variables.context("reconcile has no variables")?)
        .envs(credentials(counter.origin()))
        .env("ALLOWED_ORIGINS", site.origin())
        .env("AWS_LAMBDA_RUNTIME_API", runtime.address())
        .env("AWS_LAMBDA_FUNCTION_NAME", "reconcile")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "large")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "large");
    let mut process = ProcessGroup::start_logged("reconcile", command, &log)?;
    let due = Due::new(
        &sdk_config(stack.emulator.endpoint())?,
        stack.deployed.config_table.clone(),
    );
    let started = Instant::now();
    let mut runs = 0;
    loop {
        runs += 1;
        let now = Timestamp::now();
        due.bring_forward(partner, Schedule::Reconcile, now).await?;
        let input = json!({ "partners": [partner] });
        let output = runtime.invoke(&input, TIME).await;
        process.check_running(&log)?;
        let output = output?;
        ensure!(
            output["done"] == 1 && output["failed"] == 0,
            "run {runs} did not finish: {output}; see {}",
            log.display()
        );
        if output["left"] == 0 {
            break;
        }
        ensure!(runs < MAX_RUNS, "work is left after {runs} runs: {output}");
    }
    let took = started.elapsed();
    let calls = site.journal(0).await?;
    let list = "/v4_6_release/apis/3.0/service/tickets";
    let is_list = |call: &&JournalEntry| call.method == "GET" && call.path == list;
    let lists = calls.iter().filter(is_list).count();
    let writes = calls.iter().filter(|call| call.method != "GET").count();
    Ok(ScaleResult {
        tickets,
        runs,
        lists,
        other_reads: calls.len() - lists - writes,
        writes,
        messages: counter.messages(),
        records: counter.writes_to(&stack.deployed.alerts_table),
        peak_memory: memory(process.id())?.peak,
        took,
        cpu_time: cpu_time(process.id())?,
    })
}

impl ScaleResult {
    fn print(&self) {
        println!(
            "{} open tickets: {} list calls and {} other reads in {} run(s), peak memory {} MB, \
             {:.1} s, {:.1} s of them the function's CPU time; {} writes to ConnectWise, \
             {} messages sent, {} records written",
            self.tickets,
            self.lists,
            self.other_reads,
            self.runs,
            self.peak_memory / 1024,
            self.took.as_secs_f64(),
            self.cpu_time.as_secs_f64(),
            self.writes,
            self.messages,
            self.records,
        );
    }

    fn check(&self) -> Result<()> {
        let pages = self.tickets / PAGE;
        let max_lists = pages + SPARE * pages.div_ceil(100);
        ensure!(
            (pages..=max_lists).contains(&self.lists),
            "{} list calls for {} tickets: {pages} to {max_lists} are allowed",
            self.lists,
            self.tickets
        );
        ensure!(
            self.peak_memory <= MAX_MEMORY,
            "{} kB of memory for {} tickets: at most {MAX_MEMORY} are allowed",
            self.peak_memory,
            self.tickets
        );
        ensure!(
            (self.writes, self.messages, self.records) == (0, 0, 0),
            "nothing differs in {} tickets, but something was written",
            self.tickets
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> ScaleResult {
        ScaleResult {
            tickets: 100_000,
            runs: 1,
            lists: 101,
            other_reads: 0,
            writes: 0,
            messages: 0,
            records: 0,
            peak_memory: 90_000,
            took: Duration::from_secs(1),
            cpu_time: Duration::from_secs(1),
        }
    }

    #[test]
    fn exceeding_a_limit_or_writing_fails() {
        assert!(good().check().is_ok());
        #[rustfmt::skip]
        let bad = [
            ScaleResult { lists: 111, ..good() },
            // Nothing was compared.
            ScaleResult { lists: 0, ..good() },
            ScaleResult { peak_memory: MAX_MEMORY + 1, ..good() },
            ScaleResult { writes: 1, ..good() },
            ScaleResult { messages: 1, ..good() },
            ScaleResult { records: 1, ..good() },
        ];
        for bad in bad {
            assert!(bad.check().is_err(), "{} {}", bad.lists, bad.peak_memory);
        }
    }
}
