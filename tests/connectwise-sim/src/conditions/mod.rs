//! The `conditions` language of ConnectWise's lists: `board/name = "Operations" and (id > 5 or
//! summary like "CPU*")`. Parses text into a checked tree, which is matched against the fields of
//! one record at a time. It must never panic, because the text comes from a client.

mod lexer;
mod matching;
mod parser;

pub(crate) use matching::{Scalar, compare};

use jiff::Timestamp;

use crate::response::ApiError;
use crate::schema::{Kind, Schema};

/// A parsed and checked filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// No conditions.
    Everything,
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Test(Test),
}

/// One comparison of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Test {
    pub(crate) field: String,
    pub(crate) negated: bool,
    pub(crate) operator: Operator,
}

/// The comparison of a test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operator {
    Equals(Literal),
    Less(Literal),
    LessOrEqual(Literal),
    Greater(Literal),
    GreaterOrEqual(Literal),
    Contains(String),
    /// Text between wildcards: `a*b` is `["a", "b"]`, `*a` is `["", "a"]`.
    Like(Vec<String>),
    In(Vec<Literal>),
}

/// A value written in a condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
    Date(Timestamp),
}

impl Condition {
    /// Parses conditions on records of `schema`. A field that the record's GET does not return is
    /// refused by name.
    pub(crate) fn read(text: &str, schema: &Schema) -> Result<Self, ApiError> {
        if text.trim().is_empty() {
            return Ok(Self::Everything);
        }
        let condition = parser::parse(text).map_err(|error| ApiError::condition(&error))?;
        condition.check(schema)?;
        Ok(condition)
    }

    /// Parses conditions on the items of one of the record's lists: `types/name="Vendor"` is about
    /// the items of `types`. Returns the list's name and the conditions on an item.
    pub(crate) fn read_on_items(text: &str, schema: &Schema) -> Result<(String, Self), ApiError> {
        let mut condition = parser::parse(text).map_err(|error| ApiError::condition(&error))?;
        let mut list: Option<String> = None;
        condition.each_test(&mut |test| {
            let Some((own, rest)) = test.field.split_once('/') else {
                return Err(ApiError::unknown_field(&test.field));
            };
            if list.get_or_insert_with(|| own.to_owned()) != own {
                return Err(ApiError::unknown_field(&test.field));
            }
            test.field = rest.to_owned();
            Ok(())
        })?;
        let list = list.unwrap_or_default();
        let Some(Kind::List(item)) = schema.kind(&list) else {
            return Err(ApiError::unknown_field(&list));
        };
        condition.check(Schema::named(item))?;
        condition.refuse_in()?;
        Ok((list, condition))
    }

    /// Parses conditions on custom fields: `caption="Site code" AND value="B"`.
    pub(crate) fn read_on_custom_fields(text: &str) -> Result<Self, ApiError> {
        let mut condition = Self::read(text, Schema::named("CustomFieldValue"))?;
        condition.refuse_in()?;
        Ok(condition)
    }

    /// `in` is allowed in plain conditions only.
    fn refuse_in(&mut self) -> Result<(), ApiError> {
        self.each_test(&mut |test| match test.operator {
            Operator::In(_) => Err(ApiError::condition("in is only supported in conditions.")),
            Operator::Equals(_)
            | Operator::Less(_)
            | Operator::LessOrEqual(_)
            | Operator::Greater(_)
            | Operator::GreaterOrEqual(_)
            | Operator::Contains(_)
            | Operator::Like(_) => Ok(()),
        })
    }

    fn each_test(
        &mut self,
        visit: &mut impl FnMut(&mut Test) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        match self {
            Self::Everything => Ok(()),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter_mut().try_for_each(|part| part.each_test(visit))
            }
            Self::Test(test) => visit(test),
        }
    }

    fn check(&self, schema: &Schema) -> Result<(), ApiError> {
        match self {
            Self::Everything => Ok(()),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().try_for_each(|part| part.check(schema))
            }
            Self::Test(test) => test.check(schema),
        }
    }
}

impl Test {
    fn check(&self, schema: &Schema) -> Result<(), ApiError> {
        let Some(kind) = schema.field(&self.field) else {
            return Err(ApiError::unknown_field(&self.field));
        };
        // A custom field's value has the field's own type, which only the record knows.
        let of_any_type = kind == Kind::Unchecked && self.field == "value";
        let suits = of_any_type
            || match &self.operator {
                Operator::Contains(_) | Operator::Like(_) => is_text(&kind),
                Operator::In(literals) => literals.iter().all(|literal| literal.suits(&kind)),
                Operator::Equals(literal)
                | Operator::Less(literal)
                | Operator::LessOrEqual(literal)
                | Operator::Greater(literal)
                | Operator::GreaterOrEqual(literal) => literal.suits(&kind),
            };
        if suits {
            Ok(())
        } else {
            Err(ApiError::condition(&format!(
                "The value supplied for {} is not of the field's type.",
                self.field
            )))
        }
    }
}

impl Literal {
    fn suits(&self, kind: &Kind) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(_) => *kind == Kind::Boolean,
            Self::Number(_) => matches!(kind, Kind::Integer | Kind::Number),
            Self::Text(_) => is_text(kind),
            // Some dates, `closedDate` among them, are declared as text.
            Self::Date(_) => matches!(kind, Kind::Date | Kind::Text(None)),
        }
    }
}

fn is_text(kind: &Kind) -> bool {
    matches!(kind, Kind::Text(_) | Kind::Choice(_))
}
