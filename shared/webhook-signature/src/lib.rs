//! The Standard Webhooks signature: HMAC-SHA256 over `id.timestamp.body`, in base64, with the
//! prefix `v1,`.
//!
//! Incoming events are verified with it, outgoing ones are signed.
//!
//! This crate replaces the published one, which panics on extreme timestamps and accepts an
//! empty secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac;

/// How far the sender's clock may differ, in seconds, in both directions.
const TOLERANCE: i64 = 300;
/// A rotation needs two. More would only cost time.
const MAX_SIGNATURES: usize = 8;
/// In bytes. Shorter keys can be guessed; the scheme asks for 24 to 64 bytes.
const MIN_KEY: usize = 16;
const MAX_ID: usize = 256;
/// A rotation has two valid keys.
const MIN_VERIFIED_KEYS: usize = 2;
/// The key that fills up the keys to [`MIN_VERIFIED_KEYS`]. Its result is ignored. So an unknown
/// source, one secret and two secrets cost the same work.
const DUMMY_KEY: &[u8] = b"no source signs with this one.";

/// The values of the three headers.
#[derive(Debug, Clone, Copy)]
pub struct SignatureHeaders<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: &'a str,
    /// `webhook-signature`: one or more signatures, separated by spaces.
    pub signature: &'a str,
}

/// Why a request is not authenticated. For the log: all senders get the same response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// What proves the sender is missing, empty or too long.
    #[error("the proof is missing or malformed")]
    Headers,
    /// The timestamp is not a number of seconds within the tolerance.
    #[error("the timestamp is not within 300 s of now")]
    Timestamp,
    /// Nothing matches any valid secret.
    #[error("the proof does not match")]
    Mismatch,
    /// The sender's address is not one of the source's.
    #[error("the source does not post from this address")]
    Address,
}

/// An HMAC-SHA256 key from a `whsec_` secret.
#[derive(Debug)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    /// Parses `whsec_<base64>`. `None` if the secret is malformed or too short.
    #[must_use]
    pub fn parse(secret: &str) -> Option<Self> {
        let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
        Self::new(&bytes)
    }

    /// Signs a body, for the header `webhook-signature`. Several signatures are separated by spaces.
    #[must_use]
    pub fn sign(&self, id: &str, sent_at: Timestamp, body: &[u8]) -> String {
        let signed = signed_text(id, &sent_at.as_second().to_string(), body);
        let tag = hmac::sign(&self.0, &signed);
        format!("v1,{}", STANDARD.encode(tag.as_ref()))
    }

    /// Makes a key. `None` if it is too short.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= MIN_KEY).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }
}

/// A request with well-formed headers and a timestamp within the tolerance.
#[derive(Debug)]
pub struct SignedRequest<'a> {
    id: &'a str,
    timestamp: &'a str,
    signatures: Vec<Vec<u8>>,
    /// When the request was sent, by the sender's clock.
    pub sent_at: Timestamp,
}

impl<'a> SignedRequest<'a> {
    /// Reads the headers.
    ///
    /// # Errors
    /// When a header is missing or malformed, or the timestamp is outside the tolerance.
    pub fn read(headers: SignatureHeaders<'a>, now: Timestamp) -> Result<Self, SignatureError> {
        let plain = |text: &str| {
            !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if !plain(headers.id) || headers.signature.is_empty() {
            return Err(SignatureError::Headers);
        }
        // Only the form of the scheme: no sign, no fraction, no leading zero. Each would be another
        // signed text for the same time.
        let digits = headers.timestamp;
        if digits.is_empty()
            || digits.len() > 12
            || digits.starts_with('0')
            || !digits.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(SignatureError::Timestamp);
        }
        let seconds: i64 = digits.parse().map_err(|_| SignatureError::Timestamp)?;
        if (seconds - now.as_second()).abs() > TOLERANCE {
            return Err(SignatureError::Timestamp);
        }
        let sent_at = Timestamp::from_second(seconds).map_err(|_| SignatureError::Timestamp)?;
        let mut signatures = vec![];
        for part in headers.signature.split(' ') {
            // Other versions, such as the asymmetric `v1a`, may be present and are skipped.
            let Some(encoded) = part.strip_prefix("v1,") else {
                continue;
            };
            if signatures.len() == MAX_SIGNATURES {
                return Err(SignatureError::Headers);
            }
            signatures.extend(STANDARD.decode(encoded));
        }
        if signatures.is_empty() {
            return Err(SignatureError::Headers);
        }
        Ok(Self {
            id: headers.id,
            timestamp: digits,
            signatures,
            sent_at,
        })
    }

    /// Whether any signature matches any key, compared in constant time. Each signature is verified
    /// with each key. With fewer than two keys, dummy keys that cannot match fill up the work.
    #[must_use]
    pub fn matches(&self, keys: &[SigningKey], body: &[u8]) -> bool {
        self.verify(keys, body).matches
    }

    fn verify(&self, keys: &[SigningKey], body: &[u8]) -> Verification {
        let signed = signed_text(self.id, self.timestamp, body);
        let dummy = SigningKey(hmac::Key::new(hmac::HMAC_SHA256, DUMMY_KEY));
        let valid = keys.iter().map(|key| (key, true));
        let filling = (keys.len()..MIN_VERIFIED_KEYS).map(|_| (&dummy, false));
        let mut verification = Verification::default();
        for (key, counts) in valid.chain(filling) {
            for signature in &self.signatures {
                let equal = hmac::verify(&key.0, &signed, signature).is_ok();
                verification.matches |= equal & counts;
                verification.count += 1;
            }
        }
        verification
    }
}

fn signed_text(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

/// The result of a verification and its cost.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verification {
    matches: bool,
    /// How many HMACs were verified.
    count: usize,
}

#[cfg(test)]
mod tests;
