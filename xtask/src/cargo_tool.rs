//! Tools that cargo runs and Rust itself does not bring, installed under `target/tools` where there are none.

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::config;
use crate::process::{read, run as run_program};
use crate::progress::step;

/// A tool: `cargo <name>`, of the crate `cargo-<name>`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CargoTool {
    name: &'static str,
    /// What is installed where there is none.
    version: &'static str,
    /// Whether a machine's own of another version will do.
    any_version: bool,
    /// Where people find it who cannot build it.
    home: &'static str,
}

/// The test runner: it runs tests, whichever it is.
pub(crate) const NEXTEST: CargoTool = CargoTool {
    name: "nextest",
    version: "0.9.143",
    any_version: true,
    home: "https://nexte.st",
};

/// The judge of what comes in from outside. Another version judges differently.
pub(crate) const DENY: CargoTool = CargoTool {
    name: "deny",
    version: "0.20.2",
    any_version: false,
    home: "https://embarkstudios.github.io/cargo-deny",
};

/// A tool that answers: as it is installed for everybody, or our own.
#[derive(Debug)]
pub(crate) struct Ready {
    tool: CargoTool,
    ours: bool,
}

impl CargoTool {
    /// Finds the tool, or builds it.
    ///
    /// # Errors
    /// When there is none and it cannot be built.
    pub(crate) async fn ready(self) -> Result<Ready> {
        for ours in [false, true] {
            let ready = Ready { tool: self, ours };
            if ready.answers().await {
                return Ok(ready);
            }
        }
        let (package, version) = (format!("cargo-{}", self.name), self.version);
        let root = config::target("tools");
        let mut install = config::cargo(&[
            "install",
            &package,
            "--locked",
            "--quiet",
            "--version",
            version,
        ]);
        install.arg("--root").arg(&root);
        let what = format!(
            "{package} {version} is not installed: building it into {} (once, some minutes)",
            root.display()
        );
        step(&what, run_program("cargo install", install))
            .await
            .with_context(|| {
                format!(
                    "install it yourself from {} if this machine cannot",
                    self.home
                )
            })?;
        Ok(Ready {
            tool: self,
            ours: true,
        })
    }
}

impl Ready {
    /// `cargo <name>`.
    pub(crate) fn command(&self) -> Command {
        let mut command = config::cargo(&[self.tool.name]);
        if self.ours {
            command.env("PATH", config::path_with(&config::target("tools/bin")));
        }
        command
    }

    async fn answers(&self) -> bool {
        let mut ask = self.command();
        ask.arg("--version");
        let answer = read(self.tool.name, ask).await;
        answer.is_ok_and(|said| {
            self.tool.any_version
                || said
                    .split_whitespace()
                    .any(|word| word == self.tool.version)
        })
    }
}
