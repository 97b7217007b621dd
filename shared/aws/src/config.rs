//! Reads the environment, and names all missing variables at once.

use std::fmt;

use domain::wire::transport::is_protected;
use jiff::SignedDuration;

/// Reads environment variables and collects their errors.
#[derive(Debug, Default)]
pub struct Environment {
    errors: Vec<String>,
}

/// The variables that are missing or unreadable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct MissingVariables(Vec<String>);

impl fmt::Display for MissingVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "environment: {}", self.0.join("; "))
    }
}

impl Environment {
    /// Reads a required text. An empty one counts as missing.
    pub fn text(&mut self, name: &str) -> String {
        let value = optional(name);
        if value.is_none() {
            self.errors.push(format!("{name} is not set"));
        }
        value.unwrap_or_default()
    }

    /// Reads a required address: https, or one of this machine.
    pub fn address(&mut self, name: &str) -> String {
        let text = self.text(name);
        if !text.is_empty() && !is_protected(&text) {
            self.errors.push(format!(
                "{name} is neither an https address nor one of this machine"
            ));
        }
        text
    }

    /// Reads a required number.
    pub fn number(&mut self, name: &str) -> u32 {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| {
            if !text.is_empty() {
                self.errors.push(format!("{name} is not a number"));
            }
            0
        })
    }

    /// Reads a required number of days, at least one.
    pub fn days(&mut self, name: &str) -> SignedDuration {
        let errors = self.errors.len();
        let days = self.number(name);
        if days == 0 && self.errors.len() == errors {
            self.errors.push(format!("{name} must be at least 1"));
        }
        SignedDuration::from_hours(24 * i64::from(days))
    }

    /// Reads an optional value. If it is present, it must be readable.
    pub fn parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = optional(name)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.errors.push(format!("{name} is not readable"));
        }
        parsed
    }

    /// Reads a list that is separated by commas. Empty if unset.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        optional(name)
            .unwrap_or_default()
            .split(',')
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// Returns the configuration if there was no error.
    ///
    /// # Errors
    /// All variables that are missing or unreadable.
    pub fn complete<T>(self, config: T) -> Result<T, MissingVariables> {
        if self.errors.is_empty() {
            Ok(config)
        } else {
            Err(MissingVariables(self.errors))
        }
    }
}

/// Reads an optional variable. An empty one counts as absent.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "only this file reads the environment"
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
