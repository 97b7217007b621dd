//! The command line: all commands, their options and their help.

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::alerts::{self, AlertsCommand};
use crate::aws_environment::AwsEnvironment;
use crate::check::{self, CheckOptions};
use crate::context::CommandContext;
use crate::dead_letters::{self, DeadLettersCommand};
use crate::deletion::{self, DeleteOptions};
use crate::doctor::{self, DoctorOptions};
use crate::links::{self, LinksCommand};
use crate::maintenance::{self, MaintenanceCommand};
use crate::output::{CommandOutcome, OutputFormat};
use crate::partners::{self, PartnersCommand};
use crate::rebuild::{self, RebuildOptions};
use crate::replay::{self, ReplayOptions};
use crate::setup_file::export::{self, ExportOptions};
use crate::setup_file::import::{self, ImportOptions};
use crate::shell_files::{self, CompletionsOptions, ManOptions};
use crate::sources::{self, SourcesCommand};
use crate::target::TargetOptions;
use crate::version::{self, VersionOptions};

const EXIT_CODES: &str = "Exit codes:
  0  the command worked
  1  it failed; the message says why
  2  an option is wrong
  3  `doctor`, `check` or `sources webhook ping` found a problem

Credentials and region are found as AWS's own tools find them: AWS_ACCESS_KEY_ID and so on, the
files of the AWS CLI with AWS_PROFILE or --profile, IAM Identity Center after `aws sso login`.";

/// Operates Ticketbridge: partners, sources, alerts, and the health of a stack
#[derive(Debug, Parser)]
#[command(name = "ticketbridge", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    target: TargetOptions,
    /// Prints one JSON document, for programs
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
    #[command(subcommand)]
    command: OperatorCommand,
}

#[derive(Debug, Subcommand)]
enum OperatorCommand {
    /// Lists, shows, creates and changes partners
    #[command(subcommand, after_help = "Example:\n  ticketbridge partners list")]
    Partners(PartnersCommand),
    /// Lists, shows, creates and changes sources, rotates their secrets, manages their webhooks
    #[command(subcommand, after_help = "Example:\n  ticketbridge sources list")]
    Sources(SourcesCommand),
    /// Links to a partner's page, and the end of its sessions
    #[command(
        subcommand,
        after_help = "Example:\n  ticketbridge links create northwind"
    )]
    Links(LinksCommand),
    /// Maintenance windows of a partner: new alerts make no tickets while one applies
    #[command(
        subcommand,
        after_help = "Example:\n  ticketbridge maintenance list northwind"
    )]
    Maintenance(MaintenanceCommand),
    /// Finds alerts, and shows the timeline of one
    #[command(
        subcommand,
        after_help = "Example:\n  ticketbridge alerts search 'disk C:' --partner northwind"
    )]
    Alerts(AlertsCommand),
    /// Checks a partner's connection to ConnectWise and the rights of its API member
    #[command(after_help = "Examples:
  ticketbridge check northwind
  ticketbridge check northwind --contract
  ticketbridge check northwind --json | jq '.rights[] | select(.status == \"missing\")'

It reads ConnectWise and changes nothing. The exit code is 3 if anything does not work.")]
    Check(CheckOptions),
    /// Shows dead letters, and moves them back into their queues
    #[command(subcommand, after_help = "Example:\n  ticketbridge dead-letters show")]
    DeadLetters(DeadLettersCommand),
    /// Has one alert evaluated again, and shows its record before and after
    #[command(after_help = "Example:
  ticketbridge replay --partner northwind --tenant acme-dental \\
    --source src_0123456789abcdefghijklmnop --alert-id disk-srv-01")]
    Replay(ReplayOptions),
    /// After a restore of the alerts table: imports every partner's tickets from ConnectWise again
    #[command(after_help = "Examples:
  ticketbridge rebuild --stack-name ticketbridge --dry-run
  ticketbridge rebuild --stack-name ticketbridge --partner northwind

docs/operator-guide.md describes the steps before and after.")]
    Rebuild(RebuildOptions),
    /// Writes a partner's set-up to a file, without secrets, for another stage
    #[command(after_help = "Examples:
  ticketbridge export northwind --stack-name ticketbridge-test --output northwind.json
  ticketbridge export northwind | jq .sources

The file has the partner's name, its contacts, its own sources without their secrets, how its
tickets look, and the company of each tenant.")]
    Export(ExportOptions),
    /// Brings a partner to the set-up of a file; repeating it changes nothing
    #[command(after_help = "Examples:
  ticketbridge import northwind.json --stack-name ticketbridge --dry-run
  ticketbridge import northwind.json --stack-name ticketbridge
  ticketbridge import northwind.json --partner northwind-2 --without-connectwise --yes

It shows what will change before it changes anything. New sources get new secrets. Sources are
matched by name. Settings and tenants fit only the same ConnectWise, which the partner connects on
its page: until then they are left out, and another import adds them.")]
    Import(ImportOptions),
    /// Deletes what is stored about a partner, a source, a tenant or an alert
    #[command(after_help = "Example:
  ticketbridge delete tenant --partner northwind --tenant acme-dental

