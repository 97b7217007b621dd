use proptest::prelude::*;

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
) -> Result<bool, SignatureError> {
    let headers = SignatureHeaders {
        id,
        timestamp,
        signature,
    };
    let signed = SignedRequest::read(headers, Timestamp::from_second(now).unwrap())?;
    Ok(signed.matches(&[SigningKey::parse(SECRET).unwrap()], body))
}

#[test]
fn the_vector_of_the_standard_matches() {
    assert_eq!(check(ID, "1649367553", SIGNATURE, BODY, AT), Ok(true));
    let several = format!("v1a,b3RoZXI= v1,AAAA {SIGNATURE}");
    assert_eq!(check(ID, "1649367553", &several, BODY, AT), Ok(true));
}

#[test]
fn a_body_is_signed_as_in_the_vector_of_the_standard() {
    let key = SigningKey::parse(SECRET).unwrap();
    let sent_at = Timestamp::from_second(AT).unwrap();
    assert_eq!(key.sign(ID, sent_at, BODY), SIGNATURE);
}

/// The test vector of the standard's own libraries.
const PUBLISHED: Parts<'_> = Parts {
    id: b"msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestamp: b"1614265330",
    body: br#"{"test": 2432232314}"#,
    secret: b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    signature: b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};

/// The parts of a request that are verified. Their bytes need not be text.
#[derive(Debug, Clone, Copy)]
struct Parts<'a> {
    id: &'a [u8],
    timestamp: &'a [u8],
    body: &'a [u8],
    secret: &'a [u8],
    signature: &'a [u8],
}

impl Parts<'_> {
    fn is_accepted(&self, now: i64) -> bool {
        // A header that is no text counts as absent, as in the function.
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let headers = SignatureHeaders {
            id: text(self.id),
            timestamp: text(self.timestamp),
            signature: text(self.signature),
        };
        let keys: Vec<_> = SigningKey::parse(text(self.secret)).into_iter().collect();
        SignedRequest::read(headers, Timestamp::from_second(now).unwrap())
            .is_ok_and(|signed| signed.matches(&keys, self.body))
    }

    /// Verifies the request with one flipped bit in one part. `None` if the part has no such bit.
    fn with_flipped_bit(&self, part: usize, bit: usize, now: i64) -> Option<bool> {
        let mut parts = *self;
        let mut bytes = [
            self.id,
            self.timestamp,
            self.body,
            self.secret,
            self.signature,
        ][part]
            .to_vec();
        *bytes.get_mut(bit / 8)? ^= 1 << (bit % 8);
        match part {
            0 => parts.id = &bytes,
            1 => parts.timestamp = &bytes,
            2 => parts.body = &bytes,
            3 => parts.secret = &bytes,
            _ => parts.signature = &bytes,
        }
        Some(parts.is_accepted(now))
    }
}

#[test]
fn every_bit_of_a_published_vector_counts() {
    assert!(PUBLISHED.is_accepted(1_614_265_330));
    let mut refused = 0;
    for part in 0..5 {
        for bit in 0.. {
            let Some(accepted) = PUBLISHED.with_flipped_bit(part, bit, 1_614_265_330) else {
                break;
            };
            assert!(!accepted, "part {part}, bit {bit}");
            refused += 1;
        }
    }
    println!("{refused} of {refused} flipped bits refused");
    assert_eq!(refused, (28 + 10 + 20 + 38 + 47) * 8);
}

