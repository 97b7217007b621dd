//! The rule about names that have the stack's name in them: AWS limits how long they are.

use serde_json::Value;

use crate::template::Template;

/// The most characters of a stack's name, as the documents say it.
const STACK_NAME_LIMIT: usize = 53;

/// The most characters that AWS accepts for a property. CloudFormation shortens the names that it
/// generates itself, such as those of roles, queues and schedules.
const LIMITS: [(&str, &str, usize); 6] = [
    ("AWS::ApiGatewayV2::Api", "Name", 128),
    ("AWS::CloudWatch::Dashboard", "DashboardName", 255),
    ("AWS::DynamoDB::Table", "TableName", 255),
    ("AWS::Logs::LogGroup", "LogGroupName", 512),
    ("AWS::SNS::Topic", "DisplayName", 100),
    ("AWS::Serverless::Function", "FunctionName", 64),
];

const STACK_NAME: &str = "${AWS::StackName}";

pub(crate) fn stack_name(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut most = Vec::new();
    for (name, resource) in template.resources() {
        let kind = template.kind_of(name);
        let properties = resource["Properties"].as_object();
        for (property, value) in properties.into_iter().flatten() {
            if !property.ends_with("Name") {
                continue;
            }
            let Some(rest) = beside_stack_name(value) else {
                continue;
            };
            let limit = LIMITS
                .iter()
                .find(|limit| (limit.0, limit.1) == (kind, property.as_str()));
            match limit {
                Some((.., limit)) if !rest.contains("${") => {
                    most.push(limit.saturating_sub(rest.len()));
                }
                Some(_) => wrong.push(format!("{name} has a {property} of unknown length")),
                None => wrong.push(format!("how long is the {property} of a {kind}?")),
            }
        }
    }
    let most = most.into_iter().min();
    if most != Some(STACK_NAME_LIMIT) {
        wrong.push(format!(
            "a stack's name may have {most:?} characters, and the documents say {STACK_NAME_LIMIT}"
        ));
    }
    wrong
}

/// What a name has beside the stack's name.
fn beside_stack_name(value: &Value) -> Option<String> {
    if value["Ref"] == "AWS::StackName" {
        return Some(String::new());
    }
    let text = value["Fn::Sub"].as_str()?;
    text.contains(STACK_NAME)
        .then(|| text.replacen(STACK_NAME, "", 1))
}

#[test]
fn the_documents_say_how_long_a_stack_name_may_be() {
    let read = |path: &str| std::fs::read_to_string(format!("../../{path}")).unwrap();
    let page = read("docs/before-you-deploy.md");
    let row = format!("| the stack's name | at most {STACK_NAME_LIMIT} characters");
    assert!(page.contains(&row), "docs/before-you-deploy.md lacks {row}");
    let module = read("infra/terraform/variables.tf");
    // The first character is a letter.
    let pattern = format!("{{0,{}}}$", STACK_NAME_LIMIT - 1);
    let message = format!("1 to {STACK_NAME_LIMIT} characters");
    for text in [pattern, message] {
        assert!(module.contains(&text), "variables.tf lacks {text}");
    }
}
