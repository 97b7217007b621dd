//! `cargo xtask package`: builds the packages that are deployed, and checks their sizes.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Args;
use local_stack::binaries::{Compression, pack};
use local_stack::deployment::FUNCTIONS;

use crate::programs::{Architecture, build_functions};

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
    let architecture = if options.arm64 {
        Architecture::Arm64
    } else {
        Architecture::host()
    };
    let folder = build_functions(architecture).await?;
    for function in FUNCTIONS {
        let program = folder.join(function).join("bootstrap");
        let archive = program.with_extension("zip");
        pack_function(function, &program, &archive)?;
    }
    Ok(())
}

/// Packs one function and prints the sizes.
///
/// # Errors
/// When the program is too large.
pub(crate) fn pack_function(function: &str, program: &Path, archive: &Path) -> Result<()> {
    let stripped = fs::metadata(program)
        .with_context(|| format!("cannot read {}", program.display()))?
        .len();
    ensure!(
        function != "ingest" || stripped <= MAX_INGEST,
        "ingest has {stripped} B, more than {MAX_INGEST}: \
         `cargo tree -p ingest -e features` lists its dependencies"
    );
    pack(program, archive, Compression::Deflate)?;
    let packed = File::open(archive)?.metadata()?.len();
    println!(
        "{function:9} {packed:>10} B zip {stripped:>10} B stripped   {}",
        archive.display()
    );
    Ok(())
}
