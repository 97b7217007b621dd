//! `cargo xtask test`: all that must hold before a change lands, cheapest first.

use anyhow::Result;

use crate::browser_tests;
use crate::calls;
use crate::cargo_tool::NEXTEST;
use crate::chaos;
use crate::clients;
use crate::config;
use crate::fuzz;
use crate::large;
use crate::lint;
use crate::local::emulator::{Access, Emulator};
use crate::local::{Folder, Stack, Times};
use crate::process::{run as run_program, run_logged};
use crate::progress::step;
use crate::refusals;
use crate::restore;
use crate::story;
use crate::venv::{EMULATOR, Venv};

/// How the end-to-end tests learn where AWS is.
const TEST_AWS: &str = "TICKETBRIDGE_TEST_AWS";

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// Runs what takes longer than a change should wait for: five minutes of each fuzz target, the chaos, the count of calls, and 100,000 open tickets
    #[arg(long)]
    long: bool,
}

/// Lint, all tests, two public clients against the simulator, a minute of each fuzz target, and the story against the deployed template.
pub(crate) async fn run(options: Options) -> Result<()> {
    let unchecked = lint::check().await?;
    tests().await?;
    clients::run().await?;
    let seconds = if options.long { 300 } else { 60 };
    fuzz::run(seconds, Folder::of("fuzz")?.path()).await?;
    smoke().await?;
    browser_tests::run(&browser_tests::Options::default()).await?;
    if options.long {
        calls::run().await?;
        chaos::run(chaos::Options::default()).await?;
        large::run().await?;
    }
    // Again at the end, where it is seen.
    lint::tell(&unchecked);
    Ok(())
}

async fn tests() -> Result<()> {
    let nextest = NEXTEST.ready().await?;
    let folder = Folder::of("test")?;
    let venv = Venv::with(EMULATOR).await?;
    let emulator = step(
        "starting the emulator",
        Emulator::start(&venv, folder.path(), Access::Open),
    )
    .await?;
    let mut all = nextest.command();
    all.args([
        "run",
        "--workspace",
        "--profile",
        if config::is_ci() { "ci" } else { "default" },
    ])
    .env(TEST_AWS, emulator.endpoint());
    step("all tests", run_program("cargo nextest", all)).await?;
    let docs = config::cargo(&["test", "--workspace", "--doc", "--quiet"]);
    // Its many "0 tests" would read as if nothing ran.
    let log = folder.path().join("doc.log");
    let run = run_logged("cargo test --doc", docs, log);
    step("the examples in the docs", run).await
}

/// The deployed template, with its permissions enforced, through the real webhook; then everything that its roles must not allow.
async fn smoke() -> Result<()> {
    let stack = Stack::start("smoke", Times::SHOWN).await?;
    let seen = story::play(&stack).await?;
    println!("story: {seen} passed, 0 failed");
    restore::play(&stack).await?;
    let refused = refusals::check(&stack).await?;
    println!("must be refused: {refused} refused, 0 let through");
    Ok(())
}
