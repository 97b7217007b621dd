//! `cargo xtask package`: builds the packages that are deployed, and checks their sizes.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Args;
use local_stack::deployment::FUNCTIONS;
use local_stack::environment;
use local_stack::process::{capture, run as run_program};
use local_stack::progress::step;
use local_stack::venv::{PythonTools, Venv};
use tokio::process::Command;

/// Also brings the linker that cross-compiles.
const CARGO_LAMBDA: PythonTools = PythonTools {
    name: "cargo-lambda",
    requirements: &["cargo-lambda==1.9.2"],
    file: "",
};

/// The most bytes of `ingest`. A cold start reads the whole program.
const MAX_INGEST: u64 = 6_000_000;

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PackageOptions {
    /// Build for arm64, the template's default, instead of this machine's architecture
    #[arg(long)]
    arm64: bool,
}

/// Builds all packages and prints their sizes.
pub(crate) async fn run(options: PackageOptions) -> Result<()> {
    if options.arm64 {
        require_std("aarch64-unknown-linux-gnu").await?;
    }
    let venv = Venv::ensure(CARGO_LAMBDA).await?;
    let mut build = environment::cargo(&["lambda", "build", "--release"]);
    build
        .args(["--output-format", "zip"])
        .env("PATH", environment::path_with(&venv.bin()))
        .arg("--lambda-dir")
        .arg(environment::target("lambda"));
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
        let archive = environment::target("lambda")
            .join(function)
            .join("bootstrap.zip");
        let (packed, stripped) = sizes(&archive)?;
        println!(
            "{function:9} {packed:>10} B zip {stripped:>10} B stripped   {}",
            archive.display()
        );
        ensure!(
            function != "ingest" || stripped <= MAX_INGEST,
            "ingest has {stripped} B, more than {MAX_INGEST}: \
             `cargo tree -p ingest -e features` lists its dependencies"
        );
    }
    Ok(())
}

/// The size of a package and of the program in it.
fn sizes(archive: &Path) -> Result<(u64, u64)> {
    let file = File::open(archive).with_context(|| format!("cannot open {}", archive.display()))?;
    let packed = file.metadata()?.len();
    let mut zip = zip::ZipArchive::new(file)?;
    let stripped = zip.by_name_raw(b"bootstrap")?.size();
    Ok((packed, stripped))
}

/// Cross-compiling needs the other architecture's standard library, which only rustup installs.
async fn require_std(target: &str) -> Result<()> {
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(environment::root())
        .args(["--print", "target-libdir", "--target", target]);
    let folder = capture("rustc", rustc).await?;
    ensure!(
        Path::new(folder.trim()).is_dir(),
        "the standard library for {target} is not installed: run `rustup target add {target}`, \
         or leave --arm64 out and deploy with Architecture={}",
        std::env::consts::ARCH
    );
    Ok(())
}
