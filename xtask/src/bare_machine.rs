//! A machine without a tool chain, on this one: namespaces of its own, and a root folder that has the
//! system's libraries, a shell, Python, and the files that a release is tried with. bare_machine.py
//! makes the root folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use local_stack::environment;
use local_stack::process::capture;
use local_stack::venv::Venv;
use tokio::process::Command;

const ROOT_MAKER: &str = include_str!("bare_machine.py");

/// The namespaces for root, and those for anybody else.
const NAMESPACES: [&[&str]; 2] = [
    &["--mount", "--pid", "--fork", "--kill-child"],
    &[
        "--user",
        "--map-root-user",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
    ],
];

const NO_NAMESPACES: &str = "\
a release is tried on a machine without a tool chain. It is made on this one with namespaces, which
need Linux, `unshare` of util-linux, and the right to make them. Run the command as root, or:
  Ubuntu:       sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
  Debian:       sudo sysctl kernel.unprivileged_userns_clone=1
  a container:  start it with --privileged";

/// What the machine has besides the system's libraries. Its commands may only write to its /tmp.
pub(crate) struct BareMachine {
    /// The folder of the run, which has the machine's root folder.
    pub(crate) run: PathBuf,
    /// Environments whose Python runs on it.
    pub(crate) venvs: Vec<Venv>,
    /// Files and folders, at the same paths as here.
    pub(crate) shown: Vec<PathBuf>,
    /// The folder of programs that its commands find.
    pub(crate) bin: PathBuf,
}

impl BareMachine {
    /// Starts a program on the machine, by its whole path. The command takes the program's arguments.
    ///
    /// # Errors
    /// When this machine lets this user make no namespaces.
    pub(crate) async fn command(&self, program: &Path) -> Result<Command> {
        let namespaces = namespaces().await?;
        let (root, maker) = (self.run.join("root"), self.run.join("bare_machine.py"));
        fs::create_dir(&root)?;
        fs::write(&maker, ROOT_MAKER)?;
        let python = self.venvs.first().context("a machine without Python")?;
        let mut command = Command::new("unshare");
        command
            .env_clear()
            .envs(environment::bare_environment())
            .args(namespaces)
            .arg(python.bin().join("python"))
            .arg("-B")
            .arg(maker)
            .arg("--root")
            .arg(root)
            .arg("--path")
            .arg(&self.bin);
        for venv in &self.venvs {
            command.arg("--venv").arg(venv.folder());
        }
        for path in &self.shown {
            command.arg("--show").arg(path);
        }
        command.arg("--").arg(program);
        Ok(command)
    }
}

/// The options of `unshare` that work for this user on this machine.
async fn namespaces() -> Result<&'static [&'static str]> {
    let mut problems = vec![];
    for options in NAMESPACES {
        let mut command = Command::new("unshare");
        // The mount ends with its namespace.
        command
            .args(options)
            .args(["mount", "-t", "proc", "proc", "/proc"]);
        match capture("unshare", command).await {
            Ok(_) => return Ok(options),
            Err(err) => problems.push(format!("{err:#}")),
        }
    }
    bail!("{NO_NAMESPACES}\n\n{}", problems.join("\n"))
}

/// Writes programs that start tools of Python environments. The first line of a tool's own script
/// has the path of the environment, which may be too long for it.
pub(crate) fn write_programs(bin: &Path, tools: &[(&str, &Venv)]) -> Result<()> {
    fs::create_dir(bin)?;
    for (name, venv) in tools {
        let (python, script) = (venv.bin().join("python"), venv.bin().join(name));
        let (python, script) = (python.display(), script.display());
        let program = bin.join(name);
        let text = format!("#!/bin/sh\nexec '{python}' '{script}' \"$@\"\n");
        fs::write(&program, text)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
