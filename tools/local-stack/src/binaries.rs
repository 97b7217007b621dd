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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// For the local stack: over loopback compression would take longer than the transfer.
    None,
    /// For an upload.
    Deflate,
}

/// Packs a program for a `provided` runtime: one executable named `bootstrap`. Equal programs
/// make equal archives, because the time in an archive is always 1 January 1980.
pub fn pack(program: &Path, archive: &Path, compression: Compression) -> Result<()> {
    let file =
        File::create(archive).with_context(|| format!("cannot write {}", archive.display()))?;
    let mut zip = zip::ZipWriter::new(file);
    let method = match compression {
        Compression::None => CompressionMethod::Stored,
        Compression::Deflate => CompressionMethod::Deflated,
    };
    let executable = SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    zip.start_file("bootstrap", executable)?;
    zip.write_all(&fs::read(program)?)?;
    zip.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn equal_programs_make_equal_archives() {
        let folder = std::env::temp_dir().join(format!("ticketbridge-pack-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let packed = ["first", "second"].map(|name| {
            let program = folder.join(name);
            fs::write(&program, "a program ".repeat(100)).unwrap();
            let age = Duration::from_secs(if name == "first" { 90_000 } else { 0 });
            let file = File::options().write(true).open(&program).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
            let archive = folder.join(format!("{name}.zip"));
            pack(&program, &archive, Compression::Deflate).unwrap();
            fs::read(archive).unwrap()
        });
        assert!(packed[0] == packed[1], "the archives differ");
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&packed[0])).unwrap();
        let mut bootstrap = zip.by_name("bootstrap").unwrap();
        assert!(bootstrap.unix_mode().unwrap() & 0o111 == 0o111);
        assert!(bootstrap.compressed_size() < bootstrap.size() / 5);
        assert_eq!(
            bootstrap.last_modified().unwrap().to_string(),
            "1980-01-01 00:00:00"
        );
        let mut text = String::new();
        bootstrap.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a program ".repeat(100));
        fs::remove_dir_all(folder).unwrap();
    }
}
