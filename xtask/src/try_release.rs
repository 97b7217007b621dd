//! `cargo xtask try-release`: deploys the folder of a release to the emulator with nothing but its
//! files, Python and the AWS CLI, and has an alert become a ticket.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use local_stack::binaries::{self, Profile};
use local_stack::emulator::{Emulator, IamMode, REGION, ROOT_KEY};
use local_stack::process::run as run_program;
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::simulator::SimulatorProcess;
use local_stack::venv::{EMULATOR, Venv};
use serde_json::json;

/// They run from a folder of their own, so releases are all that they find.
const SCRIPTS: [(&str, &str); 2] = [
    ("try_release.py", include_str!("try_release.py")),
    ("try_upgrade.py", include_str!("try_upgrade.py")),
];

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TryReleaseOptions {
    /// The folder that `cargo xtask release` made
    folder: PathBuf,
}

impl TryReleaseOptions {
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self { folder }
    }
}

/// # Errors
/// When the folder is no release for this machine, or a step of the deployment fails.
pub(crate) async fn run(options: &TryReleaseOptions) -> Result<()> {
    let release = existing(&options.folder)?;
    println!("- deploying {} without a tool chain", release.display());
    run_script("try_release.py", "try-release", &[release]).await?;
    println!("the release works");
    Ok(())
}

/// The folder of a release for this machine.
///
/// # Errors
/// When it is none.
pub(crate) fn existing(release: &Path) -> Result<PathBuf> {
    ensure!(
        release.join("template.yaml").is_file() && release.join("ingest-x86_64.zip").is_file(),
        "{} is no release for x86_64: make one with `cargo xtask release`",
        release.display()
    );
    Ok(fs::canonicalize(release)?)
}

/// Runs one of the scripts on an emulator and a simulator of its own.
pub(crate) async fn run_script(script: &str, run: &str, releases: &[PathBuf]) -> Result<()> {
    let run = RunFolder::create(run)?;
    let venv = Venv::ensure(EMULATOR).await?;
    let arguments = ["-p", "xtask", "-p", "connectwise-sim", "--bins"];
    let building = binaries::build(Profile::Dev, &arguments);
    let built = step("building the simulator", building).await?;
    let simulator = binaries::program(&built, "connectwise-sim")?;
    let log = run.path().join("simulator.log");
    let simulator = SimulatorProcess::start(simulator, &log).await?;
    let emulator = Emulator::start(&venv, run.path(), IamMode::Enforced).await?;

    let description = run.path().join("description.json");
    let keys = &simulator.integration;
    let described = json!({
        "aws": { "endpoint": emulator.endpoint(), "region": REGION, "key": ROOT_KEY },
        "connectwise": {
            "base_url": simulator.origin(),
            "company_id": keys.company_id,
            "public_key": keys.public_key,
            "private_key": keys.private_key,
            "client_id": keys.client_id,
        },
    });
    fs::write(&description, described.to_string())?;
    for (name, text) in SCRIPTS {
        fs::write(run.path().join(name), text)?;
    }
    let bin = bare_bin(run.path(), &venv)?;
    let mut python = venv.python();
    python
        .env_clear()
        .env("PATH", bin)
        .env("HOME", run.path())
        .env("LANG", "C.UTF-8")
        .current_dir(run.path())
        // No compiled files beside the script.
        .arg("-B")
        .arg(run.path().join(script))
        .args(releases)
        .arg(&description);
    let tried = run_program(script, python).await;
    tried.with_context(|| format!("logs are in {}", run.path().display()))
}

/// A folder with the AWS CLI alone, the only one on `PATH`.
fn bare_bin(run: &Path, venv: &Venv) -> Result<PathBuf> {
    let bin = run.join("bin");
    fs::create_dir(&bin)?;
    // The first line of the CLI's own script has the path of the environment, which may be too
    // long for it.
    let (python, script) = (venv.bin().join("python"), venv.bin().join("aws"));
    let (python, script) = (python.display(), script.display());
    let aws = bin.join("aws");
    fs::write(
        &aws,
        format!("#!/bin/sh\nexec '{python}' '{script}' \"$@\"\n"),
    )?;
    fs::set_permissions(&aws, fs::Permissions::from_mode(0o755))?;
    Ok(bin)
}
