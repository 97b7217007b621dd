//! The schedules: each is enabled, and its function ran a short time ago.

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::types::ScheduleState;
use domain::monitoring::pipeline::{Schedule, Ticks};
use jiff::{SignedDuration, Timestamp};
use store::ConfigTable;

use super::examination::{Examination, each};
use super::finding::Finding;
use super::stack::StackResource;
use crate::output::time;

/// A tick is due each minute, or every five: so long ago is late.
const LATE: SignedDuration = SignedDuration::from_mins(10);

pub(super) async fn check(of: &Examination<'_>) -> Vec<Finding> {
    let schedules = of.stack.of_kind("AWS::Scheduler::Schedule");
    if schedules.is_empty() {
        return vec![Finding::missing("schedules", "AWS::Scheduler::Schedule")];
    }
    let client = Client::new(&of.target.aws);
    let mut findings = each(&schedules, async |schedule| {
        vec![is_enabled(&client, schedule).await]
    })
    .await;
    findings.extend(ticks(of).await);
    findings
}

async fn is_enabled(client: &Client, schedule: &StackResource) -> Finding {
    let check = format!("schedule {}", schedule.logical_id);
    // CloudFormation's id of a schedule is its name, or its group and name.
    let name = schedule.physical_id.rsplit(['/', '|']).next();
    let call = client.get_schedule().name(name.unwrap_or_default());
    match call.send().await {
        Err(err) => Finding::unread(check, "scheduler:GetSchedule", &err),
        Ok(found) => {
            let expression = found.schedule_expression.unwrap_or_default();
            judge_state(check, found.state.as_ref(), &expression)
        }
    }
}

fn judge_state(check: String, state: Option<&ScheduleState>, expression: &str) -> Finding {
    match state {
        Some(ScheduleState::Enabled) => Finding::ok(check, format!("enabled, {expression}")),
        state => Finding::problem(
            check,
            state.map_or("UNKNOWN", ScheduleState::as_str),
            "Enable the schedule in EventBridge Scheduler: without it blocked alerts do not go \
             on, no one is notified of broken connections, or webhooks that were down are not \
             tried again.",
        ),
    }
}

/// When each scheduled function ran last, as the functions themselves record it.
async fn ticks(of: &Examination<'_>) -> Vec<Finding> {
    let table = match of.target.config_table() {
        Ok(table) => ConfigTable::new(&of.target.aws, table.to_owned()),
        Err(_) => return vec![Finding::missing("ticks", "ConfigTable")],
    };
    match table.monitoring.read().await {
        Err(err) => vec![Finding::unread(
            "ticks",
            "dynamodb:Query on the config table",
            &err,
        )],
        Ok(monitoring) => judge_ticks(&monitoring.state.ticks, of.now),
    }
}

fn judge_ticks(ticks: &Ticks, now: Timestamp) -> Vec<Finding> {
    let judge = |schedule: Schedule| {
        let check = format!("ticks of {}", schedule.name());
        let to_do = "See docs/runbook.md, ReconcileTicksAlarm and HealthTicksAlarm: the schedule, \
                     its role, and the log of the function.";
        match ticks.last(schedule) {
            None => Finding::problem(check, "it has never run", to_do),
            Some(at) if now.duration_since(at) > LATE => {
                Finding::problem(check, format!("it ran last at {}", time(at)), to_do)
            }
            Some(at) => Finding::ok(check, format!("it ran at {}", time(at))),
        }
    };
    Schedule::ALL.map(judge).into()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_schedule_that_does_not_run_is_a_problem() {
        let now: Timestamp = "2026-11-26T20:00:00Z".parse().unwrap();
        let ticks = Ticks {
            first_at: None,
            reconcile_at: Some(now - SignedDuration::from_mins(2)),
            health_at: Some(now - SignedDuration::from_mins(11)),
        };
        let levels = |ticks| judge_ticks(&ticks, now).into_iter().map(|of| of.level);
        let all: Vec<_> = levels(ticks).collect();
        assert_eq!(all, [Level::Ok, Level::Problem]);
        let none: Vec<_> = levels(Ticks::default()).collect();
        assert_eq!(none, [Level::Problem, Level::Problem]);
    }

    #[test]
    fn only_an_enabled_schedule_is_ok() {
        let level = |state: Option<&ScheduleState>| judge_state("s".into(), state, "").level;
        assert_eq!(level(Some(&ScheduleState::Enabled)), Level::Ok);
        assert_eq!(level(Some(&ScheduleState::Disabled)), Level::Problem);
        assert_eq!(level(None), Level::Problem);
    }
}
