//! `ticketbridge <command>`: the operator's commands.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use ticketbridge::aws_environment::AwsEnvironment;
use ticketbridge::rebuild::{self, RebuildOptions};
use ticketbridge::redrive::{self, RedriveOptions};
use ticketbridge::replay::{self, ReplayOptions};

#[derive(Debug, Parser)]
#[command(about = "The operator's commands on a Ticketbridge stack")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Moves dead letters back into the queue
    Redrive(RedriveOptions),
    /// Has one alert evaluated again, and shows its record before and after
    Replay(ReplayOptions),
    /// After a restore of the alerts table: imports every partner's tickets from ConnectWise again
    Rebuild(RebuildOptions),
}

async fn run(command: Command) -> Result<()> {
    let aws = AwsEnvironment::from_env();
    match command {
        Command::Redrive(options) => redrive::run(&options, &aws).await,
        Command::Replay(options) => replay::run(&options, &aws).await,
        Command::Rebuild(options) => rebuild::run(&options, &aws).await,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}
