//! What a person types in the editor, and its two notations.

use std::collections::BTreeMap;

use domain::SourceId;
use domain::source::mapping::EventMapping;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::http::problem::Problem;

/// A member of a mapping that has a row in the form.
pub(super) struct MappingField {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) is_required: bool,
    /// What a person needs to know.
    pub(super) note: &'static str,
}

const fn field(
    name: &'static str,
    label: &'static str,
    is_required: bool,
    note: &'static str,
) -> MappingField {
    MappingField {
        name,
        label,
        is_required,
        note,
    }
}

pub(super) const FIELDS: [MappingField; 11] = [
    field(
        "alert_id",
        "Alert id",
        true,
        "The same in every message about one alert, also in the one that resolves it.",
    ),
    field(
        "tenant",
        "Tenant",
        true,
        "The customer. Its id or its name.",
    ),
    field("tenant_name", "Tenant name", false, ""),
    field("kind", "Kind", true, "It chooses board and ticket type."),
    field("severity", "Severity", true, "It chooses the priority."),
    field(
        "title",
        "Title",
        true,
        "It becomes the summary of the ticket.",
    ),
    field("description", "Description", false, ""),
    field("device", "Device", false, ""),
    field("user", "User", false, ""),
    field("link", "Link", false, ""),
    field(
        "time",
        "Time",
        false,
        "When it happened. Without it, the time of receipt counts.",
    ),
];

/// The fields whose texts a table translates.
pub(super) const TABLES: [&str; 2] = ["kind", "severity"];
/// Stands for a body that is itself the list of alerts.
pub(super) const WHOLE_BODY: &str = "(the whole message)";

/// What the page sends.
#[derive(Debug, Default, Clone, Deserialize)]
pub(crate) struct EditorForm {
    pub(super) source: Option<SourceId>,
    pub(super) version: u64,
    /// `check`, `save`, `as_json`, `as_form` or `remove:` and the number of a sample.
    pub(super) action: String,
    /// The digest of the mapping whose result the page shows.
    #[serde(default)]
    pub(super) checked: String,
    /// Another sample to store.
    #[serde(default)]
    pub(super) sample: String,
    /// The mapping as JSON. Absent: the form's fields count.
    pub(super) mapping: Option<String>,
    #[serde(default)]
    each: String,
    #[serde(default)]
    change_at: String,
    #[serde(default)]
    change: Vec<TableRow>,
    #[serde(default)]
    change_otherwise: String,
    #[serde(default)]
    fields: BTreeMap<String, FieldRule>,
    #[serde(default)]
    kind_table: Vec<TableRow>,
    #[serde(default)]
    severity_table: Vec<TableRow>,
    #[serde(default)]
    expires_after_hours: String,
}

/// A mapping in the form's notation.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct MappingForm {
    /// The place of the list of alerts. Empty: the body is one alert.
    pub(super) each: String,
    pub(super) change_at: String,
    pub(super) change: Vec<TableRow>,
    pub(super) change_otherwise: String,
    pub(super) fields: BTreeMap<String, FieldRule>,
    pub(super) tables: BTreeMap<&'static str, Vec<TableRow>>,
    pub(super) expires_after_hours: String,
}

/// Where the text of a field comes from.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FieldRule {
    /// `at` (a place), `is` (a constant), `text` (text with places); empty: nothing.
    #[serde(default)]
    pub(super) from: String,
    #[serde(default)]
    pub(super) value: String,
    #[serde(default)]
    pub(super) otherwise: String,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableRow {
    #[serde(default)]
    pub(super) from: String,
    #[serde(default)]
    pub(super) to: String,
}

/// What is edited.
#[derive(Debug, Clone)]
pub(super) enum Edited {
    Form(MappingForm),
    Json(String),
}

impl EditorForm {
    pub(super) fn edited(&self) -> Edited {
        if let Some(text) = &self.mapping {
            return Edited::Json(text.clone());
        }
        let tables = [
            (TABLES[0], self.kind_table.clone()),
            (TABLES[1], self.severity_table.clone()),
        ];
        Edited::Form(MappingForm {
            each: self.each.clone(),
            change_at: self.change_at.clone(),
            change: self.change.clone(),
            change_otherwise: self.change_otherwise.clone(),
            fields: self.fields.clone(),
            tables: tables.into(),
            expires_after_hours: self.expires_after_hours.clone(),
        })
    }
}

