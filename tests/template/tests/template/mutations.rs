//! The changes that break each rule.

use crate::{RULES, broken_rules, text};

/// The name of a rule, and a text of the template with its replacement.
fn changes() -> Vec<(&'static str, String, String)> {
    let mut rule = "";
    let mut changes = vec![];
    for block in include_str!("changes.diff").trim_end().split("\n\n") {
        let side = |sign: char| {
            let lines = block.lines().filter_map(|line| line.strip_prefix(sign));
            lines.collect::<Vec<_>>().join("\n")
        };
        match block.strip_prefix("# ") {
            Some(name) => rule = name,
            None => changes.push((rule, side('-'), side('+'))),
        }
    }
    changes
}

#[test]
fn every_rule_detects_the_changes_that_break_it() {
    let text = text();
    let changes = changes();
    for (rule, from, to) in &changes {
        assert!(
            text.contains(from),
            "the template has no {from:?} to change"
        );
        let found = broken_rules(&text.replacen(from, to, 1));
        assert!(
            found.contains_key(rule),
            "{rule} is not broken by {from:?} -> {to:?}: {found:?}"
        );
    }
    for (name, _) in RULES {
        assert!(
            changes.iter().any(|(rule, ..)| *rule == name),
            "no change breaks `{name}`"
        );
    }
}
