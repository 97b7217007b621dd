//! What must stay true of `infra/template.yaml`, whoever changes it: rules over the whole of it, so that a new function, queue, table
//! or route meets them without a word about it here. Linters know AWS; these know us.

use std::collections::BTreeMap;

use aws::metrics::{DIMENSION, Metric, NAMESPACE};
use serde_json::{Map, Value};

use crate::config;

type Rule = fn(&Template) -> Vec<String>;

const RULES: [(&str, Rule); 12] = [
    ("a message stays hidden for six time-outs", visibility),
    ("no function feeds the queue that it reads", loops),
    ("every queue has a dead-letter queue", dead_letters),
    ("permissions name things", permissions),
    (
        "every function and schedule has its own role, which nobody else takes",
        roles,
    ),
    ("every log ends and is somebody's", logs),
    ("tables are encrypted, backed up and kept", tables),
    ("every open door is known", doors),
    ("mails come from one address", mails),
    ("an alarm says what it means and tells the operator", alarms),
    ("alarms, dashboard and code name the same metrics", metrics),
    ("set-up alone writes who may act for which partner", access),
];

/// What must not go wrong unseen.
const WATCHED: [(&str, &str, &str); 5] = [
    ("AWS::Serverless::Function", "FunctionName", "Errors"),
    ("AWS::Serverless::Function", "FunctionName", "Throttles"),
    (
        "AWS::SQS::Queue",
        "QueueName",
        "ApproximateNumberOfMessagesVisible",
    ),
    ("AWS::ApiGatewayV2::Api", "ApiId", "5xx"),
    // That no schedule is missed: each counts its ticks.
    ("AWS::Scheduler::Schedule", "Stage", "_ticks"),
];

/// What knows no resources, and so takes no other.
const WITHOUT_RESOURCES: [&str; 2] = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"];

