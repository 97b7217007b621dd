//! From XML to JSON, so that one mapping language serves both.
//!
//! `<alert id="7"><device>SRV-1</device><tag>a</tag><tag>b</tag></alert>` becomes
//! `{"alert": {"@id": "7", "device": "SRV-1", "tag": ["a", "b"]}}`. The text beside attributes and
//! elements is `#text`. Names have no namespace.

use roxmltree::{Document, Node};
use serde_json::{Map, Value};

use crate::wire::invalid_field::InvalidField;

/// The deepest nesting, far more than messages have.
const MAX_DEPTH: usize = 32;

/// # Errors
/// When the text is not XML, declares a document type, which could define entities, or is nested
/// too deeply.
pub(super) fn read(text: &str) -> Result<Value, InvalidField> {
    let invalid = |problem: String| InvalidField::new("body", problem);
    let document = Document::parse(text).map_err(|err| invalid(format!("is not XML: {err}")))?;
    let root = document.root_element();
    let value = element(root, MAX_DEPTH)
        .ok_or_else(|| invalid(format!("is XML with more than {MAX_DEPTH} levels")))?;
    let name = root.tag_name().name().to_owned();
    Ok(Value::Object(Map::from_iter([(name, value)])))
}

/// The value of an element. `None` if it has more levels than these.
fn element(node: Node<'_, '_>, levels: usize) -> Option<Value> {
    let levels = levels.checked_sub(1)?;
    let mut members = Map::new();
    for attribute in node.attributes() {
        let name = format!("@{}", attribute.name());
        members.insert(name, attribute.value().into());
    }
    for child in node.children().filter(Node::is_element) {
        let value = element(child, levels)?;
        match members.get_mut(child.tag_name().name()) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                members.insert(child.tag_name().name().to_owned(), value);
            }
        }
    }
    let texts = node.children().filter(Node::is_text);
    let text: String = texts.filter_map(|text| text.text()).collect();
    let text = text.trim();
    if members.is_empty() {
        return Some(text.into());
    }
    if !text.is_empty() {
        members.insert("#text".to_owned(), text.into());
    }
    Some(Value::Object(members))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_attributes_and_texts_become_members() {
        for (text, expected) in [
            ("<a/>", json!({ "a": "" })),
            (
                "<a> 1 &lt; 2 &#x263A; </a>",
                json!({ "a": "1 < 2 \u{263a}" }),
            ),
            ("<a><![CDATA[<b>]]></a>", json!({ "a": "<b>" })),
            (
                "<a><b>1</b><b>2</b><b>3</b></a>",
                json!({ "a": { "b": ["1", "2", "3"] } }),
            ),
            (
                r#"<a id="7">x<b/>y</a>"#,
                json!({ "a": { "@id": "7", "b": "", "#text": "xy" } }),
            ),
            (
                r#"<?xml version="1.0"?><!-- c --><n:a xmlns:n="urn:n"><n:b>1</n:b></n:a>"#,
                json!({ "a": { "b": "1" } }),
            ),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_xml_is_an_error() {
        let bomb = r#"<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>"#;
        for text in ["<", "<a>", "<a></b>", "<a>&unknown;</a>", "<a/><b/>", bomb] {
            let problem = read(text).unwrap_err().problem;
            assert!(problem.starts_with("is not XML: "), "{text}: {problem}");
        }
        let deep = |levels| "<a>".repeat(levels) + &"</a>".repeat(levels);
        assert!(read(&deep(MAX_DEPTH)).is_ok());
        let problem = read(&deep(MAX_DEPTH + 1)).unwrap_err().problem;
        assert_eq!(problem, "is XML with more than 32 levels");
        assert!(read(&deep(37_000)).is_err());
        assert!(read(&"<a>".repeat(80_000)).is_err());
    }
}
