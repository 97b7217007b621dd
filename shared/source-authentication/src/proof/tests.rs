use std::cell::Cell;
use std::collections::HashMap;

use aws::secrets::SourceSecret;
use aws_lambda_events::http::{HeaderName, HeaderValue};
use domain::Secret;
use serde_json::json;

use super::*;

thread_local! {
    /// The number of verifications over a body, and of comparisons of a value.
    static WORK: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

pub(super) fn count_work(text: &[u8]) {
    let (bodies, values) = WORK.get();
    WORK.set(match text.ends_with(BODY) {
        true => (bodies + 1, values),
        false => (bodies, values + 1),
    });
}

const NOW: &str = "2026-11-22T07:30:00Z";
const SECRET: &str = "a secret of sixteen letters or more";
const OTHER: &str = "another secret of sixteen letters";
const BODY: &[u8] = br#"{"alert":1,"key":"a secret of sixteen letters or more"}"#;

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn document(authentication: &serde_json::Value, secrets: &[&str]) -> SourceDocument {
    let secrets = secrets.iter().map(|secret| SourceSecret {
        value: Secret::new(*secret),
        not_after: None,
    });
    SourceDocument {
        authentication: serde_json::from_value(authentication.clone()).unwrap(),
        secrets: secrets.collect(),
        ..SourceDocument::default()
    }
}

#[derive(Default)]
struct Sent {
    headers: Vec<(&'static str, Vec<u8>)>,
    query: Vec<(&'static str, &'static str)>,
    body: Option<Vec<u8>>,
    /// The alert that a request without a body asks about.
    key: Option<&'static str>,
    address: Option<&'static str>,
}

impl Sent {
    fn header(name: &'static str, value: impl AsRef<[u8]>) -> Self {
        Self::default().and_header(name, value)
    }

    fn and_header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    fn query(name: &'static str, value: &'static str) -> Self {
        Self {
            query: vec![(name, value)],
            ..Self::default()
        }
    }

    fn verified(&self, document: &SourceDocument) -> Result<Timestamp, SignatureError> {
        let mut request = ApiGatewayV2httpRequest::default();
        for (name, value) in &self.headers {
            let name = HeaderName::from_static(name);
            request
                .headers
                .insert(name, HeaderValue::from_bytes(value).unwrap());
        }
        let query = self.query.iter();
        let query = query.map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]));
        request.query_string_parameters = query.collect::<HashMap<_, _>>().into();
        request.request_context.http.source_ip = self.address.map(str::to_owned);
        let proof = Proof {
            request: &request,
            content: match self.key {
                Some(key) => ProofContent::AlertKey(key),
                None => ProofContent::Body(self.body.as_deref().unwrap_or(BODY)),
            },
        };
        proof.verify(document, now())
    }
}

