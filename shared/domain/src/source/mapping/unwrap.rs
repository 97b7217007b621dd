//! From the bytes of a body to JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::xml;
use crate::wire::invalid_field::InvalidField;
use crate::wire::webhook::body_text;

/// How a body becomes JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unwrap {
    /// It is JSON, or XML: `<alert id="7"><device>SRV-1</device></alert>` becomes
    /// `{"alert": {"@id": "7", "device": "SRV-1"}}`.
    #[default]
    Json,
    /// An envelope of Amazon SNS, whose `Message` is JSON as text.
    Sns,
    /// `{"events": ["CEF:0|...", ...]}`: each text in the Common Event Format becomes an object of
    /// its header fields and extensions.
    Cef,
}

impl Unwrap {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn is_json(&self) -> bool {
        *self == Self::Json
    }
}

/// # Errors
/// When the body has not the expected form.
pub(super) fn read(unwrap: Unwrap, body: &[u8]) -> Result<Value, InvalidField> {
    let text = body_text(body)?;
    match unwrap {
        Unwrap::Json => json_or_xml(&text),
        Unwrap::Sns => {
            let envelope = json("body", &text)?;
            // A confirmation has a `Message` that is no JSON. It stays the envelope.
            let message = envelope.get("Message").and_then(Value::as_str);
            let message = message.and_then(|message| serde_json::from_str(message).ok());
            Ok(message.filter(Value::is_object).unwrap_or(envelope))
        }
        Unwrap::Cef => {
            let envelope = json("body", &text)?;
            let events = envelope.get("events").and_then(Value::as_array);
            let events = events
                .ok_or_else(|| InvalidField::new("events", "there is no list of CEF texts"))?;
            let read = |event: &Value| event.as_str().and_then(cef).unwrap_or(Value::Null);
            let events: Vec<Value> = events.iter().map(read).collect();
            Ok(serde_json::json!({ "events": events }))
        }
    }
}

/// Reads JSON, or XML as the JSON that it becomes. No JSON begins with `<`.
pub(super) fn json_or_xml(text: &str) -> Result<Value, InvalidField> {
    match text.trim_start().starts_with('<') {
        true => xml::read(text.trim()),
        false => json("body", text),
    }
}

fn json(field: &str, text: &str) -> Result<Value, InvalidField> {
    serde_json::from_str(text)
        .map_err(|err| InvalidField::new(field, format!("is not JSON: {err}")))
}

/// Reads one text in the Common Event Format: `CEF:version|vendor|product|product
/// version|id|name|severity|extensions`.
fn cef(text: &str) -> Option<Value> {
    const HEADER: [&str; 7] = [
        "cef_version",
        "vendor",
        "product",
        "product_version",
        "event_id",
        "name",
        "severity",
    ];
    let text = &text[text.find("CEF:")? + 4..];
    let mut event = Map::new();
    let mut rest = text;
    for name in HEADER {
        let (field, after) = split_unescaped(rest)?;
        event.insert(name.to_owned(), Value::String(unescaped(field)));
        rest = after;
    }
    for (name, value) in extensions(rest) {
        event.insert(name.to_owned(), Value::String(unescaped(value)));
    }
    Some(Value::Object(event))
}

/// Splits at the first `|` that is not escaped.
fn split_unescaped(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '|' if !escaped => return Some((&text[..at], &text[at + 1..])),
            _ => escaped = false,
        }
    }
    None
}

/// The pairs of `name=value name=value`. A value may contain blanks: it ends before the last word
/// in front of the next `=`.
fn extensions(text: &str) -> Vec<(&str, &str)> {
    let mut equals = vec![];
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '=' if !escaped => equals.push(at),
            _ => escaped = false,
        }
    }
    let start_of = |at: usize| {
        let name = text[..at].rsplit(char::is_whitespace).next();
        at - name.map_or(0, str::len)
    };
    let mut pairs = vec![];
    for (index, &at) in equals.iter().enumerate() {
        let name = text[start_of(at)..at].trim();
        let end = equals
            .get(index + 1)
            .map_or(text.len(), |&next| start_of(next));
        if let Some(value) = text.get(at + 1..end).filter(|_| !name.is_empty()) {
            pairs.push((name, value.trim_end()));
        }
    }
    pairs
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut escaped = false;
    for c in text.chars() {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (true, 'n' | 'r') => {
                plain.push('\n');
                escaped = false;
            }
            (_, c) => {
                plain.push(c);
                escaped = false;
            }
        }
    }
    plain
}
