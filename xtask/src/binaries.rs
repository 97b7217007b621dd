//! Building our own programs for this machine, and packing functions as Lambda takes them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::config;
use crate::process::read_aloud;

/// How a build is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What the local stack runs. Not release: its link-time optimisation takes minutes, and this build is shared with the tests.
    Dev,
    /// What is deployed.
    Release,
}

/// A line of what cargo says about an artifact; lines about anything else lack these members.
#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    target: Target,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds and answers where each program is, by name.
///
/// # Errors
/// When cargo fails; it has said why.
pub(crate) async fn build(
    profile: Profile,
    arguments: &[&str],
) -> Result<BTreeMap<String, PathBuf>> {
    let mut cargo = config::cargo(&["build", "--message-format=json-render-diagnostics"]);
    cargo.args(arguments);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    let said = read_aloud("cargo build", cargo).await?;
    Ok(said
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter_map(|artifact| Some((artifact.target.name, artifact.executable?)))
        .collect())
}

/// The path of a built program.
///
/// # Errors
/// When cargo built no such program.
pub(crate) fn program<'a>(built: &'a BTreeMap<String, PathBuf>, name: &str) -> Result<&'a Path> {
    let path = built
        .get(name)
        .with_context(|| format!("cargo built no program `{name}`: has the package a main.rs?"))?;
    Ok(path)
}

/// Packs a program as a `provided` runtime takes it: one executable named `bootstrap`. It is stored as it is: compressing for a
/// trip over loopback would be the slowest part of it.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn pack(program: &Path, archive: &Path) -> Result<()> {
    let file =
        File::create(archive).with_context(|| format!("cannot write {}", archive.display()))?;
    let mut zip = zip::ZipWriter::new(file);
    let executable = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .unix_permissions(0o755);
    zip.start_file("bootstrap", executable)?;
    zip.write_all(&fs::read(program)?)?;
    zip.finish()?;
    Ok(())
}
