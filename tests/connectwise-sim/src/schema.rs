//! ConnectWise's record schemas, parsed from `schemas.txt`: the members of a body with type and
//! length, and the names that a condition may use. They are separate from the client's types, so
//! that a misspelt member is refused.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::response::{ApiError, Problem};

/// One record's members.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: String,
    members: BTreeMap<String, SchemaMember>,
}

#[derive(Debug)]
struct SchemaMember {
    kind: Kind,
    required: bool,
}

/// What a member may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Number,
    Boolean,
    /// Text with the longest length, in UTF-16 units as .NET counts them.
    Text(Option<usize>),
    Choice(Vec<String>),
    Date,
    Unchecked,
    Reference(String),
    /// The schema or the type of its items.
    List(String),
}

impl Kind {
    fn parse(text: &str) -> Self {
        if let Some(shape) = text.strip_prefix("->") {
            return Self::Reference(shape.to_owned());
        }
        if let Some(choices) = text
            .strip_prefix("s{")
            .and_then(|rest| rest.strip_suffix('}'))
        {
            return Self::Choice(choices.split('|').map(str::to_owned).collect());
        }
        if let Some(longest) = text.strip_prefix("s<=") {
            return Self::Text(longest.parse().ok());
        }
        match text {
            "i" => Self::Integer,
            "n" => Self::Number,
            "b" => Self::Boolean,
            "s" => Self::Text(None),
            "dt" => Self::Date,
            list if list.starts_with('[') => {
                let item = list.trim_matches(['[', ']']);
                Self::List(item.trim_start_matches("->").to_owned())
            }
            _ => Self::Unchecked,
        }
    }

    /// .NET's name of the type, for conversion errors.
    fn dot_net(&self) -> String {
        match self {
            Self::Integer => "System.Int32".to_owned(),
            Self::Number => "System.Decimal".to_owned(),
            Self::Boolean => "System.Boolean".to_owned(),
            Self::Text(_) | Self::Choice(_) | Self::Unchecked => "System.String".to_owned(),
            Self::Date => "System.DateTime".to_owned(),
            Self::Reference(shape) => shape.clone(),
            Self::List(_) => "System.Collections.Generic.List".to_owned(),
        }
    }

    fn accepts(&self, value: &Value) -> bool {
        match self {
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Text(_) | Self::Choice(_) => value.is_string(),
            Self::Date => value
                .as_str()
                .is_some_and(|text| crate::clock::parse(text).is_some()),
            Self::Unchecked => true,
            Self::Reference(_) => value.is_object(),
            Self::List(_) => value.is_array(),
        }
    }
}

/// All schemas by name.
fn all() -> &'static BTreeMap<String, Schema> {
    static ALL: OnceLock<BTreeMap<String, Schema>> = OnceLock::new();
    ALL.get_or_init(|| {
        include_str!("schemas.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(": "))
            .map(|(name, members)| (name.to_owned(), Schema::parse(name, members)))
            .collect()
    })
}

