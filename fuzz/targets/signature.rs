//! Signature headers: three lines `id`, `timestamp`, `signature`, and the rest is the body.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use ring::hmac;
use webhook_signature::{SignatureHeaders, SignedRequest, SigningKey};

const SECRETS: [&str; 2] = [
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
];
/// The seconds at which the two published examples were signed.
const TIMES: [i64; 2] = [1_649_367_553, 1_614_265_330];

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(4, |&byte| byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (id, timestamp, signature, body) = (part(), part(), part(), part());
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let headers = SignatureHeaders {
        id: text(id),
        timestamp: text(timestamp),
        signature: text(signature),
    };
    let keys = SECRETS.map(|secret| SigningKey::parse(secret).expect("a secret"));
    // A secret may come from outside too, but only from the operator.
    let _ = SigningKey::parse(headers.id);
    for now in TIMES {
        let Ok(signed) = SignedRequest::read(headers, Timestamp::from_second(now).expect("a time"))
        else {
            continue;
        };
        assert!((signed.sent_at.as_second() - now).abs() <= 300);
        if signed.matches(&keys, body) {
            // Then the header contains exactly this signature.
            let signed = [id, b".", timestamp, b".", body].concat();
            let is_signed = SECRETS.iter().any(|secret| {
                let key = STANDARD.decode(&secret[6..]).expect("base64");
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
                let word = format!("v1,{}", STANDARD.encode(tag));
                headers.signature.split(' ').any(|part| part == word)
            });
            assert!(is_signed);
        }
    }
});
