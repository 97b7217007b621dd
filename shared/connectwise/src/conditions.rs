//! The conditions of searches, built from types; a text from outside cannot enter one.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest value that ConnectWise's schema allows for a ticket's `externalXRef`.
const MAX_XREF: usize = 100;

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

/// `externalXRef="a"`, or `externalXRef in ("a","b")` for several.
pub(crate) fn external_xref_in(tokens: &[&ExternalXref]) -> String {
    let quoted: Vec<String> = tokens.iter().map(|token| format!("\"{token}\"")).collect();
    match quoted.as_slice() {
        [only] => format!("externalXRef={only}"),
        several => format!("externalXRef in ({})", several.join(",")),
    }
}

/// `externalXRef like "prefix*"`.
pub(crate) fn external_xref_begins(prefix: &ExternalXref) -> String {
    format!("externalXRef like \"{prefix}*\"")
}

/// One part of a query, escaped.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_reference_has_no_character_that_means_anything() {
        for good in ["a", "tb1-00ff-ABC-1", &"x".repeat(100)] {
            assert_eq!(ExternalXref::parse(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(101);
        for bad in [
            "", " ", "a b", "a\"", "a'", "a*", "a%", "a_b", "a)", "[a]", "a\r\n", "ä", &long,
        ] {
            assert_eq!(ExternalXref::parse(bad), Err(InvalidXref), "{bad:?}");
        }
    }

    #[test]
    fn conditions_read_as_the_guide_writes_them() {
        let a = ExternalXref::parse("tb1-a").unwrap();
        let b = ExternalXref::parse("tb1-b").unwrap();
        assert_eq!(external_xref_in(&[&a]), r#"externalXRef="tb1-a""#);
        assert_eq!(
            external_xref_in(&[&a, &b]),
            r#"externalXRef in ("tb1-a","tb1-b")"#
        );
        assert_eq!(external_xref_begins(&a), r#"externalXRef like "tb1-a*""#);
        assert_eq!(escape("a b\"&+=\r\n"), "a%20b%22%26%2B%3D%0D%0A");
    }
}
