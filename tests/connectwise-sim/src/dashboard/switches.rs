//! The faults that the page can switch, each with its member of the control API. All others are set
//! through `/_sim/faults` alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::faults::Faults;
use crate::security::{FUNCTIONS, LEVELS};

/// The members of the form that name a missing right begin with this.
const RIGHT: &str = "missing_rights.";

pub(super) struct Switch {
    /// The member of the faults, such as `throttle.all`. It is the field's name too.
    pub(super) path: &'static str,
    pub(super) label: &'static str,
    /// What ConnectWise does.
    pub(super) effect: &'static str,
    pub(super) control: Control,
}

#[derive(Clone, Copy)]
pub(super) enum Control {
    Flag,
    /// A flag with texts as its values.
    Choice {
        off: &'static str,
        on: &'static str,
    },
    /// From 0 to 1.
    Rate,
    Count,
    Seconds,
}

pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) switches: &'static [Switch],
}

const fn switch(
    path: &'static str,
    label: &'static str,
    effect: &'static str,
    control: Control,
) -> Switch {
    Switch {
        path,
        label,
        effect,
        control,
    }
}

pub(super) const GROUPS: [Group; 4] = [
    Group {
        title: "The connection",
        switches: &[
            switch(
                "outage",
                "Outage",
                "Every call is answered with 503.",
                Control::Flag,
            ),
            switch(
                "keys",
                "Keys revoked",
                "The integration's keys are refused with 401.",
                Control::Choice {
                    off: "ok",
                    on: "revoked",
                },
            ),
            switch(
                "client_id",
                "Client id refused",
                "The client id of the integration is refused.",
                Control::Choice {
                    off: "ok",
                    on: "refused",
                },
            ),
            switch(
                "throttle.all",
                "Too many calls",
                "Every call of the integration is answered with 429.",
                Control::Flag,
            ),
            switch(
                "rate_limit_per_minute",
                "Calls a minute",
                "More calls are answered with 429. 0 is no limit.",
                Control::Count,
            ),
            switch(
                "latency_ms",
                "Delay of each answer, in milliseconds",
                "Every call is processed later.",
                Control::Count,
            ),
        ],
    },
    Group {
        title: "Calls that fail",
        switches: &[
            switch(
                "error_rate",
                "Errors, from 0 to 1",
                "This share of the calls is answered with 500 and not executed.",
                Control::Rate,
            ),
            switch(
                "lost_answer_rate",
                "Lost answers, from 0 to 1",
                "This share of the calls is executed and not answered.",
                Control::Rate,
            ),
            switch(
                "late_commit.rate",
                "Late writes, from 0 to 1",
                "This share of the writes is answered with an error and executed later.",
                Control::Rate,
            ),
            switch(
                "late_commit.seconds",
                "How late, in seconds",
                "When a late write is executed.",
                Control::Seconds,
            ),
            switch(
                "truncate_rate",
                "Cut answers, from 0 to 1",
                "This share of the answers ends too early.",
                Control::Rate,
            ),
            switch(
                "variants.false_200_rate",
                "False successes, from 0 to 1",
                "This share of the changes is answered with 200 and not made.",
                Control::Rate,
            ),
        ],
    },
    Group {
        title: "Data that comes late",
        switches: &[switch(
            "variants.search_lag_seconds",
            "Search lag, in seconds",
            "Lists and searches do not have a new ticket before.",
            Control::Count,
        )],
    },
    Group {
        title: "Callbacks",
        switches: &[
            switch(
                "callbacks.lost_rate",
                "Lost callbacks, from 0 to 1",
                "This share of the callbacks is not posted.",
                Control::Rate,
            ),
            switch(
                "callbacks.doubled_rate",
                "Doubled callbacks, from 0 to 1",
                "This share of the callbacks is posted twice.",
                Control::Rate,
            ),
        ],
    },
];

fn all() -> impl Iterator<Item = &'static Switch> {
    GROUPS.iter().flat_map(|group| group.switches)
}

/// The name of the field of a right.
pub(super) fn right_field(function: &str, level: &str) -> String {
    format!("{RIGHT}{function}.{level}")
}

/// What the form's fields contain, by their names. A flag that is off is absent.
pub(super) fn fields_of(faults: &Faults) -> BTreeMap<String, String> {
    let json = serde_json::to_value(faults).unwrap_or_default();
    let mut fields = BTreeMap::new();
    for switch in all() {
        let pointer = format!("/{}", switch.path.replace('.', "/"));
        let value = json.pointer(&pointer).unwrap_or(&Value::Null);
        let text = match switch.control {
            Control::Flag => (value == true).then(|| "on".to_owned()),
            Control::Choice { on, .. } => (value == on).then(|| "on".to_owned()),
            Control::Rate | Control::Count | Control::Seconds => Some(number(value)),
        };
        fields.extend(text.map(|text| (switch.path.to_owned(), text)));
    }
    let missing = faults.missing_rights.iter();
    fields.extend(missing.map(|right| (format!("{RIGHT}{right}"), "on".to_owned())));
    fields
}

