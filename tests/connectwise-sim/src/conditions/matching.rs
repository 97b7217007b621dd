//! Matches a condition against one record's fields. Text comparison ignores case, as ConnectWise's
//! database does. A field without a value matches only `= null` and the negated tests.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;

use super::{Condition, Literal, Operator, Test};

/// A field's value in one record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Boolean(bool),
    Number(f64),
    Text(Cow<'a, str>),
    /// Text that is compared with regard to case.
    ExactText(Cow<'a, str>),
    Date(Timestamp),
}

impl<'a> Scalar<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(crate) fn exact_text(text: &'a str) -> Self {
        Self::ExactText(Cow::Borrowed(text))
    }

    pub(crate) fn optional_text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "ids stay far below 2^53, where f64 is exact"
    )]
    pub(crate) fn integer(number: i64) -> Self {
        Self::Number(number as f64)
    }

    /// An owned copy, for sorting.
    pub(crate) fn into_owned(self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Boolean(value) => Scalar::Boolean(value),
            Self::Number(number) => Scalar::Number(number),
            Self::Text(text) => Scalar::Text(Cow::Owned(text.into_owned())),
            Self::ExactText(text) => Scalar::ExactText(Cow::Owned(text.into_owned())),
            Self::Date(at) => Scalar::Date(at),
        }
    }
}

impl Condition {
    /// Whether a record matches. `field` returns its fields.
    pub(crate) fn matches<'a>(&self, field: &impl Fn(&str) -> Scalar<'a>) -> bool {
        match self {
            Self::Everything => true,
            Self::All(parts) => parts.iter().all(|part| part.matches(field)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(field)),
            Self::Test(test) => test.passes(&field(&test.field)),
        }
    }
}

impl Test {
    fn passes(&self, value: &Scalar<'_>) -> bool {
        let plain = match &self.operator {
            Operator::Equals(literal) => equals(value, literal),
            Operator::Less(literal) => order(value, literal).is_some_and(Ordering::is_lt),
            Operator::LessOrEqual(literal) => order(value, literal).is_some_and(Ordering::is_le),
            Operator::Greater(literal) => order(value, literal).is_some_and(Ordering::is_gt),
            Operator::GreaterOrEqual(literal) => order(value, literal).is_some_and(Ordering::is_ge),
            Operator::Contains(part) => {
                words(value).is_some_and(|text| text.to_lowercase().contains(&part.to_lowercase()))
            }
            Operator::Like(parts) => {
                words(value).is_some_and(|text| is_like(&text.to_lowercase(), parts))
            }
            Operator::In(literals) => literals.iter().any(|literal| equals(value, literal)),
        };
        plain != self.negated
    }
}

fn equals(value: &Scalar<'_>, literal: &Literal) -> bool {
    match (value, literal) {
        (Scalar::Null, Literal::Null) => true,
        (Scalar::Boolean(value), Literal::Boolean(literal)) => value == literal,
        (Scalar::Text(value), Literal::Text(literal)) => same_text(value, literal),
        (Scalar::ExactText(value), Literal::Text(literal)) => value == literal,
        _ => order(value, literal).is_some_and(Ordering::is_eq),
    }
}

/// Equality is the hot path of a search by reference number: ASCII needs no allocation.
fn same_text(value: &str, literal: &str) -> bool {
    value.eq_ignore_ascii_case(literal)
        || (!(value.is_ascii() && literal.is_ascii())
            && value.to_lowercase() == literal.to_lowercase())
}

fn order(value: &Scalar<'_>, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Scalar::Number(value), Literal::Number(literal)) => value.partial_cmp(literal),
        (Scalar::Text(value) | Scalar::ExactText(value), Literal::Text(literal)) => {
            Some(value.to_lowercase().cmp(&literal.to_lowercase()))
        }
        (Scalar::Date(value), Literal::Date(literal)) => {
            Some(value.as_second().cmp(&literal.as_second()))
        }
        // A date that is stored as text.
        (Scalar::Text(value), Literal::Date(literal)) => {
            crate::clock::parse(value).map(|at| at.cmp(literal))
        }
        _ => None,
    }
}

fn words<'v>(value: &'v Scalar<'_>) -> Option<&'v str> {
    match value {
        Scalar::Text(text) | Scalar::ExactText(text) => Some(text),
        Scalar::Null | Scalar::Boolean(_) | Scalar::Number(_) | Scalar::Date(_) => None,
    }
}

