//! E-mail addresses.

use std::fmt;

use email_address::Options;
use serde::{Deserialize, Serialize};

/// One e-mail address, as SES accepts it: ASCII, with a domain, without a display name. It is
/// personal data, so it has no `Display`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// A text that is not an address. The message does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address {0}")]
pub struct InvalidAddress(&'static str);

/// The longest address that SMTP carries, in bytes (RFC 5321, 4.5.3.1.3, without its angle
/// brackets).
const LONGEST: usize = 254;

impl EmailAddress {
    /// Parses an address, without the white space around it.
    ///
    /// # Errors
    /// Returns the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(InvalidAddress("has at most 254 characters"));
        }
        let rules = Options::default()
            .with_required_tld()
            .without_domain_literal()
            .without_display_text();
        let well_formed = email_address::EmailAddress::parse_with_options(text, rules).is_ok();
        // Quoted names may contain nearly anything, and hardly anybody has one.
        if !well_formed || !text.is_ascii() || text.contains('"') {
            return Err(InvalidAddress("looks like name@example.com"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The address, for a mail or for the page of those whose it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***@***")
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_several_addresses_is_rejected() {
        for good in [
            "a@b.de",
            " on-call+tb@northwind.example ",
            "o'neil@a.b-c.example",
        ] {
            assert_eq!(EmailAddress::parse(good).unwrap().as_str(), good.trim());
        }
        for bad in [
            "",
            "unknown",
            "@b.de",
            "a@",
            "a@localhost",
            "a@[192.0.2.1]",
            "a@b.de, c@d.de",
            "a@b.de;c@d.de",
            "a@b.de c@d.de",
            "Anna <a@b.de>",
            "<a@b.de>",
            "a@b.de\r\nBcc: c@d.de",
            "a\n@b.de",
            "\"a\r\nBcc: x\"@b.de",
            "\"a b\"@b.de",
            "jürgen@b.de",
            "a@bü.de",
            "a@b..de",
            "a(comment)@b.de",
            "a@b@c.de",
        ] {
            let err = EmailAddress::parse(bad).unwrap_err().to_string();
            assert_eq!(
                err, "an e-mail address looks like name@example.com",
                "{bad:?}"
            );
        }
    }

    #[test]
    fn an_address_is_as_long_as_smtp_carries() {
        // Labels of at most 63 characters, 254 in all.
        let domain = [["x"; 63].concat(), ["y"; 63].concat(), ["z"; 60].concat()].join(".");
        let local = "a".repeat(64);
        let longest = format!("{local}@{domain}");
        assert_eq!(longest.len(), 253);
        assert!(EmailAddress::parse(&longest).is_ok());
        assert!(EmailAddress::parse(&format!("{longest}z")).is_ok());
        assert!(EmailAddress::parse(&format!("{longest}zz")).is_err());
    }

    #[test]
    fn an_address_prints_nothing_and_is_stored_as_a_text() {
        let address = EmailAddress::parse("anna@b.de").unwrap();
        assert!(!format!("{address:?} {:#?}", Some(&address)).contains("anna"));
        let text = serde_json::to_string(&address).unwrap();
        assert_eq!(text, r#""anna@b.de""#);
        assert_eq!(
            serde_json::from_str::<EmailAddress>(&text).unwrap(),
            address
        );
        assert!(serde_json::from_str::<EmailAddress>(r#""anna""#).is_err());
    }
}
