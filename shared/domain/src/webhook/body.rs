//! The text of a body: UTF-8, JSON, and no member given twice, wherever it stands.
//!
//! Of two members of one name one parser takes the first and another the last (RFC 8259, section 4), so such a body means
//! different things to different readers. Members that nobody reads are checked too: they may be read one day.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Invalid;
use crate::text::{cut_to_bytes, one_line};

/// What of a sender's own words stands in an answer, in bytes.
const QUOTED: usize = 300;

/// The body as a text that may be read into types.
pub(super) fn text(body: &[u8]) -> Result<&str, Invalid> {
    if body.is_empty() {
        return Err(Invalid::new("body", "is empty"));
    }
    let text = std::str::from_utf8(body).map_err(|fault| {
        let problem = format!("is not UTF-8 from byte {} on", fault.valid_up_to());
        Invalid::new("body", problem)
    })?;
    read::<EachOnce>(text, "")?;
    Ok(text)
}

/// Reads JSON into a type and names the member at fault.
pub(super) fn read<T: DeserializeOwned>(json: &str, within: &str) -> Result<T, Invalid> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|fault| {
        let path = fault.path().to_string();
        // `?` is a member whose name could not be read.
        let field = match (within, path.trim_end_matches(['?', '.'])) {
            ("", "") => "body".to_owned(),
            (within, "") => within.to_owned(),
            ("", path) => path.to_owned(),
            (within, path) => format!("{within}.{path}"),
        };
        let quoted = |text: &str| cut_to_bytes(&one_line(text), QUOTED);
        Invalid::new(quoted(&field), quoted(&fault.inner().to_string()))
    })?;
    reader
        .end()
        .map_err(|fault| Invalid::new("body", one_line(&fault.to_string())))?;
    Ok(value)
}

/// Any JSON value whose objects give each member once.
struct EachOnce;

impl<'de> Deserialize<'de> for EachOnce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for EachOnce {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if seen.insert(name) {
                members.next_value::<Self>()?;
            } else {
                members.next_value_seed(Twice)?;
            }
        }
        Ok(self)
    }
}

/// The value of a member that was there already: the fault arises within it, so that its path names it.
struct Twice;

impl<'de> DeserializeSeed<'de> for Twice {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Err(D::Error::custom("is given twice"))
    }
}
