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

/// The origin of a rule that has no fields of its own, such as the first of several places.
pub(super) const JSON_RULE: &str = "json";

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
    #[serde(default)]
    rest: String,
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
    /// The members of the mapping that have no fields, as a JSON object. Empty: none.
    pub(super) rest: String,
}

/// Where the text of a field comes from.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FieldRule {
    /// `at` (a place), `is` (a constant), `text` (text with places), [`JSON_RULE`]; empty: nothing.
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
            rest: self.rest.clone(),
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

/// A text that a field of the form keeps: fields are trimmed, and an empty one counts as absent.
fn field_text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let is_kept = !text.is_empty() && text.trim() == text;
    is_kept.then(|| text.to_owned())
}

/// The members of an object, if it has no others than these.
fn only<'a>(value: &'a Value, allowed: &[&str]) -> Option<&'a Map<String, Value>> {
    let object = value.as_object()?;
    let is_allowed = |name: &String| allowed.contains(&name.as_str());
    object.keys().all(is_allowed).then_some(object)
}

/// The place and the rows of rules that all look at one place.
fn change_rows(rules: &Value) -> Option<(String, Vec<TableRow>)> {
    let mut place = None;
    let mut rows = vec![];
    for rule in rules.as_array()? {
        let rule = only(rule, &["at", "is", "then"])?;
        let at = text(rule.get("at"))?;
        if place.get_or_insert_with(|| at.clone()) != &at {
            return None;
        }
        for is in rule.get("is")?.as_array()? {
            rows.push(TableRow {
                from: field_text(is)?,
                to: text(rule.get("then"))?,
            });
        }
    }
    Some((place?, rows))
}

/// A rule that has fields of its own: a place, a constant or a text with places.
fn simple_rule(rule: &Value, has_table: bool) -> Option<(FieldRule, Vec<TableRow>)> {
    let members: &[&str] = match has_table {
        true => &["at", "is", "text", "otherwise", "table"],
        false => &["at", "is", "text", "otherwise"],
    };
    let rule = only(rule, members)?;
    let origin = |from: &str| Some((from.to_owned(), field_text(rule.get(from)?)?));
    let (from, value) = origin("at")
        .or_else(|| origin("is"))
        .or_else(|| origin("text"))?;
    let field = FieldRule {
        from,
        value,
        otherwise: match rule.get("otherwise") {
            Some(otherwise) => field_text(otherwise)?,
            None => String::new(),
        },
    };
    let rows = rule.get("table").and_then(Value::as_object);
    let rows = rows.into_iter().flatten().map(|(from, to)| {
        let (from, to) = (field_text(&json!(from))?, field_text(to)?);
        Some(TableRow { from, to })
    });
    Some((field, rows.collect::<Option<_>>()?))
}

