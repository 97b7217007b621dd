//! How a source proves that a request is its own. `ingest` verifies it, and `setup` stores the
//! choice with the source.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::mapping::Pointer;
use crate::wire::invalid_field::InvalidField;

/// The scheme by which requests of a source are authenticated. Each works with the source's valid
/// secrets, of which there are two during a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scheme", rename_all = "snake_case", deny_unknown_fields)]
pub enum Authentication {
    /// The Standard Webhooks signature, also with the header names of Svix.
    StandardWebhooks {
        #[serde(default)]
        secret: SecretEncoding,
    },
    /// An HMAC in a header.
    Hmac(HmacScheme),
    /// The secret as the value of a header.
    Header { header: HeaderName },
    /// `Authorization: Bearer <secret>`.
    Bearer,
    /// `Authorization: Basic`, with the secret `user:password`.
    Basic,
    /// The secret as a parameter of the query. Access logs hold only the path.
    Query {
        #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
        parameter: String,
    },
    /// The secret as a member of the JSON body.
    BodyMember { at: Pointer },
}

impl Default for Authentication {
    fn default() -> Self {
        Self::StandardWebhooks {
            secret: SecretEncoding::Whsec,
        }
    }
}

/// An HMAC over the body, and where its parts are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HmacScheme {
    /// The header with the HMAC.
    pub header: HeaderName,
    #[serde(default)]
    pub algorithm: HmacAlgorithm,
    #[serde(default)]
    pub encoding: HmacEncoding,
    /// Precedes the HMAC in the header, such as `sha256=`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 32))]
    pub prefix: String,
    #[serde(default)]
    pub signed: SignedContent,
    /// The header with the time of sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<HeaderName>,
    #[serde(default)]
    pub timestamp_format: TimestampFormat,
    /// How far the time of sending may be from the present, in seconds.
    #[serde(default = "default_tolerance")]
    #[schemars(range(min = 1, max = 3600))]
    pub tolerance_s: u32,
    /// The header with the id of the message, for `id.ts.body`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_header: Option<HeaderName>,
    #[serde(default = "raw")]
    pub secret: SecretEncoding,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HmacAlgorithm {
    #[default]
    Sha256,
    Sha1,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HmacEncoding {
    #[default]
    Hex,
    Base64,
}

/// What is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SignedContent {
    #[default]
    #[serde(rename = "body")]
    Body,
    #[serde(rename = "ts.body")]
    TimestampDotBody,
    #[serde(rename = "ts:body")]
    TimestampColonBody,
    #[serde(rename = "ts+body")]
    TimestampBody,
    #[serde(rename = "body+ts")]
    BodyTimestamp,
    #[serde(rename = "id.ts.body")]
    IdTimestampBody,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampFormat {
    /// Seconds since 1970.
    #[default]
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    Rfc3339,
}

/// How the key is written in the secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretEncoding {
    /// `whsec_` and base64.
    #[default]
    Whsec,
    Base64,
    /// The bytes of the text are the key.
    Raw,
}

fn default_tolerance() -> u32 {
    300
}

fn raw() -> SecretEncoding {
    SecretEncoding::Raw
}

/// The name of an HTTP header, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[A-Za-z0-9_.-]{1,64}$"))]
pub struct HeaderName(String);

