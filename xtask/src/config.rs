//! What the surroundings say: the repository's folders and the few variables that are passed on. The only place in xtask that
//! reads the environment.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::process::Command;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member).to_owned()
}

/// A path under the repository's `target` folder. It does not follow `CARGO_TARGET_DIR`: people look for `target/local/stack.json`
/// where they cloned.
pub(crate) fn target(path: &str) -> PathBuf {
    root().join("target").join(path)
}

/// The cargo that runs us, so that every step uses one toolchain; at the repository's root.
///
/// What cargo told us about xtask's own package is taken away again: build scripts that look at such variables (ring's does) would
/// see other values than in a build started by hand, and everything above them would be built anew each time.
#[expect(clippy::disallowed_methods, reason = "this is xtask's config.rs")]
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args(arguments);
    for (name, _) in env::vars_os() {
        let of_xtask = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_")
                || matches!(
                    name,
                    "CARGO_MANIFEST_DIR"
                        | "CARGO_MANIFEST_PATH"
                        | "CARGO_BIN_NAME"
                        | "CARGO_CRATE_NAME"
                )
        });
        if of_xtask {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Whether a program of this name is found.
#[expect(clippy::disallowed_methods, reason = "this is xtask's config.rs")]
pub(crate) fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// `PATH` with a folder before it.
#[expect(clippy::disallowed_methods, reason = "this is xtask's config.rs")]
pub(crate) fn path_with(first: &Path) -> OsString {
    let mut path = first.as_os_str().to_owned();
    if let Some(rest) = env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

/// What a program needs of our environment to run at all. All else is kept from the emulator and its functions: they must not meet
/// a developer's own AWS profile, proxy or region.
#[expect(clippy::disallowed_methods, reason = "this is xtask's config.rs")]
pub(crate) fn bare_environment() -> Vec<(OsString, OsString)> {
    ["PATH", "HOME", "LANG"]
        .into_iter()
        .filter_map(|name| Some((name.into(), env::var_os(name)?)))
        .collect()
}

/// Another address of AWS than its own, as AWS's tools are told it.
#[expect(clippy::disallowed_methods, reason = "this is xtask's config.rs")]
pub(crate) fn aws_endpoint() -> Option<String> {
    env::var("AWS_ENDPOINT_URL")
        .ok()
        .filter(|url| !url.is_empty())
}

/// Whether this is a CI run.
#[expect(clippy::disallowed_methods, reason = "this is xtask's config.rs")]
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty())
}
