//! Requests as API Gateway passes them to `ingest`, of a CloudEvent or of a message in a format of
//! its own, with bodies of 2 KB, and the secrets that `ingest` needs for them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use domain::source::presets::SourceFormat;
use domain::{Secret, SourceId, SourceKeys};
use hot_paths::{Format, PARTNER, body, preset};
use jiff::Timestamp;
use local_stack::source::{signature, signing_key};
use serde_json::{Value, json};

const SOURCE_KEY: &str = "the-key-by-which-the-bench-makes-the-ids-of-sources";
const SIGNING_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PREFIX: &str = "bench/source/";

/// A source with its secrets.
#[derive(Debug)]
pub(crate) struct BenchSource {
    id: SourceId,
    format: Format,
}

impl BenchSource {
    pub(crate) fn new(format: Format) -> Result<Self> {
        let keys = SourceKeys::parse(&Secret::new(SOURCE_KEY)).context("the key is too short")?;
        Ok(Self {
            id: keys.id(std::array::from_fn(|index| {
                u8::try_from(index).unwrap_or(0)
            })),
            format,
        })
    }

    /// The secrets that `ingest` reads, by name.
    pub(crate) fn secrets(&self) -> Result<BTreeMap<String, String>> {
        let mut document = json!({
            "partner": PARTNER,
            "enabled": true,
            "secrets": [{ "value": SIGNING_SECRET }],
        });
        if self.format == Format::Mapped {
            let preset = preset()?;
            let mapping = preset
                .mapping()
                .context("the preset has no mapping")?
                .clone();
            document["kinds_added"] = json!(preset.kinds_added);
            document["format"] = json!(SourceFormat::Mapped(Box::new(mapping)));
        }
        Ok(BTreeMap::from([
            (format!("{PREFIX}id-keys"), SOURCE_KEY.to_owned()),
            (self.secret_name(), document.to_string()),
        ]))
    }

    /// The name of the secret with its document.
    pub(crate) fn secret_name(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// A signed request with event number `n`.
    pub(crate) fn request(&self, n: usize) -> Result<Value> {
        let body = body(self.format, n)?;
        let id = format!("msg_{n}");
        let timestamp = Timestamp::now().as_second();
        let key = signing_key(SIGNING_SECRET)?;
        let path = format!("/v1/events/{}", self.id);
        Ok(json!({
            "version": "2.0",
            "routeKey": "POST /v1/events/{source}",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {
                "content-type": "application/json",
                "host": "api.example.com",
                "webhook-id": id,
                "webhook-timestamp": timestamp.to_string(),
                "webhook-signature": signature(&key, &id, timestamp, body.as_bytes()),
                "x-forwarded-proto": "https",
            },
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "a1b2c3d4e5",
                "domainName": "api.example.com",
                "http": {
                    "method": "POST",
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.7",
                    "userAgent": "bench/1.0",
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": "POST /v1/events/{source}",
                "stage": "$default",
                "time": "22/Nov/2026:07:30:00 +0000",
                "timeEpoch": timestamp * 1000,
            },
            "pathParameters": { "source": self.id },
            "body": body,
            "isBase64Encoded": false,
        }))
    }
}
