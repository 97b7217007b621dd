//! The conditions of searches, built from types. The one text from outside that enters them is a [`SearchText`].

use std::fmt;

use domain::RecordId;
use domain::text::one_line;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest value that ConnectWise's schema allows for a ticket's `externalXRef`.
const MAX_XREF: usize = 100;

/// Longest name of a company in ConnectWise's schema, in characters; also keeps the address under the 2,000 that it takes.
const MAX_SEARCHED: usize = 50;

/// What stays as it is in a query: RFC 3986's unreserved characters. A space becomes `%20`, never `+`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a ticket's `externalXRef` may hold with us: 1 to 100 letters, digits and hyphens.
///
/// So it is never empty (an empty one matches every ticket that a person made), and never holds a quote, a wildcard (`*`, `%`,
/// `_`) or a bracket of the conditions' grammar.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExternalXref(String);

/// A text is no `externalXRef` of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an external reference is 1 to 100 characters of A-Z, a-z, 0-9 and -")]
pub struct InvalidXref;

impl ExternalXref {
    /// Takes a text as an external reference.
    ///
    /// # Errors
    /// When it is empty, too long or has any other character.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidXref> {
        let text = text.into();
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if text.is_empty() || text.len() > MAX_XREF || !plain {
            return Err(InvalidXref);
        }
        Ok(Self(text))
    }

    /// The reference as text.
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

/// What a person typed to find a company by, as far as it can be asked for.
///
/// Nobody documents how the conditions' grammar guards a quote or a wildcard inside a text, so nothing is guarded here: the
/// longest stretch of what means nothing is searched for, and finds at least what the whole would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchText(String);

/// A text has no letter or digit to search for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no letter or digit to search for")]
pub struct NothingToSearch;

impl SearchText {
    /// Takes the part of a text that can be searched for, at most 50 characters of it; of several as long, the last.
    ///
    /// # Errors
    /// When there is no letter or digit in it.
    pub fn parse(text: &str) -> Result<Self, NothingToSearch> {
        let line = one_line(text);
        line.split(|c| !means_nothing(c))
            .map(|stretch| {
                stretch
                    .trim()
                    .chars()
                    .take(MAX_SEARCHED)
                    .collect::<String>()
            })
            .filter(|stretch| stretch.contains(char::is_alphanumeric))
            .max_by_key(|stretch| stretch.chars().count())
            .map(Self)
            .ok_or(NothingToSearch)
    }

    /// What is searched for.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Letters and digits of all scripts, and the marks of company names that no grammar of conditions uses within double quotes.
fn means_nothing(c: char) -> bool {
    c.is_alphanumeric() || " &',.-+/()!#:".contains(c)
}

/// A field that conditions name, in ConnectWise's spelling.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field {
    BoardId,
    ClosedFlag,
    ExternalXref,
    Id,
    Identifier,
    LastUpdated,
    Name,
}

/// One condition, or several joined. Made here alone, of fields and typed values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conditions(String);

impl Conditions {
    /// `field=7`.
    pub(crate) fn is_record(field: Field, id: RecordId) -> Self {
        Self(format!("{field}={id}"))
    }

    /// `field=true`.
    pub(crate) fn is_flag(field: Field, flag: bool) -> Self {
        Self(format!("{field}={flag}"))
    }

    /// `field="a"`, or `field in ("a","b")` for several. Of no tokens it is nothing that ConnectWise would take.
    pub(crate) fn is_one_of(field: Field, tokens: &[&ExternalXref]) -> Self {
        let quoted: Vec<String> = tokens.iter().map(|token| format!("\"{token}\"")).collect();
        Self(match quoted.as_slice() {
            [only] => format!("{field}={only}"),
            several => format!("{field} in ({})", several.join(",")),
        })
    }

    /// `field in (7,8)`. Of no records it is nothing that ConnectWise would take.
    pub(crate) fn is_any_record(field: Field, ids: &[RecordId]) -> Self {
        let ids: Vec<String> = ids.iter().map(RecordId::to_string).collect();
        Self(format!("{field} in ({})", ids.join(",")))
    }

    /// `field like "prefix*"`.
    pub(crate) fn begins(field: Field, prefix: &ExternalXref) -> Self {
        Self(format!("{field} like \"{prefix}*\""))
    }

    /// `field contains "text"`.
    pub(crate) fn contains(field: Field, text: &SearchText) -> Self {
        Self(format!("{field} contains \"{}\"", text.0))
    }

    /// `field>[time]`, in whole seconds. One server was seen to answer `>=` with nothing at all.
    pub(crate) fn after(field: Field, time: Timestamp) -> Self {
        Self(format!("{field}>[{}]", time.strftime("%Y-%m-%dT%H:%M:%SZ")))
    }

    /// Both.
    pub(crate) fn and(self, other: &Self) -> Self {
        Self(format!("{} and {}", self.0, other.0))
    }

    /// Either; in brackets, so that it can stand beside others.
    pub(crate) fn or(self, other: &Self) -> Self {
        Self(format!("({} or {})", self.0, other.0))
    }

    /// `conditions=…&`, escaped for a query.
    pub(crate) fn parameter(&self) -> String {
        format!("conditions={}&", escape(&self.0))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BoardId => "board/id",
            Self::ClosedFlag => "closedFlag",
            Self::ExternalXref => "externalXRef",
            Self::Id => "id",
            Self::Identifier => "identifier",
            Self::LastUpdated => "lastUpdated",
            Self::Name => "name",
        })
    }
}

/// One part of a query, escaped.
fn escape(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

#[cfg(test)]
mod tests;
