//! `cargo xtask sign FILE`: a webhook body as API Gateway passes it to `ingest`, signed with the
//! running stack's secret.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use local_stack::environment;
use local_stack::source::{signature, signing_key};
use serde_json::{Value, json};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SignOptions {
    /// A body such as events/alert.raised.json; a JSON array is a batch
    file: PathBuf,
}

/// Prints the payload for `cargo lambda invoke ingest --data-file`.
pub(crate) fn run(options: &SignOptions) -> Result<()> {
    let name = options.file.display();
    let body = fs::read(&options.file).with_context(|| format!("cannot read {name}"))?;
    let content: Value =
        serde_json::from_slice(&body).with_context(|| format!("{name} is not JSON"))?;
    let stack = fs::read(environment::target("local/stack.json"))
        .context("no stack is running: start one with `cargo xtask up`")?;
    let stack: Value = serde_json::from_slice(&stack).context("stack.json is not JSON")?;
    let text = |member: &str| stack[member].as_str().unwrap_or_default().to_owned();

    let (url, secret) = (text("webhook_url"), text("webhook_secret"));
    let source = url.rsplit('/').next().unwrap_or_default();
    let timestamp = Timestamp::now().as_second();
    let id = format!("msg_{timestamp}");
    let media_type = if content.is_array() {
        "application/cloudevents-batch+json"
    } else {
        "application/cloudevents+json"
    };
    let path = format!("/v1/events/{source}");
    let payload = json!({
        "version": "2.0",
        "routeKey": "POST /v1/events/{source}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": media_type,
            "webhook-id": id,
            "webhook-timestamp": timestamp.to_string(),
            "webhook-signature": signature(&signing_key(&secret)?, &id, timestamp, &body),
        },
        "requestContext": { "http": { "method": "POST", "path": path } },
        "pathParameters": { "source": source },
        "body": STANDARD.encode(&body),
        "isBase64Encoded": true,
    });
    println!("{payload:#}");
    Ok(())
}
