//! Rules about alarms, the dashboard and metrics, and the alarms' entries in the runbook.

use aws::metrics::{DIMENSION, Metric, NAMESPACE};
use serde_json::Value;

use crate::template::{Template, attribute_of, list};

/// The metrics that need an alarm, by resource type and dimension.
const WATCHED: [(&str, &str, &str); 5] = [
    ("AWS::Serverless::Function", "FunctionName", "Errors"),
    ("AWS::Serverless::Function", "FunctionName", "Throttles"),
    (
        "AWS::SQS::Queue",
        "QueueName",
        "ApproximateNumberOfMessagesVisible",
    ),
    ("AWS::ApiGatewayV2::Api", "ApiId", "5xx"),
    // Each schedule's function counts its ticks, so that a missed schedule is noticed.
    ("AWS::Scheduler::Schedule", "Stack", "_ticks"),
];

/// The resource in a dimension's value.
fn resource_of(value: &Value) -> Option<&str> {
    value["Ref"].as_str().or_else(|| attribute_of(value))
}

pub(crate) fn alarms(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut watched = Vec::new();
    for (name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        let words = properties["AlarmDescription"].as_str().unwrap_or_default();
        let entry = format!("See docs/runbook.md, {name}");
        if words
            .trim_end()
            .strip_suffix(&entry)
            .is_none_or(|meaning| meaning.len() < 20)
        {
            wrong.push(format!(
                "{name} does not say what it means, or does not name its runbook entry"
            ));
        }
        for actions in ["AlarmActions", "OKActions"] {
            let targets = list(&properties[actions]);
            if targets.is_empty()
                || targets
                    .iter()
                    .any(|action| action["Ref"] != "OperatorTopic")
            {
                wrong.push(format!("{name}: {actions} do not notify the operator"));
            }
        }
        // Alarms on ticks are about missing data. Elsewhere missing data
        // means that nothing happened.
        let metric = properties["MetricName"].as_str().unwrap_or_default();
        let missing = match metric.ends_with("_ticks") {
            true => "breaching",
            false => "notBreaching",
        };
        if properties["TreatMissingData"] != missing {
            wrong.push(format!("{name} does not treat missing data as {missing}"));
        }
        for dimension in list(&properties["Dimensions"]) {
            let dimension_name = dimension["Name"].as_str().unwrap_or_default();
            match resource_of(&dimension["Value"]) {
                Some(resource) => watched.push((
                    dimension_name.to_owned(),
                    resource.to_owned(),
                    metric.to_owned(),
                )),
                None => wrong.push(format!(
                    "{name} has a dimension that is no resource of the template"
                )),
            }
        }
    }
    for (kind, dimension, metric) in WATCHED {
        for resource in template.of_type(kind).into_keys() {
            // A schedule is named after the function that counts its ticks.
            let (resource, metric) = match resource.strip_suffix("Tick") {
                Some(function) => (
                    "AWS::StackName",
                    format!("{}{metric}", function.to_ascii_lowercase()),
                ),
                None => (resource, metric.to_owned()),
            };
            let one = (dimension.to_owned(), resource.to_owned(), metric);
            if !watched.contains(&one) {
                wrong.push(format!("no alarm watches {} of {}", one.2, one.1));
            }
        }
    }
    wrong
}

/// The metrics of Ticketbridge that a dashboard shows.
fn shown(dashboard: &Value, wrong: &mut Vec<String>) -> Vec<String> {
    let body = &dashboard["Properties"]["DashboardBody"]["Fn::Sub"];
    let Ok(body) = serde_json::from_str::<Value>(body.as_str().unwrap_or_default()) else {
        wrong.push("the dashboard is not JSON".to_owned());
        return Vec::new();
    };
    let widgets = body["widgets"].as_array().cloned().unwrap_or_default();
    let lines = widgets
        .iter()
        .flat_map(|widget| list(&widget["properties"]["metrics"]));
    let mut shown = Vec::new();
    for line in lines.filter(|line| line[0] == NAMESPACE) {
        if line[2] != DIMENSION || line[3] != "${AWS::StackName}" {
            wrong.push(format!("{line} does not name the stack"));
        }
        shown.push(line[1].as_str().unwrap_or_default().to_owned());
    }
    shown
}

pub(crate) fn metrics(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    let is_known = |name: &str| Metric::ALL.iter().any(|metric| metric.name() == name);
    for (name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        if properties["Namespace"] != NAMESPACE {
            continue;
        }
        let metric = properties["MetricName"].as_str().unwrap_or_default();
        if !is_known(metric) {
            wrong.push(format!("{name}: the code does not count {metric}"));
        }
        let stack =
            serde_json::json!([{ "Name": DIMENSION, "Value": { "Ref": "AWS::StackName" } }]);
        if properties["Dimensions"] != stack {
            wrong.push(format!("{name} does not name the stack"));
        }
    }
    let mut seen = Vec::new();
    for dashboard in template.of_type("AWS::CloudWatch::Dashboard").into_values() {
        seen.extend(shown(dashboard, &mut wrong));
    }
    for metric in &seen {
        if !is_known(metric) {
            wrong.push(format!("the dashboard: the code does not count {metric}"));
        }
    }
    for metric in Metric::ALL {
        if !seen.iter().any(|name| name == metric.name()) {
            wrong.push(format!("the dashboard does not show {}", metric.name()));
        }
    }
    // Without the stack's name nothing is counted.
    let variables = &template.0["Globals"]["Function"]["Environment"]["Variables"];
    if variables["STACK"]["Ref"] != "AWS::StackName" {
        wrong.push("the functions have no variable STACK".to_owned());
    }
    wrong
}

/// The alarms that have an entry in docs/runbook.md. One entry may be about several.
fn entries(runbook: &str) -> Vec<&str> {
    let headings = runbook.lines().filter_map(|line| line.strip_prefix("### "));
    let names = headings.flat_map(|heading| heading.split(", "));
    names.filter(|name| name.ends_with("Alarm")).collect()
}

#[test]
fn each_alarm_has_a_runbook_entry() {
    let runbook = std::fs::read_to_string("../../docs/runbook.md").unwrap();
    let mut entries = entries(&runbook);
    entries.sort_unstable();
    let template = Template::read(&crate::text());
    let alarms: Vec<_> = template
        .of_type("AWS::CloudWatch::Alarm")
        .into_keys()
        .collect();
    assert_eq!(entries, alarms);
    assert!(alarms.len() >= 15);
    for issue in domain::monitoring::pipeline::PipelineIssue::ALL {
        let entry = issue.runbook();
        assert!(
            alarms.contains(&entry),
            "mails name {entry}, which does not exist"
        );
    }
    // Each entry has all three parts.
    for entry in runbook.split("\n### ").skip(1) {
        let (heading, rest) = entry.split_once('\n').unwrap();
        let rest = rest.split("\n## ").next().unwrap_or_default();
        for part in ["**Means**", "**Look at**", "**Do**"] {
            assert!(
                !heading.ends_with("Alarm") || rest.contains(part),
                "{heading}: no {part}"
            );
        }
    }
}