/// The resources that may be patterns. A secret's own name ends in six characters that Secrets Manager chooses.
const PATTERNS: [&str; 3] = [
    // One for each source and each connection, made long after the stack.
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:ticketbridge/${Stage}/source/*",
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:ticketbridge/${Stage}/connection/*",
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${ClientIdSecret}-??????",
];

/// The routes that API Gateway lets anybody through, and what keeps them.
const OPEN_ROUTES: [(&str, &str); 3] = [
    (
        "POST /v1/events/{source}",
        "the signature over the raw body, which only the function can check",
    ),
    (
        "ANY /setup",
        "the page's session, which only the function can look up",
    ),
    (
        "ANY /setup/{proxy+}",
        "the same, but for the few that the function's own table lists as open",
    ),
];

/// The template with every intrinsic in its long form.
struct Template(Value);

impl Template {
    fn read(text: &str) -> Self {
        Self(plain(yaml_serde::from_str(text).unwrap()))
    }

    fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        self.resources()
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(name, resource)| (name.as_str(), resource))
            .collect()
    }

    fn resources(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0["Resources"].as_object().unwrap().iter()
    }

    fn kind_of(&self, name: &str) -> &str {
        self.0["Resources"][name]["Type"]
            .as_str()
            .unwrap_or_default()
    }

    fn functions(&self) -> BTreeMap<&str, &Value> {
        self.of_type("AWS::Serverless::Function")
    }

    /// The largest value that this can have: of a parameter, what it allows.
    fn largest(&self, value: &Value) -> Option<u64> {
        match value["Ref"].as_str() {
            Some(parameter) => {
                let parameter = &self.0["Parameters"][parameter];
                let allowed = parameter["AllowedValues"].as_array();
                allowed
                    .and_then(|values| values.iter().map(Value::as_u64).max()?)
                    .or(parameter["MaxValue"].as_u64())
            }
            None => value.as_u64(),
        }
    }

    /// What this is as shipped, and at least: of a parameter, its default and its bound.
    fn shipped_and_least(&self, value: &Value) -> Option<(u64, u64)> {
        let Some(parameter) = value["Ref"].as_str() else {
            return value.as_u64().map(|value| (value, value));
        };
        let parameter = &self.0["Parameters"][parameter];
        Some((
            parameter["Default"].as_u64()?,
            parameter["MinValue"].as_u64()?,
        ))
    }

    /// The queues that a function reads.
    fn reads<'a>(&self, function: &'a Value) -> Vec<&'a str> {
        let events = function["Properties"]["Events"].as_object();
        events
            .into_iter()
            .flat_map(Map::values)
            .filter(|event| event["Type"] == "SQS")
            .map(|event| attribute_of(&event["Properties"]["Queue"]).unwrap_or("an unknown queue"))
            .collect()
    }

    fn statements(&self) -> Vec<(&str, &Value)> {
        let mut statements = Vec::new();
        for (role, resource) in self.of_type("AWS::IAM::Role") {
            for policy in list(&resource["Properties"]["Policies"]) {
                for statement in list(&policy["PolicyDocument"]["Statement"]) {
                    statements.push((role, statement));
                }
            }
        }
        statements
    }
}

/// JSON of YAML: `!GetAtt X.Arn` becomes `{"Fn::GetAtt": "X.Arn"}`.
fn plain(value: yaml_serde::Value) -> Value {
    use yaml_serde::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => value.into(),
        Yaml::Number(value) => serde_json::to_value(value).unwrap(),
        Yaml::String(value) => value.into(),
        Yaml::Sequence(values) => values.into_iter().map(plain).collect(),
        Yaml::Mapping(members) => members
            .into_iter()
            .map(|(name, value)| (name.as_str().unwrap().to_owned(), plain(value)))
            .collect(),
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let tag = tag.trim_start_matches('!');
            let name = match tag {
                "Ref" | "Condition" => tag.to_owned(),
                _ => format!("Fn::{tag}"),
            };
            Value::Object(Map::from_iter([(name, plain(tagged.value))]))
        }
    }
}

/// One or several, as policies may write it.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![value],
    }
}

/// The resource whose attribute this is.
fn attribute_of(value: &Value) -> Option<&str> {
    Some(value["Fn::GetAtt"].as_str()?.split_once('.')?.0)
}

/// Whether a pattern of IAM's takes in an action.
fn takes_in(pattern: &str, action: &str) -> bool {
    match pattern.chars().next() {
        None => action.is_empty(),
        Some('*') => (0..=action.len()).any(|at| takes_in(&pattern[1..], &action[at..])),
        Some(letter) => action.chars().next().is_some_and(|of_action| {
            (letter == '?' || letter.eq_ignore_ascii_case(&of_action))
                && takes_in(&pattern[1..], &action[1..])
        }),
    }
}

fn visibility(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, function) in template.functions() {
        for queue in template.reads(function) {
            let hidden = &template.0["Resources"][queue]["Properties"]["VisibilityTimeout"];
            let hidden = template.shipped_and_least(hidden);
            let lasts = &function["Properties"]["Timeout"];
            let (longest, shortest) = (template.largest(lasts), template.shipped_and_least(lasts));
            let (Some((hidden, least)), Some(longest), Some((_, shortest))) =
                (hidden, longest, shortest)
            else {
                wrong.push(format!(
                    "it is not known how long {queue} hides what {name} works on"
                ));
                continue;
            };
            // As shipped it fits whatever time-out is chosen; whoever lowers both can keep to the rule.
            if hidden < 6 * longest {
                wrong.push(format!(
                    "{queue} hides for {hidden} s what {name} works on for up to {longest} s"
                ));
            }
            if least < 6 * shortest {
                wrong.push(format!(
                    "{queue} may hide for {least} s what {name} works on for {shortest} s at least"
                ));
            }
        }
    }
    for name in template.of_type("AWS::Lambda::EventSourceMapping").keys() {
        wrong.push(format!(
            "{name}: write it as the function's event, where this is checked"
        ));
    }
    wrong
}

fn loops(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, function) in template.functions() {
        let role = attribute_of(&function["Properties"]["Role"]);
        for queue in template.reads(function) {
            for (_, statement) in template
                .statements()
                .into_iter()
                .filter(|(of, _)| Some(*of) == role)
            {
                let sends = list(&statement["Action"]).into_iter().any(|action| {
                    let pattern = action.as_str().unwrap_or("*");
                    ["sqs:SendMessage", "sqs:SendMessageBatch"]
                        .iter()
                        .any(|send| takes_in(pattern, send))
                });
                // What is not another thing of the template may be the queue.
                let to_it = list(&statement["Resource"])
                    .into_iter()
                    .any(|resource| attribute_of(resource).is_none_or(|thing| thing == queue));
                if sends && to_it {
                    wrong.push(format!("{name} may send to {queue}, which it reads"));
                }
            }
        }
    }
    wrong
}

fn dead_letters(template: &Template) -> Vec<String> {
    let queues = template.of_type("AWS::SQS::Queue");
    let target = |queue: &Value| {
        let policy = &queue["Properties"]["RedrivePolicy"];
        attribute_of(&policy["deadLetterTargetArn"]).map(str::to_owned)
    };
    let targets: Vec<_> = queues.values().filter_map(|queue| target(queue)).collect();
    let mut wrong = Vec::new();
    for (name, queue) in &queues {
        let is_target = targets.iter().any(|target| target == name);
        match target(queue) {
            None if !is_target => wrong.push(format!("{name} has no dead-letter queue")),
            Some(target) if !queues.contains_key(target.as_str()) => {
                wrong.push(format!(
                    "{name}'s dead-letter queue {target} is not in the template"
                ));
            }
            _ => {}
        }
        if queue["Properties"]["SqsManagedSseEnabled"] != true {
            wrong.push(format!("{name} is not encrypted"));
        }
        // A message takes its age along: a shorter stay there would lose it on arrival.
        if is_target && queue["Properties"]["MessageRetentionPeriod"] != 1_209_600 {
            wrong.push(format!(
                "{name} does not keep dead letters as long as can be"
            ));
        }
    }
    wrong
}

fn permissions(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (role, statement) in template.statements() {
        let sid = statement["Sid"]
            .as_str()
            .unwrap_or("a statement without Sid");
        for turned in ["NotAction", "NotResource"] {
            if !statement[turned].is_null() {
                wrong.push(format!(
                    "{role}, {sid}: {turned} allows what nobody thought of"
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
        let knows_none = actions
            .iter()
            .all(|action| action.is_some_and(|action| WITHOUT_RESOURCES.contains(&action)));
        for resource in list(&statement["Resource"]) {
            let text = resource.as_str().or(resource["Fn::Sub"].as_str());
            // With names of its own the text comes first.
            let text = text.or(resource["Fn::Sub"][0].as_str());
            let named = match text {
                Some("*") => knows_none,
                Some(text) => PATTERNS.contains(&text) || !text.contains(['*', '?']),
                None => attribute_of(resource).is_some(),
            };
            if !named {
                wrong.push(format!(
                    "{role}, {sid}: the resource {resource} is too wide"
                ));
            }
        }
    }
    wrong
}

fn roles(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut owners = BTreeMap::new();
    for (name, function) in template.functions() {
        let properties = &function["Properties"];
        match attribute_of(&properties["Role"]) {
            None => wrong.push(format!("{name} has no role that is written out here")),
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
            None => wrong.push(format!("{name} has no role that is written out here")),
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
            wrong.push(format!("{name} has policies that are not read here"));
        }
        let service = match owners.get(name).map(|owner| template.kind_of(owner)) {
            Some("AWS::Serverless::Function") => "lambda.amazonaws.com",
            Some("AWS::Scheduler::Schedule") => "scheduler.amazonaws.com",
            _ => {
                wrong.push(format!("{name} is nobody's"));
                continue;
            }
        };
        for statement in list(&properties["AssumeRolePolicyDocument"]["Statement"]) {
            // The emulator lets its own key take any role: only here is it seen who may.
            let alone = serde_json::json!({ "Service": service });
            if statement["Principal"] != alone || statement["Action"] != "sts:AssumeRole" {
                wrong.push(format!("{name} may be taken by others than {service}"));
            }
        }
    }
    for (name, resource) in template.resources() {
        let kind = resource["Type"].as_str().unwrap_or_default();
        if kind.starts_with("AWS::IAM::") && kind != "AWS::IAM::Role" {
            wrong.push(format!(
                "{name}: a {kind} gives permissions elsewhere than in a role"
            ));
        }
    }
    wrong
}

fn logs(template: &Template) -> Vec<String> {
    let groups = template.of_type("AWS::Logs::LogGroup");
    let mut wrong = Vec::new();
    for (name, group) in &groups {
        if template
            .largest(&group["Properties"]["RetentionInDays"])
            .is_none()
        {
            wrong.push(format!("{name} keeps logs for ever"));
        }
    }
    let mut owners = BTreeMap::new();
    for (name, function) in template.functions() {
        let group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"].as_str();
        match group.filter(|group| groups.contains_key(group)) {
            None => wrong.push(format!("{name} logs into no group of the template")),
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
            wrong.push(format!("{name} does not log who calls"));
        }
    }
    wrong
}

fn tables(template: &Template) -> Vec<String> {
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
            (table["DeletionPolicy"] == "Retain", "goes with the stack"),
            (
                table["UpdateReplacePolicy"] == "Retain",
                "goes when it is replaced",
            ),
        ] {
            if !holds {
                wrong.push(format!("{name} {what}"));
            }
        }
    }
    wrong
}

/// The most requests a second that may reach set-up by one route: whoever asks without a session takes nothing of the webhook's.
const PAGE_RATE: u64 = 50;

fn doors(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, stage) in template.of_type("AWS::ApiGatewayV2::Stage") {
        let limits = &stage["Properties"]["RouteSettings"];
        let waits_for = stage["DependsOn"].as_array();
        for (route, of) in template.of_type("AWS::ApiGatewayV2::Route") {
            let key = of["Properties"]["RouteKey"].as_str().unwrap_or_default();
            let rate = limits[key]["ThrottlingRateLimit"].as_u64();
            let burst = limits[key]["ThrottlingBurstLimit"].as_u64();
            let most = if key.starts_with("POST /v1/events") {
                u64::MAX
            } else {
                PAGE_RATE
            };
            if rate.is_none_or(|rate| rate > most) || burst.is_none() {
                wrong.push(format!(
                    "{name} gives `{key}` no limit of its own, or one above {PAGE_RATE}"
                ));
            }
            if !waits_for.is_some_and(|routes| routes.iter().any(|of| of == route)) {
                wrong.push(format!(
                    "{name} does not wait for {route}, whose limit it sets"
                ));
            }
        }
    }
    for (name, route) in template.of_type("AWS::ApiGatewayV2::Route") {
        let key = route["Properties"]["RouteKey"].as_str().unwrap_or_default();
        match route["Properties"]["AuthorizationType"].as_str() {
            None => wrong.push(format!("{name} does not say who may pass")),
            Some("NONE") if !OPEN_ROUTES.iter().any(|(open, _)| *open == key) => {
                wrong.push(format!(
                    "{name} lets anybody through `{key}`, which is not listed as open"
                ));
            }
            Some(_) => {}
        }
    }
    for (name, permission) in template.of_type("AWS::Lambda::Permission") {
        if permission["Properties"]["SourceArn"].is_null() {
            wrong.push(format!(
                "{name} lets any account's {} call",
                permission["Properties"]["Principal"]
            ));
        }
    }
    // Doors that would have no route here.
    for (name, function) in template.functions() {
        let events = function["Properties"]["Events"].as_object();
        let by_event = events
            .into_iter()
            .flat_map(Map::values)
            .any(|event| event["Type"] == "Api" || event["Type"] == "HttpApi");
        if by_event || !function["Properties"]["FunctionUrlConfig"].is_null() {
            wrong.push(format!("{name} has a door that is no route"));
        }
    }
    for kind in [
        "AWS::Lambda::Url",
        "AWS::Serverless::HttpApi",
        "AWS::Serverless::Api",
        "AWS::SQS::QueuePolicy",
    ] {
        for name in template.of_type(kind).keys() {
            wrong.push(format!("{name}: a {kind} is a door that is no route"));
        }
    }
    wrong
}

/// The emulator knows no `ses:FromAddress`, so nothing but this holds it.
fn mails(template: &Template) -> Vec<String> {
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
            wrong.push(format!("{role} may send mails in anybody's name"));
        }
    }
    wrong
}

/// The keys of the access table that functions other than set-up may read, by their role. No session is among them.
const READ_OF_ACCESS: [(&str, &[&str]); 3] = [
    ("TicketsRole", &["P#*"]),
    ("ReconcileRole", &["P#*"]),
    ("HealthRole", &["P#*", "OPERATOR"]),
];

/// The emulator knows no `dynamodb:LeadingKeys`, so nothing but this holds which keys are read; the refused calls try the rest.
fn access(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (role, statement) in template.statements() {
        let to_it = list(&statement["Resource"]).into_iter().any(|resource| {
            let text = resource["Fn::Sub"].as_str().unwrap_or_default();
            attribute_of(resource) == Some("AccessTable") || text.contains("${AccessTable")
        });
        if !to_it || role == "SetupRole" {
            continue;
        }
        for action in list(&statement["Action"]) {
            let reads = ["GetItem", "BatchGetItem", "Query"];
            let reads = reads.map(|read| format!("dynamodb:{read}"));
            if !reads.iter().any(|read| action == read) {
                wrong.push(format!("{role} may {action} who acts for which partner"));
            }
        }
        let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        let keys = list(keys).into_iter().filter_map(Value::as_str);
        let known = READ_OF_ACCESS.iter().find(|(of, _)| *of == role);
        if known.is_none_or(|(_, known)| !keys.eq(known.iter().copied())) {
            wrong.push(format!("{role} may read other keys than are listed here"));
        }
    }
    wrong
}

/// The thing of the template whose metric this dimension names.
fn thing_of(value: &Value) -> Option<&str> {
    value["Ref"].as_str().or_else(|| attribute_of(value))
}

fn alarms(template: &Template) -> Vec<String> {
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
                "{name} does not say what it means and where to read on"
            ));
        }
        for actions in ["AlarmActions", "OKActions"] {
            let told = list(&properties[actions]);
            if told.is_empty() || told.iter().any(|action| action["Ref"] != "OperatorTopic") {
                wrong.push(format!("{name}: {actions} do not tell the operator"));
            }
        }
        // A tick that is missing is what its alarm is for; elsewhere nothing is counted because nothing happens.
        let metric = properties["MetricName"].as_str().unwrap_or_default();
        let missing = match metric.ends_with("_ticks") {
            true => "breaching",
            false => "notBreaching",
        };
        if properties["TreatMissingData"] != missing {
            wrong.push(format!(
                "{name} takes missing data for something else than {missing}"
            ));
        }
        for dimension in list(&properties["Dimensions"]) {
            let of = dimension["Name"].as_str().unwrap_or_default();
            match thing_of(&dimension["Value"]) {
                Some(thing) => watched.push((of.to_owned(), thing.to_owned(), metric.to_owned())),
                None => wrong.push(format!("{name} is about nothing of the template")),
            }
        }
    }
    for (kind, dimension, metric) in WATCHED {
        for thing in template.of_type(kind).into_keys() {
            // A schedule is named after the function that counts its ticks.
            let (thing, metric) = match thing.strip_suffix("Tick") {
                Some(function) => (
                    "Stage",
                    format!("{}{metric}", function.to_ascii_lowercase()),
                ),
                None => (thing, metric.to_owned()),
            };
            let one = (dimension.to_owned(), thing.to_owned(), metric);
            if !watched.contains(&one) {
                wrong.push(format!("nobody is told of {} of {}", one.2, one.1));
            }
        }
    }
    wrong
}

/// The metrics of our own that a dashboard shows.
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
        if line[2] != DIMENSION || line[3] != "${Stage}" {
            wrong.push(format!("{line} is of no stage"));
        }
        shown.push(line[1].as_str().unwrap_or_default().to_owned());
    }
    shown
}

fn metrics(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    let is_ours = |name: &str| Metric::ALL.iter().any(|metric| metric.name() == name);
    for (name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        let properties = &alarm["Properties"];
        if properties["Namespace"] != NAMESPACE {
            continue;
        }
        let metric = properties["MetricName"].as_str().unwrap_or_default();
        if !is_ours(metric) {
            wrong.push(format!("{name}: nobody counts {metric}"));
        }
        let stage = serde_json::json!([{ "Name": DIMENSION, "Value": { "Ref": "Stage" } }]);
        if properties["Dimensions"] != stage {
            wrong.push(format!("{name} is of no stage"));
        }
    }
    let mut seen = Vec::new();
    for dashboard in template.of_type("AWS::CloudWatch::Dashboard").into_values() {
        seen.extend(shown(dashboard, &mut wrong));
    }
    for metric in &seen {
        if !is_ours(metric) {
            wrong.push(format!("the dashboard: nobody counts {metric}"));
        }
    }
    for metric in Metric::ALL {
        if !seen.iter().any(|name| name == metric.name()) {
            wrong.push(format!("{} is counted and shown nowhere", metric.name()));
        }
    }
    // Without it nothing is counted.
    let variables = &template.0["Globals"]["Function"]["Environment"]["Variables"];
    if variables["STAGE"]["Ref"] != "Stage" {
        wrong.push("the functions do not know their stage".to_owned());
    }
    wrong
}

/// The entries of docs/runbook.md that are about alarms; one may be about several.
fn entries(runbook: &str) -> Vec<&str> {
    let headings = runbook.lines().filter_map(|line| line.strip_prefix("### "));
    let names = headings.flat_map(|heading| heading.split(", "));
    names.filter(|name| name.ends_with("Alarm")).collect()
}

#[test]
fn each_alarm_has_its_entry_in_the_runbook_and_each_entry_its_alarm() {
    let runbook = std::fs::read_to_string(config::root().join("docs/runbook.md")).unwrap();
    let mut entries = entries(&runbook);
    entries.sort_unstable();
    let template = Template::read(&text());
    let alarms: Vec<_> = template
        .of_type("AWS::CloudWatch::Alarm")
        .into_keys()
        .collect();
    assert_eq!(entries, alarms);
    assert!(alarms.len() >= 15);
    for issue in domain::pipeline::PipelineIssue::ALL {
        let entry = issue.runbook();
        assert!(alarms.contains(&entry), "mails name {entry}, which is gone");
    }
    // Each says all three things.
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

fn text() -> String {
    std::fs::read_to_string(config::root().join("infra/template.yaml")).unwrap()
}

/// The rules that a template breaks, each with how.
fn broken(text: &str) -> BTreeMap<&'static str, Vec<String>> {
    let template = Template::read(text);
    RULES
        .iter()
        .map(|(name, rule)| (*name, rule(&template)))
        .filter(|(_, wrong)| !wrong.is_empty())
        .collect()
}

#[test]
fn the_template_keeps_every_rule() {
    assert_eq!(broken(&text()), BTreeMap::new());
    let template = Template::read(&text());
    // Rules about nothing hold too: this is what they are about.
    for (kind, least) in [
        ("AWS::Serverless::Function", 5),
        ("AWS::Scheduler::Schedule", 2),
        ("AWS::IAM::Role", 7),
        ("AWS::SQS::Queue", 2),
        ("AWS::DynamoDB::Table", 3),
        ("AWS::Logs::LogGroup", 6),
        ("AWS::ApiGatewayV2::Route", 4),
    ] {
        assert!(template.of_type(kind).len() >= least, "{kind}");
    }
    let read: Vec<_> = template
        .functions()
        .into_values()
        .flat_map(|function| template.reads(function))
        .collect();
    assert_eq!(read, ["EventQueue"]);
    for (open, _) in OPEN_ROUTES {
        assert!(
            text().contains(open),
            "{open} is listed as open and there is no such route"
        );
    }
}

#[test]
fn every_rule_sees_what_breaks_it() {
    let changes = [
        (0, "    Default: 360\n", "    Default: 359\n"),
        (0, "    MinValue: 60\n", "    MinValue: 59\n"),
        (
            0,
            "VisibilityTimeout: !Ref VisibilitySeconds",
            "VisibilityTimeout: 359",
        ),
        (0, "      VisibilityTimeout: !Ref VisibilitySeconds\n", ""),
        (0, "    MaxValue: 60\n", "    MaxValue: 61\n"),
        (0, "    MaxValue: 60\n", ""),
        (0, "Timeout: !Ref TicketsTimeout", "Timeout: 900"),
        (0, "      Timeout: !Ref TicketsTimeout\n", ""),
        (
            0,
            "  IngestLogs:\n    Type: AWS::Logs::LogGroup",
            "  IngestLogs:\n    Type: AWS::Lambda::EventSourceMapping",
        ),
        (
            1,
            "Action: sqs:SendMessage\n                Resource: !GetAtt DeadLetterQueue.Arn",
            "Action: sqs:SendMessage\n                Resource: !GetAtt EventQueue.Arn",
        ),
        (
            1,
            "[sqs:ReceiveMessage, sqs:DeleteMessage,",
            "[sqs:ReceiveMessage, sqs:SendMessageBatch, sqs:DeleteMessage,",
        ),
        (
            1,
            "[sqs:ReceiveMessage, sqs:DeleteMessage,",
            "[sqs:ReceiveMessage, 'SQS:Send*', sqs:DeleteMessage,",
        ),
        (
            1,
            "Resource: !GetAtt DeadLetterQueue.Arn",
            "Resource: [!GetAtt DeadLetterQueue.Arn, !Sub 'arn:aws:sqs:*:*:*']",
        ),
        (
            2,
            "        deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn\n",
            "",
        ),
        (
            2,
            "  DeadLetterQueue:\n    Type: AWS::SQS::Queue",
            "  Lonely:\n    Type: AWS::SQS::Queue\n  DeadLetterQueue:\n    Type: AWS::SQS::Queue",
        ),
        (
            2,
            "deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn",
            "deadLetterTargetArn: !GetAtt Elsewhere.Arn",
        ),
        (2, "      SqsManagedSseEnabled: true\n", ""),
        (
            2,
            "MessageRetentionPeriod: 1209600\n",
            "MessageRetentionPeriod: 345600\n",
        ),
        (
            3,
            "Action: [sqs:SendMessage, sqs:SendMessageBatch]",
            "Action: sqs:SendMessage*",
        ),
        (
            3,
            "Action: [dynamodb:BatchGetItem, dynamodb:PutItem, dynamodb:UpdateItem]",
            "Action: '*'",
        ),
        (
            3,
            "Action: [dynamodb:BatchGetItem, dynamodb:PutItem, dynamodb:UpdateItem]",
            "NotAction: [dynamodb:DeleteTable]",
        ),
        (3, "Resource: !GetAtt ConfigTable.Arn", "Resource: '*'"),
        (
            3,
            "Resource: !GetAtt ConfigTable.Arn",
            "Resource: !Sub arn:${AWS::Partition}:dynamodb:*:*:table/*",
        ),
        (3, "ticketbridge/${Stage}/source/*", "ticketbridge/*"),
        (3, "${ClientIdSecret}-??????", "${ClientIdSecret}*"),
        (
            3,
            "[xray:PutTraceSegments, xray:PutTelemetryRecords]",
            "[xray:PutTraceSegments, s3:GetObject]",
        ),
        (
            4,
            "Role: !GetAtt TicketsRole.Arn",
            "Role: !GetAtt IngestRole.Arn",
        ),
        (4, "      Role: !GetAtt TicketsRole.Arn\n", ""),
        (
            4,
            "Principal: { Service: lambda.amazonaws.com }",
            "Principal: { AWS: !Ref AWS::AccountId }",
        ),
        (
            4,
            "RoleArn: !GetAtt ReconcileTickRole.Arn",
            "RoleArn: !GetAtt ReconcileRole.Arn",
        ),
        (4, "        RoleArn: !GetAtt ReconcileTickRole.Arn\n", ""),
        (
            4,
            "Principal: { Service: scheduler.amazonaws.com }",
            "Principal: { Service: lambda.amazonaws.com }",
        ),
        (
            4,
            "      Policies:\n        - PolicyName: tickets",
            "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      Policies:\n        - PolicyName: tickets",
        ),
        (
            4,
            "  IngestLogs:\n    Type: AWS::Logs::LogGroup",
            "  IngestLogs:\n    Type: AWS::IAM::ManagedPolicy",
        ),
        (
            4,
            "Role: !GetAtt TicketsRole.Arn",
            "Role: !GetAtt TicketsRole.Arn\n      Policies: [AmazonSQSFullAccess]",
        ),
        (
            5,
            "/aws/lambda/${AWS::StackName}-tickets\n      RetentionInDays: !Ref LogRetentionDays",
            "/aws/lambda/${AWS::StackName}-tickets",
        ),
        (
            5,
            "{ LogGroup: !Ref TicketsLogs, ",
            "{ LogGroup: !Ref IngestLogs, ",
        ),
        (5, "{ LogGroup: !Ref TicketsLogs, ", "{ "),
        (
            5,
            "DestinationArn: !GetAtt ApiLogs.Arn",
            "DestinationArn: !GetAtt Nowhere.Arn",
        ),
        (6, "      SSESpecification: { SSEEnabled: true }\n", ""),
        (
            6,
            "PointInTimeRecoveryEnabled: true",
            "PointInTimeRecoveryEnabled: false",
        ),
        (6, "    DeletionPolicy: Retain\n", ""),
        (
            6,
            "UpdateReplacePolicy: Retain",
            "UpdateReplacePolicy: Delete",
        ),
        (7, "      AuthorizationType: NONE\n", ""),
        (
            7,
            "        ANY /setup: { ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40 }\n",
            "",
        ),
        (
            7,
            "ANY /setup/{proxy+}: { ThrottlingRateLimit: 20,",
            "ANY /setup/{proxy+}: { ThrottlingRateLimit: 51,",
        ),
        (
            7,
            "DependsOn: [IngestRoute, PageRoute,",
            "DependsOn: [IngestRoute,",
        ),
        (
            7,
            "RouteKey: POST /v1/events/{source}",
            "RouteKey: $default",
        ),
        (
            7,
            "      Events:\n        Queue:\n          Type: SQS",
            "      Events:\n        Web: { Type: HttpApi }\n        Queue:\n          Type: SQS",
        ),
        (
            7,
            "Role: !GetAtt IngestRole.Arn",
            "Role: !GetAtt IngestRole.Arn\n      FunctionUrlConfig: { AuthType: NONE }",
        ),
        (7, "      SourceArn: !Sub", "      Description: !Sub"),
        (7, "AuthorizationType: AWS_IAM", "AuthorizationType: NONE"),
        (
            8,
            "{ \"ses:FromAddress\": !Ref MailFrom }",
            "{ \"ses:FromAddress\": anybody@example.com }",
        ),
        (8, "StringEquals: { \"ses:", "StringLike: { \"ses:"),
        (9, " See docs/runbook.md, UnfinishedAlarm", ""),
        (
            9,
            "docs/runbook.md, UnfinishedAlarm",
            "docs/runbook.md, QueueAgeAlarm",
        ),
        (9, "      AlarmActions: [!Ref OperatorTopic]\n", ""),
        (
            9,
            "OKActions: [!Ref OperatorTopic]",
            "OKActions: [!Ref EventQueue]",
        ),
        (
            9,
            "TreatMissingData: breaching",
            "TreatMissingData: missing",
        ),
        (
            9,
            "Dimensions: [{ Name: FunctionName, Value: !Ref TicketsFunction }]",
            "Dimensions: [{ Name: FunctionName, Value: !Ref IngestFunction }]",
        ),
        (
            9,
            "Value: !GetAtt DeadLetterQueue.QueueName",
            "Value: !GetAtt EventQueue.QueueName",
        ),
        (9, "MetricName: health_ticks", "MetricName: reconcile_ticks"),
        (10, "MetricName: mails_failed", "MetricName: mail_failures"),
        (
            10,
            "Dimensions: [{ Name: Stage, Value: !Ref Stage }]",
            "Dimensions: [{ Name: Function, Value: !Ref TicketsFunction }]",
        ),
        (10, "\"duplicate_repaired\"", "\"duplicates_repaired\""),
        (
            10,
            "[\"Ticketbridge\", \"tickets_noted\", \"Stage\", \"${Stage}\"],",
            "",
        ),
        (10, "        STAGE: !Ref Stage\n", "        STAGE: prod\n"),
        (
            11,
            "Action: dynamodb:BatchGetItem\n                Resource: !GetAtt AccessTable.Arn",
            "Action: [dynamodb:BatchGetItem, dynamodb:PutItem]\n                Resource: !GetAtt AccessTable.Arn",
        ),
        (
            11,
            "Action: [dynamodb:BatchGetItem, dynamodb:PutItem, dynamodb:UpdateItem]\n                Resource: !GetAtt ConfigTable.Arn",
            "Action: [dynamodb:BatchGetItem, dynamodb:PutItem, dynamodb:UpdateItem]\n                Resource: [!GetAtt ConfigTable.Arn, !GetAtt AccessTable.Arn]",
        ),
        (
            11,
            "                Condition: { \"ForAllValues:StringLike\": { \"dynamodb:LeadingKeys\": [\"P#*\"] } }\n",
            "",
        ),
        (11, "[\"P#*\", OPERATOR]", "[\"P#*\", OPERATOR, \"S#*\"]"),
    ];
    let text = text();
    for (rule, from, to) in changes {
        assert!(
            text.contains(from),
            "the template has no {from:?} to change"
        );
        let found = broken(&text.replacen(from, to, 1));
        assert!(
            found.contains_key(RULES[rule].0),
            "nobody minds {from:?} -> {to:?}: {found:?}"
        );
    }
    for (rule, (name, _)) in RULES.iter().enumerate() {
        assert!(
            changes.iter().any(|(of, _, _)| *of == rule),
            "nothing breaks `{name}`"
        );
    }
}
