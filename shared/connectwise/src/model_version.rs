//! The version of ConnectWise's models that a call asks for.

use reqwest::header::HeaderValue;

/// The version that the records of this crate were written from.
const DEFAULT: &str = "application/vnd.connectwise.com+json; version=2025.1";

/// A version of ConnectWise's models, as the value of `Accept`.
///
/// Without a version, ConnectWise uses its newest, and models change. An old version is served for
/// twelve more months, so the operator can choose another one without a new release.
#[derive(Debug, Clone)]
pub struct ModelVersion(pub(crate) HeaderValue);

impl Default for ModelVersion {
    fn default() -> Self {
        Self(HeaderValue::from_static(DEFAULT))
    }
}

impl ModelVersion {
    /// Reads a year and the number of the release within it, such as `2025.1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, release) = text.split_once('.')?;
        let is_number = |text: &str, digits: &[usize]| {
            digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(year, &[4]) || !is_number(release, &[1, 2]) {
            return None;
        }
        let value = format!("application/vnd.connectwise.com+json; version={text}");
        HeaderValue::from_str(&value).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_year_and_a_release() {
        assert_eq!(ModelVersion::parse("2025.1").unwrap().0, DEFAULT);
        assert_eq!(
            ModelVersion::parse("2026.12").unwrap().0,
            "application/vnd.connectwise.com+json; version=2026.12"
        );
        for text in [
            "",
            "2025",
            "v2025.1",
            "2025.",
            "25.1",
            "2025.123",
            "2025.1\r\nx: y",
        ] {
            assert!(ModelVersion::parse(text).is_none(), "{text:?}");
        }
    }
}
