//! The committed OpenAPI document: it is what the code describes, and breaks no client of the last
//! release. `cargo xtask lint` checks that it is valid and that its examples fit their schemas.
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
