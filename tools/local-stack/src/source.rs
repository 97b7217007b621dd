//! A source of alerts: creates events and posts them signed, as any upstream system does.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{AlertId, AlertKey, PartnerId, SourceId, TenantId};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use reqwest::Response;
use ring::hmac;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::empty_stack::EmptyStack;
use crate::emulator::http_client;
use crate::stack::Stack;

/// How long a source retries an event.
const RETRIES_FOR: Duration = Duration::from_secs(120);
/// The pause before a retry, unless the answer says how long to wait.
const PAUSE: Duration = Duration::from_secs(1);

/// The connections of a busy source.
const CONNECTIONS: usize = 8;

/// Posts to one stack's webhook.
pub struct AlertSource {
    partner: PartnerId,
    id: SourceId,
    http: reqwest::Client,
    url: String,
    key: hmac::Key,
}

/// The type of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    Raised,
    Updated,
    Resolved,
}

/// The alert of an event.
#[derive(Debug, Clone, Copy)]
pub struct SourceAlert<'a> {
    pub tenant: &'a TenantId,
    pub id: &'a str,
    pub kind: &'a str,
    pub severity: &'a str,
    pub title: &'a str,
}

impl AlertSource {
    /// The seeded source of a stack.
    pub fn seeded(stack: &Stack) -> Result<Self> {
        let seeded = &stack.seeded;
        Self::new(
            stack,
            &seeded.partner,
            &seeded.source,
            &seeded.webhook_secret,
        )
    }

    /// A source whose events belong to `partner`, unless they name another one.
    pub fn new(
        stack: &EmptyStack,
        partner: &PartnerId,
        id: &SourceId,
        secret: &str,
    ) -> Result<Self> {
        Ok(Self {
            partner: partner.clone(),
            id: id.clone(),
            http: http_client()?,
            url: stack.webhook_url_of(id),
            key: signing_key(secret)?,
        })
    }

    pub fn key(&self, alert: &SourceAlert<'_>) -> Result<AlertKey> {
        Ok(AlertKey {
            partner: self.partner.clone(),
            tenant: alert.tenant.clone(),
            source: self.id.clone(),
            alert_id: AlertId::parse(alert.id)?,
        })
    }

    pub fn raised(alert: &SourceAlert<'_>, id: &str) -> Value {
        event(alert, EventType::Raised, id, Timestamp::now())
    }

    pub fn resolved(alert: &SourceAlert<'_>, id: &str) -> Value {
        event(alert, EventType::Resolved, id, Timestamp::now())
    }

    /// A snapshot of a tenant's active alerts, taken now.
    pub fn snapshot(tenant: &TenantId, id: &str, active: &[&str]) -> Value {
        json!({
            "specversion": "1.0",
            "id": id,
            "source": "https://alerts.example.com/demo",
            "type": "alerts.snapshot",
            "data": {
                "tenant": tenant,
                "snapshot_id": id,
                "taken_at": Timestamp::now().to_string(),
                "active": active,
                "part": 1,
                "parts": 1,
            },
        })
    }

    /// Posts an event once.
    ///
    /// # Errors
    /// When the webhook does not accept it.
    pub async fn post(&self, event: &Value) -> Result<()> {
        let answer = self.send(event).await?;
        let status = answer.status();
        let body = answer.text().await.unwrap_or_default();
        ensure!(
            status == 202,
            "the webhook answers {status}, not 202: {body}"
        );
        Ok(())
    }

    /// Posts an event until the webhook accepts it, as any real source does. Returns the number of
    /// refusals.
    ///
    /// # Errors
    /// When the webhook calls the event invalid, or refuses it for too long.
    pub async fn post_until_accepted(&self, event: &Value) -> Result<usize> {
        let started = Instant::now();
        for refusals in 0.. {
            let answer = self.send(event).await?;
            let status = answer.status();
            if status == 202 {
                return Ok(refusals);
            }
            let wait = retry_after(&answer);
            let body = answer.text().await.unwrap_or_default();
            let is_retryable = status == 429 || status.is_server_error();
            ensure!(
                is_retryable && started.elapsed() < RETRIES_FOR,
                "the webhook answers {status}, not 202: {body}"
            );
            sleep(wait).await;
        }
        bail!("the webhook never accepted the event")
    }

    /// Posts events over several connections. Calls `accepted` with each event and the number of
    /// its refusals when the webhook has accepted it.
    ///
    /// # Errors
    /// At the first event that is not accepted.
    pub async fn post_all(&self, events: &[Value], accepted: impl Fn(&Value, usize)) -> Result<()> {
        let next = RefCell::new(events.iter());
        let connection = || async {
            loop {
                // A statement of its own, so that the borrow ends before the await.
                let event = next.borrow_mut().next();
                let Some(event) = event else {
                    return Ok::<_, anyhow::Error>(());
                };
                let refusals = self.post_until_accepted(event).await?;
                accepted(event, refusals);
            }
        };
        try_join_all((0..CONNECTIONS).map(|_| connection())).await?;
        Ok(())
    }

    async fn send(&self, event: &Value) -> Result<Response> {
        let body = serde_json::to_vec(event)?;
        let id = format!("msg_{}", event["id"].as_str().unwrap_or_default());
        let timestamp = Timestamp::now().as_second();
        let signature = signature(&self.key, &id, timestamp, &body);
        self.http
            .post(&self.url)
            .header("content-type", "application/cloudevents+json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await
            .context("the webhook does not answer")
    }
}

fn retry_after(answer: &Response) -> Duration {
    let header = answer.headers().get("retry-after");
    let seconds = header.and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(PAUSE, Duration::from_secs)
}

/// The key of a secret `whsec_<base64>`.
pub fn signing_key(secret: &str) -> Result<hmac::Key> {
    let bytes = STANDARD.decode(secret.trim_start_matches("whsec_"));
    let bytes = bytes.context("the webhook's secret is not base64")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// The value of the header `webhook-signature`.
pub fn signature(key: &hmac::Key, id: &str, timestamp: i64, body: &[u8]) -> String {
    let content = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    format!("v1,{}", STANDARD.encode(hmac::sign(key, &content)))
}

/// An event as a source sends it. A resolved alert has no details.
pub fn event(alert: &SourceAlert<'_>, change: EventType, id: &str, at: Timestamp) -> Value {
    let (kind, data) = match change {
        EventType::Raised => ("alert.raised", details(alert)),
        EventType::Updated => ("alert.updated", details(alert)),
        EventType::Resolved => (
            "alert.resolved",
            json!({ "tenant": alert.tenant, "alert_id": alert.id }),
        ),
    };
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "https://rmm.example.com/demo",
        "type": kind,
        "time": at.to_string(),
        "datacontenttype": "application/json",
        "data": data,
    })
}

fn details(alert: &SourceAlert<'_>) -> Value {
    json!({
        "tenant": alert.tenant,
        "alert_id": alert.id,
        "kind": alert.kind,
        "severity": alert.severity,
        "title": alert.title,
        "description": format!("{}\nReported by the demo.", alert.title),
        "device": "SRV-01",
    })
}
