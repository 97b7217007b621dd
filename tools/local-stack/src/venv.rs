//! Python tools in virtual environments under `target/venv`. Versions are pinned, and each
//! environment is created once. uv installs them, in seconds where pip takes a minute; uv itself
//! comes with pip, into an environment of its own.

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

/// Installs the packages of the other environments.
const UV: PythonTools = PythonTools {
    name: "uv",
    requirements: &["uv==0.13.9"],
    file: "",
};

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
        let (venv, _lock) = Self::lock(tools).await?;
        if !venv.has_exactly(tools) {
            let uv = Self::ensure_uv().await?;
            let what = format!("installing {} (once)", tools.requirements.join(" and "));
            step(&what, venv.create(&uv, tools)).await?;
        }
        Ok(venv)
    }

    async fn ensure_uv() -> Result<Self> {
        let (venv, _lock) = Self::lock(UV).await?;
        if !venv.has_exactly(UV) {
            step("installing uv (once)", venv.create_with_pip(UV)).await?;
        }
        Ok(venv)
    }

    /// The environment, installed or not, and the lock for changing it: two commands that start at
    /// once must not both create it.
    async fn lock(tools: PythonTools) -> Result<(Self, File)> {
        let parent = environment::target("venv");
        fs::create_dir_all(&parent)?;
        let lock = File::create(parent.join(format!("{}.lock", tools.name)))?;
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
        let folder = parent.join(tools.name);
        Ok((Self { folder }, lock))
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

    fn has_exactly(&self, tools: PythonTools) -> bool {
        let installed = fs::read_to_string(self.stamp()).ok();
        installed.is_some_and(|installed| installed == tools.all().join("\n"))
    }

    /// Says which requirements are installed. It is written last.
    fn stamp(&self) -> PathBuf {
        self.folder.join("stamp")
    }

    async fn create(&self, uv: &Self, tools: PythonTools) -> Result<()> {
        self.delete()?;
        let log = self.folder.with_extension("log");
        let uv = |arguments: &[&str]| {
            let mut command = Command::new(uv.bin().join("uv"));
            command.args(arguments);
            command
        };
        let mut venv = uv(&["venv", "--no-python-downloads", "--python"]);
        venv.arg(find_python().await?).arg(&self.folder);
        run_logged("creating a virtual environment", venv, log.clone()).await?;
        let mut install = uv(&["pip", "install", "--python"]);
        install.arg(self.bin().join("python")).args(tools.all());
        run_logged("uv pip", install, log)
            .await
            .context("uv needs access to PyPI; UV_DEFAULT_INDEX names a mirror")?;
        self.write_stamp(tools)
    }

    async fn create_with_pip(&self, tools: PythonTools) -> Result<()> {
        self.delete()?;
        let log = self.folder.with_extension("log");
        let mut venv = Command::new(find_python().await?);
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
            .context("pip needs access to its package index")?;
        self.write_stamp(tools)
    }

    fn delete(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        Ok(())
    }

    fn write_stamp(&self, tools: PythonTools) -> Result<()> {
        fs::write(self.stamp(), tools.all().join("\n"))?;
        Ok(())
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