impl Schema {
    /// The schema called `name`. Unlisted schemas, which are rare references, have the members of a
    /// plain reference.
    pub(crate) fn named(name: &str) -> &'static Self {
        static PLAIN: OnceLock<Schema> = OnceLock::new();
        all().get(name).unwrap_or_else(|| {
            PLAIN.get_or_init(|| Self::parse("Reference", "id:i, identifier:s, name:s, _info:obj"))
        })
    }

    fn parse(name: &str, members: &str) -> Self {
        let members = members
            .split(", ")
            .filter_map(|member| member.split_once(':'))
            .map(|(name, kind)| {
                let member = SchemaMember {
                    kind: Kind::parse(kind),
                    required: name.ends_with('*'),
                };
                (name.trim_end_matches('*').to_owned(), member)
            })
            .collect();
        Self {
            name: name.to_owned(),
            members,
        }
    }

    /// The kind of a member.
    pub(crate) fn kind(&self, member: &str) -> Option<&Kind> {
        self.members.get(member).map(|member| &member.kind)
    }

    /// The kind of the field that a condition or `orderBy` names, such as `board/name`. `None` for
    /// a name that ConnectWise would not recognize. The dates and names of `_info` may be used
    /// bare.
    pub(crate) fn field(&self, path: &str) -> Option<Kind> {
        match path.strip_prefix("_info/").unwrap_or(path) {
            "dateEntered" | "lastUpdated" => return Some(Kind::Date),
            "enteredBy" | "updatedBy" => return Some(Kind::Text(None)),
            _ => {}
        }
        match path.split_once('/') {
            None => self.kind(path).cloned(),
            Some((member, rest)) => match self.kind(member)? {
                Kind::Reference(shape) => Self::named(shape).field(rest),
                Kind::Integer
                | Kind::Number
                | Kind::Boolean
                | Kind::Text(_)
                | Kind::Choice(_)
                | Kind::Date
                | Kind::Unchecked
                | Kind::List(_) => None,
            },
        }
    }

    /// Parses a request's body as this record. Unknown members and wrong types are refused first,
    /// as by ConnectWise's JSON parser, before any rule of the record is checked.
    pub(crate) fn read(&self, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
        let Some(text) = std::str::from_utf8(body).ok() else {
            return Err(ApiError::malformed("The request is not valid UTF-8."));
        };
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => {
                self.check_members(&object, "", text)?;
                Ok(object)
            }
            Ok(_) => Err(ApiError::malformed(&format!(
                "Cannot deserialize the current JSON value into type '{}'.",
                self.name
            ))),
            Err(error) => Err(ApiError::malformed(&format!(
                "The body is not JSON: {error}."
            ))),
        }
    }

    fn check_members(
        &self,
        object: &Map<String, Value>,
        parent: &str,
        text: &str,
    ) -> Result<(), ApiError> {
        for (name, value) in object {
            let path = format!("{parent}{name}");
            let Some(kind) = self.kind(name) else {
                let (line, position) = place_of(name, text);
                return Err(ApiError::unknown_member(
                    name, &self.name, &path, line, position,
                ));
            };
            check_value(kind, &path, value, text)?;
        }
        Ok(())
    }

    /// Checks lengths and choices, and for a new record the required members.
    pub(crate) fn problems(&self, object: &Map<String, Value>, is_new: bool) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, member) in &self.members {
            let value = object.get(name).filter(|value| !is_blank(value));
            match (&member.kind, value) {
                (kind, None) if member.required && (is_new || object.contains_key(name)) => {
                    problems.push(match kind {
                        Kind::Reference(_) => Problem::missing(name, &format!("{name}/id")),
                        Kind::Integer
                        | Kind::Number
                        | Kind::Boolean
                        | Kind::Text(_)
                        | Kind::Choice(_)
                        | Kind::Date
                        | Kind::Unchecked
                        | Kind::List(_) => Problem::missing(name, name),
                    });
                }
                (Kind::Text(Some(longest)), Some(Value::String(text)))
                    if text.encode_utf16().count() > *longest =>
                {
                    problems.push(Problem::too_long(name, *longest));
                }
                (Kind::Choice(choices), Some(Value::String(text))) if !choices.contains(text) => {
                    problems.push(Problem {
                        code: "InvalidEnum",
                        message: "Enum value supplied was invalid".to_owned(),
                        field: name.clone(),
                    });
                }
                _ => {}
            }
        }
        problems
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Object(object) => !["id", "identifier", "name"]
            .iter()
            .any(|key| object.contains_key(*key)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
}

/// Checks one value against its kind, references with their own members.
pub(crate) fn check_value(
    kind: &Kind,
    path: &str,
    value: &Value,
    text: &str,
) -> Result<(), ApiError> {
    if value.is_null() {
        return Ok(());
    }
    if !kind.accepts(value) {
        let member = path.rsplit('.').next().unwrap_or(path);
        let (line, position) = place_of(member, text);
        return Err(ApiError::malformed(&format!(
            "Error converting value {value} to type '{}'. Path '{path}', line {line}, position {position}.",
            kind.dot_net()
        )));
    }
    match (kind, value) {
        (Kind::Reference(shape), Value::Object(object)) => {
            Schema::named(shape).check_members(object, &format!("{path}."), text)
        }
        _ => Ok(()),
    }
}

