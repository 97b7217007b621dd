//! `ticketbridge <command>`: the operator's commands.

use std::process::ExitCode;

use clap::Parser as _;
use ticketbridge::arguments::Arguments;
use ticketbridge::aws_environment::AwsEnvironment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Arguments::parse().run(AwsEnvironment::default()).await {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}
