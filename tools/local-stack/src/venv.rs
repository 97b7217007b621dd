//! Python tools in virtual environments under `target/venv`. Versions are pinned, and each
//! environment is created once.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::environment;
use crate::process::{capture, run_logged};
use crate::progress::step;

/// Tools that share one environment.
#[derive(Debug, Clone, Copy)]
pub struct PythonTools {
    /// The name of the environment's folder.
    pub name: &'static str,
    /// Pinned requirements.
    pub requirements: &'static [&'static str],
    /// More requirements: the text of a requirements file.
    pub file: &'static str,
}

impl PythonTools {
    fn all(&self) -> Vec<&'static str> {
        let file = self.file.lines().filter(|line| !line.trim().is_empty());
        self.requirements.iter().copied().chain(file).collect()
    }
}

/// The emulator and the AWS CLI that deploys to it. `[full]` includes the SAM transform.
pub const EMULATOR: PythonTools = PythonTools {
    name: "emulator",
    requirements: &["ministack[full]==1.5.33", "awscli==1.46.3"],
    file: "",
};

/// An environment that is installed.
#[derive(Debug, Clone)]
pub struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// Creates the environment, unless it exists with exactly these tools.
    pub async fn ensure(tools: PythonTools) -> Result<Self> {
        let parent = environment::target("venv");
        let venv = Self {
            folder: parent.join(tools.name),
        };
        let requirements = tools.all().join("\n");
        fs::create_dir_all(&parent)?;
        // Two commands that start at once must not both create it.
        let lock = File::create(parent.join(format!("{}.lock", tools.name)))?;
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
        if venv.installed_requirements().as_ref() != Some(&requirements) {
            let what = format!("installing {} (once)", tools.requirements.join(" and "));
            step(&what, venv.create(tools)).await?;
            fs::write(venv.folder.join("stamp"), requirements)?;
        }
        drop(lock);
        Ok(venv)
    }

    /// A tool of the environment as a command. Python gets the tool's script as an argument,
    /// because the script's first line holds the environment's path: it is wrong after the clone
    /// was moved, and a long path does not fit there.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = self.python();
        command.arg(self.bin().join(name));
        command
    }

    /// The environment's Python, with its libraries.
    pub fn python(&self) -> Command {
        Command::new(self.bin().join("python"))
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the environment's programs.
    pub fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    fn installed_requirements(&self) -> Option<String> {
        fs::read_to_string(self.folder.join("stamp")).ok()
    }

    async fn create(&self, tools: PythonTools) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        let log = self.folder.with_extension("log");
        let python = find_python().await?;
        let mut venv = Command::new(python);
        venv.args(["-m", "venv"]).arg(&self.folder);
        run_logged("creating a virtual environment", venv, log.clone())
            .await
            .context(
                "on Debian and Ubuntu, `apt-get install python3-venv` installs what is missing",
            )?;
        let mut pip = self.tool("pip");
        pip.args(["install", "--no-input", "--disable-pip-version-check"])
            .args(tools.all());
        run_logged("pip", pip, log)
            .await
            .context("pip needs access to its package index")
    }
}

/// The first Python that is new enough.
async fn find_python() -> Result<&'static str> {
    let candidates = [
        "python3",
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
    ];
    for name in candidates {
        let mut command = Command::new(name);
        let arguments: &[&OsStr] = &[
            "-c".as_ref(),
            "import sys; print(sys.version_info >= (3, 11))".as_ref(),
        ];
        command.args(arguments);
        if let Ok(answer) = capture(name, command).await
            && answer.trim() == "True"
        {
            return Ok(name);
        }
    }
    bail!(
        "Python 3.11 or newer is needed, and none of {} is new enough; on Debian and Ubuntu: \
         apt-get install python3 python3-venv",
        candidates.join(", ")
    )
}
