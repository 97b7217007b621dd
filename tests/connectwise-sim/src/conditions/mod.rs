//! The `conditions` language of ConnectWise's lists: `board/name = "Operations" and (id > 5 or summary like "CPU*")`.
//! Text in, a checked tree out, matched against the fields of one record at a time. It must never panic: the text is
//! whatever a client sent.

mod lexer;
mod matching;
mod parser;

pub(crate) use matching::{Scalar, compare};

use jiff::Timestamp;

use crate::answer::Refusal;
use crate::schema::{Kind, Schema};

/// A parsed and checked filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// No conditions at all.
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

/// What a field is compared with.
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
    /// Reads conditions on records of `schema`; a field that the record's GET does not return is refused by name.
    pub(crate) fn read(text: &str, schema: &Schema) -> Result<Self, Refusal> {
        if text.trim().is_empty() {
            return Ok(Self::Everything);
        }
        let condition = parser::parse(text).map_err(|error| Refusal::condition(&error))?;
        condition.check(schema)?;
        Ok(condition)
    }

    fn check(&self, schema: &Schema) -> Result<(), Refusal> {
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
    fn check(&self, schema: &Schema) -> Result<(), Refusal> {
        let Some(kind) = schema.field(&self.field) else {
            return Err(Refusal::unknown_field(&self.field));
        };
        let suits = match &self.operator {
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
            Err(Refusal::condition(&format!(
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
