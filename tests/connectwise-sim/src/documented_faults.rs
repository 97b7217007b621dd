//! Compares the faults in the code with the documented ones.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::fault_rules::Effect;
use crate::faults::Faults;
use crate::tickets::actions::{BoardAction, CompanyAction, TicketAction};

const TABLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/connectwise-behaviour.md"
);

/// The names of an enum's variants. Serde lists them all when it refuses an unknown one.
fn variants<T: DeserializeOwned>() -> Vec<String> {
    let refused = serde_json::from_value::<T>(json!("no such variant"))
        .err()
        .expect("an unknown variant")
        .to_string();
    let (_, expected) = refused
        .split_once("expected one of ")
        .or_else(|| refused.split_once("expected "))
        .expect(&refused);
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Every fault in the code. Members of an object are prefixed with its name.
fn in_code() -> BTreeSet<String> {
    let faults = serde_json::to_value(Faults::default()).expect("JSON");
    let mut names = BTreeSet::new();
    for (name, value) in faults.as_object().expect("an object") {
        if let Some(members) = value.as_object() {
            names.extend(members.keys().map(|member| format!("{name}.{member}")));
        } else if name != "rules" {
            // The effects of rules are the switches.
            names.insert(name.clone());
        }
    }
    for (prefix, variants) in [
        ("rules.then", variants::<Effect>()),
        ("tickets", variants::<TicketAction>()),
        ("companies", variants::<CompanyAction>()),
        ("boards", variants::<BoardAction>()),
    ] {
        names.extend(variants.iter().map(|name| format!("{prefix}.{name}")));
    }
    names
}

/// The code spans of the last column of every table with a column "switch".
fn in_table(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_about_switches = false;
    for line in text.lines() {
        let Some(row) = line.strip_suffix('|').filter(|line| line.starts_with('|')) else {
            is_about_switches = false;
            continue;
        };
        let last = row.rsplit('|').next().expect("a cell");
        if last.trim() == "switch" {
            is_about_switches = true;
        } else if is_about_switches {
            names.extend(last.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_fault_is_documented_and_nothing_else() {
    let text = std::fs::read_to_string(TABLE).expect(TABLE);
    let (code, table) = (in_code(), in_table(&text));
    let missing: Vec<_> = code.difference(&table).collect();
    let unknown: Vec<_> = table.difference(&code).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "not described: {missing:?}; not in the code: {unknown:?}"
    );
    assert!(code.len() > 60, "{}", code.len());
}
