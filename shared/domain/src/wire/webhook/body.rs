//! The text of a body, and the members of its objects.
//!
//! An invalid member that no ticket needs must not cost the alert. So an object is split into its
//! members first, each still as text, and then each member is read on its own. Members that are not
//! used are not parsed, however deep or odd they are.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::DroppedFields;
use crate::wire::invalid_field::InvalidField;

/// Replaces characters that could not be read. Ids reject this character, since two ids could
/// differ only in the lost part. Texts show U+FFFD instead.
pub(crate) const UNREADABLE: char = '\u{fdd0}';

/// Returns the body as JSON text, without a byte order mark, and with [`UNREADABLE`] in place of
/// bytes that are not UTF-8 and of escapes that are half of a surrogate pair. Otherwise both would
/// invalidate the whole body.
pub(super) fn text(body: &[u8]) -> Result<String, InvalidField> {
    if body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff") {
        return Err(InvalidField::new("body", "is UTF-16: send UTF-8"));
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(InvalidField::new("body", "is empty"));
    }
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(UNREADABLE);
        }
    }
    Ok(without_lone_surrogates(text))
}

/// Replaces each `\uXXXX` that is half of a surrogate pair by the escape of [`UNREADABLE`], which
/// has the same length.
fn without_lone_surrogates(text: String) -> String {
    if !text.contains("\\u") {
        return text;
    }
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    };
    let mut lone = vec![];
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        at += found;
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                lone.push(at);
                at += 6;
            }
            Some(_) => at += 6,
            // The escaped character does not start another escape. If it is not ASCII, the text is
            // not JSON anyway.
            None => at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        }
    }
    let mut repaired = text;
    for at in lone {
        repaired.replace_range(at..at + 6, "\\ufdd0");
    }
    repaired
}

/// Parses JSON into a type. An error names the invalid member.
pub(crate) fn read<'a, T: Deserialize<'a>>(json: &'a str, within: &str) -> Result<T, InvalidField> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|err| {
        let path = err.path().to_string();
        // `?` is a member whose name could not be read.
        let field = match (within, path.trim_end_matches(['?', '.'])) {
            ("", "") => "body".to_owned(),
            (within, "") => within.to_owned(),
            ("", path) => path.to_owned(),
            (within, path) if path.starts_with('[') => format!("{within}{path}"),
            (within, path) => format!("{within}.{path}"),
        };
        InvalidField::new(field, err.inner().to_string())
    })?;
    reader
        .end()
        .map_err(|err| InvalidField::new("body", err.to_string()))?;
    Ok(value)
}

/// The members of one JSON object, each still as text.
pub(crate) struct JsonObject<'a> {
    /// The path of the object: empty for the event itself, else `data`.
    within: &'static str,
    members: BTreeMap<String, JsonMember<'a>>,
}

#[derive(Clone, Copy)]
enum JsonMember<'a> {
    Once(&'a str),
    /// Of two members with one name one parser takes the first and another the last (RFC 8259,
    /// section 4), so it has no value.
    Twice,
}

impl<'a> JsonObject<'a> {
    pub(super) fn read(json: &'a str, within: &'static str) -> Result<Self, InvalidField> {
        let MemberMap(members) = read(json, within)?;
        Ok(Self { within, members })
    }

    fn path(&self, name: &str) -> String {
        match self.within {
            "" => name.to_owned(),
            within => format!("{within}.{name}"),
        }
    }

    /// Returns the text of a member, or `None` if it is absent or null.
    ///
    /// # Errors
    /// Fails if it is given twice.
    pub(super) fn get(&self, name: &str) -> Result<Option<&'a str>, InvalidField> {
        match self.members.get(name) {
            None | Some(JsonMember::Once("null")) => Ok(None),
            Some(JsonMember::Once(json)) => Ok(Some(json)),
            Some(JsonMember::Twice) => Err(InvalidField::new(self.path(name), "is given twice")),
        }
    }

    /// Reads a member that a ticket needs.
    pub(super) fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, InvalidField> {
        self.optional(name)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn missing(&self, name: &str) -> InvalidField {
        let within = if self.within.is_empty() {
            "body"
        } else {
            self.within
        };
        InvalidField::new(within, format!("missing field `{name}`"))
    }

    /// Reads a member that may be absent, but must be valid.
    pub(super) fn optional<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<T>, InvalidField> {
        let json = self.get(name)?;
        json.map(|json| read(json, &self.path(name))).transpose()
    }

    /// Reads a member that a ticket does not need. If it cannot be read, it counts as absent, and
    /// `dropped` counts it.
    pub(super) fn lenient<T: DeserializeOwned, U>(
        &self,
        name: &'static str,
        dropped: &mut DroppedFields,
        read_as: impl FnOnce(T) -> Option<U>,
    ) -> Option<U> {
        let value = match self.optional::<T>(name) {
            Ok(None) => return None,
            Ok(Some(value)) => read_as(value),
            Err(_) => None,
        };
        if value.is_none() {
            dropped.count(name);
        }
        value
    }
}

struct MemberMap<'a>(BTreeMap<String, JsonMember<'a>>);

impl<'de> Deserialize<'de> for MemberMap<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MemberMapVisitor)
    }
}

struct MemberMapVisitor;

impl<'de> Visitor<'de> for MemberMapVisitor {
    type Value = MemberMap<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<MemberMap<'de>, A::Error> {
        let mut split = BTreeMap::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value::<&'de RawValue>()?.get();
            split
                .entry(name)
                .and_modify(|member| *member = JsonMember::Twice)
                .or_insert(JsonMember::Once(value));
        }
        Ok(MemberMap(split))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_surrogate_pair_is_replaced_and_whole_ones_stay() {
        let repaired = |text: &str| without_lone_surrogates(text.to_owned());
        for (text, expected) in [
            (r"\ud83d\ude00", r"\ud83d\ude00"),
            (r"\ud83d\ud83d\ude00", r"\ufdd0\ud83d\ude00"),
            (r"\ude00\ud83d", r"\ufdd0\ufdd0"),
            (r"\uD800x", r"\ufdd0x"),
            // An escaped backslash begins no escape.
            (r"\\ud800", r"\\ud800"),
            (r"\\\ud800", r"\\\ufdd0"),
            (r"\u00e9\n\", r"\u00e9\n\"),
            (r"\ud8", r"\ud8"),
            (r"\u+123", r"\u+123"),
            ("\\é\\ud800é", "\\é\\ufdd0é"),
        ] {
            assert_eq!(repaired(text), expected, "{text}");
        }
    }
}
