//! The committed OpenAPI document: it is what the code describes, its examples fit its schemas, and it
//! breaks no client of the last release.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::fs;

use api::breaking_changes;
use serde_json::{Value, json};

fn committed() -> Value {
    serde_json::from_str(&fs::read_to_string(api::FILE).unwrap()).unwrap()
}

#[test]
fn the_committed_document_is_what_the_code_describes() {
    let committed = fs::read_to_string(api::FILE).unwrap();
    assert!(
        committed == api::text(),
        "docs/api/openapi.json is not what the code describes. Write it with `cargo run -p api`, and \
         commit it"
    );
}

/// The version in the name of a released document.
fn version(name: &str) -> Option<Vec<u64>> {
    let version = name.strip_suffix(".json")?;
    version.split('.').map(|part| part.parse().ok()).collect()
}

#[test]
fn no_client_of_the_last_release_breaks() {
    let files = fs::read_dir(api::RELEASED).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let last = names
        .filter_map(|name| Some((version(&name)?, name)))
        .max()
        .expect("docs/api/released has no document");
    let path = format!("{}/{}", api::RELEASED, last.1);
    let released = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let found = breaking_changes::find(&released, &api::document());
    assert!(
        found.is_empty(),
        "these changes break clients of docs/api/released/{}:\n- {}\nKeep what was there, and add the \
         new beside it",
        last.1,
        found.join("\n- ")
    );
}

/// All examples with their schema, and where they are.
fn examples(value: &Value, place: &str, found: &mut Vec<(String, Value, Value)>) {
    let Some(members) = value.as_object() else {
        let entries = value.as_array().into_iter().flatten().enumerate();
        return entries.for_each(|(n, entry)| examples(entry, &format!("{place}/{n}"), found));
    };
    if let (Some(schema), Some(named)) = (members.get("schema"), members.get("examples")) {
        for (name, example) in named.as_object().unwrap() {
            let place = format!("{place}/examples/{name}");
            found.push((place, schema.clone(), example["value"].clone()));
        }
    }
    if let (Some(schema), Some(example)) = (members.get("schema"), members.get("example")) {
        found.push((format!("{place}/example"), schema.clone(), example.clone()));
    }
    for (name, member) in members {
        examples(member, &format!("{place}/{name}"), found);
    }
}

#[test]
fn every_example_fits_its_schema() {
    let document = committed();
    let mut found = vec![];
    examples(&document["paths"], "", &mut found);
    assert!(
        found.len() > 100,
        "only {} examples were found",
        found.len()
    );
    for (place, mut schema, example) in found {
        schema["components"] = document["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&example)
            .map(|err| format!("{}: {err}", err.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{place}: {errors:?}");
    }
}

#[test]
fn every_operation_has_an_example_of_each_body() {
    let document = committed();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let bodies = operation["responses"].as_object().unwrap().values();
            for body in bodies.chain([&operation["requestBody"]]) {
                for (media_type, content) in body["content"].as_object().into_iter().flatten() {
                    let examples = content["examples"].as_object();
                    let has = examples.is_some_and(|examples| !examples.is_empty());
                    assert!(has, "{method} {path} {media_type} has no example");
                }
            }
        }
    }
    assert_eq!(document["openapi"], json!("3.1.1"));
}