Without --yes it only shows what it would delete. Tickets in ConnectWise stay as they are.
docs/privacy.md says what is stored where, and what remains.")]
    Delete(DeleteOptions),
    /// Whether the stack is healthy, and what to do about what is not
    #[command(after_help = "Examples:
  ticketbridge doctor --stack-name ticketbridge
  ticketbridge doctor --stack-name ticketbridge --json | jq '.findings[] | select(.level != \"ok\")'
  ticketbridge doctor --strict

It reads the stack in CloudFormation, its schedules, queues, alarms, tables and functions, and the
account's SES and Lambda limits. It changes nothing. The exit code is 3 if there is a problem.
The AWS managed policy ReadOnlyAccess, with execute-api:Invoke on the operator's API, suffices.")]
    Doctor(DoctorOptions),
    /// Shows the version of this program and of a stack's functions
    #[command(after_help = "Examples:
  ticketbridge version
  ticketbridge version --stack --stack-name ticketbridge")]
    Version(VersionOptions),
    /// Prints the completions of a shell
    #[command(after_help = "Examples:
  source <(ticketbridge completions bash)
  ticketbridge completions zsh > ~/.zfunc/_ticketbridge
  ticketbridge completions fish > ~/.config/fish/completions/ticketbridge.fish")]
    Completions(CompletionsOptions),
    /// Prints the man page, or writes a page for each command
    #[command(after_help = "Examples:
  ticketbridge man | man -l -
  ticketbridge man --folder /usr/local/share/man/man1")]
    Man(ManOptions),
}

impl Arguments {
    /// Runs the command, with credentials and region as AWS's own tools find them unless the
    /// environment names others.
    ///
    /// # Errors
    /// When the command failed.
    pub async fn run(self, aws: AwsEnvironment) -> Result<CommandOutcome> {
        let context = CommandContext {
            target: self.target,
            aws,
            format: if self.json {
                OutputFormat::Json
            } else {
                OutputFormat::Text
            },
        };
        match self.command {
            OperatorCommand::Partners(command) => partners::run(&command, &context).await,
            OperatorCommand::Sources(command) => sources::run(&command, &context).await,
            OperatorCommand::Links(command) => links::run(&command, &context).await,
            OperatorCommand::Maintenance(command) => maintenance::run(&command, &context).await,
            OperatorCommand::Alerts(command) => alerts::run(&command, &context).await,
            OperatorCommand::Check(options) => check::run(&options, &context).await,
            OperatorCommand::DeadLetters(command) => dead_letters::run(&command, &context).await,
            OperatorCommand::Replay(options) => replay::run(&options, &context).await,
            OperatorCommand::Rebuild(options) => rebuild::run(&options, &context).await,
            OperatorCommand::Export(options) => export::run(&options, &context).await,
            OperatorCommand::Import(options) => import::run(&options, &context).await,
            OperatorCommand::Delete(options) => deletion::run(&options, &context).await,
            OperatorCommand::Doctor(options) => doctor::run(&options, &context).await,
            OperatorCommand::Version(options) => version::run(&options, &context).await,
            OperatorCommand::Completions(options) => {
                shell_files::print_completions(&options, Self::command())
            }
            OperatorCommand::Man(options) => shell_files::write_man(&options, Self::command()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;

    /// The help of a command and all of its subcommands.
    fn help(command: &mut Command, path: &str, all: &mut String) {
        let name = format!("{path}{}", command.get_name());
        *all = format!("{all}$ {name} --help\n{}\n", command.render_long_help());
        for subcommand in command.get_subcommands_mut() {
            if subcommand.get_name() != "help" {
                help(subcommand, &format!("{name} "), all);
            }
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command() {
        let mut all = String::new();
        let mut command = Arguments::command();
        command.build();
        help(&mut command, "", &mut all);
        insta::assert_snapshot!(all);
    }

    #[track_caller]
    fn assert_example(command: &Command) {
        let name = command.get_name();
        let after = command.get_after_help().map(ToString::to_string);
        let has_example =
            after.is_some_and(|of| of.contains("Example") || of.contains("Exit codes"));
        assert!(has_example, "{name} --help has no example");
        let subcommands = command.get_subcommands();
        subcommands
            .filter(|of| of.get_name() != "help")
            .for_each(assert_example);
    }

    #[test]
    fn no_command_is_without_an_example() {
        assert_example(&Arguments::command());
    }

    #[test]
    fn names_cannot_replace_a_stack_that_is_named() {
        let arguments = [
            "ticketbridge",
            "rebuild",
            "--stack-name",
            "a",
            "--alerts-table",
            "b",
        ];
        let err = Arguments::try_parse_from(arguments).unwrap_err();
        assert_eq!(err.exit_code(), 2);
    }
}
