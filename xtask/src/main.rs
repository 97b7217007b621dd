//! The project's commands: `cargo xtask <command>`.
//!
//! Everything that they need beyond Rust and Python they install under `target/`; everything that they start listens on 127.0.0.1
//! and ends with them.

mod bench;
mod binaries;
mod browser_tests;
mod calls;
mod cargo_tool;
mod chaos;
mod clients;
mod config;
mod demo;
mod dice;
mod fuzz;
mod history;
mod large;
mod lint;
mod local;
mod operator;
mod package;
mod partner_page;
mod place;
mod process;
mod progress;
mod rebuild;
mod redrive;
mod refusals;
mod replay;
mod restore;
mod sight;
mod sign;
mod source;
mod story;
#[cfg(test)]
mod template;
mod test;
mod up;
mod venv;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Starts everything on this machine, plays a small story through the webhook, shows the tickets and stops everything
    Demo,
    /// Starts everything on this machine and stays until Ctrl-C; target/local/stack.json says where everything is
    Up,
    /// Runs everything that CI runs: lint, all tests, and the story against the deployed template
    Test(test::Options),
    /// Tries the partner's page in Chromium, from an empty stack; arguments for pytest may follow
    Browser(browser_tests::Options),
    /// Checks formatting, clippy, the template and the dependencies
    Lint,
    /// Builds the packages that are deployed and tells their sizes
    Package(package::Options),
    /// Prints a webhook body as API Gateway hands it to `ingest`, signed now with the running stack's secret
    Sign(sign::Options),
    /// Moves dead letters back into the queue, of the running stack or of a deployed one
    Redrive(redrive::Options),
    /// Has one alert decided again, and shows its record before and after
    Replay(replay::Options),
    /// Storms the deployed template with events while ConnectWise fails and functions are killed, and counts the tickets
    Chaos(chaos::Options),
    /// Counts the calls to ConnectWise for each new ticket, calm and with errors, against the deployed template
    Calls,
    /// Compares 10,000 and 100,000 open tickets of one partner with ConnectWise's list, and judges calls, memory and writes
    Large,
    /// After the alerts table was restored: has every partner's tickets imported from ConnectWise anew
    Rebuild(rebuild::Options),
    /// Measures: how long a function takes to start, and how one slow partner delays the others
    Bench(bench::Options),
}

impl Command {
    async fn run(self) -> Result<()> {
        match self {
            Self::Demo => demo::run().await,
            Self::Up => up::run().await,
            Self::Test(options) => test::run(options).await,
            Self::Browser(options) => browser_tests::run(&options).await,
            Self::Lint => lint::run().await,
            Self::Package(options) => package::run(options).await,
            Self::Sign(options) => sign::run(&options),
            Self::Redrive(options) => redrive::run(&options).await,
            Self::Replay(options) => replay::run(&options).await,
            Self::Chaos(options) => chaos::run(options).await,
            Self::Calls => calls::run().await,
            Self::Large => large::run().await,
            Self::Rebuild(options) => rebuild::run(options).await,
            Self::Bench(options) => bench::run(options).await,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let stays = matches!(command, Command::Up);
    // Whatever ends first: when it is the signal, the command's future is dropped, and with it all that it started.
    tokio::select! {
        done = command.run() => match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("\nerror: {error}");
                for cause in error.chain().skip(1) {
                    eprintln!("because: {cause}");
                }
                ExitCode::FAILURE
            }
        },
        told = told_to_stop() => match told {
            // To stay until it is told to stop is what `up` is for.
            Ok(_) if stays => ExitCode::SUCCESS,
            Ok(signal) => {
                eprintln!("\nstopped");
                ExitCode::from(128 + signal)
            }
            Err(error) => {
                eprintln!("\nerror: cannot listen for signals: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

async fn told_to_stop() -> std::io::Result<u8> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
        _ = hang_up.recv() => 1,
    })
}
