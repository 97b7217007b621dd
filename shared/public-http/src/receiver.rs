//! The address of a webhook's receiver.

use std::fmt;

use domain::wire::transport::is_protected;
use reqwest::Url;

use crate::ip_ranges::is_forbidden_literal;

/// The longest accepted address, in bytes.
const MAX_URL: usize = 1000;

/// The whole address of a receiver, in its normal spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverUrl(Url);

/// Origins that the operator listed: receivers in the operator's own network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReceiverOrigins(Vec<Url>);

/// Why an address is no receiver. The text is for the person who entered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidReceiver(&'static str);

/// A text that cannot be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {problem}")]
pub struct InvalidReceiverOrigin {
    text: String,
    problem: &'static str,
}

impl ReceiverOrigins {
    /// Allows these origins beside all public https addresses.
    ///
    /// # Errors
    /// When a text is no whole origin, is not https and not this machine, or is an address that no
    /// receiver can have (link-local, multicast).
    pub fn new(
        listed: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, InvalidReceiverOrigin> {
        let listed = listed.into_iter().map(|text| parse_origin(text.as_ref()));
        listed.collect::<Result<_, _>>().map(Self)
    }

    /// The names of their hosts, for the resolver, which knows only names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names = self.0.iter().filter_map(Url::host_str);
        names.map(str::to_owned).collect()
    }

    fn contains(&self, url: &Url) -> bool {
        self.0.iter().any(|listed| listed.origin() == url.origin())
    }
}

impl ReceiverUrl {
    /// Parses an address that a person entered.
    ///
    /// # Errors
    /// When it is not a whole https address of a named host, unless its origin is listed.
    pub fn parse(text: &str, listed: &ReceiverOrigins) -> Result<Self, InvalidReceiver> {
        let text = text.trim();
        if text.len() > MAX_URL {
            return Err(InvalidReceiver("is longer than 1000 bytes"));
        }
        let url = Url::parse(text).map_err(|_| {
            InvalidReceiver("is not a whole address such as https://example.com/hooks")
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidReceiver("must not contain a user name or password"));
        }
        if url.fragment().is_some() {
            return Err(InvalidReceiver("must not have a part after #"));
        }
        if listed.contains(&url) {
            return Ok(Self(url));
        }
        if url.scheme() != "https" {
            return Err(InvalidReceiver("must begin with https://"));
        }
        match url.domain() {
            // A name without a dot exists only in a private network.
            Some(name) if name.trim_end_matches('.').contains('.') => Ok(Self(url)),
            Some(_) | None => Err(InvalidReceiver(
                "must name a public host, not an address or a name of a private network",
            )),
        }
    }

    /// Whether another address has the same origin, so that it may get the same key.
    #[must_use]
    pub fn has_origin_of(&self, other: &str) -> bool {
        Url::parse(other).is_ok_and(|other| other.origin() == self.0.origin())
    }

    /// The address, for the HTTP client.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn parse_origin(text: &str) -> Result<Url, InvalidReceiverOrigin> {
    let invalid = |problem| InvalidReceiverOrigin {
        text: text.chars().take(100).collect(),
        problem,
    };
    let not_an_origin = "is not an origin such as https://hooks.example or http://127.0.0.1:8080";
    let url = Url::parse(text).map_err(|_| invalid(not_an_origin))?;
    // The URL parser corrects its input. What it had to correct is refused.
    if url.origin().ascii_serialization() != text.trim_end_matches('/') {
        return Err(invalid(not_an_origin));
    }
    if !is_protected(text) {
        return Err(invalid("is not https, and signed events are sent there"));
    }
    if url.host_str().is_some_and(is_forbidden_literal) {
        return Err(invalid("is an address that no receiver can have"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_https_address_is_a_receiver() {
        let listed = ReceiverOrigins::default();
        for (text, url) in [
            (
                "https://example.com/hooks?a=b",
                "https://example.com/hooks?a=b",
            ),
            (" HTTPS://Example.com:443 ", "https://example.com/"),
            ("https://example.com:8443/x", "https://example.com:8443/x"),
        ] {
            let parsed = ReceiverUrl::parse(text, &listed).map(|url| url.to_string());
            assert_eq!(parsed.as_deref(), Ok(url), "{text}");
        }
    }

    #[test]
    fn addresses_of_one_host_have_one_origin() {
        let listed = ReceiverOrigins::default();
        let url = ReceiverUrl::parse("https://example.com/am", &listed).unwrap();
        for (other, is_same) in [
            ("https://Example.com:443/other", true),
            ("https://example.com:8443/am", false),
            ("http://example.com/am", false),
            ("https://example.com.evil.test/am", false),
            ("", false),
        ] {
            assert_eq!(url.has_origin_of(other), is_same, "{other}");
        }
    }

    #[test]
    fn what_leads_into_a_private_network_is_no_receiver() {
        let listed = ReceiverOrigins::default();
        for text in [
            "",
            "example.com/hooks",
            "http://example.com/hooks",
            "ftp://example.com",
            "https://10.0.0.1/hooks",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[fd00::1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://52.1.2.3/",
            "https://localhost/hooks",
            "https://localhost./hooks",
            "https://intranet/hooks",
            "https://name:secret@example.com/",
            "https://example.com/#part",
        ] {
            assert!(ReceiverUrl::parse(text, &listed).is_err(), "{text}");
        }
    }

    #[test]
    fn a_listed_origin_may_be_private() {
        let listed = ReceiverOrigins::new(["http://127.0.0.1:8080", "https://hooks.corp"]).unwrap();
        assert_eq!(listed.names(), ["127.0.0.1", "hooks.corp"]);
        for text in ["http://127.0.0.1:8080/hooks", "https://hooks.corp/a"] {
            assert!(ReceiverUrl::parse(text, &listed).is_ok(), "{text}");
        }
        for text in ["http://127.0.0.1:8081/", "http://hooks.corp/a"] {
            assert!(ReceiverUrl::parse(text, &listed).is_err(), "{text}");
        }
    }

    #[test]
    fn only_protected_origins_can_be_listed() {
        for text in [
            "",
            "hooks.corp",
            "https://hooks.corp/path",
            "http://hooks.corp",
            "https://169.254.169.254",
            "http://0x7f.1:80",
        ] {
            assert!(ReceiverOrigins::new([text]).is_err(), "{text}");
        }
    }
}
