//! `cargo xtask bench`: what is measured. Times depend on the machine: none of them is a verdict.

mod isolation;
mod start;

use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// What is measured: the start, unless told
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum What {
    /// How long `ingest` takes to start, against the smallest function there can be
    Start,
    /// How long 99 partners wait for their tickets while the ConnectWise of the hundredth answers nobody
    Isolation,
}

/// Measures it.
pub(crate) async fn run(options: Options) -> Result<()> {
    match options.what.unwrap_or(What::Start) {
        What::Start => start::run().await,
        What::Isolation => isolation::run().await,
    }
}