/// Line and column after the colon of the first member with this name. In valid JSON `"name"`
/// before a colon cannot be a part of a string, whose quotes would be escaped.
fn place_of(member: &str, text: &str) -> (usize, usize) {
    let quoted = format!("\"{member}\"");
    let end = text
        .match_indices(&quoted)
        .find_map(|(start, _)| {
            let after = start + quoted.len();
            let rest = text.get(after..)?;
            let colon = rest.find(|c: char| !c.is_whitespace())?;
            rest.get(colon..)?
                .starts_with(':')
                .then_some(after + colon + 1)
        })
        .unwrap_or(0);
    let before = text.get(..end).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let position = before.get(line_start..).unwrap_or_default().chars().count();
    (line, position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::{ApiResponse, Body};

    fn words(error: ApiError) -> String {
        match ApiResponse::from(error).body {
            Body::Json(body) => body["message"].as_str().unwrap_or_default().to_owned(),
            Body::Text(text) => text.to_owned(),
            Body::Foreign { text, .. } => text,
            Body::Empty => String::new(),
        }
    }

    #[test]
    fn every_schema_of_the_file_is_parsed() {
        let lines = include_str!("schemas.txt")
            .lines()
            .filter(|line| !line.starts_with('#'));
        assert_eq!(all().len(), lines.count());
        assert_eq!(
            Schema::named("Ticket").kind("summary"),
            Some(&Kind::Text(Some(100)))
        );
        assert_eq!(
            Schema::named("Ticket").kind("externalXRef"),
            Some(&Kind::Text(Some(100)))
        );
        assert!(Schema::named("Ticket").members["company"].required);
        assert!(!Schema::named("Ticket").members["board"].required);
    }

    #[test]
    fn fields_of_conditions_follow_references() {
        let ticket = Schema::named("Ticket");
        for (path, known) in [
            ("summary", true),
            ("Summary", false),
            ("board/name", true),
            ("company/identifier", true),
            ("board/colour", false),
            ("summary/id", false),
            ("dateEntered", true),
            ("_info/lastUpdated", true),
            ("resources/identifier", false),
        ] {
            assert_eq!(ticket.field(path).is_some(), known, "{path}");
        }
    }

    #[test]
    fn a_misspelt_member_is_named_with_its_position() {
        let error = Schema::named("Ticket")
            .read(b"{\n  \"sumary\": \"x\" }")
            .expect_err("refused");
        assert_eq!(
            words(error),
            "Could not find member 'sumary' on object of type 'Ticket'. Path 'sumary', line 2, position 11.\
             Check your accept header to make sure you are using the correct version."
        );
        let error = Schema::named("Ticket")
            .read(br#"{"company":{"idd":3}}"#)
            .expect_err("refused");
        assert!(
            words(error).starts_with(
                "Could not find member 'idd' on object of type 'CompanyReference'. Path 'company.idd', line 1, position 18."
            )
        );
    }

    #[test]
    fn a_wrong_type_is_refused() {
        let error = Schema::named("Ticket")
            .read(br#"{"summary":5}"#)
            .expect_err("refused");
        assert!(
            words(error)
                .starts_with("Error converting value 5 to type 'System.String'. Path 'summary'")
        );
    }

    #[test]
    fn lengths_count_utf16_units() {
        let longest = |text: String| {
            let object = Map::from_iter([("summary".to_owned(), Value::String(text))]);
            Schema::named("Ticket").problems(&object, false).len()
        };
        assert_eq!(longest("é".repeat(100)), 0);
        assert_eq!(longest("\u{1F600}".repeat(51)), 1);
    }
}
