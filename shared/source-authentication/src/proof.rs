//! Verifies by the scheme of its source that a request is the source's own.
//!
//! Each request costs the same work whatever the scheme is, known source or not: the body is hashed
//! for a Standard Webhooks signature and for an HMAC, and a value is compared with two secrets.
//! Only a secret in the body costs more. Without the address of a source, a sender learns nothing
//! from that, since an address proves itself.

use std::borrow::Cow;
use std::net::IpAddr;

use aws::secrets::SourceDocument;
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::source::authentication::{
    Authentication, HmacAlgorithm, HmacEncoding, HmacScheme, MIN_SECRET, SignedContent,
    TimestampFormat,
};
use jiff::Timestamp;
use ring::hmac;

use crate::gzip::unpack;
use webhook_signature::{SignatureError, SignatureHeaders, SignedRequest, SigningKey};

/// A rotation has two valid secrets. Dummies fill them up.
const SECRETS: usize = 2;
/// The longest accepted proof, in bytes.
const MAX_PROOF: usize = 1024;
/// The key of comparisons and dummies. Its results are used only to compare.
const COMPARISON_KEY: &[u8] = b"this key proves nothing, it only hides the lengths.";

/// The parts of a request that can prove its sender.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    pub request: &'a ApiGatewayV2httpRequest,
    pub content: ProofContent<'a>,
}

/// What a signature is over.
#[derive(Debug, Clone, Copy)]
pub enum ProofContent<'a> {
    /// The raw bytes of the body.
    Body(&'a [u8]),
    /// The key of the alert that a request without a body asks about, so that the proof is for no
    /// other alert.
    AlertKey(&'a str),
}

/// The HMAC of a request, and what it must be over.
struct SignedText {
    tag: Vec<u8>,
    text: Vec<u8>,
    sent_at: Timestamp,
}

impl<'a> ProofContent<'a> {
    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Body(body) => body,
            Self::AlertKey(key) => key.as_bytes(),
        }
    }
}

impl<'a> Proof<'a> {
    /// Returns when the request was sent. Without a signed time, that is now.
    ///
    /// # Errors
    /// Says why the request is not authenticated.
    pub(crate) fn verify(
        self,
        document: &SourceDocument,
        now: Timestamp,
    ) -> Result<Timestamp, SignatureError> {
        let authentication = &document.authentication;
        // All three are done for each scheme.
        let standard = self.standard_webhooks(document, now);
        let hmac = self.hmac(document, now);
        let value = self.value(document, now);
        let sent_at = match authentication {
            Authentication::StandardWebhooks { .. } => standard,
            Authentication::Hmac(_) => hmac,
            Authentication::Header { .. }
            | Authentication::Bearer
            | Authentication::Basic
            | Authentication::Query { .. }
            | Authentication::BodyMember { .. } => value.map(|()| now),
        }?;
        let networks = &document.networks;
        let is_allowed = networks.is_empty()
            || self
                .address()
                .is_some_and(|address| networks.iter().any(|network| network.contains(address)));
        if is_allowed {
            Ok(sent_at)
        } else {
            Err(SignatureError::Address)
        }
    }

    fn standard_webhooks(
        self,
        document: &SourceDocument,
        now: Timestamp,
    ) -> Result<Timestamp, SignatureError> {
        let encoding = document.authentication.standard_webhooks();
        let secrets = document.valid_secrets(now);
        let keys = secrets.filter_map(|secret| encoding?.key(secret.expose()));
        let keys: Vec<_> = keys.filter_map(|key| SigningKey::new(&key)).collect();
        match SignedRequest::read(signature_headers(&self.request.headers), now) {
            Ok(signed) if signed.matches(&keys, self.content.bytes()) => Ok(signed.sent_at),
            Ok(_) => Err(SignatureError::Mismatch),
            Err(err) => {
                (0..SECRETS).for_each(|_| dummy(self.content.bytes()));
                Err(err)
            }
        }
    }