impl HeaderName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HeaderName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_plain = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if text.is_empty() || text.len() > 64 || !is_plain {
            return Err("a header name is 1 to 64 letters, digits, `-`, `_` and `.`");
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl From<HeaderName> for String {
    fn from(name: HeaderName) -> Self {
        name.0
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The shortest secret that a person may enter, in characters.
pub const MIN_SECRET: usize = 16;
/// The longest.
pub const MAX_SECRET: usize = 512;

impl Authentication {
    /// How the key of a Standard Webhooks signature is written, if this is that scheme.
    #[must_use]
    pub fn standard_webhooks(&self) -> Option<SecretEncoding> {
        match self {
            Self::StandardWebhooks { secret } => Some(*secret),
            Self::Hmac(_)
            | Self::Header { .. }
            | Self::Bearer
            | Self::Basic
            | Self::Query { .. }
            | Self::BodyMember { .. } => None,
        }
    }

    #[must_use]
    pub fn hmac(&self) -> Option<&HmacScheme> {
        match self {
            Self::Hmac(scheme) => Some(scheme),
            Self::StandardWebhooks { .. }
            | Self::Header { .. }
            | Self::Bearer
            | Self::Basic
            | Self::Query { .. }
            | Self::BodyMember { .. } => None,
        }
    }

    /// Checks what serde cannot.
    ///
    /// # Errors
    /// Names the member.
    pub fn check(&self) -> Result<(), InvalidField> {
        match self {
            Self::Hmac(scheme) => scheme.check(),
            Self::Query { parameter } => {
                let is_plain = parameter
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
                if parameter.is_empty() || parameter.len() > 64 || !is_plain {
                    return Err(InvalidField::new(
                        "authentication.parameter",
                        "is 1 to 64 letters, digits, `-` and `_`",
                    ));
                }
                Ok(())
            }
            Self::StandardWebhooks { .. }
            | Self::Header { .. }
            | Self::Bearer
            | Self::Basic
            | Self::BodyMember { .. } => Ok(()),
        }
    }

    /// Checks a secret that a person enters.
    ///
    /// # Errors
    /// Says what the scheme expects. Never quotes the secret.
    pub fn check_secret(&self, secret: &str) -> Result<(), InvalidField> {
        let invalid = |problem: &str| Err(InvalidField::new("secret", problem));
        if secret.len() < MIN_SECRET || secret.len() > MAX_SECRET {
            return invalid("has 16 to 512 characters");
        }
        if !secret.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return invalid("has only printable ASCII characters");
        }
        if secret.trim() != secret {
            return invalid("has no blanks at its ends");
        }
        match self {
            Self::Basic if !secret.contains(':') => {
                invalid("is the user, a colon and the password")
            }
            Self::StandardWebhooks { secret: encoding }
            | Self::Hmac(HmacScheme {
                secret: encoding, ..
            }) => match encoding.key(secret) {
                Some(key) if key.len() >= MIN_SECRET => Ok(()),
                Some(_) | None => invalid(match encoding {
                    SecretEncoding::Whsec => {
                        "must begin with whsec_: copy the whole secret from the vendor"
                    }
                    SecretEncoding::Base64 => "is base64 of at least 16 bytes",
                    SecretEncoding::Raw => "has at least 16 characters",
                }),
            },
            Self::Header { .. }
            | Self::Bearer
            | Self::Basic
            | Self::Query { .. }
            | Self::BodyMember { .. } => Ok(()),
        }
    }
}

impl SecretEncoding {
    /// Returns the bytes of the key, or `None` if the secret is not written like this.
    #[must_use]
    pub fn key(self, secret: &str) -> Option<Vec<u8>> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        match self {
            Self::Whsec => STANDARD.decode(secret.strip_prefix("whsec_")?).ok(),
            Self::Base64 => STANDARD.decode(secret).ok(),
            Self::Raw => Some(secret.as_bytes().to_vec()),
        }
    }
}

impl HmacScheme {
    fn check(&self) -> Result<(), InvalidField> {
        let needs_time = self.signed != SignedContent::Body;
        if needs_time && self.timestamp_header.is_none() {
            return Err(InvalidField::new(
                "authentication.timestamp_header",
                "is needed, since the time is signed",
            ));
        }
        if self.signed == SignedContent::IdTimestampBody && self.id_header.is_none() {
            return Err(InvalidField::new(
                "authentication.id_header",
                "is needed, since the id is signed",
            ));
        }
        if !(1..=3600).contains(&self.tolerance_s) {
            return Err(InvalidField::new(
                "authentication.tolerance_s",
                "is from 1 to 3600 seconds",
            ));
        }
        let is_plain = self.prefix.bytes().all(|b| b.is_ascii_graphic());
        if self.prefix.len() > 32 || !is_plain {
            return Err(InvalidField::new(
                "authentication.prefix",
                "has at most 32 printable characters",
            ));
        }
        Ok(())
    }
}

/// Addresses from which a source may post: one address, or a network such as `203.0.113.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address is in this network. An IPv4 address that is written as IPv6 is the same
    /// address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix))
                    .unwrap_or(0);
                u32::from(network) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix))
                    .unwrap_or(0);
                u128::from(network) & mask == u128::from(address) & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl TryFrom<String> for Network {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const EXPECTED: &str = "is an address or a network such as 203.0.113.0/24";
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| EXPECTED)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| EXPECTED)?,
            None => most,
        };
        if prefix > most {
            return Err(EXPECTED);
        }
        Ok(Self { address, prefix })
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_is_read_back_as_it_was_written() {
        for text in [
            r#"{"scheme":"standard_webhooks","secret":"base64"}"#,
            r#"{"scheme":"header","header":"x-api-key"}"#,
            r#"{"scheme":"bearer"}"#,
            r#"{"scheme":"basic"}"#,
            r#"{"scheme":"query","parameter":"key"}"#,
            r#"{"scheme":"body_member","at":"/routing_key"}"#,
        ] {
            let scheme: Authentication = serde_json::from_str(text).unwrap();
            assert_eq!(scheme.check(), Ok(()));
            assert_eq!(serde_json::to_string(&scheme).unwrap(), text);
        }
        let hmac = r#"{"scheme":"hmac","header":"X-Grafana-Alerting-Signature","timestamp_header":"x-time","signed":"ts:body"}"#;
        let scheme: Authentication = serde_json::from_str(hmac).unwrap();
        assert_eq!(scheme.check(), Ok(()));
        let again: Authentication =
            serde_json::from_str(&serde_json::to_string(&scheme).unwrap()).unwrap();
        assert_eq!(again, scheme);
    }

    #[test]
    fn a_scheme_with_a_missing_part_is_refused() {
        for (text, field) in [
            (
                r#"{"scheme":"hmac","header":"x","signed":"ts.body"}"#,
                "authentication.timestamp_header",
            ),
            (
                r#"{"scheme":"hmac","header":"x","signed":"id.ts.body","timestamp_header":"t"}"#,
                "authentication.id_header",
            ),
            (
                r#"{"scheme":"hmac","header":"x","tolerance_s":0}"#,
                "authentication.tolerance_s",
            ),
            (
                r#"{"scheme":"hmac","header":"x","prefix":"a b"}"#,
                "authentication.prefix",
            ),
            (
                r#"{"scheme":"query","parameter":"a b"}"#,
                "authentication.parameter",
            ),
        ] {
            let scheme: Authentication = serde_json::from_str(text).unwrap();
            assert_eq!(scheme.check().unwrap_err().field, field, "{text}");
        }
        for text in [
            r#"{"scheme":"header"}"#,
            r#"{"scheme":"header","header":"a b"}"#,
            r#"{"scheme":"none"}"#,
            r#"{"scheme":"body_member","at":"key"}"#,
        ] {
            assert!(
                serde_json::from_str::<Authentication>(text).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_secret_must_fit_its_scheme() {
        let standard = |secret| Authentication::StandardWebhooks { secret };
        for (scheme, secret, is_valid) in [
            (
                standard(SecretEncoding::Whsec),
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                true,
            ),
            (
                standard(SecretEncoding::Whsec),
                "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                false,
            ),
            (standard(SecretEncoding::Whsec), "whsec_C2FVsBQIhrs=", false),
            (
                standard(SecretEncoding::Base64),
                "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                true,
            ),
            (
                standard(SecretEncoding::Base64),
                "not base64 at all!!",
                false,
            ),
            (standard(SecretEncoding::Raw), "any sixteen letters", true),
            (Authentication::Bearer, "too short", false),
            (Authentication::Bearer, "sixteen-letters-1", true),
            (Authentication::Bearer, "sixteen-letters-1 ", false),
            (Authentication::Bearer, "sixteen-letters-é", false),
            (Authentication::Basic, "sixteen-letters-1", false),
            (Authentication::Basic, "user:sixteen-letters", true),
        ] {
            assert_eq!(scheme.check_secret(secret).is_ok(), is_valid, "{scheme:?}");
        }
    }

    #[test]
    fn a_network_contains_its_addresses() {
        for (network, address, expected) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("203.0.113.7", "::ffff:203.0.113.7", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "203.0.113.7", false),
        ] {
            let network = Network::try_from(network.to_owned()).unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                expected,
                "{network} {address}"
            );
        }
        for bad in [
            "",
            "203.0.113.0/33",
            "::/129",
            "example.com",
            "203.0.113.0/x",
        ] {
            assert!(Network::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