/// Without a needless `.0`.
fn number(value: &Value) -> String {
    let text = value.to_string();
    text.strip_suffix(".0")
        .map(ToOwned::to_owned)
        .unwrap_or(text)
}

/// The change of the faults that the form's fields ask for.
///
/// # Errors
/// Says which field is wrong.
pub(super) fn change(fields: &BTreeMap<String, String>) -> Result<Value, String> {
    let mut change = Map::new();
    for switch in all() {
        let text = fields.get(switch.path).map(|text| text.trim());
        let value = match switch.control {
            Control::Flag => json!(text.is_some()),
            Control::Choice { on, off } => json!(if text.is_some() { on } else { off }),
            Control::Rate | Control::Seconds => {
                let number = text.unwrap_or_default().parse::<f64>();
                json!(number.map_err(|_| format!("{}: enter a number", switch.label))?)
            }
            Control::Count => {
                let count = text.unwrap_or_default().parse::<u32>();
                json!(count.map_err(|_| format!("{}: enter a whole number", switch.label))?)
            }
        };
        match switch.path.split_once('.') {
            Some((outer, inner)) => {
                let outer = change.entry(outer).or_insert_with(|| json!({}));
                outer[inner] = value;
            }
            None => drop(change.insert(switch.path.to_owned(), value)),
        }
    }
    let rights = FUNCTIONS.iter().flat_map(|function| {
        LEVELS.map(|level| (right_field(function.key, level), function.key, level))
    });
    let missing = rights.filter(|(field, ..)| fields.contains_key(field));
    let missing: Vec<_> = missing
        .map(|(_, function, level)| format!("{function}.{level}"))
        .collect();
    change.insert("missing_rights".to_owned(), json!(missing));
    Ok(Value::Object(change))
}

/// The faults that differ from none, for people.
pub(super) fn active(faults: &Faults) -> Vec<String> {
    let (fields, none) = (fields_of(faults), fields_of(&Faults::default()));
    let mut active: Vec<String> = Vec::new();
    for switch in all() {
        let value = fields.get(switch.path);
        if value == none.get(switch.path) {
            continue;
        }
        active.push(match (switch.control, value) {
            (Control::Rate | Control::Count | Control::Seconds, Some(value)) => {
                format!("{} {value}", switch.label)
            }
            (Control::Flag | Control::Choice { .. }, _)
            | (Control::Rate | Control::Count | Control::Seconds, None) => switch.label.to_owned(),
        });
    }
    let missing = faults.missing_rights.iter();
    active.extend(missing.map(|right| format!("missing right {right}")));
    if !faults.rules.is_empty() || !faults.workflows.is_empty() {
        active.push("rules of the control API".to_owned());
    }
    active
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_any_faults_change_nothing() {
        let set = json!({
            "outage": true, "keys": "revoked", "latency_ms": 250, "error_rate": 0.25,
            "late_commit": { "rate": 1.0, "seconds": 2.5 },
            "missing_rights": ["service_tickets.add", "my_account.inquire"],
            "throttle": { "all": true, "retry_after_seconds": 7 },
            "variants": { "retry_after": "date", "search_lag_seconds": 9 },
        });
        for faults in [
            Faults::default(),
            Faults::default().merged(&set).expect("good faults"),
        ] {
            let change = change(&fields_of(&faults)).expect("good fields");
            let again = faults.merged(&change).expect("a good change");
            let mut rights = [&faults, &again].map(|of| of.missing_rights.clone());
            rights.iter_mut().for_each(|rights| rights.sort());
            assert_eq!(rights[0], rights[1]);
            let without_rights = |faults: &Faults| Faults {
                missing_rights: vec![],
                ..faults.clone()
            };
            assert_eq!(without_rights(&again), without_rights(&faults));
        }
    }

    #[test]
    fn each_switch_ends_what_it_began() {
        let none = fields_of(&Faults::default());
        for switch in all() {
            let mut fields = none.clone();
            fields.insert(switch.path.to_owned(), "1".to_owned());
            let on = change(&fields).expect("good fields");
            let faults = Faults::default().merged(&on).expect("a good change");
            assert_ne!(faults, Faults::default(), "{}", switch.path);
            assert_eq!(active(&faults).len(), 1, "{}", switch.path);
            let off = change(&none).expect("good fields");
            let ended = faults.merged(&off).expect("a good change");
            assert_eq!(ended, Faults::default(), "{}", switch.path);
            assert!(active(&ended).is_empty());
        }
    }

    #[test]
    fn a_wrong_number_is_named_by_its_label() {
        for (path, text, words) in [
            ("error_rate", "", "Errors, from 0 to 1: enter a number"),
            ("latency_ms", "1.5", "enter a whole number"),
            ("latency_ms", "-1", "enter a whole number"),
        ] {
            let mut fields = fields_of(&Faults::default());
            fields.insert(path.to_owned(), text.to_owned());
            let problem = change(&fields).expect_err("wrong fields");
            assert!(problem.contains(words), "{problem}");
        }
    }
}
