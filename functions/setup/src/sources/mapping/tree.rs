//! A sample as nested lists. A script turns its places into buttons that fill the form.

use maud::{Markup, html};
use serde_json::Value;

/// Most places of a sample.
const MAX_PLACES: usize = 400;
/// Entries of a list that are shown.
const MAX_ENTRIES: usize = 3;
/// The longest text that is shown, in characters.
const MAX_SHOWN: usize = 80;

/// A place of a sample, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) pointer: String,
    pub(super) value: String,
}

/// The places of texts, numbers and flags.
pub(super) fn places(value: &Value) -> Vec<Place> {
    let mut places = vec![];
    collect(value, String::new(), &mut places);
    places
}

fn collect(value: &Value, pointer: String, places: &mut Vec<Place>) {
    if places.len() >= MAX_PLACES {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, step(&pointer, name), places);
            }
        }
        Value::Array(entries) => {
            for (n, entry) in entries.iter().take(MAX_ENTRIES).enumerate() {
                collect(entry, step(&pointer, &n.to_string()), places);
            }
        }
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => places.push(Place {
            pointer,
            value: shown(value),
        }),
    }
}

/// The places of lists of objects.
pub(super) fn lists(value: &Value) -> Vec<String> {
    let mut lists = vec![];
    collect_lists(value, String::new(), &mut lists);
    lists
}

fn collect_lists(value: &Value, pointer: String, lists: &mut Vec<String>) {
    match value {
        Value::Object(members) if lists.len() < MAX_PLACES => {
            for (name, member) in members {
                collect_lists(member, step(&pointer, name), lists);
            }
        }
        Value::Array(entries) if entries.iter().any(Value::is_object) => lists.push(pointer),
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => {}
    }
}

fn step(pointer: &str, name: &str) -> String {
    let name = name.replace('~', "~0").replace('/', "~1");
    format!("{pointer}/{name}")
}

fn shown(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let mut letters = text.chars();
    let short: String = letters.by_ref().take(MAX_SHOWN).collect();
    if letters.next().is_some() {
        format!("{short}…")
    } else {
        short
    }
}

pub(super) fn render(value: &Value) -> Markup {
    let mut left = MAX_PLACES;
    html! { ul class="tree" { (members(value, "", &mut left)) } }
}

fn members(value: &Value, pointer: &str, left: &mut usize) -> Markup {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(name, member)| (name.clone(), member))
                .collect()
        }
        Value::Array(entries) => {
            let entries = entries.iter().take(MAX_ENTRIES).enumerate();
            entries.map(|(n, entry)| (n.to_string(), entry)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    };
    html! {
        @for (name, member) in entries {
            @if *left > 0 { (node(&name, member, &step(pointer, &name), left)) }
        }
        @if let Value::Array(all) = value {
            @if all.len() > MAX_ENTRIES { li class="soft" { "and " (all.len() - MAX_ENTRIES) " more" } }
        }
    }
}

fn node(name: &str, value: &Value, pointer: &str, left: &mut usize) -> Markup {
    *left = left.saturating_sub(1);
    html! {
        li {
            @match value {
                Value::Object(_) | Value::Array(_) => {
                    (name)
                    ul { (members(value, pointer, left)) }
                }
                Value::Null => { (name) ": " span class="soft" { "nothing" } }
                Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    (name) ": " code data-place=(pointer) { (shown(value)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_are_json_pointers() {
        let sample = json!({ "a/b": { "c~d": [1, { "e": "x" }] }, "none": null });
        let places = places(&sample);
        let pointers: Vec<_> = places.iter().map(|place| place.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a~1b/c~0d/0", "/a~1b/c~0d/1/e"]);
        for place in &places {
            assert!(sample.pointer(&place.pointer).is_some());
        }
        assert_eq!(lists(&sample), ["/a~1b/c~0d"]);
        insta::assert_snapshot!(crate::page::lines(&render(&sample)));
    }

    #[test]
    fn a_huge_sample_stays_bounded() {
        let many: Vec<_> = (0..1000).map(|n| (n.to_string(), json!(n))).collect();
        let sample = Value::Object(many.into_iter().collect());
        assert_eq!(places(&sample).len(), MAX_PLACES);
        assert_eq!(render(&sample).0.matches("<li>").count(), MAX_PLACES);
    }
}
