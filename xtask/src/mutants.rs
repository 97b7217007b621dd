//! `cargo xtask mutants`: changes the deciding code of `domain` in small ways, one at a time, and
//! expects a test beside the code to fail each time. cargo-mutants does it, in a copy of the tree.
//!
//! `.cargo/mutants.toml` lists each change that no test can detect, with the reason.

use std::fs;
use std::path::{PathBuf, absolute};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use local_stack::environment;
use local_stack::process::ProcessGroup;
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;

use crate::tool::MUTANTS;

/// Where accepted changes are listed.
const CONFIG: &str = ".cargo/mutants.toml";
/// The files that decide, as far as each of their mutants is detected or accepted.
const FILES: [&str; 14] = [
    "shared/domain/src/ticketing/decide.rs",
    "shared/domain/src/ticketing/decide/call_check.rs",
    "shared/domain/src/ticketing/decide/open_ticket.rs",
    "shared/domain/src/ticketing/worker_step.rs",
    "shared/domain/src/ticketing/write_effect.rs",
    "shared/domain/src/ticketing/adopt.rs",
    "shared/domain/src/ticketing/claimed_write.rs",
    "shared/domain/src/ticketing/prior_tickets.rs",
    "shared/domain/src/ticketing/manual_change.rs",
    "shared/domain/src/ticketing/ticket_activity.rs",
    "shared/domain/src/alert/fold.rs",
    "shared/domain/src/alert/release.rs",
    "shared/domain/src/alert/flapping.rs",
    "shared/domain/src/alert/storm.rs",
];
const SOURCES: &str = "shared/domain/src/";
/// How long the tool may take to end its programs and to remove its copy.
const GRACE: Duration = Duration::from_secs(30);

/// Exit codes of cargo-mutants.
const FOUND_SURVIVORS: i32 = 2;
const FOUND_TIMEOUTS: i32 = 3;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct MutantsOptions {
    /// Changes only these files of `domain`, named from the repository's root; without them, all
    /// files that decide about tickets
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Runs one part of several, such as 0/4
    #[arg(long, value_name = "PART/PARTS")]
    shard: Option<String>,
    /// Changes only code that this diff touches, such as the output of `git diff main`
    #[arg(long, value_name = "DIFF")]
    in_diff: Option<PathBuf>,
    /// Leaves out what the last run detected
    #[arg(long)]
    iterate: bool,
}

/// # Errors
/// If a change is detected by no test, or the unchanged code fails its tests.
pub(crate) async fn run(options: &MutantsOptions) -> Result<()> {
    for file in &options.files {
        ensure!(
            file.starts_with(SOURCES) && environment::root().join(file).is_file(),
            "there is no file {file}: name one below {SOURCES}, from the repository's root"
        );
    }
    // cargo-mutants keeps its copy in the folder for temporary files, which is emptied by the next
    // run if this one is killed.
    let copies = RunFolder::create("mutants")?;
    let reports = environment::target("mutants");
    fs::create_dir_all(&reports)?;
    let mut command = MUTANTS.command().await?;
    command
        .args(["--package", "domain", "--jobs", "1", "--no-shuffle"])
        .arg("--output")
        .arg(&reports)
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_INCREMENTAL", "1")
        .env("TMPDIR", copies.path());
    let files: Vec<&str> = match options.files.is_empty() {
        true => FILES.to_vec(),
        false => options.files.iter().map(String::as_str).collect(),
    };
    for file in files {
        command.args(["--file", file]);
    }
    if let Some(shard) = &options.shard {
        command.args(["--shard", shard]);
    }
    if let Some(diff) = &options.in_diff {
        command.arg("--in-diff").arg(absolute(diff)?);
    }
    if options.iterate {
        command.arg("--iterate");
    }
    let status = step("testing with mutants of the code that decides", async {
        let mut tool = ProcessGroup::start("cargo mutants", command)?.with_grace(GRACE);
        tool.wait().await
    })
    .await?;
    let reports = reports.join("mutants.out");
    match status.code() {
        // A change that makes the tests hang is detected too.
        Some(0 | FOUND_TIMEOUTS) => Ok(()),
        Some(FOUND_SURVIVORS) => bail!(
            "tests do not detect the changes in {}: add a test for each, or its reason to {CONFIG}",
            reports.join("missed.txt").display()
        ),
        _ => bail!(
            "cargo mutants failed ({status}): the logs of builds and tests are in {}",
            reports.join("log").display()
        ),
    }
}
