//! A text that cannot be printed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A key, a signing secret, a clientId. It has no `Display`, and a `Debug` of three stars; it is serialised only as part of the
/// document in Secrets Manager that it lives in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a text into custody.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that signs with it, puts it on the wire or into the secrets store.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_three_stars() {
        let shown = format!(
            "{:?} {:#?}",
            Secret::new("canary"),
            Some(Secret::new("canary"))
        );
        assert!(
            !shown.contains("canary") && shown.contains("***"),
            "{shown}"
        );
    }
}