impl Edited {
    /// The editor of a stored mapping: the form, if it has room for it.
    pub(super) fn of(mapping: &EventMapping) -> Self {
        let value = json!(mapping);
        match MappingForm::parse(&value) {
            Some(form) => Self::Form(form),
            None => Self::json(&value),
        }
    }

    pub(super) fn json(value: &Value) -> Self {
        Self::Json(serde_json::to_string_pretty(value).unwrap_or_default())
    }

    /// The document that was typed.
    pub(super) fn value(&self) -> Result<Value, Problem> {
        match self {
            Self::Form(form) => form.value(),
            Self::Json(text) => serde_json::from_str(text)
                .map_err(|err| Problem::invalid("mapping", format!("It is not JSON: {err}."))),
        }
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

/// The members of an object, if it has no others than these.
fn only<'a>(value: &'a Value, allowed: &[&str]) -> Option<&'a Map<String, Value>> {
    let object = value.as_object()?;
    let is_allowed = |name: &String| allowed.contains(&name.as_str());
    object.keys().all(is_allowed).then_some(object)
}

impl MappingForm {
    /// Reads a mapping. `None` if the form has no room for it.
    pub(super) fn parse(mapping: &Value) -> Option<Self> {
        let mut allowed: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        allowed.extend(["each", "change", "change_otherwise", "expires_after_hours"]);
        let members = only(mapping, &allowed)?;
        let mut form = Self {
            each: match members.get("each").and_then(Value::as_str) {
                Some("") => WHOLE_BODY.to_owned(),
                Some(each) => each.to_owned(),
                None => String::new(),
            },
            change_otherwise: text(members.get("change_otherwise"))?,
            expires_after_hours: members
                .get("expires_after_hours")
                .map_or_else(String::new, Value::to_string),
            ..Self::default()
        };
        for rule in members
            .get("change")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let rule = only(rule, &["at", "is", "then"])?;
            let at = text(rule.get("at"))?;
            if !form.change_at.is_empty() && form.change_at != at {
                return None;
            }
            form.change_at = at;
            for is in rule.get("is")?.as_array()? {
                form.change.push(TableRow {
                    from: is.as_str()?.to_owned(),
                    to: text(rule.get("then"))?,
                });
            }
        }
        for MappingField { name, .. } in FIELDS {
            let Some(rule) = members.get(name) else {
                continue;
            };
            let table = TABLES.into_iter().find(|table| *table == name);
            let members: &[&str] = match table {
                Some(_) => &["at", "is", "text", "otherwise", "table"],
                None => &["at", "is", "text", "otherwise"],
            };
            let rule = only(rule, members)?;
            let origin = |from: &str| Some((from.to_owned(), text(rule.get(from))?));
            let (from, value) = origin("at")
                .or_else(|| origin("is"))
                .or_else(|| origin("text"))?;
            let otherwise = text(rule.get("otherwise")).unwrap_or_default();
            let field = FieldRule {
                from,
                value,
                otherwise,
            };
            form.fields.insert(name.to_owned(), field);
            if let (Some(table), Some(rows)) = (table, rule.get("table")) {
                let rows = rows.as_object()?.iter().map(|(from, to)| {
                    let to = to.as_str()?.to_owned();
                    let from = from.clone();
                    Some(TableRow { from, to })
                });
                form.tables.insert(table, rows.collect::<Option<_>>()?);
            }
        }
        Some(form)
    }

    /// The document. A field that is missing is named in the problem.
    pub(super) fn value(&self) -> Result<Value, Problem> {
        let mut mapping = Map::new();
        match self.each.trim() {
            "" => {}
            WHOLE_BODY => drop(mapping.insert("each".to_owned(), json!(""))),
            each => drop(mapping.insert("each".to_owned(), json!(each))),
        }
        let rows = filled_rows(&self.change);
        let at = self.change_at.trim();
        if at.is_empty() && !rows.is_empty() {
            return Err(Problem::invalid(
                "change_at",
                "Choose the place whose values are in the table.",
            ));
        }
        let rules = rows
            .iter()
            .map(|row| json!({ "at": at, "is": [row.from.trim()], "then": row.to }));
        let rules: Vec<_> = rules.collect();
        if !rules.is_empty() {
            mapping.insert("change".to_owned(), json!(rules));
        }
        let otherwise = match self.change_otherwise.as_str() {
            "" => "raised",
            otherwise => otherwise,
        };
        mapping.insert("change_otherwise".to_owned(), json!(otherwise));
        for field in &FIELDS {
            if let Some(rule) = self.rule(field)? {
                mapping.insert(field.name.to_owned(), rule);
            }
        }
        match self.expires_after_hours.trim() {
            "" => {}
            hours => {
                let hours: u32 = hours.parse().map_err(|_| {
                    Problem::invalid("expires_after_hours", "It is a number of hours.")
                })?;
                mapping.insert("expires_after_hours".to_owned(), json!(hours));
            }
        }
        Ok(Value::Object(mapping))
    }

    fn rule(&self, field: &MappingField) -> Result<Option<Value>, Problem> {
        let name = field.name;
        let empty = FieldRule::default();
        let rule = self.fields.get(name).unwrap_or(&empty);
        let invalid = |words: &str| Err(Problem::invalid(format!("fields[{name}][value]"), words));
        // A place is often pasted with white space; a text may end in it.
        let value = rule.value.trim();
        let otherwise = rule.otherwise.trim();
        let is_from = matches!(rule.from.as_str(), "at" | "is" | "text");
        if !is_from && field.is_required {
            return invalid("It is needed. Choose a place of the message, or a constant.");
        }
        if !is_from {
            return Ok(None);
        }
        if value.is_empty() {
            return invalid("Enter the place, the constant or the text.");
        }
        let mut document = Map::from_iter([(rule.from.clone(), json!(value))]);
        if !otherwise.is_empty() {
            document.insert("otherwise".to_owned(), json!(otherwise));
        }
        let rows = self.tables.get(name).map(|rows| filled_rows(rows));
        if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
            let table = rows
                .iter()
                .map(|row| (row.from.trim().to_owned(), json!(row.to)));
            document.insert("table".to_owned(), Value::Object(table.collect()));
        }
        Ok(Some(Value::Object(document)))
    }
}

