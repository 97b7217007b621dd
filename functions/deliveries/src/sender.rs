//! One attempt: a signed POST to the receiver, or the calls to an Alertmanager.

use std::sync::Arc;
use std::time::Duration;

use aws::secrets::OutgoingWebhook;
use domain::outgoing::cloud_event::OutgoingType;
use domain::outgoing::format::WebhookFormat;
use domain::outgoing::retry::AttemptOutcome;
use domain::text::chain;
use jiff::{SignedDuration, Timestamp};
use public_http::{
    AddressRefused, HttpBuildError, ReceiverOrigins, ReceiverUrl, SystemResolver, client_builder,
};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response};
use store::{Attempt, Delivery};
use tokio::time::{Instant, timeout_at};
use webhook_signature::SigningKey;

use crate::alertmanager::Alertmanager;

/// The longest attempt. A receiver confirms first and works then.
const MAX_ATTEMPT: Duration = Duration::from_secs(10);

/// The longest answer to an action that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

pub(crate) const NO_ANSWER: &str = "the receiver did not answer in time";

/// The result of one attempt.
pub(crate) struct Posted {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) attempt: Attempt,
    /// The body of the answer to an action. Empty for any other event: its answer is not
    /// Ticketbridge's to store.
    pub(crate) answer: Vec<u8>,
}

/// An attempt that the receiver confirmed.
#[derive(Debug)]
pub(crate) struct ConfirmedAttempt {
    /// `None` if no call was necessary.
    pub(crate) status: Option<u16>,
    /// What was not done nevertheless, for the log of deliveries.
    pub(crate) problem: Option<String>,
    /// As in [`Posted`].
    pub(crate) answer: Vec<u8>,
}

/// An attempt that the receiver did not confirm.
#[derive(Debug)]
pub(crate) struct FailedAttempt {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) status: Option<u16>,
    pub(crate) problem: String,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnreadBody {
    TooLong,
    CutOff,
}

/// Posts deliveries.
#[derive(Debug)]
pub(crate) struct Sender {
    client: Client,
    origins: ReceiverOrigins,
}

impl FailedAttempt {
    pub(crate) fn refused(problem: impl Into<String>) -> Self {
        Self {
            outcome: AttemptOutcome::Refused,
            status: None,
            problem: problem.into(),
        }
    }

    pub(crate) fn unavailable(problem: impl Into<String>) -> Self {
        Self {
            outcome: AttemptOutcome::Unavailable { retry_after: None },
            status: None,
            problem: problem.into(),
        }
    }
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

/// Makes a call. An answer other than 2xx is a failed attempt.
pub(crate) async fn send(
    call: RequestBuilder,
    now: Timestamp,
    ends: Instant,
) -> Result<Response, FailedAttempt> {
    let response = match timeout_at(ends, call.send()).await {
        Err(_) => return Err(FailedAttempt::unavailable(NO_ANSWER)),
        Ok(Err(err)) if is_refused_address(&err) => {
            let problem = "the receiver's name leads to an address that is not public";
            return Err(FailedAttempt::refused(problem));
        }
        Ok(Err(err)) => return Err(FailedAttempt::unavailable(chain(&err.without_url()))),
        Ok(Ok(response)) => response,
    };
    let status = response.status().as_u16();
    let retry_after = pause_asked_for(response.headers(), now);
    match AttemptOutcome::of_status(status, retry_after) {
        AttemptOutcome::Delivered => Ok(response),
        outcome @ (AttemptOutcome::Gone
        | AttemptOutcome::Refused
        | AttemptOutcome::Unavailable { .. }) => Err(FailedAttempt {
            outcome,
            status: Some(status),
            problem: format!("the receiver answered {status}"),
        }),
    }
}

/// Reads a body of at most this many bytes.
pub(crate) async fn read_body(
    response: &mut Response,
    longest: usize,
) -> Result<Vec<u8>, UnreadBody> {
    let mut body = vec![];
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= longest => {
                body.extend_from_slice(&chunk);
            }
            Ok(None) => return Ok(body),
            Ok(Some(_)) => return Err(UnreadBody::TooLong),
            Err(_) => return Err(UnreadBody::CutOff),
        }
    }
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

fn is_refused_address(err: &reqwest::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(err);
    while let Some(err) = source {
        if err.is::<AddressRefused>() {
            return true;
        }
        source = err.source();
    }
    false
}

/// How long the receiver asks to be left alone: in seconds, or until a time.
fn pause_asked_for(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match value.parse::<u32>() {
        Ok(seconds) => SignedDuration::from_secs(seconds.into()),
        Err(_) => {
            let until = jiff::fmt::rfc2822::parse(value).ok()?;
            until.timestamp().duration_since(now)
        }
    };
    asked.is_positive().then_some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_time() {
        let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
        for (value, seconds) in [
            ("120", Some(120)),
            ("Sun, 22 Nov 2026 07:31:30 GMT", Some(90)),
            ("Sun, 22 Nov 2026 07:29:00 GMT", None),
            ("0", None),
            ("-5", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            let asked = pause_asked_for(&headers, now).map(|asked| asked.as_secs());
            assert_eq!(asked, seconds, "{value}");
        }
        assert_eq!(pause_asked_for(&HeaderMap::new(), now), None);
    }
}
