//! A source of alerts: makes events and posts them signed, as any upstream system does.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{AlertId, AlertKey, TenantId};
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use crate::local::Stack;
use crate::local::emulator::http_client;

/// Posts to one stack's webhook.
pub(crate) struct Source<'a> {
    stack: &'a Stack,
    http: reqwest::Client,
    url: String,
    key: hmac::Key,
}

/// What an alert looks like when it is raised or updated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alert<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) severity: &'a str,
    pub(crate) title: &'a str,
}

impl<'a> Source<'a> {
    /// The seeded source of a stack.
    pub(crate) fn of(stack: &'a Stack) -> Result<Self> {
        Ok(Self {
            stack,
            http: http_client()?,
            url: stack.webhook_url(),
            key: key(&stack.seeded.webhook_secret)?,
        })
    }

    /// The alert's identity.
    pub(crate) fn key(&self, alert: &Alert<'_>) -> Result<AlertKey> {
        Ok(AlertKey {
            partner: self.stack.seeded.partner.clone(),
            tenant: alert.tenant.clone(),
            source: self.stack.seeded.source.clone(),
            alert_id: AlertId::parse(alert.id)?,
        })
    }

    /// An event that says that the alert is there.
    pub(crate) fn raised(alert: &Alert<'_>, id: &str) -> Value {
        let data = json!({
            "tenant": alert.tenant,
            "alert_id": alert.id,
            "kind": alert.kind,
            "severity": alert.severity,
            "title": alert.title,
            "description": format!("{}\nSeen by the demo.", alert.title),
            "device": "SRV-01",
        });
        event(id, "alert.raised", &data)
    }

    /// An event that says that the alert is gone.
    pub(crate) fn resolved(alert: &Alert<'_>, id: &str) -> Value {
        event(
            id,
            "alert.resolved",
            &json!({ "tenant": alert.tenant, "alert_id": alert.id }),
        )
    }

    /// Posts an event, signed; the webhook must take it.
    pub(crate) async fn post(&self, event: &Value) -> Result<()> {
        let body = serde_json::to_vec(event)?;
        let id = format!("msg_{}", event["id"].as_str().unwrap_or_default());
        let timestamp = Timestamp::now().as_second();
        let signature = signature(&self.key, &id, timestamp, &body);
        let answer = self
            .http
            .post(&self.url)
            .header("content-type", "application/cloudevents+json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await
            .context("the webhook does not answer")?;
        let status = answer.status();
        let said = answer.text().await.unwrap_or_default();
        ensure!(
            status == 202,
            "the webhook answers {status}, not 202: {said}"
        );
        Ok(())
    }
}

/// The key of a secret `whsec_<base64>`.
pub(crate) fn key(secret: &str) -> Result<hmac::Key> {
    let bytes = STANDARD.decode(secret.trim_start_matches("whsec_"));
    let bytes = bytes.context("the webhook's secret is not base64")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// The value of `webhook-signature`.
pub(crate) fn signature(key: &hmac::Key, id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed)))
}

fn event(id: &str, kind: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "https://rmm.example.com/demo",
        "type": kind,
        "time": Timestamp::now().to_string(),
        "datacontenttype": "application/json",
        "data": data,
    })
}
