//! Reading the environment: all missing variables are named at once, so that a deployment is mended in one go.

use std::fmt;

use domain::transport::is_protected;

/// A reader of environment variables that remembers what it missed.
#[derive(Debug, Default)]
pub struct Environment {
    faults: Vec<String>,
}

/// The variables that are missing or unreadable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Incomplete(Vec<String>);

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "environment: {}", self.0.join("; "))
    }
}

impl Environment {
    /// A required text; empty counts as missing.
    pub fn text(&mut self, name: &str) -> String {
        let value = optional(name);
        if value.is_none() {
            self.faults.push(format!("{name} is not set"));
        }
        value.unwrap_or_default()
    }

    /// A required address: https, or of this machine.
    pub fn address(&mut self, name: &str) -> String {
        let text = self.text(name);
        if !text.is_empty() && !is_protected(&text) {
            let err = "is neither an https address nor one of this machine";
            self.faults.push(format!("{name} {err}"));
        }
        text
    }

    /// A required number.
    pub fn number(&mut self, name: &str) -> u32 {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| {
            if !text.is_empty() {
                self.faults.push(format!("{name} is not a number"));
            }
            0
        })
    }

    /// Something that may be absent, but is readable where it is there.
    pub fn parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = optional(name)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.faults.push(format!("{name} is not readable"));
        }
        parsed
    }

    /// A list separated by commas; empty when unset.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        optional(name)
            .unwrap_or_default()
            .split(',')
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// The configuration, if nothing was missing.
    ///
    /// # Errors
    /// All that was missing or unreadable.
    pub fn complete<T>(self, config: T) -> Result<T, Incomplete> {
        if self.faults.is_empty() {
            Ok(config)
        } else {
            Err(Incomplete(self.faults))
        }
    }
}

/// A variable that may be absent; empty counts as absent.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this file is where the environment is read"
)]
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_missing_variables_are_named_at_once() {
        let mut environment = Environment::default();
        let texts = (
            environment.text("TB_TEST_ABSENT_A"),
            environment.number("TB_TEST_ABSENT_B"),
        );
        let err = environment.complete(texts).unwrap_err();
        assert_eq!(
            err.to_string(),
            "environment: TB_TEST_ABSENT_A is not set; TB_TEST_ABSENT_B is not set"
        );
    }
}
