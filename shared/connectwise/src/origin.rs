//! Which origins are allowed: ConnectWise's clouds, and the origins that the operator listed.
//!
//! A partner types the address of a site, or a response names it, and keys are sent to it. So it is
//! compared with a list, and nothing is guessed. `public_http` checks the addresses that a host
//! name resolves to.

use std::fmt;

use domain::wire::transport::is_protected;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use public_http::is_forbidden_literal;

/// The clouds: the host that people see in their browser, and the host of the API.
///
/// ConnectWise's developer guide: a cloud host without `api-` answers "SSL is required.". Public
/// clients use one host for a sandbox.
const CLOUDS: &[(&str, &str)] = &[
    ("na.myconnectwise.net", "api-na.myconnectwise.net"),
    ("eu.myconnectwise.net", "api-eu.myconnectwise.net"),
    ("au.myconnectwise.net", "api-au.myconnectwise.net"),
    ("aus.myconnectwise.net", "api-aus.myconnectwise.net"),
    ("za.myconnectwise.net", "api-za.myconnectwise.net"),
    (
        "staging.connectwisedev.com",
        "api-staging.connectwisedev.com",
    ),
    (
        "sandbox-na.myconnectwise.net",
        "sandbox-na.myconnectwise.net",
    ),
    (
        "sandbox-eu.myconnectwise.net",
        "sandbox-eu.myconnectwise.net",
    ),
    (
        "sandbox-au.myconnectwise.net",
        "sandbox-au.myconnectwise.net",
    ),
];

/// The longest accepted address. A browser's own limit is of this order.
const MAX_PASTED: usize = 2_000;

/// `scheme://host[:port]` in its normal spelling: lower case, no default port, no path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// The text is no whole origin, or one that cannot be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {problem}")]
pub struct InvalidOrigin {
    text: String,
    problem: &'static str,
}

/// Why a site address is refused. The text is for the person who entered it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error("this is not a web address: {problem}")]
    NotAnAddress { problem: &'static str },
    /// The host is allowed, but not over plain http.
    #[error("{host} must be reached by https")]
    Insecure { host: String },
    #[error(
        "{origin} is neither a ConnectWise cloud nor a server that the operator of this service has listed"
    )]
    NotListed { origin: String },
}

/// The allowed origins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostList {
    listed: Vec<Origin>,
}

