//! Rules about roles and their permissions.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::{Template, attribute_of, list};

/// Actions that AWS allows only for the resource "*".
const WITHOUT_RESOURCES: [&str; 8] = [
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
];

/// The resources that may be patterns. The ARN of a secret ends with six random characters.
const PATTERNS: [&str; 5] = [
    // One secret for each source and each connection, created after the stack.
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:ticketbridge/${AWS::StackName}/source/*",
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:ticketbridge/${AWS::StackName}/connection/*",
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${ClientIdSecret}-??????",
    // The rule about the sender is the limit of mails.
    "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*",
    "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/*",
];

pub(crate) fn permissions(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (role, statement) in template.statements() {
        let sid = statement["Sid"]
            .as_str()
            .unwrap_or("a statement without Sid");
        for negated in ["NotAction", "NotResource"] {
            if !statement[negated].is_null() {
                wrong.push(format!(
                    "{role}, {sid}: {negated} allows everything that it does not list"
                ));
            }
        }
        let actions: Vec<_> = list(&statement["Action"])
            .into_iter()
            .map(Value::as_str)
            .collect();
        if actions.is_empty() || list(&statement["Resource"]).is_empty() {
            wrong.push(format!("{role}, {sid}: no action or no resource"));
        }
        for action in &actions {
            if action.is_none_or(|action| action.contains(['*', '?'])) {
                wrong.push(format!("{role}, {sid}: the action {action:?} is a pattern"));
            }
        }
        let needs_any = actions
            .iter()
            .all(|action| action.is_some_and(|action| WITHOUT_RESOURCES.contains(&action)));
        for resource in list(&statement["Resource"]) {
            let text = resource.as_str().or(resource["Fn::Sub"].as_str());
            // `!Sub` with variables of its own is a list that starts with the text.
            let text = text.or(resource["Fn::Sub"][0].as_str());
            let is_named = match text {
                Some("*") => needs_any,
                Some(text) => PATTERNS.contains(&text) || !text.contains(['*', '?']),
                None => attribute_of(resource).is_some(),
            };
            if !is_named {
                wrong.push(format!(
                    "{role}, {sid}: the resource {resource} is too wide"
                ));
            }
        }
    }
    wrong
}

pub(crate) fn roles(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut owners = BTreeMap::new();
    for (name, function) in template.functions() {
        let properties = &function["Properties"];
        match attribute_of(&properties["Role"]) {
            None => wrong.push(format!("{name} has no role of the template")),
            Some(role) => {
                if let Some(other) = owners.insert(role, name) {
                    wrong.push(format!("{name} and {other} share {role}"));
                }
            }
        }
        if !properties["Policies"].is_null() {
            wrong.push(format!("{name} has policies beside its role"));
        }
    }
    for (name, schedule) in template.of_type("AWS::Scheduler::Schedule") {
        match attribute_of(&schedule["Properties"]["Target"]["RoleArn"]) {
            None => wrong.push(format!("{name} has no role of the template")),
            Some(role) => {
                if let Some(other) = owners.insert(role, name) {
                    wrong.push(format!("{name} and {other} share {role}"));
                }
            }
        }
    }
    for (name, role) in template.of_type("AWS::IAM::Role") {
        let properties = &role["Properties"];
        if !properties["ManagedPolicyArns"].is_null() {
            wrong.push(format!(
                "{name} has managed policies, which the rules do not see"
            ));
        }
        let service = match owners.get(name).map(|owner| template.kind_of(owner)) {
            Some("AWS::Serverless::Function") => "lambda.amazonaws.com",
            Some("AWS::Scheduler::Schedule") => "scheduler.amazonaws.com",
            _ => {
                wrong.push(format!("no function or schedule has the role {name}"));
                continue;
            }
        };
        for statement in list(&properties["AssumeRolePolicyDocument"]["Statement"]) {
            // The emulator lets root assume any role, so only this rule checks whom a role trusts.
            let only = serde_json::json!({ "Service": service });
            if statement["Principal"] != only || statement["Action"] != "sts:AssumeRole" {
                wrong.push(format!("{name} can be assumed by others than {service}"));
            }
        }
    }
    for (name, resource) in template.resources() {
        let kind = resource["Type"].as_str().unwrap_or_default();
        if kind.starts_with("AWS::IAM::") && kind != "AWS::IAM::Role" {
            wrong.push(format!(
                "{name}: a {kind} gives permissions outside of roles"
            ));
        }
    }
    wrong
}

/// The emulator does not know `ses:FromAddress`, so only this rule checks the sender.
pub(crate) fn sender(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (role, statement) in template.statements() {
        let actions = list(&statement["Action"]);
        let mails = actions.iter().any(|action| {
            action
                .as_str()
                .is_some_and(|action| action.starts_with("ses:"))
        });
        let from = &statement["Condition"]["StringEquals"]["ses:FromAddress"];
        if mails && from["Ref"] != "MailFrom" {
            wrong.push(format!("{role} may send mails from any address"));
        }
    }
    wrong
}

/// The keys of the access table that functions other than set-up may read, by their role. Sessions
/// are not among them.
const READ_OF_ACCESS: [(&str, &[&str]); 3] = [
    ("TicketsRole", &["P#*"]),
    ("ReconcileRole", &["P#*"]),
    ("HealthRole", &["P#*", "OPERATOR"]),
];

/// The emulator does not know `dynamodb:LeadingKeys`, so only this rule checks which keys a role
/// reads. The system test `iam_denials` checks the rest.
pub(crate) fn access_table(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (role, statement) in template.statements() {
        let is_access_table = list(&statement["Resource"]).into_iter().any(|resource| {
            let text = resource["Fn::Sub"].as_str().unwrap_or_default();
            attribute_of(resource) == Some("AccessTable") || text.contains("${AccessTable")
        });
        if !is_access_table || role == "SetupRole" {
            continue;
        }
        for action in list(&statement["Action"]) {
            let reads = ["GetItem", "BatchGetItem", "Query"];
            let reads = reads.map(|read| format!("dynamodb:{read}"));
            if !reads.iter().any(|read| action == read) {
                wrong.push(format!("{role} may {action} on the access table"));
            }
        }
        let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        let keys = list(keys).into_iter().filter_map(Value::as_str);
        let known = READ_OF_ACCESS.iter().find(|(of, _)| *of == role);
        if known.is_none_or(|(_, known)| !keys.eq(known.iter().copied())) {
            wrong.push(format!(
                "{role} may read other keys of the access table than this rule lists"
            ));
        }
    }
    wrong
}
