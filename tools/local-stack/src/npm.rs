//! Packages of Node, by the npm that comes with a Python environment.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::environment;
use crate::process::capture_stdout;
use crate::venv::Venv;

/// Installs the packages that `source` locks, and returns the folder with them and with the scripts
/// of `source`. `name` is that of the folder below `target`.
///
/// # Errors
/// When npm fails, with its message.
pub async fn install(venv: &Venv, source: &Path, name: &str) -> Result<PathBuf> {
    // npm writes beside the scripts. A copy keeps the source tree clean.
    let folder = environment::target(name);
    fs::create_dir_all(&folder)?;
    for file in fs::read_dir(source)? {
        let file = file?;
        fs::copy(file.path(), folder.join(file.file_name()))?;
    }
    let mut npm = venv.tool("npm");
    npm.current_dir(&folder)
        .env("PATH", environment::path_with(&venv.bin()))
        .args(["ci", "--no-audit", "--no-fund"]);
    capture_stdout("npm ci", npm).await?;
    Ok(folder)
}
