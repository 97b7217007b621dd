//! The page that lists the template's parameters names the same ones, with the same defaults.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::Template;
use crate::text;

/// Name and default of each row "| `Name` | default | ...".
fn listed() -> BTreeMap<String, String> {
    let page = std::fs::read_to_string("../../docs/parameters.md").unwrap();
    let mut listed = BTreeMap::new();
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (name, rest) = row.split_once("` | ").unwrap();
        let (default, _) = rest.split_once(" | ").unwrap();
        let earlier = listed.insert(name.to_owned(), default.to_owned());
        assert_eq!(earlier, None, "docs/parameters.md lists {name} twice");
    }
    listed
}

/// A default as the page says it.
fn in_words(default: &Value) -> String {
    match default {
        Value::Null => "required".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            format!("`{default}`")
        }
    }
}

#[test]
fn the_page_of_parameters_has_each_of_the_template_with_its_default() {
    let template = Template::read(&text());
    let parameters = template.0["Parameters"].as_object().unwrap();
    let expected: BTreeMap<_, _> = parameters
        .iter()
        .map(|(name, parameter)| (name.clone(), in_words(&parameter["Default"])))
        .collect();
    assert_eq!(listed(), expected);
}
