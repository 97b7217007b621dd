//! `cargo xtask package`: the packages that are deployed, and whether they stay small.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Args;
use tokio::process::Command;

use crate::config;
use crate::local::deploy::FUNCTIONS;
use crate::process::{read, run as run_program};
use crate::progress::step;
use crate::venv::{CARGO_LAMBDA, Venv};

/// A start is paid for by size: the whole program is read at each one.
const INGEST_AT_MOST: u64 = 6_000_000;

/// What to build for.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Options {
    /// Build for arm64, the template's default, whatever this machine is
    #[arg(long)]
    arm64: bool,
}

/// Builds all packages and tells their sizes.
pub(crate) async fn run(options: Options) -> Result<()> {
    if options.arm64 {
        require_std("aarch64-unknown-linux-gnu").await?;
    }
    let venv = Venv::with(CARGO_LAMBDA).await?;
    let mut build = config::cargo(&["lambda", "build", "--release", "--output-format", "zip"]);
    build
        .env("PATH", config::path_with(&venv.bin()))
        .arg("--lambda-dir")
        .arg(config::target("lambda"));
    for function in FUNCTIONS {
        build.args(["--package", function]);
    }
    if options.arm64 {
        build.arg("--arm64");
    }
    step(
        "building the packages",
        run_program("cargo lambda build", build),
    )
    .await?;

    for function in FUNCTIONS {
        let archive = config::target("lambda")
            .join(function)
            .join("bootstrap.zip");
        let (packed, stripped) = sizes(&archive)?;
        println!(
            "{function:9} {packed:>10} B zip {stripped:>10} B stripped   {}",
            archive.display()
        );
        ensure!(
            function != "ingest" || stripped <= INGEST_AT_MOST,
            "ingest is {stripped} B, more than {INGEST_AT_MOST}: `cargo tree -p ingest -e features` shows what came in"
        );
    }
    Ok(())
}

/// The size of a package and of the program in it.
fn sizes(archive: &Path) -> Result<(u64, u64)> {
    let file = File::open(archive).with_context(|| format!("there is no {}", archive.display()))?;
    let packed = file.metadata()?.len();
    let mut zip = zip::ZipArchive::new(file)?;
    let stripped = zip.by_name_raw(b"bootstrap")?.size();
    Ok((packed, stripped))
}

/// Cross-compiling needs the other architecture's standard library, which only rustup brings.
async fn require_std(target: &str) -> Result<()> {
    let mut ask = Command::new("rustc");
    ask.current_dir(config::root())
        .args(["--print", "target-libdir", "--target", target]);
    let folder = read("rustc", ask).await?;
    let installed = Path::new(folder.trim()).is_dir();
    ensure!(
        installed,
        "the standard library for {target} is not installed: run `rustup target add {target}`, or leave --arm64 out and deploy \
         with Architecture={}",
        std::env::consts::ARCH
    );
    Ok(())
}