    fn hmac(self, document: &SourceDocument, now: Timestamp) -> Result<Timestamp, SignatureError> {
        let scheme = document.authentication.hmac();
        let signed = scheme.ok_or(SignatureError::Headers);
        let signed = signed.and_then(|scheme| Ok((scheme, self.signed_text(scheme, now)?)));
        let (scheme, signed) = match signed {
            Ok(signed) => signed,
            Err(err) => {
                (0..SECRETS).for_each(|_| dummy(self.content.bytes()));
                return Err(err);
            }
        };
        let algorithm = match scheme.algorithm {
            HmacAlgorithm::Sha256 => hmac::HMAC_SHA256,
            HmacAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        };
        let mut matches = false;
        let mut verified = 0;
        for secret in document.valid_secrets(now) {
            let key = scheme.secret.key(secret.expose());
            if let Some(key) = key.filter(|key| key.len() >= MIN_SECRET) {
                let key = hmac::Key::new(algorithm, &key);
                matches |= matches_tag(&key, &signed.text, &signed.tag);
                verified += 1;
            }
        }
        (verified..SECRETS).for_each(|_| dummy(&signed.text));
        if matches {
            Ok(signed.sent_at)
        } else {
            Err(SignatureError::Mismatch)
        }
    }

    fn signed_text(
        self,
        scheme: &HmacScheme,
        now: Timestamp,
    ) -> Result<SignedText, SignatureError> {
        let tag = self.header(scheme.header.as_str()).and_then(|value| {
            let value = value.strip_prefix(scheme.prefix.as_bytes())?.trim_ascii();
            match scheme.encoding {
                HmacEncoding::Hex => from_hex(value),
                HmacEncoding::Base64 => STANDARD.decode(value).ok(),
            }
        });
        let tag = tag.ok_or(SignatureError::Headers)?;
        let time = match &scheme.timestamp_header {
            Some(name) => Some(self.header(name.as_str()).ok_or(SignatureError::Headers)?),
            None => None,
        };
        let sent_at = match time {
            Some(time) => sent_at(time, scheme, now)?,
            None => now,
        };
        let time = time.unwrap_or_default();
        let parts: Vec<&[u8]> = match scheme.signed {
            SignedContent::Body => vec![self.content.bytes()],
            SignedContent::TimestampDotBody => vec![time, b".", self.content.bytes()],
            SignedContent::TimestampColonBody => vec![time, b":", self.content.bytes()],
            SignedContent::TimestampBody => vec![time, self.content.bytes()],
            SignedContent::BodyTimestamp => vec![self.content.bytes(), time],
            SignedContent::IdTimestampBody => {
                let id = scheme
                    .id_header
                    .as_ref()
                    .and_then(|name| self.header(name.as_str()));
                let id = id.ok_or(SignatureError::Headers)?;
                vec![id, b".", time, b".", self.content.bytes()]
            }
        };
        Ok(SignedText {
            tag,
            text: parts.concat(),
            sent_at,
        })
    }

