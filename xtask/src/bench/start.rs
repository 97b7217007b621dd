//! `cargo xtask bench`: how long a function takes from its start until it asks for work.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use crate::binaries::{self, Profile};
use crate::config;
use crate::process::Running;
use crate::progress::step;

/// Starts of each; they take turns, so that a busy moment hits both.
const STARTS: usize = 30;
/// A start that takes longer is not one.
const STARTED_WITHIN: Duration = Duration::from_secs(10);

/// Measures `ingest` against a function that does nothing.
pub(crate) async fn run() -> Result<()> {
    let built = step("building for release", async {
        let mut built = binaries::build(Profile::Release, &["-p", "ingest", "--bins"]).await?;
        built.extend(
            binaries::build(Profile::Release, &["-p", "xtask", "--example", "hello"]).await?,
        );
        Ok(built)
    })
    .await?;
    let (ingest, hello) = (
        binaries::program(&built, "ingest")?,
        binaries::program(&built, "hello")?,
    );
    let (mut of_ingest, mut of_hello) = (Vec::new(), Vec::new());
    step("starting each 30 times", async {
        for _ in 0..STARTS {
            of_hello.push(start(hello).await?);
            of_ingest.push(start(ingest).await?);
        }
        Ok(())
    })
    .await?;
    let (hello, ingest) = (Spread::of(of_hello)?, Spread::of(of_ingest)?);
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

/// Plays the runtime API to one fresh process, up to its first question.
async fn start(program: &Path) -> Result<Duration> {
    let runtime_api = TcpListener::bind("127.0.0.1:0").await?;
    let mut command = Command::new(program);
    command.env_clear().envs(environment()).env(
        "AWS_LAMBDA_RUNTIME_API",
        runtime_api.local_addr()?.to_string(),
    );
    let log = config::target("local/bench.log");
    std::fs::create_dir_all(config::target("local"))?;
    let begun = Instant::now();
    let process = Running::start_logged("the function", command, &log)?;
    let asked = timeout(STARTED_WITHIN, async {
        let (connection, _) = runtime_api.accept().await?;
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).await?;
        Ok::<_, std::io::Error>((begun.elapsed(), line))
    })
    .await;
    let (took, line) =
        asked.with_context(|| format!("no request for work; see {}", log.display()))??;
    drop(process);
    ensure!(
        line.starts_with("GET /2018-06-01/runtime/invocation/next "),
        "the function asked for {line:?}"
    );
    Ok(took)
}

/// As Lambda starts a function. Nothing is called at the addresses: the process ends at its first request for work.
fn environment() -> [(&'static str, &'static str); 11] {
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