/// Rows in which a value was entered.
fn filled_rows(rows: &[TableRow]) -> Vec<&TableRow> {
    let rows = rows.iter().filter(|row| !row.from.trim().is_empty());
    rows.collect()
}

#[cfg(test)]
mod tests {
    use domain::source::presets;

    use super::*;

    #[test]
    fn a_mapping_that_fits_the_form_is_the_same_afterwards() {
        let mut in_the_form = 0;
        for preset in presets::all() {
            let Some(mapping) = preset.mapping() else {
                continue;
            };
            let Some(form) = MappingForm::parse(&json!(mapping)) else {
                continue;
            };
            in_the_form += 1;
            let text = form.value().unwrap().to_string();
            let again = EventMapping::parse(&text, &preset.kinds_added).unwrap();
            // One rule with several texts becomes several rules.
            assert_eq!(
                MappingForm::parse(&json!(again)),
                Some(form),
                "{}",
                preset.name
            );
        }
        let simple = json!({
            "each": "/alerts",
            "change": [
                { "at": "/status", "is": ["firing"], "then": "raised" },
                { "at": "/status", "is": ["resolved"], "then": "resolved" },
            ],
            "change_otherwise": "quarantine",
            "alert_id": { "at": "/id" },
            "tenant": { "at": "/customer", "otherwise": "(no customer)" },
            "kind": { "is": "disk" },
            "severity": { "at": "/level", "table": { "p1": "critical" }, "otherwise": "low" },
            "title": { "text": "{/name} on {/host}" },
            "expires_after_hours": 24,
        });
        let form = MappingForm::parse(&simple).unwrap();
        assert_eq!(form.value().unwrap(), simple);
        assert_eq!(in_the_form, 0, "change the page's texts if presets fit");
    }

    #[test]
    fn a_missing_field_is_named() {
        let problem = MappingForm::default().value().unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("fields[alert_id][value]"));
    }
}
