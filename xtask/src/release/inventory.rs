//! What the programs consist of: an SBOM of each, and the licences of their dependencies.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use local_stack::deployment::FUNCTIONS;
use local_stack::environment;
use local_stack::process::capture;
use local_stack::progress::step;

use super::licenses;
use super::source::Source;
use crate::programs::{Architecture, OPERATOR_PROGRAM};
use crate::tool::CYCLONEDX;

/// Dependencies are the same for both architectures.
const TARGET: Architecture = Architecture::X86_64;
/// What an SBOM names instead of the folder in which it was made.
const ROOT_NAME: &str = "file:///ticketbridge";

/// Writes `NAME.cdx.json` (CycloneDX 1.5) for each program.
pub(super) async fn write_sboms(work: &Path, files: &Path, source: &Source) -> Result<()> {
    // The tool writes beside each manifest. A copy keeps the source tree clean.
    let copy = work.join("sources");
    for file in &source.files {
        let is_needed = [".rs", ".toml", ".lock"]
            .iter()
            .any(|end| file.ends_with(end));
        let original = environment::root().join(file);
        if is_needed && original.is_file() {
            let to = copy.join(file);
            fs::create_dir_all(to.parent().unwrap_or(&copy))?;
            fs::copy(original, to)?;
        }
    }
    let mut cyclonedx = CYCLONEDX.command().await?;
    cyclonedx
        .current_dir(&copy)
        .env("SOURCE_DATE_EPOCH", &source.commit_time)
        .args(["--format", "json", "--spec-version", "1.5", "--quiet"])
        .args(["--target", TARGET.target(), "--describe", "binaries"]);
    step("writing the SBOMs", capture("cargo cyclonedx", cyclonedx)).await?;
    let folders = FUNCTIONS.map(|function| format!("functions/{function}"));
    let operator_program = format!("tools/{OPERATOR_PROGRAM}");
    for folder in folders.iter().chain([&operator_program]) {
        let name = folder.rsplit('/').next().unwrap_or_default();
        let written = copy.join(folder).join(format!("{name}_bin.cdx.json"));
        let sbom = fs::read_to_string(&written)
            .with_context(|| format!("cannot read {}", written.display()))?;
        let sbom = sbom.replace(&format!("file://{}", copy.display()), ROOT_NAME);
        fs::write(files.join(format!("{name}.cdx.json")), sbom)?;
    }
    Ok(())
}

/// Writes the licences of all dependencies, with their texts.
pub(super) async fn write_licenses(files: &Path) -> Result<()> {
    let programs = [&FUNCTIONS[..], &[OPERATOR_PROGRAM]].concat();
    let file = files.join("THIRD-PARTY-LICENSES.txt");
    licenses::write(&file, &programs, TARGET.target()).await
}
