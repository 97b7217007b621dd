//! Cold starts: the time from the start of a process to its first request for an input.
//!
//! Each round starts every function once, so that a busy moment of the machine affects all of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use local_stack::deployment::FUNCTIONS as OWN;
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::table;

use crate::figures::Figures;
use crate::function::{HELLO, PEER, Programs, RunningFunction, aws_variables};
use crate::spread::Spread;

/// Many, so that some of them are not disturbed on a busy machine: the least time needs that.
const ROUNDS: usize = 150;
/// The peer takes a hundred times as long, so it starts in each round of this number only.
const PEER_EVERY: usize = 6;
/// Nothing is called before the first invocation, so nothing listens there.
const NO_ENDPOINT: &str = "http://127.0.0.1:1";

#[derive(Debug, Default)]
struct Starts {
    /// In milliseconds.
    times: Vec<f64>,
    /// CPU time, in milliseconds.
    cpu_times: Vec<f64>,
    /// Resident memory after the start, in megabytes.
    memory: Vec<f64>,
}

pub(crate) async fn measure(
    programs: &Programs,
    folder: &RunFolder,
    figures: &mut Figures,
) -> Result<()> {
    let functions: Vec<&str> = [HELLO].into_iter().chain(OWN).chain([PEER]).collect();
    let what = format!("starting each function {ROUNDS} times");
    let starts = step(&what, async {
        let mut starts = BTreeMap::<&str, Starts>::new();
        for round in 0..ROUNDS {
            let is_skipped = |name: &&&str| **name == PEER && round % PEER_EVERY != 0;
            for function in functions.iter().filter(|name| !is_skipped(name)) {
                let command = programs.command(function)?;
                let variables = aws_variables(NO_ENDPOINT);
                let running = RunningFunction::start(function, command, folder, &variables).await?;
                let of = starts.entry(function).or_default();
                of.times.push(running.start_time.as_secs_f64() * 1e3);
                of.cpu_times.push(running.cpu_time()?.as_secs_f64() * 1e3);
                let kilobytes = u32::try_from(running.memory()?.resident)?;
                of.memory.push(f64::from(kilobytes) / 1e3);
            }
        }
        Ok(starts)
    })
    .await?;
    let floor = starts.get(HELLO).context("the floor was not measured")?;
    let (floor, floor_cpu_time) = (
        Spread::of(floor.times.clone())?,
        Spread::of(floor.cpu_times.clone())?.median,
    );
    let head = [
        "start, ms",
        "least",
        "median",
        "p95",
        "/ floor: least",
        "median",
        "CPU, ms",
        "/ floor",
        "MB resident",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for function in functions {
        let of = starts.get(function).context("a function was not started")?;
        let times = Spread::of(of.times.clone())?;
        let cpu_time = Spread::of(of.cpu_times.clone())?.median;
        let memory = Spread::of(of.memory.clone())?.median;
        let (least, median) = (times.least / floor.least, times.median / floor.median);
        let name = |what: &str| format!("start of {function}: {what}");
        let cpu_ratio = cpu_time / floor_cpu_time;
        let reach = reach(function);
        if OWN.contains(&function) {
            figures.add(&name("least / floor"), least, "x", reach);
            figures.add(&name("CPU / floor, median"), cpu_ratio, "x", None);
        }
        // A busy machine makes both wait alike, which hides a slower start.
        figures.add_uncompared(&name("median / floor"), median, "x", reach);
        figures.add_uncompared(&name("CPU, median"), cpu_time, "ms", None);
        figures.add_uncompared(&name("least"), times.least, "ms", None);
        figures.add_uncompared(&name("median"), times.median, "ms", None);
        figures.add_uncompared(&name("p95"), times.p95, "ms", None);
        figures.add_uncompared(&name("resident"), memory, "MB", None);
        let [fastest, middle, slow] = times.cells();
        rows.push([
            function.to_owned(),
            fastest,
            middle,
            slow,
            format!("{least:.2}"),
            format!("{median:.2}"),
            format!("{cpu_time:.2}"),
            format!("{cpu_ratio:.2}"),
            format!("{memory:.1}"),
        ]);
    }
    table::print(&rows);
    Ok(())
}

/// The most times that a start may take as long as the floor's.
fn reach(function: &str) -> Option<f64> {
    match function {
        "ingest" => Some(1.3),
        "setup" => Some(1.8),
        HELLO | PEER => None,
        _ => Some(1.6),
    }
}
