//! The webhook: verify the signature, parse the events, put them on the queue, and only then say 202.
//!
//! Nothing is decided here and no table is read: the source's secret document is all that the door needs.

mod answer;
mod config;
pub mod signature;

use std::time::Duration;

use aws::queue::Outbox;
use aws::secrets::{self, Secrets, SourceDocument};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::http::HeaderMap;
use aws_types::SdkConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::SourceId;
use domain::message::Message;
use domain::webhook::{Door, Times, parse_batch, parse_event};
use jiff::Timestamp;

pub use answer::Answer;
pub use config::Config;
use signature::{Headers, Key, Refusal, Signed};

/// The largest body that is looked at, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// How long an answer may take: the function is ended after ten seconds, and a sender then hears nothing that it can act on.
const ANSWER_WITHIN: Duration = Duration::from_secs(9);

/// The function, with its clients.
#[derive(Debug)]
pub struct App {
    config: Config,
    secrets: Secrets,
    queue: Outbox,
}

impl App {
    /// Makes the clients, once, in the init phase.
    #[must_use]
    pub fn build(config: Config, aws: &SdkConfig) -> Self {
        let queue = Outbox::new(aws, config.queue_url.clone());
        Self {
            config,
            secrets: Secrets::new(aws),
            queue,
        }
    }

    /// Answers one request. Never an error of the function itself: a sender understands statuses.
    pub async fn handle(&self, request: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        self.handle_at(request, Timestamp::now()).await
    }

    /// Answers one request that came at this time.
    pub async fn handle_at(
        &self,
        request: ApiGatewayV2httpRequest,
        now: Timestamp,
    ) -> ApiGatewayV2httpResponse {
        // What was sent to the queue before the time was up is perhaps in it: the sender repeats it, and folding it twice is
        // folding it once.
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.answer(&request, now)).await;
        let answer = answer.unwrap_or_else(|_| {
            tracing::error!("no answer in time");
            Answer::Unavailable
        });
        answer.count();
        answer.into_response()
    }

    async fn answer(&self, request: &ApiGatewayV2httpRequest, now: Timestamp) -> Answer {
        let Some(body) = body(request) else {
            return Answer::TooLarge;
        };
        let named = request
            .path_parameters
            .get("source")
            .map(String::as_str)
            .unwrap_or_default();
        // Set-up's own is nobody's who posts.
        let source = SourceId::parse(named).ok();
        let source = source.filter(|source| !source.is_of_set_up());
        let (door, times) = match self
            .believe(source.as_ref(), &request.headers, &body, now)
            .await
        {
            Ok(believed) => believed,
            Err(answer) => return answer,
        };
        let messages = match read(request, &body, &door, times) {
            Ok(messages) => messages,
            Err(answer) => return answer,
        };
        // If the process dies here or before the answer, the sender repeats what was perhaps queued: folding it twice is folding
        // it once.
        match self.queue.send_all(&messages).await {
            Ok(()) => {
                tracing::info!(source = %door.source, events = messages.len(), "accepted");
                Answer::Accepted(messages.len())
            }
            Err(fault) => {
                tracing::error!(source = %door.source, fault = %fault, "not queued");
                Answer::Unavailable
            }
        }
    }

    /// Checks the signature against the source's live secrets. On a mismatch the document is read once more, since it may have
    /// been rotated.
    async fn believe(
        &self,
        source: Option<&SourceId>,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(Door, Times), Answer> {
        let signed = Signed::read(signature_headers(headers), now)
            .map_err(|refusal| refused(source, refusal))?;
        let mut document = self.document(source, now).await?;
        if !signed.fits(&live_keys(document.as_ref(), now), body) {
            let name = source
                .map(|source| format!("{}{source}", self.config.source_secret_prefix))
                .unwrap_or_default();
            if !self.secrets.doubt(&name, now) {
                return Err(refused(source, Refusal::Mismatch));
            }
            document = self.document(source, now).await?;
            if !signed.fits(&live_keys(document.as_ref(), now), body) {
                return Err(refused(source, Refusal::Mismatch));
            }
        }
        match (source, document) {
            (Some(source), Some(document)) if document.enabled => Ok((
                door(source, document),
                Times {
                    sent_at: signed.sent_at,
                    received_at: now,
                },
            )),
            _ => Err(refused(source, Refusal::Mismatch)),
        }
    }

    async fn document(
        &self,
        source: Option<&SourceId>,
        now: Timestamp,
    ) -> Result<Option<SourceDocument>, Answer> {
        let Some(source) = source else {
            return Ok(None);
        };
        match self
            .secrets
            .source(&self.config.source_secret_prefix, source, now)
            .await
        {
            Ok(document) => Ok(Some(document)),
            Err(secrets::Error::Unknown(_)) => Ok(None),
            Err(
                fault @ (secrets::Error::Malformed { .. } | secrets::Error::Unavailable { .. }),
            ) => {
                tracing::error!(%source, fault = %fault, "no secret to check with");
                Err(Answer::Unavailable)
            }
        }
    }
}

/// The raw bytes: the gateway hands media types that it does not take for text over in base64. None when too large.
fn body(request: &ApiGatewayV2httpRequest) -> Option<Vec<u8>> {
    let text = request.body.as_deref().unwrap_or_default();
    if request.is_base64_encoded {
        if text.len() > MAX_BODY.div_ceil(3) * 4 {
            return None;
        }
        // What is not base64 was signed by nobody.
        let bytes = STANDARD.decode(text).unwrap_or_default();
        return (bytes.len() <= MAX_BODY).then_some(bytes);
    }
    (text.len() <= MAX_BODY).then(|| text.as_bytes().to_vec())
}

fn signature_headers(headers: &HeaderMap) -> Headers<'_> {
    let header = |name: &str| {
        let standard = headers.get(format!("webhook-{name}"));
        standard
            .or_else(|| headers.get(format!("svix-{name}")))
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    Headers {
        id: header("id"),
        timestamp: header("timestamp"),
        signature: header("signature"),
    }
}

fn live_keys(document: Option<&SourceDocument>, now: Timestamp) -> Vec<Key> {
    let secrets = document.map(|document| document.secrets.as_slice());
    let live = secrets
        .unwrap_or_default()
        .iter()
        .filter(|secret| secret.not_after.is_none_or(|until| now <= until));
    live.filter_map(|secret| Key::parse(secret.value.expose()))
        .collect()
}

fn door(source: &SourceId, document: SourceDocument) -> Door {
    let partners = document
        .partner
        .into_iter()
        .chain(document.partners)
        .collect();
    Door {
        source: source.clone(),
        partners,
        kinds_added: document.kinds_added,
    }
}

fn refused(source: Option<&SourceId>, refusal: Refusal) -> Answer {
    let source = source.map(SourceId::as_str).unwrap_or_default();
    tracing::warn!(source, refusal = %refusal, "refused");
    Answer::Unauthorized
}

fn read(
    request: &ApiGatewayV2httpRequest,
    body: &[u8],
    door: &Door,
    times: Times,
) -> Result<Vec<Message>, Answer> {
    let content_type = request
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let parsed = match media_type.as_str() {
        "application/cloudevents+json" => {
            parse_event(body, door, times).map(|message| vec![message])
        }
        "application/cloudevents-batch+json" => parse_batch(body, door, times),
        _ => return Err(Answer::UnsupportedMediaType),
    };
    parsed.map_err(|fault| Answer::Invalid {
        field: fault.field,
        problem: fault.problem,
    })
}

#[cfg(test)]
mod tests;