fn tag(algorithm: hmac::Algorithm, secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    let key = hmac::Key::new(algorithm, secret.as_bytes());
    hmac::sign(&key, &parts.concat()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_stated_secret_authenticates_by_each_scheme() {
    let basic = STANDARD.encode("ticketbridge:a secret of sixteen");
    let wrong_basic = STANDARD.encode("ticketbridge:another secret of 16");
    for (scheme, secret, right, wrong) in [
        (
            json!({"scheme": "header", "header": "X-Api-Key"}),
            SECRET,
            Sent::header("x-api-key", SECRET),
            Sent::header("x-api-key", OTHER),
        ),
        (
            json!({"scheme": "header", "header": "authorization"}),
            "Basic of another kind",
            Sent::header("authorization", "Basic of another kind"),
            Sent::header("authorization", "Basic of another kin"),
        ),
        (
            json!({"scheme": "bearer"}),
            SECRET,
            Sent::header("authorization", format!("Bearer {SECRET}")),
            Sent::header("authorization", format!("Bearer {OTHER}")),
        ),
        (
            json!({"scheme": "bearer"}),
            SECRET,
            Sent::header("authorization", format!("bearer  {SECRET}")),
            Sent::header("authorization", format!("Bearer {SECRET}x")),
        ),
        (
            json!({"scheme": "basic"}),
            "ticketbridge:a secret of sixteen",
            Sent::header("authorization", format!("Basic {basic}")),
            Sent::header("authorization", format!("Basic {wrong_basic}")),
        ),
        (
            json!({"scheme": "query", "parameter": "key"}),
            SECRET,
            Sent::query("key", SECRET),
            Sent::query("key", OTHER),
        ),
        (
            json!({"scheme": "body_member", "at": "/key"}),
            SECRET,
            Sent::default(),
            Sent {
                body: Some(br#"{"key":"another secret of sixteen letters"}"#.to_vec()),
                ..Sent::default()
            },
        ),
    ] {
        let document = document(&scheme, &[secret]);
        assert_eq!(right.verified(&document), Ok(now()), "{scheme}");
        assert_eq!(
            wrong.verified(&document),
            Err(SignatureError::Mismatch),
            "{scheme}"
        );
    }
}

#[test]
fn a_missing_or_malformed_proof_is_no_mismatch() {
    // Only a mismatch makes the function read the secrets again.
    for (scheme, sent) in [
        (
            json!({"scheme": "header", "header": "x-api-key"}),
            Sent::header("x-other", SECRET),
        ),
        (
            json!({"scheme": "header", "header": "x-api-key"}),
            Sent::header("x-api-key", ""),
        ),
        (
            json!({"scheme": "header", "header": "x-api-key"}),
            Sent::header("x-api-key", [b'x'; 1025]),
        ),
        (
            json!({"scheme": "bearer"}),
            Sent::header("authorization", SECRET),
        ),
        (
            json!({"scheme": "bearer"}),
            Sent::header("authorization", "Bearer"),
        ),
        (
            json!({"scheme": "basic"}),
            Sent::header("authorization", "Basic not base64!"),
        ),
        (
            json!({"scheme": "query", "parameter": "key"}),
            Sent::query("other", SECRET),
        ),
        (
            json!({"scheme": "query", "parameter": "key"}),
            Sent::query("key", ""),
        ),
        (
            json!({"scheme": "body_member", "at": "/other"}),
            Sent::default(),
        ),
        (
            json!({"scheme": "body_member", "at": "/key"}),
            Sent {
                body: Some(b"no JSON".to_vec()),
                ..Sent::default()
            },
        ),
        (
            json!({"scheme": "body_member", "at": "/key"}),
            Sent {
                body: Some(br#"{"key": 5}"#.to_vec()),
                ..Sent::default()
            },
        ),
        (
            json!({"scheme": "hmac", "header": "x-sig"}),
            Sent::default(),
        ),
        (
            json!({"scheme": "hmac", "header": "x-sig"}),
            Sent::header("x-sig", "0g"),
        ),
        (
            json!({"scheme": "hmac", "header": "x-sig"}),
            Sent::header("x-sig", "abc"),
        ),
        (
            json!({"scheme": "hmac", "header": "x-sig", "prefix": "sha256="}),
            Sent::header("x-sig", hex(&tag(hmac::HMAC_SHA256, SECRET, &[BODY]))),
        ),
        (json!({"scheme": "standard_webhooks"}), Sent::default()),
    ] {
        let document = document(&scheme, &[SECRET]);
        assert_eq!(
            sent.verified(&document),
            Err(SignatureError::Headers),
            "{scheme}"
        );
    }
}

#[test]
fn an_hmac_covers_what_its_scheme_says() {
    let seconds = now().as_second().to_string();
    let millis = now().as_millisecond().to_string();
    let sha256 = |parts: &[&[u8]]| tag(hmac::HMAC_SHA256, SECRET, parts);
    let sha1 = tag(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET, &[BODY]);
    let (s, ms) = (seconds.as_bytes(), millis.as_bytes());
    for (scheme, signature) in [
        (json!({}), hex(&sha256(&[BODY]))),
        (
            json!({"prefix": "sha256="}),
            format!("sha256={}", hex(&sha256(&[BODY]))),
        ),
        (json!({"algorithm": "sha1"}), hex(&sha1)),
        (
            json!({"encoding": "base64"}),
            STANDARD.encode(sha256(&[BODY])),
        ),
        (json!({"signed": "ts.body"}), hex(&sha256(&[s, b".", BODY]))),
        (json!({"signed": "ts:body"}), hex(&sha256(&[s, b":", BODY]))),
        (json!({"signed": "ts+body"}), hex(&sha256(&[s, BODY]))),
        (json!({"signed": "body+ts"}), hex(&sha256(&[BODY, s]))),
        (
            json!({"signed": "id.ts.body", "id_header": "x-id"}),
            hex(&sha256(&[b"m1.", s, b".", BODY])),
        ),
        (
            json!({"signed": "ts.body", "timestamp_format": "milliseconds"}),
            hex(&sha256(&[ms, b".", BODY])),
        ),
        (
            json!({"signed": "body+ts", "timestamp_format": "rfc3339"}),
            hex(&sha256(&[BODY, NOW.as_bytes()])),
        ),
    ] {
        let mut full = json!({"scheme": "hmac", "header": "X-Sig", "timestamp_header": "x-time"});
        let members = scheme.as_object().unwrap().clone();
        full.as_object_mut().unwrap().extend(members);
        let time = match full["timestamp_format"].as_str() {
            Some("milliseconds") => millis.as_str(),
            Some("rfc3339") => NOW,
            _ => seconds.as_str(),
        };
        let document_of = |secret| document(&full, &[secret]);
        let sent = || Sent::header("x-time", time).and_header("x-id", "m1");
        let right = sent().and_header("x-sig", &signature);
        assert_eq!(right.verified(&document_of(SECRET)), Ok(now()), "{full}");
        assert_eq!(
            right.verified(&document_of(OTHER)),
            Err(SignatureError::Mismatch),
            "{full}"
        );
        let other_body = Sent {
            body: Some(b"{}".to_vec()),
            ..sent().and_header("x-sig", &signature)
        };
        assert_eq!(
            other_body.verified(&document_of(SECRET)),
            Err(SignatureError::Mismatch),
            "{full}"
        );
    }
}

#[test]
fn an_hmac_with_a_time_is_refused_outside_its_tolerance() {
    let scheme = json!({"scheme": "hmac", "header": "x-sig", "timestamp_header": "x-time", "signed": "ts.body", "tolerance_s": 60});
    for (apart, is_accepted) in [
        (0, true),
        (60, true),
        (-60, true),
        (61, false),
        (-61, false),
    ] {
        let time = (now().as_second() + apart).to_string();
        let signature = hex(&tag(
            hmac::HMAC_SHA256,
            SECRET,
            &[time.as_bytes(), b".", BODY],
        ));
        let sent = Sent::header("x-time", &time).and_header("x-sig", signature);
        let verified = sent.verified(&document(&scheme, &[SECRET]));
        assert_eq!(verified.is_ok(), is_accepted, "{apart}");
    }
}

#[test]
fn two_secrets_are_valid_during_a_rotation() {
    let scheme = json!({"scheme": "header", "header": "x-api-key"});
    let both = document(&scheme, &[OTHER, SECRET]);
    for secret in [SECRET, OTHER] {
        assert_eq!(Sent::header("x-api-key", secret).verified(&both), Ok(now()));
    }
    let none = document(&scheme, &[]);
    for stated in [SECRET, "", "\0"] {
        let sent = Sent::query("x", "y").and_header("x-api-key", stated.trim_matches('\0'));
        assert!(sent.verified(&none).is_err(), "a source without a secret");
    }
}

#[test]
fn a_short_key_authenticates_no_request() {
    let scheme = json!({"scheme": "hmac", "header": "x-sig"});
    for key in ["", "short"] {
        let sent = Sent::header("x-sig", hex(&tag(hmac::HMAC_SHA256, key, &[BODY])));
        assert!(sent.verified(&document(&scheme, &[key])).is_err(), "{key}");
    }
}

#[test]
fn a_source_posts_only_from_its_networks() {
    let scheme = json!({"scheme": "header", "header": "x-api-key"});
    let mut document = document(&scheme, &[SECRET]);
    document.networks = vec![
        String::from("203.0.113.0/24").try_into().unwrap(),
        String::from("2001:db8::1").try_into().unwrap(),
    ];
    for (address, expected) in [
        (Some("203.0.113.9"), Ok(now())),
        (Some("2001:db8::1"), Ok(now())),
        (Some("203.0.114.9"), Err(SignatureError::Address)),
        (Some("no address"), Err(SignatureError::Address)),
        (None, Err(SignatureError::Address)),
    ] {
        let sent = Sent {
            address,
            ..Sent::header("x-api-key", SECRET)
        };
        assert_eq!(sent.verified(&document), expected, "{address:?}");
    }
}

#[test]
fn a_request_costs_the_same_work_whatever_its_source_is() {
    let work = |sent: &Sent, document: &SourceDocument| {
        WORK.set((0, 0));
        let _ = sent.verified(document);
        WORK.get()
    };
    let schemes = [
        json!({"scheme": "standard_webhooks"}),
        json!({"scheme": "hmac", "header": "x-sig"}),
        json!({"scheme": "hmac", "header": "x-sig", "timestamp_header": "x-time", "signed": "ts.body"}),
        json!({"scheme": "header", "header": "x-api-key"}),
        json!({"scheme": "bearer"}),
        json!({"scheme": "basic"}),
        json!({"scheme": "query", "parameter": "key"}),
    ];
    let signature = hex(&tag(hmac::HMAC_SHA256, SECRET, &[BODY]));
    for sent in [
        Sent::default(),
        Sent::header("x-sig", signature),
        Sent::header("x-api-key", SECRET),
        Sent::header("authorization", format!("Bearer {SECRET}")),
        Sent::query("key", OTHER),
    ] {
        let unknown = work(&sent, &SourceDocument::decoy().unwrap());
        assert_eq!(
            unknown,
            (4, 2),
            "two for a signature, two for an HMAC, and two values"
        );
        for scheme in &schemes {
            for secrets in [&[][..], &[SECRET], &[SECRET, OTHER]] {
                assert_eq!(work(&sent, &document(scheme, secrets)), unknown, "{scheme}");
            }
        }
    }
}

#[test]
fn a_request_without_a_body_is_signed_over_the_key_of_its_alert() {
    const KEY: &str = "0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef";
    const OTHER_KEY: &str = "0f1e2d3c4b5a6978-00000000000000000000000000000000";
    let asked = |key, sent: Sent| Sent {
        key: Some(key),
        ..sent
    };
    let signature = |key: &str| hex(&tag(hmac::HMAC_SHA256, SECRET, &[key.as_bytes()]));
    let basic = format!("Basic {}", STANDARD.encode(SECRET));
    let bearer = format!("Bearer {SECRET}");
    let hmac = json!({"scheme": "hmac", "header": "x-sig"});
    let in_body = json!({"scheme": "body_member", "at": "/key"});
    for (scheme, sent) in [
        (hmac.clone(), Sent::header("x-sig", signature(KEY))),
        (
            json!({"scheme": "header", "header": "x-api-key"}),
            Sent::header("x-api-key", SECRET),
        ),
        (
            json!({"scheme": "bearer"}),
            Sent::header("authorization", &bearer),
        ),
        (
            json!({"scheme": "basic"}),
            Sent::header("authorization", basic),
        ),
        (
            json!({"scheme": "query", "parameter": "key"}),
            Sent::query("key", SECRET),
        ),
        // There is no body for the secret.
        (in_body.clone(), Sent::header("authorization", &bearer)),
    ] {
        let sent = asked(KEY, sent);
        assert_eq!(
            sent.verified(&document(&scheme, &[SECRET])),
            Ok(now()),
            "{scheme}"
        );
        assert!(
            sent.verified(&document(&scheme, &[OTHER])).is_err(),
            "{scheme}"
        );
    }
    let document = |scheme| document(scheme, &[SECRET]);
    let of_another = asked(OTHER_KEY, Sent::header("x-sig", signature(KEY)));
    assert_eq!(
        of_another.verified(&document(&hmac)),
        Err(SignatureError::Mismatch)
    );
    // In a message, the secret must be in the body.
    let posted = Sent {
        body: Some(b"{}".to_vec()),
        ..Sent::header("authorization", &bearer)
    };
    assert_eq!(
        posted.verified(&document(&in_body)),
        Err(SignatureError::Headers)
    );
}