impl HostList {
    /// Allows the clouds and these origins, which the operator listed.
    ///
    /// # Errors
    /// When a listed text is no whole origin, is not https, or is an address that no ConnectWise
    /// can have (link-local, multicast). Only this machine may be listed without https, for a local
    /// stack.
    pub fn new(listed: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InvalidOrigin> {
        let listed = listed
            .into_iter()
            .map(|text| {
                let origin = Origin::parse(text.as_ref())?;
                let problem = if is_forbidden_literal(origin.host()) {
                    "is an address that no ConnectWise can have"
                } else if !is_protected(origin.as_str()) {
                    "is not https, and keys are sent there"
                } else {
                    return Ok(origin);
                };
                Err(InvalidOrigin {
                    text: origin.0,
                    problem,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { listed })
    }

    /// Returns the allowed origin for an address that a person pastes or a response names. The
    /// address may lack its scheme, have a path, and name a cloud by its browser host or its API
    /// host.
    ///
    /// # Errors
    /// When the text is no address, or an address that is not allowed.
    pub fn site(&self, text: &str) -> Result<Origin, HostError> {
        let origin = pasted_origin(text)?;
        if self.listed.contains(&origin) {
            return Ok(origin);
        }
        let cloud = CLOUDS
            .iter()
            .find(|(browser, api)| origin.has_authority(browser) || origin.has_authority(api));
        let Some((_, api)) = cloud else {
            return Err(HostError::NotListed { origin: origin.0 });
        };
        if !origin.is_https() {
            return Err(HostError::Insecure {
                host: (*api).to_owned(),
            });
        }
        Ok(Origin(format!("https://{api}")))
    }

    /// Returns the origin that a response of `origin` names as the company's site. A name without a
    /// scheme gets that of `origin`. `None` if the response names no site.
    ///
    /// # Errors
    /// When the name is no address, or an address that is not allowed.
    pub fn named_by(&self, origin: &Origin, site: &str) -> Result<Option<Origin>, HostError> {
        let site = site.trim();
        if site.is_empty() {
            return Ok(None);
        }
        let scheme = if origin.is_https() { "https" } else { "http" };
        let named = if site.contains("://") {
            self.site(site)
        } else {
            self.site(&format!("{scheme}://{site}"))
        };
        named.map(Some)
    }

    /// Checks that this origin is allowed.
    ///
    /// # Errors
    /// When it is neither listed nor the API host of a cloud.
    pub fn check(&self, origin: &Origin) -> Result<(), HostError> {
        let cloud = CLOUDS.iter().any(|(_, api)| origin.has_authority(api));
        if self.listed.contains(origin) || (cloud && origin.is_https()) {
            return Ok(());
        }
        Err(HostError::NotListed {
            origin: origin.0.clone(),
        })
    }

    /// The host names of the origins that the operator listed. For the resolver, which knows only
    /// names.
    pub(crate) fn listed_names(&self) -> Vec<String> {
        let names = self.listed.iter().map(Origin::host);
        names.map(str::to_owned).collect()
    }
}

impl Origin {
    /// Parses an origin: a scheme, a host in its normal spelling, and perhaps a port. Case, a
    /// trailing slash and the scheme's default port do not matter.
    ///
    /// # Errors
    /// When the text holds more or less than that.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = || InvalidOrigin {
            text: text.chars().take(100).collect(),
            problem: "is not an origin such as https://connectwise.example or http://127.0.0.1:8080",
        };
        let asked = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let asked = match asked.split_once("://") {
            Some(("https", rest)) => {
                format!("https://{}", rest.strip_suffix(":443").unwrap_or(rest))
            }
            Some(("http", rest)) => format!("http://{}", rest.strip_suffix(":80").unwrap_or(rest)),
            Some(_) | None => return Err(invalid()),
        };
        // The URL parser normalizes its input: decimal, hex and octal addresses, look-alike
        // letters, escapes, user names. An input that it had to change is refused. A name is
        // compared with a list later, and must mean there what it means on the wire.
        let url = Url::parse(&asked).map_err(|_| invalid())?;
        let whole = url.origin().ascii_serialization();
        let usual = |b: u8| b.is_ascii_alphanumeric() || b"-.:/[]".contains(&b);
        let ends_with_dot = url.host_str().is_none_or(|host| host.ends_with('.'));
        if whole != asked || !whole.bytes().all(usual) || ends_with_dot {
            return Err(invalid());
        }
        Ok(Self(whole))
    }

    /// The origin as text, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the API host of a ConnectWise cloud, and not a customer's own server.
    #[must_use]
    pub fn is_cloud(&self) -> bool {
        let mut clouds = CLOUDS.iter();
        self.is_https() && clouds.any(|(_, api)| self.has_authority(api))
    }

    fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, rest)| rest)
    }

    /// The host without its port. An IPv6 address keeps its brackets.
    pub(crate) fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            Some(_) | None => authority,
        }
    }

    fn has_authority(&self, authority: &str) -> bool {
        self.authority() == authority
    }

    fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Origin {
    type Error = InvalidOrigin;
    fn try_from(text: String) -> Result<Self, InvalidOrigin> {
        Self::parse(&text)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

/// Returns the origin of a pasted address, with https if it has no scheme.
fn pasted_origin(text: &str) -> Result<Origin, HostError> {
    let refuse = |problem| HostError::NotAnAddress { problem };
    let text = text.trim();
    if text.is_empty() {
        return Err(refuse("it is empty"));
    }
    if text.len() > MAX_PASTED {
        return Err(refuse("it is too long"));
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "https" && scheme != "http" {
        return Err(refuse("it must begin with https://"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !authority.is_ascii() {
        return Err(refuse(
            "its host has letters outside a-z; look-alikes are refused",
        ));
    }
    if authority.contains('@') {
        return Err(refuse("it has a user name in it"));
    }
    if authority.ends_with('.') {
        return Err(refuse("its host ends with a dot"));
    }
    Origin::parse(&format!("{scheme}://{authority}"))
        .map_err(|_| refuse("its host is not spelt in the usual way"))
}

#[cfg(test)]
mod tests;
