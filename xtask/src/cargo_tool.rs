//! Programs from crates.io that the commands use: subcommands of cargo, and others. They are
//! installed under `target/tools` if they are missing.

use anyhow::{Context, Result};
use local_stack::environment;
use local_stack::process::{capture, run};
use local_stack::progress::step;
use tokio::process::Command;

/// A program with the name of its crate. `cargo-<name>` is run as `cargo <name>`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CargoTool {
    package: &'static str,
    /// The version to install.
    version: &'static str,
    /// Whether another version on this machine is good enough.
    any_version: bool,
    /// Where to get it on a machine that cannot build it.
    home: &'static str,
}

pub(crate) const NEXTEST: CargoTool = CargoTool {
    package: "cargo-nextest",
    version: "0.9.143",
    any_version: true,
    home: "https://nexte.st",
};

/// Other versions have other rules.
pub(crate) const DENY: CargoTool = CargoTool {
    package: "cargo-deny",
    version: "0.20.2",
    any_version: false,
    home: "https://embarkstudios.github.io/cargo-deny",
};

/// Finds dependencies that no code uses. Newer releases of cargo-shear, which finds more, need a
/// newer Rust than ours.
pub(crate) const MACHETE: CargoTool = CargoTool {
    package: "cargo-machete",
    version: "0.9.2",
    any_version: false,
    home: "https://github.com/bnjbvr/cargo-machete",
};

/// Makes mutants of the code, and runs the tests for each.
pub(crate) const MUTANTS: CargoTool = CargoTool {
    package: "cargo-mutants",
    version: "27.1.0",
    any_version: false,
    home: "https://mutants.rs",
};

/// Writes the SBOM of each program.
pub(crate) const CYCLONEDX: CargoTool = CargoTool {
    package: "cargo-cyclonedx",
    version: "0.5.9",
    any_version: false,
    home: "https://github.com/CycloneDX/cyclonedx-rust-cargo",
};

/// Builds the documentation site.
pub(crate) const MDBOOK: CargoTool = CargoTool {
    package: "mdbook",
    version: "0.5.4",
    any_version: false,
    home: "https://rust-lang.github.io/mdBook",
};

/// A tool that is installed.
#[derive(Debug)]
pub(crate) struct InstalledTool {
    tool: CargoTool,
    /// Whether it is the one under `target/tools`.
    is_local: bool,
}

impl CargoTool {
    /// Finds the tool, or builds it.
    pub(crate) async fn ensure(self) -> Result<InstalledTool> {
        for is_local in [false, true] {
            let installed = InstalledTool {
                tool: self,
                is_local,
            };
            if installed.has_right_version().await {
                return Ok(installed);
            }
        }
        let (package, version) = (self.package, self.version);
        let root = environment::target("tools");
        // Unoptimised: building the tools takes most of the time, and not running them.
        let options = ["install", package, "--locked", "--quiet", "--debug"];
        let mut install = environment::cargo(&options);
        install
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .args(["--version", version])
            .arg("--root")
            .arg(&root);
        let what = format!(
            "building {package} {version} into {} (once, some minutes)",
            root.display()
        );
        step(&what, run("cargo install", install))
            .await
            .with_context(|| {
                format!(
                    "if this machine cannot build it, install it from {}",
                    self.home
                )
            })?;
        Ok(InstalledTool {
            tool: self,
            is_local: true,
        })
    }
}

impl InstalledTool {
    /// `cargo <name>`, or the program by its own name.
    pub(crate) fn command(&self) -> Command {
        let package = self.tool.package;
        let mut command = match package.strip_prefix("cargo-") {
            Some(name) => environment::cargo(&[name]),
            None if self.is_local => Command::new(environment::target("tools/bin").join(package)),
            None => Command::new(package),
        };
        if self.is_local {
            let bin = environment::target("tools/bin");
            command.env("PATH", environment::path_with(&bin));
        }
        command
    }

    async fn has_right_version(&self) -> bool {
        let mut command = self.command();
        command.arg("--version");
        let answer = capture(self.tool.package, command).await;
        answer.is_ok_and(|text| {
            self.tool.any_version
                || text
                    .split_whitespace()
                    .any(|word| word.trim_start_matches('v') == self.tool.version)
        })
    }
}
