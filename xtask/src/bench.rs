//! `cargo xtask bench`: measurements. Times depend on the machine, so they are no tests.

use anyhow::Result;
use bench::{Part, Use};
use clap::ValueEnum;

use crate::system_tests::{self, SystemTest};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BenchOptions {
    /// What to measure; by default everything except `isolation`
    #[arg(value_enum)]
    parts: Vec<Measurement>,
    /// Fails if a ratio, count or size is more than 15 % above the committed one
    #[arg(long, conflicts_with = "accept")]
    check: bool,
    /// Replaces the committed ratios, counts and sizes
    #[arg(long)]
    accept: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measurement {
    /// The size of each program
    Sizes,
    /// How long functions take to start, compared with a minimal function
    Start,
    /// CPU time and memory of `ingest` once it runs
    Warm,
    /// CPU time of the first invocation of `ingest`, with its TLS handshakes
    FirstInvocation,
    /// CPU time, memory and calls of `tickets` for new, repeated and resolved alerts
    Tickets,
    /// What AWS charges for a million events: counters of a run times a price table
    Cost,
    /// Tickets a second while ConnectWise is slow, and the time from a message to its ticket
    Pace,
    /// The time of the code that runs for each event, measured by criterion
    Code,
    /// How long 99 partners wait for tickets while the ConnectWise of one more does not answer
    Isolation,
}

impl Measurement {
    fn part(self) -> Option<Part> {
        match self {
            Self::Sizes => Some(Part::Sizes),
            Self::Start => Some(Part::Start),
            Self::Warm => Some(Part::Warm),
            Self::FirstInvocation => Some(Part::FirstInvocation),
            Self::Tickets => Some(Part::Tickets),
            Self::Cost => Some(Part::Cost),
            Self::Pace => Some(Part::Pace),
            Self::Code => Some(Part::Code),
            Self::Isolation => None,
        }
    }
}

pub(crate) async fn run(options: &BenchOptions) -> Result<()> {
    let usage = match (options.check, options.accept) {
        (true, _) => Use::Check,
        (_, true) => Use::Accept,
        _ => Use::Report,
    };
    let parts: Vec<Part> = options
        .parts
        .iter()
        .filter_map(|part| part.part())
        .collect();
    if options.parts.is_empty() {
        bench::run(&Part::ALL, usage).await?;
    } else if !parts.is_empty() {
        bench::run(&parts, usage).await?;
    }
    if options.parts.contains(&Measurement::Isolation) {
        system_tests::run(SystemTest::Isolation).await?;
    }
    Ok(())
}
