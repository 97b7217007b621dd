//! `cargo xtask try-release`: deploys the folder of a release to the emulator with nothing but its
//! files, Python and the CLIs of AWS and SAM, has an alert become a ticket, and runs each command of
//! `ticketbridge`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use local_stack::binaries::{self, Profile};
use local_stack::emulator::{Emulator, IamMode, REGION, ROOT_KEY};
use local_stack::environment;
use local_stack::process::run as run_program;
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::simulator::SimulatorProcess;
use local_stack::venv::{EMULATOR, Venv};
use serde_json::json;

use crate::bare_machine::{BareMachine, write_programs};
use crate::lint::SAM;

/// They run from a folder of their own, so releases are all that they find.
const SCRIPTS: [(&str, &str); 4] = [
    ("steps.py", include_str!("steps.py")),
    ("try_commands.py", include_str!("try_commands.py")),
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

/// Runs one of the scripts on an emulator and a simulator of its own, and on a machine that has
/// nothing but Python, the CLIs of AWS and SAM, and the releases.
pub(crate) async fn run_script(script: &str, run: &str, releases: &[PathBuf]) -> Result<()> {
    let run = RunFolder::create(run)?;
    let (venv, sam) = (Venv::ensure(EMULATOR).await?, Venv::ensure(SAM).await?);
    let files = run.path().join("files");
    fs::create_dir(&files)?;
    for (name, text) in SCRIPTS {
        fs::write(files.join(name), text)?;
    }
    let machine = BareMachine {
        run: run.path().to_owned(),
        venvs: vec![venv.clone(), sam.clone()],
        shown: [std::slice::from_ref(&files), releases].concat(),
        bin: files.join("bin"),
    };
    write_programs(&machine.bin, &[("aws", &venv), ("sam", &sam)])?;
    let mut python = machine.command(&venv.bin().join("python")).await?;

    let arguments = ["-p", "xtask", "-p", "connectwise-sim", "--bins"];
    let building = binaries::build(Profile::Dev, &arguments);
    let built = step("building the simulator", building).await?;
    let simulator = binaries::program(&built, "connectwise-sim")?;
    let log = run.path().join("simulator.log");
    let simulator = SimulatorProcess::start(simulator, &log).await?;
    let emulator = Emulator::start(&venv, run.path(), IamMode::Enforced).await?;

    let description = files.join("description.json");
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
        // What the machine must not have.
        "absent": [environment::root().join("Cargo.toml"), environment::cargo_home()?],
    });
    fs::write(&description, described.to_string())?;
    python
        // No compiled files beside the script.
        .arg("-B")
        .arg(files.join(script))
        .args(releases)
        .arg(&description);
    let tried = run_program(script, python).await;
    tried.with_context(|| format!("logs are in {}", run.path().display()))
}
