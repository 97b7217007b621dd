//! Makes one attempt: a signed POST to the receiver, or the calls to an Alertmanager.

use std::sync::Arc;
use std::time::Duration;

use aws::secrets::OutgoingWebhook;
use domain::outgoing::cloud_event::OutgoingType;
use domain::outgoing::format::WebhookFormat;
use domain::outgoing::retry::AttemptOutcome;
use jiff::Timestamp;
use public_http::{HttpBuildError, ReceiverOrigins, ReceiverUrl, SystemResolver, client_builder};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder};
use store::{Attempt, Delivery};
use tokio::time::{Instant, timeout_at};
use webhook_signature::SigningKey;

use crate::alertmanager::Alertmanager;
use crate::attempt::{ConfirmedAttempt, FailedAttempt, read_body, send};

/// The longest attempt. A receiver confirms first and works then.
const MAX_ATTEMPT: Duration = Duration::from_secs(10);

/// The longest answer to an action that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// The result of one attempt.
pub(crate) struct Posted {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) attempt: Attempt,
    /// As in [`ConfirmedAttempt`].
    pub(crate) answer: Vec<u8>,
}

/// Posts deliveries.
#[derive(Debug)]
pub(crate) struct Sender {
    client: Client,
    origins: ReceiverOrigins,
}

impl Sender {
    pub(crate) fn new(origins: ReceiverOrigins) -> Result<Self, HttpBuildError> {
        let builder = client_builder(origins.names(), Arc::new(SystemResolver))?;
        let client = builder.build()?;
        Ok(Self { client, origins })
    }

    /// Posts a delivery. If the process dies right after, it is posted again with the same id.
    pub(crate) async fn post(
        &self,
        webhook: &OutgoingWebhook,
        delivery: &Delivery,
        now: Timestamp,
        ends: Instant,
    ) -> Posted {
        let ends = ends.min(Instant::now() + MAX_ATTEMPT);
        let (outcome, status, problem, answer) =
            match self.attempt(webhook, delivery, now, ends).await {
                Ok(ConfirmedAttempt {
                    status,
                    problem,
                    answer,
                }) => (AttemptOutcome::Delivered, status, problem, answer),
                Err(FailedAttempt {
                    outcome,
                    status,
                    problem,
                }) => (outcome, status, Some(problem), vec![]),
            };
        let attempt = Attempt {
            at: now,
            status,
            problem,
        };
        Posted {
            outcome,
            attempt,
            answer,
        }
    }

    async fn attempt(
        &self,
        webhook: &OutgoingWebhook,
        delivery: &Delivery,
        now: Timestamp,
        ends: Instant,
    ) -> Result<ConfirmedAttempt, FailedAttempt> {
        // The operator may have taken an origin off its list since.
        let url = ReceiverUrl::parse(&webhook.url, &self.origins)
            .map_err(|err| FailedAttempt::refused(format!("the webhook's address {err}")))?;
        match webhook.format {
            WebhookFormat::CloudEvents => {
                let signature = signatures(webhook, delivery, now)
                    .ok_or_else(|| FailedAttempt::refused("the webhook has no valid secret"))?;
                let call = self
                    .client
                    .post(url.as_str())
                    .header(CONTENT_TYPE, "application/cloudevents+json")
                    .header("webhook-id", &delivery.id)
                    .header("webhook-timestamp", now.as_second().to_string())
                    .header("webhook-signature", signature)
                    .body(delivery.body.clone());
                post_event(call, delivery, now, ends).await
            }
            WebhookFormat::Alertmanager => {
                let authorization = webhook.authorization.as_ref();
                let alertmanager =
                    Alertmanager::new(&self.client, &url, authorization, (now, ends))?;
                alertmanager.deliver(delivery).await
            }
        }
    }
}

async fn post_event(
    call: RequestBuilder,
    delivery: &Delivery,
    now: Timestamp,
    ends: Instant,
) -> Result<ConfirmedAttempt, FailedAttempt> {
    let mut response = send(call, now, ends).await?;
    let answer = match delivery.kind == OutgoingType::TicketAction {
        true => timeout_at(ends, read_body(&mut response, MAX_ANSWER)).await,
        false => Ok(Ok(vec![])),
    };
    Ok(ConfirmedAttempt {
        status: Some(response.status().as_u16()),
        problem: None,
        // The receiver has confirmed the delivery. An answer that is cut off or too long is none.
        answer: answer.ok().and_then(Result::ok).unwrap_or_default(),
    })
}

/// One signature for each valid secret. `None` without any.
fn signatures(webhook: &OutgoingWebhook, delivery: &Delivery, now: Timestamp) -> Option<String> {
    let keys = webhook.valid_secrets(now);
    let keys = keys.filter_map(|secret| SigningKey::parse(secret.expose()));
    let signatures: Vec<_> = keys
        .map(|key| key.sign(&delivery.id, now, delivery.body.as_bytes()))
        .collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}
