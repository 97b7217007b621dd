//! Runs the program `ticketbridge` as an operator does, reads what it prints, and records which of
//! its commands worked.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Command as CommandLine, CommandFactory as _};
use local_stack::binaries::{self, Profile};
use local_stack::deployment::STACK;
use local_stack::emulator::credentials;
use local_stack::environment;
use local_stack::stack::Stack;
use serde_json::Value;
use ticketbridge::arguments::Arguments;
use tokio::process::Command;

/// Exit codes of a command that did its work: `doctor` and the checks report a problem with the
/// second.
const WORKED: [i32; 2] = [0, 3];

/// The program with the stack that its arguments name.
pub(super) struct Program {
    path: PathBuf,
    variables: Vec<(&'static str, String)>,
    operator_url: String,
    /// The commands that worked, such as `partners list`.
    worked: RefCell<BTreeSet<String>>,
}

/// How a run of the program ended.
pub(super) struct ProgramRun {
    pub(super) code: Option<i32>,
    /// What it printed.
    pub(super) output: String,
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
            worked: RefCell::default(),
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
        let code = output.status.code();
        if code.is_some_and(|code| WORKED.contains(&code)) {
            self.worked.borrow_mut().insert(name_of(arguments));
        }
        Ok(ProgramRun {
            code,
            json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
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

    /// Runs a command that must succeed and print something, and returns the text.
    pub(super) async fn text(&self, arguments: &[&str]) -> Result<String> {
        let run = self.run(arguments).await?;
        let name = arguments.join(" ");
        let (found, errors) = (run.code, run.errors);
        ensure!(
            found == Some(0),
            "ticketbridge {name} ended with {found:?}: {errors}"
        );
        ensure!(
            !run.output.trim().is_empty(),
            "ticketbridge {name} printed nothing"
        );
        Ok(run.output)
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

    /// The commands that did not work in any run so far.
    pub(super) fn unused_commands(&self) -> Vec<String> {
        let worked = self.worked.borrow();
        let mut commands = all_commands();
        commands.retain(|command| !worked.contains(command));
        commands
    }
}

/// All commands of the command line, such as `doctor` and `partners list`.
pub(super) fn all_commands() -> Vec<String> {
    commands_of(&Arguments::command())
}

fn commands_of(line: &CommandLine) -> Vec<String> {
    let commands = line.get_subcommands().flat_map(|command| {
        let name = command.get_name();
        let inner = commands_of(command);
        if inner.is_empty() {
            vec![name.to_owned()]
        } else {
            let inner = inner.iter().map(|inner| format!("{name} {inner}"));
            inner.collect()
        }
    });
    commands.collect()
}

/// The command that these arguments run. Its name is in front of all options.
fn name_of(arguments: &[&str]) -> String {
    let line = Arguments::command();
    let (mut command, mut name) = (&line, vec![]);
    for argument in arguments {
        let Some(inner) = command.find_subcommand(argument) else {
            break;
        };
        name.push(inner.get_name());
        command = inner;
    }
    name.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_name_that_its_arguments_give() {
        let commands = all_commands();
        for command in ["doctor", "partners list", "sources webhook rotate-secret"] {
            assert!(commands.iter().any(|of| of == command), "{commands:?}");
            let mut arguments: Vec<_> = command.split(' ').collect();
            arguments.extend(["northwind", "--url", "list"]);
            assert_eq!(name_of(&arguments), command);
        }
        // An alias runs the same command, and a group is no command by itself.
        let alias = ["sources", "webhook", "rotate", "src_1"];
        assert_eq!(name_of(&alias), "sources webhook rotate-secret");
        assert!(!commands.iter().any(|of| of == "sources webhook"));
    }
}
