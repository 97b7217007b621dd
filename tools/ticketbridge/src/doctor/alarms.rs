//! The template's alarms: none is in ALARM, and each may act.

use anyhow::Result;

use super::cloudwatch::CloudWatch;
use super::examination::Examination;
use super::finding::Finding;
use super::stack::StackResource;
use crate::output::counted;

/// The most names of one call.
const AT_ONCE: usize = 100;

/// What is known of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alarm {
    /// Its name in the template.
    name: String,
    is_in_alarm: bool,
    acts: bool,
    description: String,
}

pub(super) async fn check(of: &Examination<'_>) -> Vec<Finding> {
    let resources = of.stack.of_kind("AWS::CloudWatch::Alarm");
    if resources.is_empty() {
        return vec![Finding::missing("alarms", "AWS::CloudWatch::Alarm")];
    }
    let alarms = match read(of, &resources).await {
        Ok(alarms) => alarms,
        Err(err) => {
            let cause = format!("{err:#}");
            let permission = "cloudwatch:DescribeAlarms";
            return vec![Finding::unread_since("alarms", permission, &cause)];
        }
    };
    let has_recipient = of.stack.parameter("OperatorMail").is_some();
    judge(resources.len(), &alarms, has_recipient)
}

async fn read(of: &Examination<'_>, resources: &[StackResource]) -> Result<Vec<Alarm>> {
    let client = CloudWatch::open(of.target).await?;
    let mut alarms = vec![];
    for some in resources.chunks(AT_ONCE) {
        let names: Vec<_> = some.iter().map(|of| of.physical_id.clone()).collect();
        let read = client.alarms(&names).await?;
        alarms.extend(some.iter().filter_map(|resource| {
            let mut read = read.iter();
            let found = read.find(|alarm| alarm.alarm_name == resource.physical_id)?;
            Some(Alarm {
                name: resource.logical_id.clone(),
                is_in_alarm: found.state_value == "ALARM",
                acts: found.actions_enabled,
                description: found.alarm_description.clone(),
            })
        }));
    }
    Ok(alarms)
}

fn judge(expected: usize, alarms: &[Alarm], has_recipient: bool) -> Vec<Finding> {
    let mut findings = vec![];
    for alarm in alarms.iter().filter(|alarm| alarm.is_in_alarm) {
        let check = format!("alarm {}", alarm.name);
        findings.push(Finding::problem(check, "ALARM", &alarm.description));
    }
    let silent = alarms.iter().filter(|alarm| !alarm.acts);
    let silent: Vec<_> = silent.map(|alarm| alarm.name.as_str()).collect();
    if !silent.is_empty() {
        let found = format!("switched off: {}", silent.join(", "));
        let to_do = "Enable their actions in CloudWatch: they notify no one.";
        findings.push(Finding::warning("alarm actions", found, to_do));
    }
    if alarms.len() < expected {
        let found = format!("{} of {expected} exist", alarms.len());
        findings.push(Finding::problem(
            "alarms",
            found,
            "Deploy the template again.",
        ));
    }
    if !has_recipient {
        let to_do = "Deploy with the parameter OperatorMail, and confirm the subscription that \
                     SNS mails.";
        findings.push(Finding::warning("alarm mails", "no recipient", to_do));
    }
    if findings.is_empty() {
        let found = format!("{}, none in ALARM", counted(expected as u64, "alarm"));
        findings.push(Finding::ok("alarms", found));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn alarm(is_in_alarm: bool, acts: bool) -> Alarm {
        Alarm {
            name: "DeadLettersAlarm".to_owned(),
            is_in_alarm,
            acts,
            description: "See docs/runbook.md, DeadLettersAlarm".to_owned(),
        }
    }

    fn levels(expected: usize, alarms: &[Alarm], has_recipient: bool) -> Vec<Level> {
        let findings = judge(expected, alarms, has_recipient).into_iter();
        findings.map(|of| of.level).collect()
    }

    #[test]
    fn an_alarm_in_alarm_is_a_problem_with_its_description() {
        let findings = judge(1, &[alarm(true, true)], true);
        assert_eq!(findings[0].level, Level::Problem);
        assert_eq!(
            findings[0].to_do.as_deref(),
            Some("See docs/runbook.md, DeadLettersAlarm")
        );
    }

    #[test]
    fn alarms_that_notify_no_one_are_a_warning() {
        assert_eq!(levels(1, &[alarm(false, true)], true), [Level::Ok]);
        assert_eq!(levels(1, &[alarm(false, false)], true), [Level::Warning]);
        assert_eq!(levels(1, &[alarm(false, true)], false), [Level::Warning]);
        assert_eq!(levels(2, &[alarm(false, true)], true), [Level::Problem]);
    }
}
