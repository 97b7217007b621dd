//! CPU time of an invocation once the function runs, and its memory after many.
//!
//! The functions get their invocations in short rounds by turns, so that a busy moment of the
//! machine affects all of them.

use anyhow::{Context, Result, ensure};
use hot_paths::Format;
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::table;
use serde_json::Value;

use crate::aws_stub::AwsStub;
use crate::figures::Figures;
use crate::function::{HELLO, PEER, Programs, RunningFunction, aws_variables};
use crate::requests::BenchSource;
use crate::spread::Spread;

const ROUNDS: usize = 40;
/// Invocations in one round, 10,000 in all.
const INVOCATIONS: usize = 250;
/// Invocations before the first round.
const WARM_UP: usize = 200;
/// Megabytes that `ingest` may have resident after all invocations.
const MEMORY_REACH: f64 = 7.0;

/// One function under measurement.
struct Subject {
    name: &'static str,
    running: RunningFunction,
    source: BenchSource,
    invocations: usize,
    log_bytes_before: u64,
    /// Milliseconds of CPU time for an invocation, one value a round.
    cpu_times: Vec<f64>,
    _aws: AwsStub,
}

/// The functions, with the format of their requests, and how much more CPU time than the floor an
/// invocation may take, in milliseconds.
const SUBJECTS: [(&str, &str, Format, Option<f64>); 4] = [
    (HELLO, HELLO, Format::CloudEvents, None),
    ("ingest", "ingest", Format::CloudEvents, Some(0.20)),
    (
        "ingest with a mapping",
        "ingest",
        Format::Mapped,
        Some(0.25),
    ),
    (PEER, PEER, Format::CloudEvents, None),
];

pub(crate) async fn measure(
    programs: &Programs,
    folder: &RunFolder,
    figures: &mut Figures,
) -> Result<()> {
    let mut subjects = vec![];
    for (name, function, format, _) in SUBJECTS {
        subjects.push(Subject::start(name, function, format, programs, folder).await?);
    }
    let what = format!("{} invocations of each function", ROUNDS * INVOCATIONS);
    step(&what, async {
        for _ in 0..ROUNDS {
            for subject in &mut subjects {
                subject.round().await?;
            }
        }
        Ok(())
    })
    .await?;
    let floor = subjects.first().context("there is no floor")?;
    let floor = Spread::of(floor.cpu_times.clone())?;
    let head = [
        "CPU of an invocation, ms",
        "least",
        "median",
        "p95",
        "over the floor: least",
        "median",
        "MB resident",
        "log bytes",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for (subject, (_, _, _, reach)) in subjects.iter().zip(SUBJECTS) {
        let name = subject.name;
        let times = Spread::of(subject.cpu_times.clone())?;
        let (least, median) = (times.least - floor.least, times.median - floor.median);
        let kilobytes = u32::try_from(subject.running.memory()?.resident)?;
        let memory = f64::from(kilobytes) / 1e3;
        let log_bytes = subject.log_bytes()?;
        let figure = |what: &str| format!("invocation of {name}: {what}");
        // The least round was disturbed least.
        let ratio = times.least / floor.least;
        figures.add_uncompared(&figure("CPU over the floor, median"), median, "ms", reach);
        if name == HELLO || name == PEER {
            figures.add_uncompared(&figure("CPU / floor, least"), ratio, "x", None);
        } else {
            figures.add(&figure("CPU / floor, least"), ratio, "x", None);
            figures.add(&figure("bytes of log"), log_bytes, "B", None);
        }
        let reach = (name == "ingest").then_some(MEMORY_REACH);
        let memory_figure = format!("memory of {name} after 10,000 invocations");
        figures.add_uncompared(&memory_figure, memory, "MB", reach);
        figures.add_uncompared(&figure("CPU, median"), times.median, "ms", None);
        let [fastest, middle, slow] = [times.least, times.median, times.p95].map(milliseconds);
        rows.push([
            name.to_owned(),
            fastest,
            middle,
            slow,
            milliseconds(least),
            milliseconds(median),
            format!("{memory:.1}"),
            format!("{log_bytes:.0}"),
        ]);
    }
    table::print(&rows);
    Ok(())
}

fn milliseconds(value: f64) -> String {
    format!("{value:.3}")
}

impl Subject {
    async fn start(
        name: &'static str,
        function: &str,
        format: Format,
        programs: &Programs,
        folder: &RunFolder,
    ) -> Result<Self> {
        let source = BenchSource::new(format)?;
        let aws = AwsStub::start(source.secrets()?).await?;
        let variables = aws_variables(&aws.endpoint);
        let command = programs.command(function)?;
        let running = RunningFunction::start(name, command, folder, &variables).await?;
        let mut subject = Self {
            name,
            running,
            source,
            invocations: 0,
            log_bytes_before: 0,
            cpu_times: vec![],
            _aws: aws,
        };
        subject.invoke(WARM_UP).await?;
        subject.log_bytes_before = subject.log_length()?;
        Ok(subject)
    }

    async fn round(&mut self) -> Result<()> {
        let before = self.running.cpu_time()?;
        self.invoke(INVOCATIONS).await?;
        let used = self.running.cpu_time()?.saturating_sub(before);
        let invocations = u32::try_from(INVOCATIONS)?;
        self.cpu_times
            .push((used / invocations).as_secs_f64() * 1e3);
        Ok(())
    }

    async fn invoke(&mut self, times: usize) -> Result<()> {
        for _ in 0..times {
            let request = self.source.request(self.invocations)?;
            self.invocations += 1;
            let answer = self.running.invoke(&request).await?;
            ensure!(
                is_success(self.name, &answer),
                "{} answers {answer}; see {}",
                self.name,
                self.running.log().display()
            );
        }
        self.running
            .idle_after(u64::try_from(self.invocations)?)
            .await
    }

    fn log_length(&self) -> Result<u64> {
        Ok(self.running.log().metadata()?.len())
    }

    /// The bytes of log that an invocation writes.
    fn log_bytes(&self) -> Result<f64> {
        let bytes = self.log_length()?.saturating_sub(self.log_bytes_before);
        let invocations = u32::try_from(ROUNDS * INVOCATIONS)?;
        Ok(f64::from(u32::try_from(bytes)?) / f64::from(invocations))
    }
}

/// The floor returns its input.
fn is_success(name: &str, answer: &Value) -> bool {
    match name {
        HELLO => answer["version"] == "2.0",
        _ => answer["statusCode"] == 202 || answer["statusCode"] == 200,
    }
}