impl MappingForm {
    /// Reads a mapping. What has no fields is kept as JSON. `None` if the mapping unwraps messages:
    /// its places are then not those of the sample.
    pub(super) fn parse(mapping: &Value) -> Option<Self> {
        let mut rest = mapping.as_object()?.clone();
        if rest.contains_key("unwrap") {
            return None;
        }
        let expires = rest.remove("expires_after_hours");
        let mut form = Self {
            each: match rest.remove("each").as_ref().and_then(Value::as_str) {
                Some("") => WHOLE_BODY.to_owned(),
                Some(each) => each.to_owned(),
                None => String::new(),
            },
            change_otherwise: text(rest.remove("change_otherwise").as_ref())?,
            expires_after_hours: expires.map_or_else(String::new, |hours| hours.to_string()),
            ..Self::default()
        };
        if let Some((place, rows)) = rest.get("change").and_then(change_rows) {
            (form.change_at, form.change) = (place, rows);
            rest.remove("change");
        }
        for MappingField { name, .. } in FIELDS {
            let Some(rule) = rest.remove(name) else {
                continue;
            };
            let table = TABLES.into_iter().find(|table| *table == name);
            let (field, rows) = simple_rule(&rule, table.is_some()).unwrap_or_else(|| {
                let field = FieldRule {
                    from: JSON_RULE.to_owned(),
                    value: rule.to_string(),
                    otherwise: String::new(),
                };
                (field, vec![])
            });
            form.fields.insert(name.to_owned(), field);
            if let (Some(table), false) = (table, rows.is_empty()) {
                form.tables.insert(table, rows);
            }
        }
        if !rest.is_empty() {
            form.rest = serde_json::to_string_pretty(&rest).unwrap_or_default();
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
        let of_one_meaning = rows.chunk_by(|one, other| one.to == other.to);
        let rules = of_one_meaning.map(|rows| {
            let is: Vec<_> = rows.iter().map(|row| row.from.trim()).collect();
            json!({ "at": at, "is": is, "then": rows[0].to })
        });
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
        for (name, value) in self.rest()? {
            if mapping.contains_key(&name) {
                return Err(Problem::invalid(
                    "rest",
                    format!("\"{name}\" has fields above. Remove it here, or empty these fields."),
                ));
            }
            mapping.insert(name, value);
        }
        Ok(Value::Object(mapping))
    }

    /// The members that have no fields.
    fn rest(&self) -> Result<Map<String, Value>, Problem> {
        match self.rest.trim() {
            "" => Ok(Map::new()),
            rest => serde_json::from_str(rest)
                .map_err(|err| Problem::invalid("rest", format!("It is no JSON object: {err}."))),
        }
    }

    fn rule(&self, field: &MappingField) -> Result<Option<Value>, Problem> {
        let name = field.name;
        let empty = FieldRule::default();
        let rule = self.fields.get(name).unwrap_or(&empty);
        let invalid = |words: &str| Err(Problem::invalid(format!("fields[{name}][value]"), words));
        // A place is often pasted with white space; a text may end in it.
        let value = rule.value.trim();
        let otherwise = rule.otherwise.trim();
        let is_from = matches!(rule.from.as_str(), "at" | "is" | "text" | JSON_RULE);
        if !is_from && field.is_required {
            return invalid("It is needed. Choose a place of the message, or a constant.");
        }
        if !is_from {
            return Ok(None);
        }
        if value.is_empty() {
            return invalid("Enter the place, the constant or the text.");
        }
        if rule.from == "at" && !value.starts_with('/') {
            return invalid("A place begins with a slash, such as /customer/name.");
        }
        if rule.from == JSON_RULE {
            return match serde_json::from_str(value) {
                Ok(document) => Ok(Some(document)),
                Err(err) => invalid(&format!("It is not JSON: {err}.")),
            };
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
            let value = json!(mapping);
            let Some(form) = MappingForm::parse(&value) else {
                // The form has no field for it.
                let unwraps = value.to_string().contains("\"unwrap\"");
                assert!(unwraps, "{} does not fit the form", preset.name);
                continue;
            };
            in_the_form += 1;
            let text = form.value().unwrap().to_string();
            let again = EventMapping::parse(&text, &preset.kinds_added).unwrap();
            assert_eq!(again, *mapping, "{}", preset.name);
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
        assert_eq!(form.rest, "");
        assert!(in_the_form > 10, "only {in_the_form} presets fit the form");
    }

    #[test]
    fn a_part_that_has_no_fields_is_kept_as_json() {
        let rich = json!({
            "ping": [{ "at": "/test", "is": ["true"] }],
            "change": [
                { "at": "/closed", "is": ["yes"], "then": "resolved" },
                { "at": "/status", "is": ["open"], "then": "raised" },
            ],
            "change_otherwise": "quarantine",
            "alert_id": { "first": [{ "at": "/id" }, { "at": "/number" }] },
            "tenant": { "at": "/customer" },
            "kind": { "is": "disk" },
            "severity": { "is": "low" },
            "title": { "at": "/what" },
        });
        let mut form = MappingForm::parse(&rich).unwrap();
        assert_eq!(form.fields["alert_id"].from, JSON_RULE);
        assert_eq!(form.fields["tenant"].from, "at");
        assert_eq!(form.value().unwrap(), rich);

        form.change_at = "/status".to_owned();
        form.change.push(TableRow {
            from: "closed".to_owned(),
            to: "resolved".to_owned(),
        });
        let problem = form.value().unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("rest"));
        form.rest = "[]".to_owned();
        let problem = form.value().unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("rest"));
        form.rest.clear();
        form.fields.get_mut("alert_id").unwrap().value = "{".to_owned();
        let problem = form.value().unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("fields[alert_id][value]"));
    }

    #[test]
    fn a_text_that_a_field_would_change_is_kept_as_json() {
        let mapping = json!({
            "change": [{ "at": "/status", "is": ["", "done"], "then": "resolved" }],
            "change_otherwise": "raised",
            "alert_id": { "at": "" },
            "tenant": { "at": "/customer", "otherwise": " " },
            "kind": { "at": "/kind", "table": { " a": "disk" } },
            "severity": { "is": "low" },
            "title": { "text": "{/what} " },
        });
        let form = MappingForm::parse(&mapping).unwrap();
        assert_eq!(form.fields["severity"].from, "is");
        assert_eq!(form.value().unwrap(), mapping);
    }

    #[test]
    fn a_missing_field_is_named() {
        let problem = MappingForm::default().value().unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("fields[alert_id][value]"));
    }
}
