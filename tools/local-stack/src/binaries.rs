//! Builds our programs for this machine and packs functions for Lambda.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::environment;
use crate::process::capture_stdout;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// For the local stack. Link-time optimisation of a release build takes minutes, and this build
    /// is shared with the tests.
    Dev,
    /// As deployed.
    Release,
}

/// A message of cargo about a built artifact. Other messages lack these members.
#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    target: ArtifactTarget,
}

#[derive(Deserialize)]
struct ArtifactTarget {
    name: String,
}

/// Runs `cargo build` and returns the path of each program, by name.
///
/// # Errors
/// When cargo fails; it has printed the reason.
pub async fn build(profile: Profile, arguments: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
    let mut cargo = environment::cargo(&["build", "--message-format=json-render-diagnostics"]);
    cargo.args(arguments);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    let messages = capture_stdout("cargo build", cargo).await?;
    Ok(messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter_map(|artifact| Some((artifact.target.name, artifact.executable?)))
        .collect())
}

/// # Errors
/// When cargo built no program of this name.
pub fn program<'a>(built: &'a BTreeMap<String, PathBuf>, name: &str) -> Result<&'a Path> {
    let path = built.get(name).with_context(|| {
        format!("cargo built no program `{name}`: does the package have a main.rs?")
    })?;
    Ok(path)
}

/// Packs a program for a `provided` runtime: one executable named `bootstrap`. It is not
/// compressed, because over loopback compression would take longer than the transfer.
pub fn pack(program: &Path, archive: &Path) -> Result<()> {
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
