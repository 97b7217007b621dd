//! `cargo xtask bench`: measurements. Times depend on the machine, so none of them is a test.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use local_stack::binaries::{self, Profile};
use local_stack::environment;
use local_stack::process::ProcessGroup;
use local_stack::progress::step;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use crate::system_tests::{self, SystemTest};

/// Starts of each function. They alternate, so that a busy moment affects both.
const STARTS: usize = 30;
const STARTED_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct BenchOptions {
    /// The measurement; by default the start
    #[command(subcommand)]
    what: Option<Measurement>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Measurement {
    /// How long `ingest` takes to start, compared with a minimal function
    Start,
    /// How long 99 partners wait for tickets while the ConnectWise of one more does not answer
    Isolation,
}

pub(crate) async fn run(options: BenchOptions) -> Result<()> {
    match options.what.unwrap_or(Measurement::Start) {
        Measurement::Start => measure_starts().await,
        Measurement::Isolation => system_tests::run(SystemTest::Isolation).await,
    }
}

/// Measures from the start of a function's process to its first request for work.
async fn measure_starts() -> Result<()> {
    let built = step("building for release", async {
        let mut built = binaries::build(Profile::Release, &["-p", "ingest", "--bins"]).await?;
        let hello = ["-p", "xtask", "--example", "hello"];
        built.extend(binaries::build(Profile::Release, &hello).await?);
        Ok(built)
    })
    .await?;
    let (ingest, hello) = (
        binaries::program(&built, "ingest")?,
        binaries::program(&built, "hello")?,
    );
    let (mut ingest_times, mut hello_times) = (Vec::new(), Vec::new());
    step("starting each 30 times", async {
        for _ in 0..STARTS {
            hello_times.push(start(hello).await?);
            ingest_times.push(start(ingest).await?);
        }
        Ok(())
    })
    .await?;
    let (hello, ingest) = (Spread::of(hello_times)?, Spread::of(ingest_times)?);
    println!("\nmilliseconds from start to the first request for work, {STARTS} starts each");
    println!("              least  median");
    println!("hello world  {:6.2}  {:6.2}", hello.least, hello.median);
    println!("ingest       {:6.2}  {:6.2}", ingest.least, ingest.median);
    println!(
        "ratio        {:6.2}  {:6.2}",
        ingest.least / hello.least,
        ingest.median / hello.median
    );
    Ok(())
}

/// In milliseconds.
struct Spread {
    least: f64,
    median: f64,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Result<Self> {
        times.sort_unstable();
        let at = |index: usize| times.get(index).map(|time| time.as_secs_f64() * 1000.0);
        let least = at(0).context("nothing was measured")?;
        let median = at(times.len() / 2).unwrap_or(least);
        Ok(Self { least, median })
    }
}

/// Acts as the runtime API for one process, up to its first request.
async fn start(program: &Path) -> Result<Duration> {
    let runtime_api = TcpListener::bind("127.0.0.1:0").await?;
    let mut command = Command::new(program);
    command.env_clear().envs(function_environment()).env(
        "AWS_LAMBDA_RUNTIME_API",
        runtime_api.local_addr()?.to_string(),
    );
    let log = environment::target("local/bench.log");
    std::fs::create_dir_all(environment::target("local"))?;
    let started = Instant::now();
    let process = ProcessGroup::start_logged("the function", command, &log)?;
    let request = timeout(STARTED_WITHIN, async {
        let (connection, _) = runtime_api.accept().await?;
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).await?;
        Ok::<_, std::io::Error>((started.elapsed(), line))
    })
    .await;
    let (took, line) =
        request.with_context(|| format!("no request for work; see {}", log.display()))??;
    drop(process);
    ensure!(
        line.starts_with("GET /2018-06-01/runtime/invocation/next "),
        "the function requested {line:?}"
    );
    Ok(took)
}

/// The variables that Lambda sets. The function ends at its first request for work, so it calls
/// none of the addresses.
fn function_environment() -> [(&'static str, &'static str); 11] {
    [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
        (
            "QUEUE_URL",
            "https://sqs.us-east-1.amazonaws.com/000000000000/bench",
        ),
        ("SOURCE_SECRET_PREFIX", "ticketbridge/bench/source/"),
    ]
}