    /// Compares the secret that the request states.
    fn value(self, document: &SourceDocument, now: Timestamp) -> Result<(), SignatureError> {
        let stated = self.stated_secret(&document.authentication);
        let is_stated = stated.is_some();
        let stated = stated.unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, COMPARISON_KEY);
        let mut matches = false;
        let mut compared = 0;
        for secret in document.valid_secrets(now) {
            let expected = hmac::sign(&key, secret.expose().as_bytes());
            matches |= matches_tag(&key, &stated, expected.as_ref());
            compared += 1;
        }
        (compared..SECRETS).for_each(|_| {
            matches_tag(&key, &stated, hmac::sign(&key, b"").as_ref());
        });
        match (is_stated, matches) {
            (true, true) => Ok(()),
            (true, false) => Err(SignatureError::Mismatch),
            (false, _) => Err(SignatureError::Headers),
        }
    }

    fn stated_secret(self, authentication: &Authentication) -> Option<Cow<'a, [u8]>> {
        let stated: Option<Cow<'a, [u8]>> = match authentication {
            Authentication::Header { header } => self.header(header.as_str()).map(Cow::Borrowed),
            Authentication::Bearer => self.authorization(b"bearer ").map(Cow::Borrowed),
            Authentication::Basic => {
                let encoded = self.authorization(b"basic ")?;
                STANDARD.decode(encoded).ok().map(Cow::Owned)
            }
            Authentication::Query { parameter } => {
                let parameters = &self.request.query_string_parameters;
                let value = parameters.first(parameter)?;
                Some(Cow::Owned(value.as_bytes().to_vec()))
            }
            Authentication::BodyMember { at } => {
                // A request without a body has no place for the secret.
                let ProofContent::Body(body) = self.content else {
                    return self.authorization(b"bearer ").map(Cow::Borrowed);
                };
                let body = unpack(body).ok()?;
                let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
                let member = at.find(&body)?.as_str()?;
                Some(Cow::Owned(member.as_bytes().to_vec()))
            }
            Authentication::StandardWebhooks { .. } | Authentication::Hmac(_) => None,
        };
        stated.filter(|stated| !stated.is_empty() && stated.len() <= MAX_PROOF)
    }

    fn header(self, name: &str) -> Option<&'a [u8]> {
        let value = self.request.headers.get(name)?.as_bytes().trim_ascii();
        (!value.is_empty() && value.len() <= MAX_PROOF).then_some(value)
    }

    /// Returns what follows the scheme in the authorization header.
    fn authorization(self, scheme: &[u8]) -> Option<&'a [u8]> {
        let value = self.header(header::AUTHORIZATION.as_str())?;
        let (before, after) = value.split_at_checked(scheme.len())?;
        before
            .eq_ignore_ascii_case(scheme)
            .then_some(after.trim_ascii())
    }

    fn address(self) -> Option<IpAddr> {
        let http = &self.request.request_context.http;
        http.source_ip.as_deref()?.parse().ok()
    }
}

/// Costs the work of one verification.
fn dummy(body: &[u8]) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, COMPARISON_KEY);
    matches_tag(&key, body, &[0; 32]);
}

/// Compares in constant time.
fn matches_tag(key: &hmac::Key, text: &[u8], tag: &[u8]) -> bool {
    #[cfg(test)]
    tests::count_work(text);
    hmac::verify(key, text, tag).is_ok()
}

fn sent_at(text: &[u8], scheme: &HmacScheme, now: Timestamp) -> Result<Timestamp, SignatureError> {
    let text = std::str::from_utf8(text).ok();
    let number = || text?.parse::<i64>().ok();
    let at = match scheme.timestamp_format {
        TimestampFormat::Seconds => number().and_then(|at| Timestamp::from_second(at).ok()),
        TimestampFormat::Milliseconds => {
            number().and_then(|at| Timestamp::from_millisecond(at).ok())
        }
        TimestampFormat::Rfc3339 => text.and_then(|text| domain::time::parse(text).ok()),
    };
    let at = at.ok_or(SignatureError::Timestamp)?;
    let tolerance = jiff::SignedDuration::from_secs(scheme.tolerance_s.into());
    if now.duration_since(at).abs() > tolerance {
        return Err(SignatureError::Timestamp);
    }
    Ok(at)
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let pairs = text.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs
        .map(|pair| Some(digit(pair[0])? * 16 + digit(pair[1])?))
        .collect()
}

/// The headers of a Standard Webhooks signature, empty where they are absent.
#[must_use]
pub fn signature_headers(headers: &HeaderMap) -> SignatureHeaders<'_> {
    let header = |name: &str| {
        let standard = headers.get(format!("webhook-{name}"));
        standard
            .or_else(|| headers.get(format!("svix-{name}")))
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    SignatureHeaders {
        id: header("id"),
        timestamp: header("timestamp"),
        signature: header("signature"),
    }
}

#[cfg(test)]
mod tests;
