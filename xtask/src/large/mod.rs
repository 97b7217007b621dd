//! `cargo xtask large`: one partner with 10,000 open tickets, then one with 100,000, and the deployed program of `reconcile` that compares
//! them with ConnectWise's own list. Nothing differs, so nothing may be written; calls and memory have their bounds.

mod runtime;
mod stock;
mod tally;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use domain::PartnerId;
use domain::pipeline::Schedule;
use jiff::Timestamp;
use rustix::process::Pid;
use serde_json::{Value, json};
use store::Due;
use tokio::process::Command;

use crate::binaries::{self, Profile};
use crate::local::emulator::{credentials, sdk_config};
use crate::local::seed;
use crate::local::simulator::Simulator;
use crate::local::{EmptyStack, Times};
use crate::process::Running;
use crate::progress::step;
use runtime::Runtime;
use tally::Tally;

/// Open tickets of one partner.
const SIZES: [usize; 2] = [10_000, 100_000];
/// Tickets on one page of ConnectWise's list.
const PAGE: usize = 1000;
/// Calls beside the full pages: for each of the sizes 10 for each 100 at most.
const SPARE: usize = 10;
/// The most memory that the function's process may ever have had, in kilobytes.
const MEMORY: u64 = 128 * 1024;
/// Lambda's longest, and how many runs may share the work. The template gives a run 300 s, where DynamoDB takes seconds for the lists of
/// records: the emulator reads and sorts a whole index key of 25,000 for each page of 500.
const TIME: Duration = Duration::from_secs(900);
const RUNS: usize = 4;

/// What one size came to.
struct Measured {
    tickets: usize,
    runs: usize,
    lists: usize,
    other_reads: usize,
    writes: usize,
    messages: usize,
    records: usize,
    ticket_index: u64,
    took: Duration,
    busy: Duration,
}

/// Measures both sizes, prints them and judges.
///
/// # Errors
/// When a bound is passed, or anything is written although nothing differs.
pub(crate) async fn run() -> Result<()> {
    let stack = EmptyStack::start("large", Times::SHOWN, 0).await?;
    stop_schedules(&stack).await?;
    let built = step("building reconcile and the simulator for release", async {
        let packages = ["-p", "reconcile", "-p", "connectwise-sim", "--bins"];
        binaries::build(Profile::Release, &packages).await
    })
    .await?;
    let mut all = vec![];
    for tickets in SIZES {
        let log = stack.folder().join(format!("simulator-{tickets}.log"));
        let site = Simulator::start(binaries::program(&built, "connectwise-sim")?, &log).await?;
        let partner = PartnerId::parse(format!("with-{tickets}"))?;
        seed::seed_at(&stack, &partner, &site).await?;
        let what = format!("{tickets} open tickets, and their records");
        step(&what, stock::put(&stack, &partner, &site, tickets)).await?;
        let program = binaries::program(&built, "reconcile")?;
        let work = measure(&stack, &site, &partner, program, tickets);
        all.push(step("comparing them", work).await?);
    }
    println!();
    for measured in &all {
        measured.tell();
    }
    if let [few, many] = &all[..] {
        let ratio = |of: fn(&Measured) -> Duration| of(many).as_secs_f64() / of(few).as_secs_f64();
        println!(
            "ten times the tickets: {:.1} times the function's own work, {:.1} times as long (the emulator sorts a whole index key for each of its pages)",
            ratio(|of| of.busy),
            ratio(|of| of.took)
        );
    }
    all.iter().try_for_each(Measured::judge)
}

/// The stack's own ticks would compare them first.
async fn stop_schedules(stack: &EmptyStack) -> Result<()> {
    let list = json!({ "service": "scheduler", "operation": "ListSchedules", "parameters": {} });
    let listed = stack.emulator.have_done(&[list]).await?;
    let schedules = listed
        .first()
        .and_then(|listed| listed["Schedules"].as_array());
    let schedules = schedules.context("the stack has no schedules")?;
    let stop: Vec<Value> = schedules
        .iter()
        .map(|schedule| {
            json!({ "service": "scheduler", "operation": "DeleteSchedule", "parameters": {
                "Name": schedule["Name"], "GroupName": schedule["GroupName"],
            } })
        })
        .collect();
    stack.emulator.have_done(&stop).await?;
    Ok(())
}

