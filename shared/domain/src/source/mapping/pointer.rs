//! JSON Pointers (RFC 6901).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const MAX_BYTES: usize = 256;
const MAX_STEPS: usize = 16;

/// A JSON Pointer: empty, or steps that each begin with `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("maxLength" = 256))]
pub struct Pointer(String);

impl Pointer {
    /// # Errors
    /// Says what a JSON Pointer looks like.
    pub fn parse(text: String) -> Result<Self, &'static str> {
        if text.len() > MAX_BYTES || text.matches('/').count() > MAX_STEPS {
            return Err("a pointer has at most 256 bytes and 16 steps");
        }
        if !text.is_empty() && !text.starts_with('/') {
            return Err("a pointer is empty or begins with `/`, such as /labels/severity");
        }
        let mut escapes = text.split('~').skip(1);
        if !escapes.all(|after| after.starts_with(['0', '1'])) {
            return Err("in a pointer, `~` is written `~0`, and a `/` in a name `~1`");
        }
        Ok(Self(text))
    }

    /// Returns the value at this place, or `None` if it is absent or null.
    #[must_use]
    pub fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        value.pointer(&self.0).filter(|value| !value.is_null())
    }

    /// Replaces the value at this place, if there is one.
    pub fn replace(&self, value: &mut Value, by: Value) {
        if let Some(place) = value.pointer_mut(&self.0) {
            *place = by;
        }
    }
}

impl TryFrom<String> for Pointer {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
