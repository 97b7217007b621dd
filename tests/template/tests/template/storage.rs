//! Rules about logs and tables, how long their content is stored, and the version.

use std::collections::BTreeMap;

use crate::template::{Template, attribute_of};

pub(crate) fn logs(template: &Template) -> Vec<String> {
    let groups = template.of_type("AWS::Logs::LogGroup");
    let mut wrong = Vec::new();
    for (name, group) in &groups {
        if template
            .largest(&group["Properties"]["RetentionInDays"])
            .is_none()
        {
            wrong.push(format!("{name} never deletes its logs"));
        }
    }
    let mut owners = BTreeMap::new();
    for (name, function) in template.functions() {
        let group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"].as_str();
        match group.filter(|group| groups.contains_key(group)) {
            None => wrong.push(format!("{name} logs to no log group of the template")),
            Some(group) => {
                if let Some(other) = owners.insert(group, name) {
                    wrong.push(format!("{name} and {other} share {group}"));
                }
            }
        }
    }
    for (name, stage) in template.of_type("AWS::ApiGatewayV2::Stage") {
        let group = attribute_of(&stage["Properties"]["AccessLogSettings"]["DestinationArn"]);
        if group.is_none_or(|group| !groups.contains_key(group)) {
            wrong.push(format!("{name} has no access log"));
        }
    }
    wrong
}

pub(crate) fn tables(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, table) in template.of_type("AWS::DynamoDB::Table") {
        let properties = &table["Properties"];
        for (holds, what) in [
            (
                properties["SSESpecification"]["SSEEnabled"] == true,
                "is not encrypted",
            ),
            (
                properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
                    == true,
                "cannot be restored",
            ),
            (
                properties["DeletionProtectionEnabled"] == true,
                "can be deleted by mistake",
            ),
            (
                !properties["TableName"].is_null(),
                "has a generated name, by which no new stack can take it over",
            ),
            (
                table["DeletionPolicy"] == "Retain",
                "is deleted with the stack",
            ),
            (
                table["UpdateReplacePolicy"] == "Retain",
                "is deleted when it is replaced",
            ),
        ] {
            if !holds {
                wrong.push(format!("{name} {what}"));
            }
        }
    }
    wrong
}

/// The variables by which functions know how long they store what.
const RETENTION: [&str; 3] = ["TIMELINE_DAYS", "QUARANTINE_DAYS", "HISTORY_DAYS"];

pub(crate) fn retention(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in RETENTION {
        let functions = template.functions().into_values();
        let values = functions.map(|of| &of["Properties"]["Environment"]["Variables"][name]);
        let values: Vec<_> = values.filter(|value| !value.is_null()).collect();
        if values.is_empty() {
            wrong.push(format!("no function has {name}"));
        }
        for value in values {
            let least = template.default_and_least(value).map(|(_, least)| least);
            let is_bounded = least.is_some_and(|least| least > 0)
                && template.largest(value).is_some()
                && !value["Ref"].is_null();
            if !is_bounded {
                wrong.push(format!(
                    "{name} is no parameter with a least and a largest number"
                ));
            }
        }
    }
    wrong
}

pub(crate) fn version(template: &Template) -> Vec<String> {
    let variables = &template.0["Globals"]["Function"]["Environment"]["Variables"];
    let expected = env!("CARGO_PKG_VERSION");
    if variables["VERSION"] == expected {
        return Vec::new();
    }
    let found = &variables["VERSION"];
    vec![format!(
        "VERSION is {found}, and Cargo.toml says {expected}"
    )]
}
