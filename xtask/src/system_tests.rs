//! Runs the tests of the deployed template (`tests/system`) with their output shown. Each of them
//! starts a stack of its own and stops it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use local_stack::environment;
use local_stack::process::ProcessGroup;
use tokio::process::Command;

use crate::tool::NEXTEST;

/// A test's stack has many processes to stop after Ctrl-C.
const GRACE: Duration = Duration::from_secs(60);

/// The tests' program. xtask is named too, so that cargo chooses the features of dependencies that
/// are built already.
const PACKAGES: [&str; 6] = [
    "--package",
    "system",
    "--package",
    "xtask",
    "--test",
    "deployed",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemTest {
    Smoke,
    Restore,
    OperatorProgram,
    IamDenials,
    Alertmanager,
    OutgoingWebhook,
    TicketRules,
    AlertStorm,
    Chaos,
    Calls,
    Scale,
    Isolation,
}

impl SystemTest {
    /// The name of the test function.
    fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Restore => "restore",
            Self::OperatorProgram => "operator_program",
            Self::IamDenials => "iam_denials",
            Self::Alertmanager => "alertmanager",
            Self::OutgoingWebhook => "outgoing_webhook",
            Self::TicketRules => "ticket_rules",
            Self::AlertStorm => "alert_storm",
            Self::Chaos => "chaos",
            Self::Calls => "calls",
            Self::Scale => "scale",
            Self::Isolation => "isolation",
        }
    }

    fn title(self) -> String {
        format!("the test `{}`", self.name())
    }
}

#[derive(Debug, Default, Clone, Copy, clap::Args)]
pub(crate) struct ChaosOptions {
    /// Repeats the scenarios and deliveries of an earlier run; a failed run prints its seed
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) async fn run(test: SystemTest) -> Result<()> {
    let command = nextest(test).await?;
    run_to_end(&test.title(), command).await
}

/// Runs tests concurrently: each of them mostly waits for schedules. The output of each is shown when it
/// ends.
pub(crate) async fn run_all(tests: &[SystemTest]) -> Result<()> {
    let filter = tests.iter().map(|test| format!("test(={})", test.name()));
    let filter = filter.collect::<Vec<_>>().join(" | ");
    let mut command = NEXTEST.command().await?;
    command.args(["nextest", "run"]).args(PACKAGES);
    command.args(["--run-ignored", "only", "--no-fail-fast", "-E", &filter]);
    command.args(["--success-output", "immediate"]);
    run_to_end("the tests of deployed stacks", command).await
}

pub(crate) async fn chaos(options: ChaosOptions) -> Result<()> {
    let mut command = nextest(SystemTest::Chaos).await?;
    if let Some(seed) = options.seed {
        command.env("TICKETBRIDGE_CHAOS_SEED", seed.to_string());
    }
    run_to_end(&SystemTest::Chaos.title(), command).await
}

/// The smoke test without nextest, so that a first look at the project installs as little as
/// possible.
pub(crate) async fn demo() -> Result<()> {
    let started = Instant::now();
    let test = SystemTest::Smoke;
    let mut cargo = environment::cargo(&["test", "--quiet"]);
    cargo
        .args(PACKAGES)
        .args(["--", "--ignored", "--nocapture"]);
    cargo.args(["--exact", test.name()]);
    run_to_end(&test.title(), cargo).await?;
    println!(
        "Every check passed, in {:.0} s; everything is stopped.",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn nextest(test: SystemTest) -> Result<Command> {
    let mut command = NEXTEST.command().await?;
    command.args(["nextest", "run"]).args(PACKAGES);
    command.args(["--run-ignored", "only", "--no-capture"]);
    command.args(["-E", &format!("test(={})", test.name())]);
    Ok(command)
}

async fn run_to_end(name: &str, mut command: Command) -> Result<()> {
    // An error names its causes. A trace of the executor's calls after it would only hide them.
    command.env("RUST_LIB_BACKTRACE", "0");
    let mut process = ProcessGroup::start(name, command)?.with_grace(GRACE);
    let status = process.wait().await?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}
