//! `cargo xtask test`: everything that must pass before a change is merged, the cheapest first.

use anyhow::Result;
use local_stack::emulator::{Emulator, IamMode};
use local_stack::environment;
use local_stack::process::{run as run_program, run_logged};
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::venv::{EMULATOR, Venv};

use crate::api_tests::ApiOptions;
use crate::fuzz::{self, FuzzOptions};
use crate::mutants::{self, MutantsOptions};
use crate::release::{self, ReleaseOptions};
use crate::system_tests::{self, ChaosOptions, SystemTest};
use crate::tool::NEXTEST;
use crate::try_release::{self, TryReleaseOptions};
use crate::try_upgrade::{self, TryUpgradeOptions};
use crate::{api_tests, browser_tests, clients, lint};

/// Tells the end-to-end tests the emulator's address.
const TEST_AWS: &str = "TICKETBRIDGE_TEST_AWS";

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TestOptions {
    /// Runs only the tests that this filter of nextest selects, with the emulator that end-to-end
    /// tests need, such as `test(blocked)`
    #[arg(short = 'E', long, conflicts_with = "long")]
    filter: Option<String>,
    /// Also runs what takes too long for every change: more fuzzing of parsers and API, larger
    /// models, mutants, a release, a storm of alerts, calls, chaos and large
    #[arg(long)]
    long: bool,
}

pub(crate) async fn run(options: TestOptions) -> Result<()> {
    if let Some(filter) = &options.filter {
        return tests(Some(filter)).await;
    }
    let unchecked = lint::check().await?;
    tests(None).await?;
    doc_tests().await?;
    clients::run().await?;
    let seconds = if options.long { 300 } else { 60 };
    fuzz::run(FuzzOptions { seconds }).await?;
    system_tests::run_all(&[
        SystemTest::Smoke,
        SystemTest::Restore,
        SystemTest::OperatorProgram,
        SystemTest::IamDenials,
        SystemTest::Alertmanager,
        SystemTest::OutgoingWebhook,
    ])
    .await?;
    api_tests::run(&ApiOptions::for_seconds(seconds)).await?;
    browser_tests::run(&browser_tests::BrowserOptions::default()).await?;
    if options.long {
        model_checks().await?;
        mutants::run(&MutantsOptions::default()).await?;
        let folder = release::run(&ReleaseOptions::draft()).await?;
        try_release::run(&TryReleaseOptions::of(folder.clone())).await?;
        try_upgrade::run(&TryUpgradeOptions::of(folder)).await?;
        system_tests::run(SystemTest::TicketRules).await?;
        system_tests::run(SystemTest::AlertStorm).await?;
        system_tests::run(SystemTest::Calls).await?;
        system_tests::chaos(ChaosOptions::default()).await?;
        system_tests::run(SystemTest::Scale).await?;
    }
    // Repeated at the end, where it is seen.
    lint::print_unchecked(&unchecked);
    Ok(())
}

/// The larger configurations of the model checker, optimised.
async fn model_checks() -> Result<()> {
    let mut checks = NEXTEST.command().await?;
    checks.args([
        "nextest",
        "run",
        "--cargo-profile",
        "checker",
        "--package",
        "domain",
    ]);
    checks.args(["--test", "model", "--run-ignored", "only", "--no-capture"]);
    step(
        "every state of the larger models",
        run_program("cargo nextest", checks),
    )
    .await
}

/// Runs the tests beside the code and the end-to-end tests, or those that the filter selects.
async fn tests(filter: Option<&str>) -> Result<()> {
    let folder = RunFolder::create("test")?;
    let venv = Venv::ensure(EMULATOR).await?;
    let emulator = step(
        "starting the emulator",
        Emulator::start(&venv, folder.path(), IamMode::Open),
    )
    .await?;
    let profile = if environment::is_ci() {
        "ci"
    } else {
        "default"
    };
    let mut all = NEXTEST.command().await?;
    all.args(["nextest", "run", "--workspace", "--profile", profile])
        .env(TEST_AWS, emulator.endpoint());
    if let Some(filter) = filter {
        all.args(["--no-tests", "fail", "-E", filter]);
    }
    let what = filter.map_or_else(
        || "all tests".to_owned(),
        |filter| format!("tests: {filter}"),
    );
    step(&what, run_program("cargo nextest", all)).await
}

async fn doc_tests() -> Result<()> {
    let folder = RunFolder::create("doc-test")?;
    let docs = environment::cargo(&["test", "--workspace", "--doc", "--quiet"]);
    // Into a file: its many lines "0 tests" would look as if nothing ran.
    let log = folder.path().join("doc.log");
    let run = run_logged("cargo test --doc", docs, log);
    step("the examples in the docs", run).await
}
