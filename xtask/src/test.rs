//! `cargo xtask test`: all that must hold before a change lands, cheapest first.

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::clients;
use crate::config;
use crate::fuzz;
use crate::lint;
use crate::local::emulator::{Access, Emulator};
use crate::local::{Folder, Stack};
use crate::process::{read, run as run_program, run_logged};
use crate::progress::step;
use crate::refusals;
use crate::story;
use crate::venv::{EMULATOR, Venv};

/// The test runner, and the version that is installed where there is none.
const NEXTEST: &str = "0.9.143";
/// How the end-to-end tests learn where AWS is.
const TEST_AWS: &str = "TICKETBRIDGE_TEST_AWS";

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// Runs what takes longer than a change should wait for: five minutes of each fuzz target
    #[arg(long)]
    long: bool,
}

/// Lint, all tests, two public clients against the simulator, a minute of each fuzz target, and the story against the deployed template.
pub(crate) async fn run(options: Options) -> Result<()> {
    lint::run().await?;
    tests().await?;
    clients::run().await?;
    let seconds = if options.long { 300 } else { 60 };
    fuzz::run(seconds, Folder::of("fuzz")?.path()).await?;
    smoke().await
}

async fn tests() -> Result<()> {
    let nextest = nextest().await?;
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
    let stack = Stack::start("smoke").await?;
    let seen = story::play(&stack).await?;
    println!("story: {seen} passed, 0 failed");
    let refused = refusals::check(&stack).await?;
    println!("must be refused: {refused} refused, 0 let through");
    Ok(())
}

/// How nextest is called: as it is installed for everybody, or our own.
struct Nextest {
    ours: bool,
}

impl Nextest {
    fn command(&self) -> Command {
        let mut command = config::cargo(&["nextest"]);
        if self.ours {
            command.env("PATH", config::path_with(&config::target("tools/bin")));
        }
        command
    }

    async fn answers(&self) -> bool {
        let mut ask = self.command();
        ask.arg("--version");
        read("cargo nextest", ask).await.is_ok()
    }
}

async fn nextest() -> Result<Nextest> {
    for ours in [false, true] {
        let nextest = Nextest { ours };
        if nextest.answers().await {
            return Ok(nextest);
        }
    }
    let root = config::target("tools");
    let mut install = config::cargo(&["install", "cargo-nextest", "--locked", "--quiet"]);
    install.args(["--version", NEXTEST, "--root"]).arg(&root);
    let what = format!(
        "cargo-nextest is not installed: building {NEXTEST} into {} (once, some minutes)",
        root.display()
    );
    step(&what, run_program("cargo install cargo-nextest", install))
        .await
        .context("install it yourself from https://nexte.st if this machine cannot")?;
    Ok(Nextest { ours: true })
}
