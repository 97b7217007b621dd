//! The project's commands: `cargo xtask <command>`.
//!
//! Commands install what they need beyond Rust and Python under `target/`. Everything that they
//! start listens on 127.0.0.1 and ends with them.

mod api_tests;
mod bare_machine;
mod bench;
mod browser_tests;
mod clients;
mod docs;
mod fuzz;
mod lint;
mod mutants;
mod package;
mod programs;
mod release;
mod sign;
mod system_tests;
mod test;
mod tool;
mod try_release;
mod try_upgrade;
mod up;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use local_stack::signals::stop_signal;
use system_tests::{ChaosOptions, SystemTest};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's commands")]
struct XtaskArguments {
    #[command(subcommand)]
    command: XtaskCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum XtaskCommand {
    /// Starts everything on this machine, runs the smoke test and shows the tickets
    Demo,
    /// Starts everything on this machine, and keeps it running until Ctrl-C
    Up,
    /// Runs everything that CI runs: lint, all tests, and the tests of the deployed template
    Test(test::TestOptions),
    /// Tries the partner's page in Chromium, from an empty stack; arguments for pytest may follow
    Browser(browser_tests::BrowserOptions),
    /// Sends generated requests to the API, and compares each answer with the OpenAPI document
    Api(api_tests::ApiOptions),
    /// Checks formatting, clippy, API document, template, release files, documentation, dependencies
    Lint,
    /// Builds the documentation as a site, and checks its links
    Docs,
    /// Builds the packages that are deployed and prints their sizes
    Package(package::PackageOptions),
    /// Makes the folder of a release: packages, template, programs, checksums, SBOMs, licences
    Release(release::ReleaseOptions),
    /// Deploys a release to the emulator by its own files, and runs each command of ticketbridge
    TryRelease(try_release::TryReleaseOptions),
    /// Updates a stack from one release to another while messages wait, and goes back
    TryUpgrade(try_upgrade::TryUpgradeOptions),
    /// Prints a webhook body as API Gateway passes it to `ingest`, signed for the running stack
    Sign(sign::SignOptions),
    /// Posts 2,000 events while ConnectWise fails and functions are killed
    Chaos(ChaosOptions),
    /// Counts the calls to ConnectWise for each new ticket, without and with errors
    Calls,
    /// Reconciles up to 100,000 open tickets, and checks calls, memory and writes
    Large,
    /// Gives random input to the parsers of signatures, bodies and answers
    Fuzz(fuzz::FuzzOptions),
    /// Changes the deciding code in small ways, and expects a test to detect each change
    Mutants(mutants::MutantsOptions),
    /// Measures starts, CPU time, memory and calls of the functions, beside a minimal function
    Bench(bench::BenchOptions),
}

impl XtaskCommand {
    async fn run(self) -> Result<()> {
        match self {
            Self::Demo => system_tests::demo().await,
            Self::Up => up::run().await,
            Self::Test(options) => test::run(options).await,
            Self::Browser(options) => browser_tests::run(&options).await,
            Self::Api(options) => api_tests::run(&options).await,
            Self::Lint => lint::run().await,
            Self::Docs => {
                let page = docs::build().await?;
                println!("the site begins at {}", page.display());
                Ok(())
            }
            Self::Package(options) => package::run(options).await,
            Self::Release(options) => release::run(&options).await.map(drop),
            Self::TryRelease(options) => try_release::run(&options).await,
            Self::TryUpgrade(options) => try_upgrade::run(&options).await,
            Self::Sign(options) => sign::run(&options),
            Self::Chaos(options) => system_tests::chaos(options).await,
            Self::Calls => system_tests::run(SystemTest::Calls).await,
            Self::Large => system_tests::run(SystemTest::Scale).await,
            Self::Fuzz(options) => fuzz::run(options).await,
            Self::Mutants(options) => mutants::run(&options).await,
            Self::Bench(options) => bench::run(&options).await,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = XtaskArguments::parse().command;
    let runs_until_stopped = matches!(command, XtaskCommand::Up);
    // On a signal the command's future is dropped, and with it everything that it started.
    tokio::select! {
        result = command.run() => match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("\nerror: {error}");
                for cause in error.chain().skip(1) {
                    eprintln!("caused by: {cause}");
                }
                ExitCode::FAILURE
            }
        },
        signal = stop_signal() => match signal {
            Ok(_) if runs_until_stopped => ExitCode::SUCCESS,
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
