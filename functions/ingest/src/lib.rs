//! The webhook: verify the signature, parse the events, put them on the queue, and only then say 202.
//!
//! Nothing is decided here and no table is read: the source's secret document is all that the door needs.

mod answer;
mod config;
mod content;
pub mod signature;

use std::collections::BTreeMap;
use std::slice;
use std::time::Duration;

use aws::metrics::{Metric, count};
use aws::queue::QueueSender;
use aws::secrets::{self, Secrets, SourceDocument};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::http::HeaderMap;
use aws_types::SdkConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::message::{Message, RejectedEvents};
use domain::webhook::{EventRejection, ParsedBody, RequestTimes, SourcePolicy, UnreadableBody};
use domain::{PartnerId, SourceId};
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
    queue: QueueSender,
}

impl App {
    /// Makes the clients, once, in the init phase.
    #[must_use]
    pub fn build(config: Config, aws: &SdkConfig) -> Self {
        let queue = QueueSender::new(aws, config.queue_url.clone());
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
            tracing::error!("answered 503: the deadline was too close");
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
        let source = SourceId::parse(named).ok();
        let (policy, times) = match self
            .authenticate(source.as_ref(), &request.headers, &body, now)
            .await
        {
            Ok(believed) => believed,
            Err(answer) => return answer,
        };
        let ParsedBody {
            messages,
            rejected,
            dropped,
        } = match read(&request.headers, &body, &policy, times) {
            Ok(parsed) => parsed,
            Err(Answer::Unreadable(err)) => {
                let partner = policy.only_partner().cloned();
                let rejected = EventRejection {
                    index: 0,
                    error: err,
                    partner,
                };
                let digest = digest_of(request, &body);
                let reports = reports(slice::from_ref(&rejected), &policy, &digest, now);
                self.report(&reports).await;
                return Answer::Unreadable(rejected.error);
            }
            Err(answer) => return answer,
        };
        if dropped.total() > 0 {
            tracing::warn!(source = %policy.source, members = %dropped, "dropped unreadable members of events");
            count(Metric::MembersDropped, dropped.total());
        }
        for rejected in &rejected {
            // What is wrong may quote the event, which no log holds.
            tracing::warn!(source = %policy.source, index = rejected.index, field = rejected.error.field, "rejected an event of a batch");
        }
        let reports = reports(&rejected, &policy, &digest_of(request, &body), now);
        if messages.is_empty() {
            self.report(&reports).await;
            return Answer::Rejected(rejected);
        }
        // If the process dies here or before the answer, the sender repeats what was perhaps queued: folding it twice is folding
        // it once.
        match self.queue.send_all(&messages).await {
            Ok(()) => {
                tracing::info!(source = %policy.source, events = messages.len(), "events queued");
                self.report(&reports).await;
                Answer::Accepted {
                    events: messages.len(),
                    rejected,
                }
            }
            Err(err) => {
                tracing::error!(source = %policy.source, error = %err, "failed to queue messages");
                Answer::Unavailable
            }
        }
    }

    /// Has partners see on their page what was rejected. It changes no answer: the sender is told anyhow, and the operator's alarm counts
    /// without it.
    async fn report(&self, reports: &[Message]) {
        if let Err(err) = self.queue.send_all(reports).await {
            tracing::error!(error = %err, "failed to report rejected events");
        }
    }