async fn measure(
    stack: &EmptyStack,
    site: &Simulator,
    partner: &PartnerId,
    program: &std::path::Path,
    tickets: usize,
) -> Result<Measured> {
    let tally = Tally::before(stack.emulator.endpoint()).await?;
    let runtime = Runtime::open().await?;
    let log = stack.folder().join(format!("reconcile-{tickets}.log"));
    let mut command = Command::new(program);
    let variables = stack.deployed.variables.get("reconcile");
    command
        .env_clear()
        .envs(variables.context("reconcile has no variables")?)
        .envs(credentials(tally.origin()))
        .env("ALLOWED_ORIGINS", site.origin())
        .env("AWS_LAMBDA_RUNTIME_API", runtime.address())
        .env("AWS_LAMBDA_FUNCTION_NAME", "reconcile")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "large")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "large");
    let mut process = Running::start_logged("reconcile", command, &log)?;
    let due = Due::new(
        &sdk_config(stack.emulator.endpoint())?,
        stack.deployed.config_table.clone(),
    );
    let begun = Instant::now();
    let mut runs = 0;
    loop {
        runs += 1;
        let now = Timestamp::now();
        due.bring_forward(partner, Schedule::Reconcile, now).await?;
        let input = json!({ "partners": [partner] });
        let did = runtime.invoke(&input, TIME).await;
        process.must_run(&log)?;
        let did = did?;
        ensure!(
            did["done"] == 1 && did["failed"] == 0,
            "run {runs} did not come to its end: {did}; see {}",
            log.display()
        );
        if did["left"] == 0 {
            break;
        }
        ensure!(runs < RUNS, "after {runs} runs something is left: {did}");
    }
    let took = begun.elapsed();
    let calls = site.journal(0).await?;
    let to = |path: &str, method: &str| {
        let full = format!("/v4_6_release/apis/3.0{path}");
        let of = |call: &&crate::sight::Call| call.method == method && call.path == full;
        calls.iter().filter(of).count()
    };
    let lists = to("/service/tickets", "GET");
    let writes = calls.iter().filter(|call| call.method != "GET").count();
    Ok(Measured {
        tickets,
        runs,
        lists,
        other_reads: calls.len() - lists - writes,
        writes,
        messages: tally.messages(),
        records: tally.writes_to(&stack.deployed.alerts_table),
        ticket_index: peak(process.id())?,
        took,
        busy: busy(process.id())?,
    })
}

impl Measured {
    fn tell(&self) {
        println!(
            "{} open tickets: {} list calls and {} other reads in {} run(s), peak memory {} MB, {:.1} s, of it {:.1} s the function's own work; \
             {} writes to ConnectWise, {} messages sent, {} records written",
            self.tickets,
            self.lists,
            self.other_reads,
            self.runs,
            self.ticket_index / 1024,
            self.took.as_secs_f64(),
            self.busy.as_secs_f64(),
            self.writes,
            self.messages,
            self.records,
        );
    }

    fn judge(&self) -> Result<()> {
        let pages = self.tickets / PAGE;
        let most = pages + SPARE * pages.div_ceil(100);
        ensure!(
            (pages..=most).contains(&self.lists),
            "{} list calls for {} tickets: {pages} to {most} are right",
            self.lists,
            self.tickets
        );
        ensure!(
            self.ticket_index <= MEMORY,
            "{} kB of memory for {} tickets: at most {MEMORY} are right",
            self.ticket_index,
            self.tickets
        );
        ensure!(
            (self.writes, self.messages, self.records) == (0, 0, 0),
            "nothing differs in {} tickets, and something was written",
            self.tickets
        );
        Ok(())
    }
}

/// The most memory that a process ever had, in kilobytes.
fn peak(process: Pid) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    let number = number.context("the kernel tells no peak memory")?;
    Ok(number.parse()?)
}

/// How long a process was at work itself, and not waiting.
fn busy(process: Pid) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()))?;
    // Behind the name, which may have anything in it: user and system time are the 12th and 13th from there, in hundredths of a second.
    let (_, rest) = stat.rsplit_once(')').context("the kernel tells no times")?;
    let times = rest.split_whitespace().skip(11).take(2);
    let mut hundredths = 0;
    for time in times {
        hundredths += time.parse::<u64>()?;
    }
    Ok(Duration::from_millis(hundredths * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured {
            tickets: 100_000,
            runs: 1,
            lists: 101,
            other_reads: 0,
            writes: 0,
            messages: 0,
            records: 0,
            ticket_index: 90_000,
            took: Duration::from_secs(1),
            busy: Duration::from_secs(1),
        }
    }

    #[test]
    fn what_passes_a_bound_or_writes_is_refused() {
        assert!(measured().judge().is_ok());
        let wrong = [
            Measured {
                lists: 111,
                ..measured()
            },
            // Nothing was compared.
            Measured {
                lists: 0,
                ..measured()
            },
            Measured {
                ticket_index: MEMORY + 1,
                ..measured()
            },
            Measured {
                writes: 1,
                ..measured()
            },
            Measured {
                messages: 1,
                ..measured()
            },
            Measured {
                records: 1,
                ..measured()
            },
        ];
        for wrong in wrong {
            assert!(
                wrong.judge().is_err(),
                "{} {}",
                wrong.lists,
                wrong.ticket_index
            );
        }
    }

    #[test]
    fn the_kernel_tells_of_this_process() {
        let own = rustix::process::getpid();
        assert!(peak(own).unwrap() > 1000);
        assert!(busy(own).is_ok());
    }
}
