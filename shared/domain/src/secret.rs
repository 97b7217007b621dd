//! Secrets, which cannot be printed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A key, a signing secret or a clientId. It has no `Display`, and a `Debug` of three stars. It is
/// serialized only as part of its document in Secrets Manager.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for signing, for sending it to ConnectWise and for storing it in Secrets
    /// Manager.
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