/// Whether the text is the parts in order with anything between them.
fn is_like(text: &str, parts: &[String]) -> bool {
    let Some((first, rest)) = parts.split_first() else {
        return text.is_empty();
    };
    let Some((last, middle)) = rest.split_last() else {
        return text == first;
    };
    let Some(mut text) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match text.find(part.as_str()) {
            Some(at) => text = text.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    text.ends_with(last.as_str())
}

/// The order of `orderBy`: absent values first, then by value.
pub(crate) fn compare(left: &Scalar<'_>, right: &Scalar<'_>) -> Ordering {
    match (left, right) {
        (Scalar::Boolean(left), Scalar::Boolean(right)) => left.cmp(right),
        (Scalar::Number(left), Scalar::Number(right)) => left.total_cmp(right),
        (
            Scalar::Text(left) | Scalar::ExactText(left),
            Scalar::Text(right) | Scalar::ExactText(right),
        ) => left.to_lowercase().cmp(&right.to_lowercase()),
        (Scalar::Date(left), Scalar::Date(right)) => left.cmp(right),
        _ => (*left != Scalar::Null).cmp(&(*right != Scalar::Null)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    /// One ticket: id 7, board "Operations", summary "CPU at 99 % (web-1)", no type, open, entered
    /// in August 2016.
    fn field(path: &str) -> Scalar<'static> {
        match path {
            "id" => Scalar::integer(7),
            "board/name" => Scalar::text("Operations"),
            "summary" => Scalar::text("CPU at 99 % (web-1)"),
            "externalXRef" => Scalar::text("tb1-0af3"),
            "contactName" => Scalar::text("Zoë \"Z\" O'Hara"),
            "closedFlag" => Scalar::Boolean(false),
            "dateEntered" => {
                Scalar::Date(crate::clock::parse("2016-08-20T18:04:26Z").expect("a date"))
            }
            _ => Scalar::Null,
        }
    }

    #[test]
    fn the_grammar_means_what_connectwise_documents() {
        for (conditions, expected) in [
            ("", true),
            ("id = 7", true),
            ("id=7", true),
            ("id != 7", false),
            ("id < 7", false),
            ("id <= 7", true),
            ("id > 6", true),
            ("id >= 8", false),
            ("id in (5, 6,7)", true),
            ("id not in (5, 6)", true),
            ("board/name = \"operations\"", true),
            ("board/name = 'Operations'", true),
            ("board/name != 'Operations'", false),
            ("summary contains \"99\"", true),
            ("summary not contains \"99\"", false),
            ("summary CONTAINS 'cpu AT'", true),
            ("summary like \"CPU*\"", true),
            ("summary like \"%web%\"", true),
            ("summary like \"*web\"", false),
            ("summary like \"C*9*(web-1)\"", true),
            ("summary like \"CPU\"", false),
            ("summary not like 'Disk*'", true),
            ("externalXRef in (\"tb1-0af3\",\"tb1-ffff\")", true),
            ("externalXRef = \"\"", false),
            ("externalXRef like 'tb1-*'", true),
            ("contactName = 'zoë \"z\" o\\'hara'", true),
            ("contactName = \"Zoë \\\"Z\\\" O'Hara\"", true),
            ("closedFlag = false", true),
            ("closedFlag = False", true),
            ("closedFlag = True", false),
            ("type/name = null", true),
            ("type/name != null", false),
            ("summary = null", false),
            ("type/name = 'CPU'", false),
            ("dateEntered > [2016-08-20T18:04:25Z]", true),
            ("dateEntered > [2016-08-20T18:04:26Z]", false),
            ("dateEntered >= [2016-08-20]", true),
            ("_info/dateEntered < [2016-08-20]", false),
            ("id = 7 and closedFlag = true", false),
            ("id = 7 AND closedFlag = false", true),
            ("id = 8 or id = 7", true),
            ("id = 7 or id = 8 and id = 9", true),
            ("(id = 7 or id = 8) and id = 9", false),
            ("((id = 7))", true),
        ] {
            let condition = Condition::read(conditions, Schema::named("Ticket")).expect(conditions);
            assert_eq!(condition.matches(&field), expected, "{conditions}");
        }
    }

    #[test]
    fn unknown_fields_and_wrong_types_are_refused() {
        for conditions in [
            "sumary = 'x'",
            "resources/identifier='Jason'",
            "id = '7'",
            "summary = 7",
            "closedFlag = 'false'",
            "dateEntered > '2016-08-20'",
            "id like '7*'",
            "id contains '7'",
        ] {
            assert!(
                Condition::read(conditions, Schema::named("Ticket")).is_err(),
                "{conditions}"
            );
        }
    }
}
