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

    /// Whether any signature fits any key, compared in constant time.
    #[must_use]
    pub fn fits(&self, keys: &[Key], body: &[u8]) -> bool {
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
        let fits = |key: &Key| {
            self.signatures
                .iter()
                .any(|signature| hmac::verify(&key.0, &signed, signature).is_ok())
        };
        keys.iter().any(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    const AT: i64 = 1_649_367_553;

    fn check(
        id: &str,
        timestamp: &str,
        signature: &str,
        body: &[u8],
        now: i64,
    ) -> Result<bool, Refusal> {
        let headers = Headers {
            id,
            timestamp,
            signature,
        };
        let signed = Signed::read(headers, Timestamp::from_second(now).unwrap())?;
        Ok(signed.fits(&[Key::parse(SECRET).unwrap()], body))
    }

    #[test]
    fn the_standards_own_vector_fits() {
        assert_eq!(check(ID, "1649367553", SIGNATURE, BODY, AT), Ok(true));
        let several = format!("v1a,b3RoZXI= v1,AAAA {SIGNATURE}");
        assert_eq!(check(ID, "1649367553", &several, BODY, AT), Ok(true));
    }

    #[test]
    fn any_change_is_a_mismatch() {
        assert_eq!(check("msg_2", "1649367553", SIGNATURE, BODY, AT), Ok(false));
        assert_eq!(check(ID, "1649367554", SIGNATURE, BODY, AT), Ok(false));
        assert_eq!(check(ID, "1649367553", SIGNATURE, b"{}", AT), Ok(false));
        assert_eq!(check(ID, "1649367553", "v1,AAAA", BODY, AT), Ok(false));
    }

    #[test]
    fn the_tolerance_is_five_minutes_both_ways() {
        for (now, refused) in [(300, false), (301, true), (-300, false), (-301, true)] {
            assert_eq!(
                check(ID, "1649367553", SIGNATURE, BODY, AT + now).is_err(),
                refused,
                "{now}"
            );
        }
    }

    #[test]
    fn malformed_headers_are_refused_without_a_panic() {
        for timestamp in [
            "",
            "+1649367553",
            "-9223372036854775808",
            "1649367553.5",
            "01649367553",
            "1e9",
            "99999999999999999999",
            " 1649367553",
        ] {
            assert_eq!(
                check(ID, timestamp, SIGNATURE, BODY, AT),
                Err(Refusal::Timestamp),
                "{timestamp}"
            );
        }
        for signature in [
            "",
            "tZ1I4",
            "v2,AAAA",
            "v1,not base64",
            &format!("{SIGNATURE} ").repeat(9),
        ] {
            assert_eq!(
                check(ID, "1649367553", signature, BODY, AT),
                Err(Refusal::Headers),
                "{signature}"
            );
        }
        assert_eq!(
            check("", "1649367553", SIGNATURE, BODY, AT),
            Err(Refusal::Headers)
        );
    }

    #[test]
    fn a_weak_secret_is_no_key() {
        for secret in [
            "whsec_",
            "whsec_AAAA",
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "whsec_***",
            "",
        ] {
            assert!(Key::parse(secret).is_none(), "{secret}");
        }
    }
}
