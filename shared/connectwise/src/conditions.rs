//! The conditions of searches, built from types. [`SearchText`] is the only outside text in them.

use std::fmt;

use domain::RecordId;
use domain::text::one_line;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The longest value that ConnectWise's schema allows for a ticket's `externalXRef`.
const MAX_XREF: usize = 100;

/// The longest company name of ConnectWise's schema, in characters. It also keeps the address under
/// the 2,000 characters that ConnectWise takes.
const MAX_SEARCH_TEXT: usize = 50;

/// Escapes all but RFC 3986's unreserved characters. A space becomes `%20`, never `+`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The value of a ticket's `externalXRef`: 1 to 100 letters, digits and hyphens.
///
/// So it is never empty (an empty one matches every ticket that a person made), and never holds a
/// quote, a wildcard (`*`, `%`, `_`) or a bracket of the conditions' grammar.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExternalXref(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an external reference is 1 to 100 characters of A-Z, a-z, 0-9 and -")]
pub struct InvalidXref;

impl ExternalXref {
    /// # Errors
    /// When the text is empty, too long or holds another character.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidXref> {
        let text = text.into();
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if text.is_empty() || text.len() > MAX_XREF || !plain {
            return Err(InvalidXref);
        }
        Ok(Self(text))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExternalXref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The part of a person's search text that can be searched for.
///
/// ConnectWise does not document how to escape a quote or a wildcard inside a text, so nothing is
/// escaped here. The longest part without special characters is searched for. It finds at least
/// what the whole text would have found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no letter or digit to search for")]
pub struct NothingToSearch;

impl SearchText {
    /// Returns the longest searchable part of a text, at most 50 characters of it. Among parts of
    /// equal length it is the last.
    ///
    /// # Errors
    /// When the text holds no letter or digit.
    pub fn parse(text: &str) -> Result<Self, NothingToSearch> {
        let line = one_line(text);
        line.split(|c| !is_literal(c))
            .map(|part| {
                part.trim()
                    .chars()
                    .take(MAX_SEARCH_TEXT)
                    .collect::<String>()
            })
            .filter(|part| part.contains(char::is_alphanumeric))
            .max_by_key(|part| part.chars().count())
            .map(Self)
            .ok_or(NothingToSearch)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Letters and digits of all scripts, and the punctuation of company names that has no special
/// meaning within double quotes.
fn is_literal(c: char) -> bool {
    c.is_alphanumeric() || " &',.-+/()!#:".contains(c)
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum ConditionField {
    ClosedFlag,
    ExternalXref,
    Id,
    Identifier,
    Name,
    CompanyId,
    ItemValue,
}

/// One condition, or several joined. Only this module builds them, from fields and typed values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conditions(String);

impl Conditions {
    /// `field=true`.
    pub(crate) fn is_flag(field: ConditionField, flag: bool) -> Self {
        Self(format!("{field}={flag}"))
    }

    /// `field="a"`, or `field in ("a","b")` for several. Without references it is invalid.
    pub(crate) fn is_one_of(field: ConditionField, references: &[&ExternalXref]) -> Self {
        let quoted: Vec<String> = references
            .iter()
            .map(|reference| format!("\"{reference}\""))
            .collect();
        Self(match quoted.as_slice() {
            [only] => format!("{field}={only}"),
            several => format!("{field} in ({})", several.join(",")),
        })
    }

    /// `field in (7,8)`. Without records it is invalid.
    pub(crate) fn is_any_record(field: ConditionField, ids: &[RecordId]) -> Self {
        let ids: Vec<String> = ids.iter().map(RecordId::to_string).collect();
        Self(format!("{field} in ({})", ids.join(",")))
    }

    /// `field like "prefix*"`.
    pub(crate) fn begins(field: ConditionField, prefix: &ExternalXref) -> Self {
        Self(format!("{field} like \"{prefix}*\""))
    }

    /// `field="text"`, for the name of a configuration or the address of a contact.
    pub(crate) fn is_text(field: ConditionField, text: &str) -> Self {
        Self(format!("{field}=\"{text}\""))
    }

    /// `field=7`.
    pub(crate) fn is_record(field: ConditionField, id: RecordId) -> Self {
        Self(format!("{field}={id}"))
    }

    /// `field contains "text"`.
    pub(crate) fn contains(field: ConditionField, text: &SearchText) -> Self {
        Self(format!("{field} contains \"{}\"", text.0))
    }

    pub(crate) fn and(self, other: &Self) -> Self {
        Self(format!("{} and {}", self.0, other.0))
    }

    /// In brackets, so that it can be joined with others.
    pub(crate) fn or(self, other: &Self) -> Self {
        Self(format!("({} or {})", self.0, other.0))
    }

    /// The escaped query parameter, `conditions=…&`.
    pub(crate) fn parameter(&self) -> String {
        format!("conditions={}&", escape(&self.0))
    }

    /// The same for conditions on the items of a list within the record, `childConditions=…&`.
    pub(crate) fn child_parameter(&self) -> String {
        format!("childConditions={}&", escape(&self.0))
    }
}

impl fmt::Display for ConditionField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClosedFlag => "closedFlag",
            Self::ExternalXref => "externalXRef",
            Self::Id => "id",
            Self::Identifier => "identifier",
            Self::Name => "name",
            Self::CompanyId => "company/id",
            Self::ItemValue => "communicationItems/value",
        })
    }
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

#[cfg(test)]
mod tests;
