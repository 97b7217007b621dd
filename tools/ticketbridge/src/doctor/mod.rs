//! `ticketbridge doctor`: whether a stack is healthy, and what to do about what is not. It only
//! reads.
//!
//! Each check has a file: it reads AWS, and a pure function judges what was read.

mod account;
mod addresses;
mod alarms;
mod cloudwatch;
mod examination;
mod finding;
mod functions;
mod queues;
mod schedules;
mod stack;
mod tables;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::context::CommandContext;
use crate::operator_api::OperatorApi;
use crate::output::{CommandOutcome, Progress, counted, one_line, table};
use crate::target::ResourceNames;
use examination::Examination;
use finding::{Finding, Level};
use stack::StackDescription;

#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorOptions {
    /// Warnings count as problems for the exit code
    #[arg(long)]
    strict: bool,
}

/// # Errors
/// When the stack is not found. A check that cannot read something is a warning.
pub(crate) async fn run(
    options: &DoctorOptions,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let target = context.open(&ResourceNames::default()).await?;
    let progress = Progress::new();
    progress.show("reading the stack");
    let stack = StackDescription::read(&target).await?;
    let api = OperatorApi::open(&target).await;
    let examination = Examination {
        target: &target,
        stack: &stack,
        now: Timestamp::now(),
    };
    progress
        .show("checking schedules, queues, alarms, tables, functions, SES, quotas and addresses");
    let (
        schedules,
        mappings,
        queues,
        alarms,
        tables,
        functions,
        version,
        mails,
        account,
        addresses,
    ) = tokio::join!(
        schedules::check(&examination),
        functions::check_event_sources(&examination),
        queues::check(&examination),
        alarms::check(&examination),
        tables::check(&examination),
        functions::check(&examination),
        functions::check_version(api.as_ref().ok()),
        account::check_mails(&examination),
        account::check_limits_and_secret(&examination),
        addresses::check(&examination),
    );
    drop(progress);
    let mut findings = stack.judge();
    for some in [
        schedules, mappings, queues, alarms, tables, functions, version, mails, account, addresses,
    ] {
        findings.extend(some);
    }
    let outcome = outcome(&findings, options.strict);
    let document = json!({ "stack": target.stack_name()?, "findings": findings });
    context.format.print(&document, || render(&findings))?;
    Ok(outcome)
}

fn outcome(findings: &[Finding], strict: bool) -> CommandOutcome {
    let worst = findings.iter().map(|finding| finding.level).max();
    match worst {
        Some(Level::Problem) => CommandOutcome::ProblemsFound,
        Some(Level::Warning) if strict => CommandOutcome::ProblemsFound,
        Some(Level::Warning | Level::Ok) | None => CommandOutcome::Done,
    }
}

/// A line for each finding, and below the table what to do.
fn render(findings: &[Finding]) -> String {
    let rows = findings.iter();
    let rows = rows.map(|of| {
        [
            of.level.words().to_owned(),
            of.check.clone(),
            of.found.clone(),
        ]
    });
    let mut text = table(["", "CHECK", "FOUND"], rows.collect());
    let to_do = findings
        .iter()
        .filter_map(|of| Some((of, of.to_do.as_deref()?)));
    let to_do: Vec<_> = to_do
        .map(|(of, to_do)| format!("- {}: {}", of.check, one_line(to_do)))
        .collect();
    if !to_do.is_empty() {
        text = format!("{text}\n\nWhat to do:\n{}", to_do.join("\n"));
    }
    let count = |level| findings.iter().filter(|of| of.level == level).count() as u64;
    let problems = counted(count(Level::Problem), "problem");
    let warnings = counted(count(Level::Warning), "warning");
    format!("{text}\n\n{problems}, {warnings}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("stack", "UPDATE_COMPLETE"),
            Finding::warning("tables", "no deletion protection", "Switch it on."),
            Finding::problem("dead letters", "3 dead letters", "See docs/runbook.md."),
        ]
    }

    #[test]
    fn findings_are_lines_and_what_to_do_follows() {
        insta::assert_snapshot!(render(&findings()));
    }

    #[test]
    fn the_worst_finding_decides_the_exit_code() {
        let all = findings();
        assert_eq!(outcome(&all, false), CommandOutcome::ProblemsFound);
        assert_eq!(outcome(&all[..2], false), CommandOutcome::Done);
        assert_eq!(outcome(&all[..2], true), CommandOutcome::ProblemsFound);
        assert_eq!(outcome(&all[..1], true), CommandOutcome::Done);
    }
}
