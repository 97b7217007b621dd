//! The schemas of requests and of responses. A type that both use can have two schemas: what has a
//! default may be left out of a request, and is always there in a response.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

const DEFINITIONS: &str = "/components/schemas";
/// Precedes the name of a request's schema while it is not known whether it needs another name.
const REQUEST: &str = "request:";
/// Ends the name of a request's schema if the response's schema of the same type is another.
const INPUT: &str = "Input";

/// Adds the schema of a type to a generator, and returns a reference to it.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

pub(crate) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

#[derive(Debug)]
pub(crate) struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = DEFINITIONS.into();
                settings.meta_schema = None;
            })
        };
        Self {
            requests: settings().for_deserialize().into_generator(),
            responses: settings().for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    /// The schema of what a request has.
    pub(crate) fn request(&mut self, schema: SchemaOf) -> Value {
        let mut schema = schema(&mut self.requests).to_value();
        rename(&mut schema, &|name| Some(format!("{REQUEST}{name}")));
        schema
    }

    /// The schema of what a response has.
    pub(crate) fn response(&mut self, schema: SchemaOf) -> Value {
        schema(&mut self.responses).to_value()
    }

    /// Adds all schemas to the document, and gives those of requests their names.
    pub(crate) fn write_to(self, document: &mut Value) {
        let mut requests = self.requests;
        let mut responses = self.responses;
        let requests = requests.take_definitions(true);
        let mut all = responses.take_definitions(true);
        let differing = differing(&requests, &all);
        let named = |name: &str| match differing.contains(name) {
            true => format!("{name}{INPUT}"),
            false => name.to_owned(),
        };
        for (name, mut schema) in requests {
            rename(&mut schema, &|inner| Some(named(inner)));
            all.insert(named(&name), schema);
        }
        rename(document, &|name| name.strip_prefix(REQUEST).map(named));
        document["components"]["schemas"] = Value::Object(all);
    }
}

/// The names whose schemas are not the same in requests and responses, also because they refer to
/// such a schema.
fn differing(requests: &Map<String, Value>, responses: &Map<String, Value>) -> BTreeSet<String> {
    let shared: BTreeMap<_, _> = requests
        .iter()
        .filter_map(|(name, schema)| Some((name, (schema, responses.get(name)?))))
        .collect();
    let differ = shared.iter().filter(|(_, (one, other))| one != other);
    let mut names: BTreeSet<String> = differ.map(|(name, _)| (*name).clone()).collect();
    loop {
        let refers = |schema: &Value| references(schema).iter().any(|name| names.contains(name));
        let more: Vec<String> = shared
            .iter()
            .filter(|(name, (schema, _))| !names.contains(**name) && refers(schema))
            .map(|(name, _)| (*name).clone())
            .collect();
        if more.is_empty() {
            return names;
        }
        names.extend(more);
    }
}

/// The names of the schemas that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    let mut names = vec![];
    let mut schema = schema.clone();
    let names_of = std::cell::RefCell::new(&mut names);
    rename(&mut schema, &|name| {
        names_of.borrow_mut().push(name.to_owned());
        None
    });
    names
}

/// Replaces the names in all references, where there is another.
fn rename(value: &mut Value, name: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if let (Value::String(reference), "$ref") = (&mut *member, key.as_str()) {
                    let prefix = format!("#{DEFINITIONS}/");
                    if let Some(new) = reference.strip_prefix(&prefix).and_then(name) {
                        *reference = format!("{prefix}{new}");
                    }
                } else {
                    rename(member, name);
                }
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| rename(entry, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct WithDefault {
        #[serde(default)]
        number: u32,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Outer {
        inner: WithDefault,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Same {
        text: String,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Whole {
        outer: Outer,
        same: Same,
    }

    #[test]
    fn only_a_schema_that_differs_has_two_names() {
        let mut schemas = Schemas::default();
        let mut document = json!({
            "request": schemas.request(schema_of::<Whole>),
            "response": schemas.response(schema_of::<Whole>),
        });
        schemas.write_to(&mut document);
        assert_eq!(
            document["request"]["$ref"],
            "#/components/schemas/WholeInput"
        );
        assert_eq!(document["response"]["$ref"], "#/components/schemas/Whole");
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let names: Vec<&str> = schemas.keys().map(String::as_str).collect();
        let expected = [
            "Outer",
            "OuterInput",
            "Same",
            "Whole",
            "WholeInput",
            "WithDefault",
            "WithDefaultInput",
        ];
        assert_eq!(names, expected);
        let outer = &schemas["WholeInput"]["properties"]["outer"];
        assert_eq!(outer["$ref"], "#/components/schemas/OuterInput");
        assert_eq!(schemas["WithDefault"]["required"], json!(["number"]));
        assert!(schemas["WithDefaultInput"].get("required").is_none());
    }
}
