//! Runs the program `ticketbridge` as an operator does, and reads its JSON.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use local_stack::binaries::{self, Profile};
use local_stack::deployment::STACK;
use local_stack::emulator::credentials;
use local_stack::environment;
use local_stack::stack::Stack;
use serde_json::Value;
use tokio::process::Command;

/// The program with the stack that its arguments name.
pub(super) struct Program {
    path: PathBuf,
    variables: Vec<(&'static str, String)>,
    operator_url: String,
}

/// How a run of the program ended.
pub(super) struct ProgramRun {
    pub(super) code: Option<i32>,
    /// What it printed; null if that is no JSON.
    pub(super) json: Value,
    pub(super) errors: String,
}

impl Program {
    pub(super) async fn build(stack: &Stack) -> Result<Self> {
        // xtask is named too, so that cargo chooses the features of dependencies that are built
        // already.
        let arguments = ["-p", "xtask", "-p", "ticketbridge", "--bins"];
        let built = binaries::build(Profile::Dev, &arguments).await?;
        Ok(Self {
            path: binaries::program(&built, "ticketbridge")?.to_owned(),
            variables: credentials(stack.emulator.endpoint()),
            operator_url: stack.operator.url().to_owned(),
        })
    }

    /// Runs a command on the stack, by the stack's name.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<ProgramRun> {
        let mut command = Command::new(&self.path);
        command
            .args(arguments)
            .args(["--json", "--stack-name", STACK])
            // The emulator's own address of the API is none that it serves.
            .args(["--operator-url", &self.operator_url])
            .env_clear()
            .envs(environment::bare_environment())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.context("cannot run ticketbridge")?;
        Ok(ProgramRun {
            code: output.status.code(),
            json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a command that must succeed, and returns its JSON.
    pub(super) async fn json(&self, arguments: &[&str]) -> Result<Value> {
        self.json_with(0, arguments).await
    }

    /// Runs a command that must end with this code, and returns its JSON.
    pub(super) async fn json_with(&self, code: i32, arguments: &[&str]) -> Result<Value> {
        let run = self.run(arguments).await?;
        let name = arguments.join(" ");
        let (found, errors) = (run.code, run.errors);
        ensure!(
            found == Some(code),
            "ticketbridge {name} ended with {found:?}, not {code}: {errors}{}",
            run.json
        );
        ensure!(!run.json.is_null(), "ticketbridge {name} printed no JSON");
        Ok(run.json)
    }

    /// Runs a command that must fail with this code and these words.
    pub(super) async fn fails(&self, code: i32, words: &str, arguments: &[&str]) -> Result<()> {
        let run = self.run(arguments).await?;
        ensure!(
            run.code == Some(code) && run.errors.contains(words),
            "ticketbridge {} ended with {:?}, not {code} and {words:?}: {}",
            arguments.join(" "),
            run.code,
            run.errors
        );
        Ok(())
    }
}