    /// Checks the signature against the source's live secrets. On a mismatch the document is read once more, since it may have
    /// been rotated.
    async fn authenticate(
        &self,
        source: Option<&SourceId>,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(SourcePolicy, RequestTimes), Answer> {
        let signed = Signed::read(signature_headers(headers), now)
            .map_err(|refusal| refused(source, refusal))?;
        let proved = self.proved(source, now).await?;
        let mut candidate = self.candidate(proved, now).await?;
        if !signed.fits(&live_keys(&candidate.document, now), body) {
            let name = proved
                .map(|source| format!("{}{source}", self.config.source_secret_prefix))
                .unwrap_or_default();
            if !self.secrets.invalidate(&name, now) {
                return Err(refused(source, Refusal::Mismatch));
            }
            candidate = self.candidate(proved, now).await?;
            if !signed.fits(&live_keys(&candidate.document, now), body) {
                return Err(refused(source, Refusal::Mismatch));
            }
        }
        match (proved, candidate) {
            (Some(source), Candidate { document, is_known }) if is_known && document.enabled => {
                Ok((
                    policy(source, document),
                    RequestTimes {
                        sent_at: signed.sent_at,
                        received_at: now,
                    },
                ))
            }
            _ => Err(refused(source, Refusal::Mismatch)),
        }
    }

    /// The source whose id set-up made. An invented id is none, and costs no call.
    async fn proved<'a>(
        &self,
        source: Option<&'a SourceId>,
        now: Timestamp,
    ) -> Result<Option<&'a SourceId>, Answer> {
        let prefix = &self.config.source_secret_prefix;
        let keys = self.secrets.source_keys(prefix, now).await;
        let keys = keys.map_err(|err| {
            tracing::error!(error = %err, "failed to read the keys that prove source ids");
            Answer::Unavailable
        })?;
        // What is no id costs the same work as one that is. Test alerts come from set-up alone, never from here.
        let of_set_up = SourceId::for_test_alerts();
        let is_proved = keys.is_some_and(|keys| keys.prove(source.unwrap_or(&of_set_up)));
        Ok(source.filter(|source| is_proved && !source.is_for_test_alerts()))
    }

    /// The document to check a signature with: the source's, or a decoy.
    async fn candidate(
        &self,
        source: Option<&SourceId>,
        now: Timestamp,
    ) -> Result<Candidate, Answer> {
        let prefix = &self.config.source_secret_prefix;
        let document = match source {
            Some(source) => self.secrets.source(prefix, source, now).await.map(Some),
            None => Ok(None),
        };
        let decoy = || SourceDocument::decoy().map(|document| (document, false));
        let found = match document {
            Ok(Some(document)) => Ok((document, true)),
            Ok(None) | Err(secrets::Error::Unknown(_)) => decoy(),
            Err(err) => Err(err),
        };
        match found {
            Ok((document, is_known)) => Ok(Candidate { document, is_known }),
            Err(err) => {
                tracing::error!(source = ?source, error = %err, "failed to read the secret of a source");
                Err(Answer::Unavailable)
            }
        }
    }
}

/// What a signature is checked with.
struct Candidate {
    document: SourceDocument,
    /// Whether it is a source's: whatever fits a decoy is refused.
    is_known: bool,
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

/// One message for each partner of rejected events. Of a source that serves several partners an event may name none: the log alone has it.
fn reports(
    rejected: &[EventRejection],
    policy: &SourcePolicy,
    request: &str,
    received_at: Timestamp,
) -> Vec<Message> {
    let mut reports = BTreeMap::<&PartnerId, RejectedEvents>::new();
    for EventRejection { error, partner, .. } in rejected {
        let Some(partner) = partner else {
            continue;
        };
        let report = reports.entry(partner).or_insert_with(|| RejectedEvents {
            partner: partner.clone(),
            source: policy.source.clone(),
            request: request.to_owned(),
            received_at,
            events: 0,
            field: error.field.clone(),
            problem: error.problem.clone(),
        });
        report.events += 1;
    }
    reports.into_values().map(Message::Rejected).collect()
}

fn digest_of(request: &ApiGatewayV2httpRequest, body: &[u8]) -> String {
    RejectedEvents::digest_of(signature_headers(&request.headers).id, body)
}

fn live_keys(document: &SourceDocument, now: Timestamp) -> Vec<Key> {
    let live = document
        .secrets
        .iter()
        .filter(|secret| secret.not_after.is_none_or(|until| now <= until));
    live.filter_map(|secret| Key::parse(secret.value.expose()))
        .collect()
}

fn policy(source: &SourceId, document: SourceDocument) -> SourcePolicy {
    let partners = document
        .partner
        .into_iter()
        .chain(document.partners)
        .collect();
    SourcePolicy {
        source: source.clone(),
        partners,
        kinds_added: document.kinds_added,
    }
}

fn refused(source: Option<&SourceId>, refusal: Refusal) -> Answer {
    let source = source.map(SourceId::as_str).unwrap_or_default();
    tracing::warn!(source, refusal = %refusal, "rejected a request that is not authenticated");
    Answer::Unauthorized
}

/// Reads the events of a signed body.
fn read(
    headers: &HeaderMap,
    body: &[u8],
    policy: &SourcePolicy,
    times: RequestTimes,
) -> Result<ParsedBody, Answer> {
    content::check(headers)?;
    let body = content::unpack(body)?;
    domain::webhook::parse(&body, policy, times).map_err(|err| match err {
        UnreadableBody::Invalid(err) => {
            tracing::warn!(source = %policy.source, field = err.field, "rejected a request body");
            Answer::Unreadable(err)
        }
        UnreadableBody::TooManyEvents(events) => Answer::TooManyEvents(events),
    })
}

#[cfg(test)]
mod tests;
