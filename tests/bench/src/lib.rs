//! Measurements of the functions as they are deployed: a release build, beside a minimal function
//! and a peer in Python under the same runtime API. `docs/performance.md` explains the method.

mod aws_stub;
mod code;
mod cost;
mod delay;
mod figures;
pub mod first_invocation;
mod function;
mod pace;
mod requests;
mod sizes;
mod spread;
mod start;
mod tickets;
mod tls;
mod warm;

use std::time::Duration;

use anyhow::{Result, ensure};
use local_stack::run_folder::RunFolder;

use figures::Figures;
use function::Programs;

/// The longest time for a start or an invocation.
const PATIENCE: Duration = Duration::from_secs(30);

/// A part of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The bytes of each program.
    Sizes,
    /// The time from the start of a process to its first request for an input.
    Start,
    /// CPU time and memory of `ingest` once it runs.
    Warm,
    /// CPU time of the first invocation of `ingest`, with its TLS handshakes.
    FirstInvocation,
    /// CPU time, memory and calls of `tickets`.
    Tickets,
    /// The cost of a million events.
    Cost,
    /// Tickets a second while ConnectWise is slow, and the time from a message to its ticket.
    Pace,
    /// The time of the code that runs for each event.
    Code,
}

impl Part {
    pub const ALL: [Self; 8] = [
        Self::Sizes,
        Self::Start,
        Self::Warm,
        Self::FirstInvocation,
        Self::Tickets,
        Self::Cost,
        Self::Pace,
        Self::Code,
    ];
}

/// What becomes of the figures beside being printed and written to `target/bench/report.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Report,
    /// Fails if a figure is more than 15 % above the committed one.
    Check,
    /// Replaces the committed figures.
    Accept,
}

/// Measures, prints tables and writes the report.
///
/// # Errors
/// When a program cannot be built, fails or does not answer, or a figure does not pass the check.
pub async fn run(parts: &[Part], usage: Use) -> Result<()> {
    ensure!(
        cfg!(target_os = "linux"),
        "the bench reads /proc: it runs on Linux only"
    );
    let folder = RunFolder::create("bench")?;
    let mut figures = Figures::start()?;
    let programs = Programs::build().await?;
    for part in parts {
        match part {
            Part::Sizes => sizes::measure(&programs, &mut figures)?,
            Part::Start => start::measure(&programs, &folder, &mut figures).await?,
            Part::Warm => warm::measure(&programs, &folder, &mut figures).await?,
            Part::FirstInvocation => {
                first_invocation::measure(&programs, &folder, &mut figures).await?;
            }
            Part::Code => code::measure(&folder, &mut figures).await?,
            Part::Tickets => tickets::measure(&programs, &folder, &mut figures).await?,
            Part::Pace => {
                delay::measure(&programs, &folder, &mut figures).await?;
                pace::measure(&programs, &mut figures).await?;
            }
            Part::Cost => cost::measure(&programs, &folder, &mut figures).await?,
        }
    }
    figures.finish(usage)
}
