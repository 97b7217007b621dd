//! What `ingest` does with each event of 2 KB: it verifies the signature, reads the event, and
//! writes the message for the queue.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a bench stops at the first problem"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use domain::source::mapping::apply;
use domain::wire::webhook::{self, RequestTimes, SourcePolicy};
use domain::{PartnerId, SourceId};
use hot_paths::{Format, PARTNER, body, preset};
use jiff::Timestamp;
use webhook_signature::{SignatureHeaders, SignedRequest, SigningKey};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn signature(criterion: &mut Criterion) {
    let (body, now, id) = (
        body(Format::CloudEvents, 1).unwrap(),
        Timestamp::now(),
        "msg_1",
    );
    let signature = SigningKey::parse(SECRET)
        .unwrap()
        .sign(id, now, body.as_bytes());
    let timestamp = now.as_second().to_string();
    let headers = SignatureHeaders {
        id,
        timestamp: &timestamp,
        signature: &signature,
    };
    criterion.bench_function("verify a signature", |bench| {
        bench.iter(|| {
            let keys = [SigningKey::parse(black_box(SECRET)).unwrap()];
            let signed = SignedRequest::read(black_box(headers), now).unwrap();
            assert!(signed.matches(&keys, body.as_bytes()));
        });
    });
}

fn events(criterion: &mut Criterion) {
    let now = Timestamp::now();
    let times = RequestTimes {
        sent_at: now,
        received_at: now,
    };
    let preset = preset().unwrap();
    let policy = SourcePolicy {
        source: SourceId::parse("src_northwind0000drq5zip5s8rgz").unwrap(),
        partners: vec![PartnerId::parse(PARTNER).unwrap()],
        kinds_added: preset.kinds_added.clone(),
        webhook: domain::outgoing::scope::WebhookScope::Nothing,
    };
    let own = body(Format::CloudEvents, 1).unwrap();
    criterion.bench_function("parse and normalise", |bench| {
        bench.iter(|| {
            let parsed = webhook::parse(black_box(own.as_bytes()), &policy, times);
            parsed
                .expect("the body is readable")
                .messages
                .pop()
                .unwrap()
        });
    });
    let mapping = preset.mapping().unwrap();
    let mapped = body(Format::Mapped, 1).unwrap();
    criterion.bench_function("parse and map", |bench| {
        bench.iter(|| {
            let mapped = apply::map(black_box(mapped.as_bytes()), mapping, &policy, times);
            assert!(mapped.unmapped.is_empty(), "{:?}", mapped.unmapped);
            mapped.events.into_iter().next().unwrap()
        });
    });
    let parsed = webhook::parse(own.as_bytes(), &policy, times).unwrap();
    criterion.bench_function("write the message", |bench| {
        bench.iter(|| black_box(&parsed.messages[0]).to_json());
    });
}

criterion_group!(benches, signature, events);
criterion_main!(benches);