proptest! {
    #[test]
    fn a_flipped_bit_is_refused(
        id in "[!-~]{1,80}",
        now in 1_000_000_000_i64..9_999_999_999,
        body in prop::collection::vec(any::<u8>(), 1..400),
        key in prop::collection::vec(any::<u8>(), 16..80),
        part in 0_usize..5,
        bit in any::<prop::sample::Index>(),
    ) {
        let timestamp = now.to_string();
        let text = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &body].concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &text);
        let (secret, signature) = (format!("whsec_{}", STANDARD.encode(&key)), format!("v1,{}", STANDARD.encode(tag)));
        let parts = Parts {
            id: id.as_bytes(),
            timestamp: timestamp.as_bytes(),
            body: &body,
            secret: secret.as_bytes(),
            signature: signature.as_bytes(),
        };
        prop_assert!(parts.is_accepted(now));
        let bits = 8 * [id.len(), timestamp.len(), body.len(), secret.len(), signature.len()][part];
        prop_assert_eq!(parts.with_flipped_bit(part, bit.index(bits), now), Some(false));
    }

    #[test]
    fn no_header_causes_a_panic(id in any::<String>(), timestamp in any::<String>(), signature in "(v1,[A-Za-z0-9+/=]{0,50} ?){0,20}", now in -300_000_000_000_i64..250_000_000_000) {
        let headers = SignatureHeaders { id: &id, timestamp: &timestamp, signature: &signature };
        let now = Timestamp::from_second(now).unwrap();
        for timestamp in [timestamp.as_str(), &now.as_second().to_string()] {
            if let Ok(signed) = SignedRequest::read(SignatureHeaders { timestamp, ..headers }, now) {
                prop_assert!(!signed.matches(&[SigningKey::parse(SECRET).unwrap()], b"body"));
            }
        }
    }
}

#[test]
fn a_request_of_any_source_costs_the_same_work() {
    let key = |secret| SigningKey::parse(secret).unwrap();
    let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for signatures in 1..=MAX_SIGNATURES {
        let signature = vec!["v1,AAAA"; signatures].join(" ");
        let headers = SignatureHeaders {
            id: ID,
            timestamp: "1649367553",
            signature: &signature,
        };
        let signed = SignedRequest::read(headers, Timestamp::from_second(AT).unwrap()).unwrap();
        let refused = Verification {
            matches: false,
            count: 2 * signatures,
        };
        // An unknown source or one without a valid secret; one secret; two secrets during a
        // rotation.
        assert_eq!(signed.verify(&[], BODY), refused);
        assert_eq!(signed.verify(&[key(SECRET)], BODY), refused);
        assert_eq!(signed.verify(&[key(SECRET), key(other)], BODY), refused);
    }
}

#[test]
fn the_dummy_key_authenticates_no_request() {
    let text = [ID.as_bytes(), b".1649367553.", BODY].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, DUMMY_KEY), &text);
    let signature = format!("v1,{}", STANDARD.encode(tag));
    let headers = SignatureHeaders {
        id: ID,
        timestamp: "1649367553",
        signature: &signature,
    };
    let signed = SignedRequest::read(headers, Timestamp::from_second(AT).unwrap()).unwrap();
    assert!(!signed.matches(&[], BODY));
    assert!(!signed.matches(&[SigningKey::parse(SECRET).unwrap()], BODY));
}

#[test]
fn any_change_is_a_mismatch() {
    assert_eq!(check("msg_2", "1649367553", SIGNATURE, BODY, AT), Ok(false));
    assert_eq!(check(ID, "1649367554", SIGNATURE, BODY, AT), Ok(false));
    assert_eq!(check(ID, "1649367553", SIGNATURE, b"{}", AT), Ok(false));
    assert_eq!(check(ID, "1649367553", "v1,AAAA", BODY, AT), Ok(false));
}

#[test]
fn the_tolerance_is_five_minutes_in_both_directions() {
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
        "1649367553 ",
        "+1",
        "-1",
        "0",
        "١٦٤٩٣٦٧٥٥٣",
        "9223372036854775807",
        "999999999999",
    ] {
        assert_eq!(
            check(ID, timestamp, SIGNATURE, BODY, AT),
            Err(SignatureError::Timestamp),
            "{timestamp}"
        );
    }
    for signature in [
        "",
        "tZ1I4",
        "v2,AAAA",
        "v1,not base64",
        &format!("{SIGNATURE} ").repeat(9),
        &format!("{SIGNATURE} ").repeat(200),
        &"v1, ".repeat(200),
        SIGNATURE.trim_end_matches('='),
    ] {
        assert_eq!(
            check(ID, "1649367553", signature, BODY, AT),
            Err(SignatureError::Headers),
            "{signature}"
        );
    }
    assert_eq!(
        check("", "1649367553", SIGNATURE, BODY, AT),
        Err(SignatureError::Headers)
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
        assert!(SigningKey::parse(secret).is_none(), "{secret}");
    }
}
