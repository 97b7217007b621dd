//! The signature of a webhook by the Standard Webhooks scheme: HMAC-SHA256 over `id.timestamp.body`, base64, marked `v1,`.
//!
//! Our own, and small: the published crate panics on extreme timestamps and accepts the empty secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac;

/// How far the sender's clock may be away, in seconds, either way.
const TOLERANCE: i64 = 300;
/// More signatures than a rotation needs are an attack on our time.
const MAX_SIGNATURES: usize = 8;
/// Shorter keys are guesses waiting to happen; the scheme asks for 24 to 64 bytes.
const MIN_KEY: usize = 16;
const MAX_ID: usize = 256;
/// As many keys as a rotation has live.
const KEYS: usize = 2;
/// A key whose verdict is thrown away. It fills up the keys to [`KEYS`], so that no source, one secret and two cost the same work.
const NOBODYS: &[u8] = b"nobody signs with this secret";

/// The three headers, as they came.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: &'a str,
    /// `webhook-signature`: one or several, separated by spaces.
    pub signature: &'a str,
}

/// Why a webhook is not believed. One word for all senders, the detail for the log alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header is missing, empty or too long.
    #[error("a signature header is missing or malformed")]
    Headers,
    /// The timestamp is not a number of seconds within the tolerance.
    #[error("the timestamp is not within 300 s of now")]
    Timestamp,
    /// No signature fits any live secret.
    #[error("no signature fits")]
    Mismatch,
}

/// A key of HMAC-SHA256, made of a `whsec_` secret.
#[derive(Debug)]
pub struct Key(hmac::Key);

impl Key {
    /// The key of a secret `whsec_<base64>`; none where it is malformed or too short to be one.
    #[must_use]
    pub fn parse(secret: &str) -> Option<Self> {
        let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
        (bytes.len() >= MIN_KEY).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

/// A request whose headers are well-formed and timely.
#[derive(Debug)]
pub struct Signed<'a> {
    id: &'a str,
    timestamp: &'a str,
    signatures: Vec<Vec<u8>>,
    /// When the sender says that it was sent.
    pub sent_at: Timestamp,
}

impl<'a> Signed<'a> {
    /// Reads the headers.
    ///
    /// # Errors
    /// When one is missing or malformed, or the time is out of tolerance.
    pub fn read(headers: Headers<'a>, now: Timestamp) -> Result<Self, Refusal> {
        let plain = |text: &str| {
            !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if !plain(headers.id) || headers.signature.is_empty() {
            return Err(Refusal::Headers);
        }
        // Only what the scheme writes: no sign, no fraction, no leading zero, which would be another signed text for one time.
        let digits = headers.timestamp;
        if digits.is_empty()
            || digits.len() > 12
            || digits.starts_with('0')
            || !digits.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(Refusal::Timestamp);
        }
        let seconds: i64 = digits.parse().map_err(|_| Refusal::Timestamp)?;
        if (seconds - now.as_second()).abs() > TOLERANCE {
            return Err(Refusal::Timestamp);
        }
        let sent_at = Timestamp::from_second(seconds).map_err(|_| Refusal::Timestamp)?;
        let mut signatures = vec![];
        for part in headers.signature.split(' ') {
            // Other versions, such as asymmetric `v1a`, may stand beside ours.
            let Some(encoded) = part.strip_prefix("v1,") else {
                continue;
            };
            if signatures.len() == MAX_SIGNATURES {
                return Err(Refusal::Headers);
            }
            signatures.extend(STANDARD.decode(encoded));
        }
        if signatures.is_empty() {
            return Err(Refusal::Headers);
        }
        Ok(Self {
            id: headers.id,
            timestamp: digits,
            signatures,
            sent_at,
        })
    }

    /// Whether any signature fits any key, compared in constant time. Every signature is tried with every key, and with as many
    /// more that cannot win as keys are fewer than two.
    #[must_use]
    pub fn fits(&self, keys: &[Key], body: &[u8]) -> bool {
        self.verify(keys, body).fits
    }

    fn verify(&self, keys: &[Key], body: &[u8]) -> Verified {
        let mut signed = Vec::with_capacity(self.id.len() + self.timestamp.len() + body.len() + 2);
        for part in [
            self.id.as_bytes(),
            b".",
            self.timestamp.as_bytes(),
            b".",
            body,
        ] {
            signed.extend_from_slice(part);
        }
        let nobodys = Key(hmac::Key::new(hmac::HMAC_SHA256, NOBODYS));
        let live = keys.iter().map(|key| (key, true));
        let filling = (keys.len()..KEYS).map(|_| (&nobodys, false));
        let mut verified = Verified::default();
        for (key, counts) in live.chain(filling) {
            for signature in &self.signatures {
                let equal = hmac::verify(&key.0, &signed, signature).is_ok();
                verified.fits |= equal & counts;
                verified.verifications += 1;
            }
        }
        verified
    }
}

/// What verifying said, and what it cost.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verified {
    fits: bool,
    verifications: usize,
}

#[cfg(test)]
mod tests;
