//! The template as JSON, and what the rules ask of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The template with every intrinsic function in its long form.
pub(crate) struct Template(pub(crate) Value);

impl Template {
    pub(crate) fn read(text: &str) -> Self {
        Self(plain(yaml_serde::from_str(text).unwrap()))
    }

    pub(crate) fn of_type(&self, kind: &str) -> BTreeMap<&str, &Value> {
        self.resources()
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(name, resource)| (name.as_str(), resource))
            .collect()
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0["Resources"].as_object().unwrap().iter()
    }

    pub(crate) fn kind_of(&self, name: &str) -> &str {
        self.0["Resources"][name]["Type"]
            .as_str()
            .unwrap_or_default()
    }

    pub(crate) fn functions(&self) -> BTreeMap<&str, &Value> {
        self.of_type("AWS::Serverless::Function")
    }

    /// The largest value that this can have: of a parameter, the largest that it allows.
    pub(crate) fn largest(&self, value: &Value) -> Option<u64> {
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

    /// The default and the smallest value: of a parameter, its default and its minimum.
    pub(crate) fn default_and_least(&self, value: &Value) -> Option<(u64, u64)> {
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
    pub(crate) fn reads<'a>(&self, function: &'a Value) -> Vec<&'a str> {
        let events = function["Properties"]["Events"].as_object();
        events
            .into_iter()
            .flat_map(Map::values)
            .filter(|event| event["Type"] == "SQS")
            .map(|event| attribute_of(&event["Properties"]["Queue"]).unwrap_or("an unknown queue"))
            .collect()
    }

    pub(crate) fn statements(&self) -> Vec<(&str, &Value)> {
        let mut statements = Vec::new();
        for (role, resource) in self.of_type("AWS::IAM::Role") {
            for policy in list(&resource["Properties"]["Policies"]) {
                for statement in list(&policy["PolicyDocument"]["Statement"]) {
                    statements.push((role, chosen(statement)));
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

/// What `!If` gives under its condition, or the value itself.
fn chosen(value: &Value) -> &Value {
    value["Fn::If"].get(1).unwrap_or(value)
}

/// One value or several, as policies may have either.
pub(crate) fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![value],
    }
}

/// The resource of a `!GetAtt`.
pub(crate) fn attribute_of(value: &Value) -> Option<&str> {
    Some(value["Fn::GetAtt"].as_str()?.split_once('.')?.0)
}

/// Whether an IAM pattern matches an action.
pub(crate) fn matches(pattern: &str, action: &str) -> bool {
    match pattern.chars().next() {
        None => action.is_empty(),
        Some('*') => (0..=action.len()).any(|at| matches(&pattern[1..], &action[at..])),
        Some(letter) => action.chars().next().is_some_and(|first| {
            (letter == '?' || letter.eq_ignore_ascii_case(&first))
                && matches(&pattern[1..], &action[1..])
        }),
    }
}
