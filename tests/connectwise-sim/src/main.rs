//! The simulator as a program, for people and for programs in other languages.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use connectwise_sim::{Seed, Simulator};
use tokio::signal::unix::{SignalKind, signal};

/// Simulates the ConnectWise PSA REST API on 127.0.0.1.
///
/// Open the address in a browser to watch the tickets; /_sim/faults, /_sim/reset, /_sim/tickets and
/// /_sim/journal control it.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port to listen on. 0 takes any free port.
    #[arg(long, default_value_t = 8040)]
    port: u16,
    /// A JSON file with companies, boards, members and keys, instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = format!("error: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                message = format!("{message}: {inner}");
                cause = inner.source();
            }
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let seed = match &arguments.seed {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            Seed::from_json(&text)?
        }
        None => Seed::demo(),
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let mut terminate = signal(SignalKind::terminate())?;
    let sim = Simulator::start(seed, address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    println!("listening on {}", sim.base_url());
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt?,
        _ = terminate.recv() => {}
    }
    sim.stop().await;
    Ok(())
}
