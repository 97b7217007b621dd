//! One attempt: a signed POST to the receiver.

use std::sync::Arc;
use std::time::Duration;

use aws::secrets::OutgoingWebhook;
use domain::outgoing::cloud_event::OutgoingType;
use domain::outgoing::retry::AttemptOutcome;
use domain::text::chain;
use jiff::{SignedDuration, Timestamp};
use public_http::{
    AddressRefused, HttpBuildError, ReceiverOrigins, ReceiverUrl, SystemResolver, client_builder,
};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use store::{Attempt, Delivery};
use tokio::time::{Instant, timeout_at};
use webhook_signature::SigningKey;

/// The longest attempt. A receiver confirms first and works then.
const MAX_ATTEMPT: Duration = Duration::from_secs(10);

/// The longest answer to an action that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// The result of one attempt.
pub(crate) struct Posted {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) attempt: Attempt,
    /// The body of the answer to an action. Empty for any other event: its answer is not
    /// Ticketbridge's to store.
    pub(crate) answer: Vec<u8>,
}

/// Posts deliveries.
#[derive(Debug)]
pub(crate) struct Sender {
    client: reqwest::Client,
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
        let failed = |outcome, problem: String| Posted {
            outcome,
            attempt: Attempt {
                at: now,
                status: None,
                problem: Some(problem),
            },
            answer: vec![],
        };
        let refused = |problem| failed(AttemptOutcome::Refused, problem);
        let retry_after = None;
        let unavailable = |problem| failed(AttemptOutcome::Unavailable { retry_after }, problem);
        // The operator may have taken an origin off its list since.
        let url = match ReceiverUrl::parse(&webhook.url, &self.origins) {
            Ok(url) => url,
            Err(err) => return refused(format!("the webhook's address {err}")),
        };
        let Some(signature) = signatures(webhook, delivery, now) else {
            return refused("the webhook has no valid secret".to_owned());
        };
        let call = self
            .client
            .post(url.as_str())
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .header("webhook-id", &delivery.id)
            .header("webhook-timestamp", now.as_second().to_string())
            .header("webhook-signature", signature)
            .body(delivery.body.clone());
        let ends = ends.min(Instant::now() + MAX_ATTEMPT);
        match timeout_at(ends, call.send()).await {
            Err(_) => unavailable("the receiver did not answer in time".to_owned()),
            Ok(Err(err)) if is_refused_address(&err) => {
                refused("the receiver's name leads to an address that is not public".to_owned())
            }
            Ok(Err(err)) => unavailable(chain(&err.without_url())),
            Ok(Ok(mut response)) => {
                let status = response.status().as_u16();
                let retry_after = pause_asked_for(response.headers(), now);
                let outcome = AttemptOutcome::of_status(status, retry_after);
                let problem = match outcome {
                    AttemptOutcome::Delivered => None,
                    AttemptOutcome::Gone
                    | AttemptOutcome::Refused
                    | AttemptOutcome::Unavailable { .. } => {
                        Some(format!("the receiver answered {status}"))
                    }
                };
                let attempt = Attempt {
                    at: now,
                    status: Some(status),
                    problem,
                };
                let has_answer = outcome == AttemptOutcome::Delivered
                    && delivery.kind == OutgoingType::TicketAction;
                let answer = match has_answer {
                    true => timeout_at(ends, read_answer(&mut response)).await,
                    false => Ok(vec![]),
                };
                Posted {
                    outcome,
                    attempt,
                    // The receiver has confirmed the delivery. An answer that is cut off or too
                    // long is none.
                    answer: answer.unwrap_or_default(),
                }
            }
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

/// Reads the body of an answer. Empty if it is too long or cut off.
async fn read_answer(response: &mut reqwest::Response) -> Vec<u8> {
    let mut answer = vec![];
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if answer.len() + chunk.len() <= MAX_ANSWER => {
                answer.extend_from_slice(&chunk);
            }
            Ok(None) => return answer,
            Ok(Some(_)) | Err(_) => return vec![],
        }
    }
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
