//! The repository's folders and the few environment variables that are passed on. Commands and
//! the local stack read the environment only here.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result};
use tokio::process::Command;

/// A file that only the repository's root has.
const MARKER: &str = "infra/template.yaml";

/// The repository's root, found when the program runs: a clone that is moved or copied together
/// with its `target` folder is not built again, so a path that is compiled in would be the old one.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let start = package_folder();
        root_above(&start).unwrap_or(&start).to_owned()
    });
    &ROOT
}

/// `cargo run` and test runners say where the package is; otherwise the current directory counts.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn package_folder() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let package = package.filter(|folder| folder.is_dir());
    package
        .or_else(|| env::current_dir().ok())
        .unwrap_or_else(|| ".".into())
}

fn root_above(start: &Path) -> Option<&Path> {
    start
        .ancestors()
        .find(|folder| folder.join(MARKER).is_file())
}

/// A path under the repository's `target` folder. `CARGO_TARGET_DIR` has no influence: people look
/// for `target/local/stack.json` in their clone.
pub fn target(path: &str) -> PathBuf {
    root().join("target").join(path)
}

/// The cargo that runs this program, so that every step uses one toolchain, at the repository's
/// root.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn cargo(arguments: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = caller_of_cargo(Path::new(&cargo));
    command.args(arguments);
    command
}

/// A program that runs cargo, such as one of its subcommands, at the repository's root.
///
/// The variables that cargo sets for the running package are removed. Build scripts that read them
/// (ring's does) would see other values than in a build started by hand, and all crates above them
/// would be rebuilt each time.
///
/// A CI run builds once: what the compiler keeps for the next build would only fill the disk.
pub fn caller_of_cargo(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    if is_ci() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(describes_the_package) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_the_package(variable: &str) -> bool {
    let names = [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
    ];
    variable.starts_with("CARGO_PKG_") || names.contains(&variable)
}

/// The folder in which cargo keeps the sources of crates.
///
/// # Errors
/// When neither `CARGO_HOME` nor `HOME` is set.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn cargo_home() -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
        .context("neither CARGO_HOME nor HOME is set")
}

/// Whether `PATH` has a program of this name.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// `PATH` with a folder in front.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn path_with(first: &Path) -> OsString {
    let mut path = first.as_os_str().to_owned();
    if let Some(rest) = env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

/// The variables that any program needs to run. The emulator and its functions get no others: a
/// developer's own AWS profile, proxy or region must not reach them.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn bare_environment() -> Vec<(OsString, OsString)> {
    ["PATH", "HOME", "LANG"]
        .into_iter()
        .filter_map(|name| Some((name.into(), env::var_os(name)?)))
        .collect()
}

/// Whether this is a CI run.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_root_is_found_where_the_clone_is_now() {
        let base = env::temp_dir().join(format!("ticketbridge-root-{}", std::process::id()));
        for place in ["first", "moved/to/second"] {
            let clone = base.join(place);
            let package = clone.join("tools/local-stack");
            fs::create_dir_all(clone.join("infra")).unwrap();
            fs::create_dir_all(&package).unwrap();
            fs::write(clone.join(MARKER), "").unwrap();
            assert_eq!(root_above(&package), Some(clone.as_path()));
            assert_eq!(root_above(&clone), Some(clone.as_path()));
        }
        assert_eq!(root_above(&base), None);
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn the_root_of_this_clone_is_found() {
        assert!(root().join("tools/local-stack/Cargo.toml").is_file());
    }
}
