//! A source of alerts: makes events and posts them signed, as any upstream system does.

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

use crate::local::emulator::http_client;
use crate::local::seed::Many;
use crate::local::{EmptyStack, Stack};

/// How long a source asks again until its event is taken, and how long it waits where the answer does not say.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_secs(1);

/// How many connections a busy source posts over.
const CONNECTIONS: usize = 8;

/// Posts to one stack's webhook.
pub(crate) struct Source {
    partner: PartnerId,
    id: SourceId,
    http: reqwest::Client,
    url: String,
    key: hmac::Key,
}

/// What an event says of its alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Raised,
    Updated,
    Resolved,
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

impl Source {
    /// The seeded source of a stack.
    pub(crate) fn of(stack: &Stack) -> Result<Self> {
        let seeded = &stack.seeded;
        Self::new(
            stack,
            &seeded.partner,
            &seeded.source,
            &seeded.webhook_secret,
        )
    }

    /// A source that speaks for one partner.
    pub(crate) fn new(
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
            key: key(secret)?,
        })
    }

    /// The source that speaks for many partners; each of its events names one.
    pub(crate) fn of_many(stack: &Stack, many: &Many) -> Result<Self> {
        // Its events name their partners; this one is for those that do not.
        let partner = &stack.seeded.partner;
        Self::new(stack, partner, &many.source, &many.webhook_secret)
    }

    /// The alert's identity.
    pub(crate) fn key(&self, alert: &Alert<'_>) -> Result<AlertKey> {
        Ok(AlertKey {
            partner: self.partner.clone(),
            tenant: alert.tenant.clone(),
            source: self.id.clone(),
            alert_id: AlertId::parse(alert.id)?,
        })
    }

    /// An event that says that the alert is there.
    pub(crate) fn raised(alert: &Alert<'_>, id: &str) -> Value {
        event(alert, Change::Raised, id, Timestamp::now())
    }

    /// An event that says that the alert is gone.
    pub(crate) fn resolved(alert: &Alert<'_>, id: &str) -> Value {
        event(alert, Change::Resolved, id, Timestamp::now())
    }

    /// The complete list of a tenant's active alerts, taken now.
    pub(crate) fn listed(tenant: &TenantId, id: &str, active: &[&str]) -> Value {
        json!({
            "specversion": "1.0", "id": id, "source": "https://alerts.example.com/story", "type": "alerts.snapshot",
            "data": {
                "tenant": tenant, "snapshot_id": id, "taken_at": Timestamp::now().to_string(), "active": active,
                "part": 1, "parts": 1,
            },
        })
    }

    /// Posts an event, signed; the webhook must take it.
    pub(crate) async fn post(&self, event: &Value) -> Result<()> {
        let answer = self.offer(event).await?;
        let status = answer.status();
        let said = answer.text().await.unwrap_or_default();
        ensure!(
            status == 202,
            "the webhook answers {status}, not 202: {said}"
        );
        Ok(())
    }

    /// Posts an event, signed, until the webhook takes it, as any real source does; answers how often it was refused.
    ///
    /// # Errors
    /// When the webhook says that the event is wrong, or goes on refusing it.
    pub(crate) async fn post_until_taken(&self, event: &Value) -> Result<usize> {
        let begun = Instant::now();
        for refused in 0.. {
            let answer = self.offer(event).await?;
            let status = answer.status();
            if status == 202 {
                return Ok(refused);
            }
            let wait = wait_asked_for(&answer);
            let said = answer.text().await.unwrap_or_default();
            let comes_again = status == 429 || status.is_server_error();
            ensure!(
                comes_again && begun.elapsed() < PATIENCE,
                "the webhook answers {status}, not 202: {said}"
            );
            sleep(wait).await;
        }
        bail!("the webhook never took the event")
    }

    /// Posts events, several at once, and tells of each when it was taken and how often it had been refused.
    ///
    /// # Errors
    /// At the first event that is not taken.
    pub(crate) async fn post_all(
        &self,
        events: &[Value],
        taken: impl Fn(&Value, usize),
    ) -> Result<()> {
        let next = RefCell::new(events.iter());
        let connection = || async {
            loop {
                // Apart, so that the borrow ends before the waiting begins.
                let event = next.borrow_mut().next();
                let Some(event) = event else {
                    return Ok::<_, anyhow::Error>(());
                };
                let refused = self.post_until_taken(event).await?;
                taken(event, refused);
            }
        };
        try_join_all((0..CONNECTIONS).map(|_| connection())).await?;
        Ok(())
    }

    async fn offer(&self, event: &Value) -> Result<Response> {
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

/// The seconds of `Retry-After`.
fn wait_asked_for(answer: &Response) -> Duration {
    let asked = answer.headers().get("retry-after");
    let seconds = asked.and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(PAUSE, Duration::from_secs)
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

/// An event as a source sends it. Of an alert that is gone there is nothing more to tell.
pub(crate) fn event(alert: &Alert<'_>, change: Change, id: &str, at: Timestamp) -> Value {
    let (kind, data) = match change {
        Change::Raised => ("alert.raised", particulars(alert)),
        Change::Updated => ("alert.updated", particulars(alert)),
        Change::Resolved => (
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

fn particulars(alert: &Alert<'_>) -> Value {
    json!({
        "tenant": alert.tenant,
        "alert_id": alert.id,
        "kind": alert.kind,
        "severity": alert.severity,
        "title": alert.title,
        "description": format!("{}\nSeen by the demo.", alert.title),
        "device": "SRV-01",
    })
}
