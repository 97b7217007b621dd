//! The webhook: it authenticates a request, reads its events by the format of its source, queues
//! them, and only then confirms them.
//!
//! Nothing is decided here and no table is read. The source's secret document holds all that the
//! webhook needs.

mod config;
mod content;
mod document;
mod mapped;
mod response;
mod source_reports;

use std::collections::BTreeMap;
use std::slice;
use std::time::Duration;

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use aws::panics::catch;
use aws::queue::QueueSender;
use aws::secrets::SourceDocument;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::http::HeaderMap;
use aws_types::SdkConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::source::presets::{SourceFormat, SuccessResponse};
use domain::wire::message::{Message, RejectedEvents};
use domain::wire::webhook::{
    EventRejection, ParsedBody, RequestTimes, SourcePolicy, UnreadableBody,
};
use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use mapped::MappedMessages;
use source_authentication::{
    Authenticated, AuthenticationError, Authenticator, Proof, ProofContent, Refusal,
    signature_headers,
};
use source_reports::SourceReports;
use tokio::time::{Instant, timeout_at};

pub use config::Config;
pub use document::describe_api;
pub use response::WebhookResponse;
pub use source_authentication::MAX_BODY;

/// How long a refused request waits for its report, at most once a minute and source.
const REPORT_TIME: Duration = Duration::from_millis(500);

/// The function with its clients.
#[derive(Debug)]
pub struct Webhook {
    authenticator: Authenticator,
    queue: QueueSender,
    source_reports: SourceReports,
}

impl Webhook {
    /// Builds the clients. Called once, in the init phase.
    #[must_use]
    pub fn build(config: Config, aws: &SdkConfig) -> Self {
        Self {
            authenticator: Authenticator::new(aws, config.source_secret_prefix),
            queue: QueueSender::new(aws, config.queue_url),
            source_reports: SourceReports::default(),
        }
    }

    /// Answers one request. It never fails: a sender understands only statuses.
    ///
    /// The response comes before the end of the invocation. A function that is stopped would give
    /// its sender no useful response.
    pub async fn handle(
        &self,
        request: ApiGatewayV2httpRequest,
        invocation: &Invocation,
    ) -> ApiGatewayV2httpResponse {
        or_failed(self.handle_at(request, invocation.now(), invocation.calls_end())).await
    }

    /// Answers one request that arrived at this time, before `ends`.
    pub async fn handle_at(
        &self,
        request: ApiGatewayV2httpRequest,
        now: Timestamp,
        ends: Instant,
    ) -> ApiGatewayV2httpResponse {
        // Messages that were sent before the time-out may be in the queue. The sender repeats them,
        // and folding an event twice has the same result as folding it once.
        let response = timeout_at(ends, self.respond(&request, now)).await;
        let response = match response {
            Ok(Ok(response)) => response,
            Ok(Err(AuthenticationError::Unavailable)) => WebhookResponse::Unavailable,
            Ok(Err(AuthenticationError::Refused(refusal))) => {
                self.report_refused(refusal, now).await;
                WebhookResponse::Unauthorized
            }
            Err(_) => {
                tracing::error!("answered 503: the deadline was too close");
                WebhookResponse::Unavailable
            }
        };
        response.count();
        response.into_http()
    }

    async fn respond(
        &self,
        request: &ApiGatewayV2httpRequest,
        now: Timestamp,
    ) -> Result<WebhookResponse, AuthenticationError> {
        let Some(body) = raw_body(request) else {
            return Ok(WebhookResponse::TooLarge);
        };
        let source = request.path_parameters.get("source");
        let source = source.and_then(|source| SourceId::parse(source).ok());
        let proof = Proof {
            request,
            content: ProofContent::Body(&body),
        };
        let authenticated = self.authenticator.authenticate(source.as_ref(), proof, now);
        let Authenticated {
            document,
            policy,
            times,
        } = authenticated.await?;
        if document.format == SourceFormat::CloudEvents {
            return Ok(self.queue_events(request, &body, &policy, times).await);
        }
        let mapped = self.queue_body(&body, &document, &policy, times);
        Ok(match mapped.await {
            Ok(response) | Err(response) => response,
        })
    }

    /// Maps a body of a source with a format of its own, and queues what it became.
    async fn queue_body(
        &self,
        body: &[u8],
        document: &SourceDocument,
        policy: &SourcePolicy,
        times: RequestTimes,
    ) -> Result<WebhookResponse, WebhookResponse> {
        let mut policy = policy.clone();
        let mut mapped = mapped::map(body, document, &policy, times)?;
        if !mapped.unmapped.is_empty() {
            let changed =
                self.authenticator
                    .changed_document(&policy.source, document, times.received_at);
            if let Some(changed) = changed.await.filter(is_mapped) {
                policy = source_authentication::policy(&policy.source, &changed);
                mapped = mapped::map(body, &changed, &policy, times)?;
            }
        }
        let authentication = &document.authentication;
        let reports = &self.source_reports;
        let mapped = mapped::messages(mapped, body, authentication, (&policy, times), reports)?;
        let response = document.response.clone();
        Ok(self.queue_mapped(mapped, &policy, response).await)
    }

    /// Reports a refused request for the page of sources.
    ///
    /// The report is sent before the response, since Lambda stops the process after it. A sender
    /// cannot tell from that whether there is such a source: a response that waits for a report
    /// always takes [`REPORT_TIME`] longer, also if nothing is sent because the source is not known.
    /// A source id that does not prove itself waits for nothing and costs no call.
    async fn report_refused(&self, refusal: Refusal, now: Timestamp) {
        let Some(reports) = self.source_reports.refused(refusal, now) else {
            return;
        };
        let (sent, ()) = tokio::join!(
            tokio::time::timeout(REPORT_TIME, self.queue.send_all(&reports)),
            tokio::time::sleep(REPORT_TIME),
        );
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(err)) => tracing::warn!(error = %err, "failed to report a refused request"),
            Err(_) => tracing::warn!("failed to report a refused request in time"),
        }
    }

    /// Queues the events of a body in our own format.
    async fn queue_events(
        &self,
        request: &ApiGatewayV2httpRequest,
        body: &[u8],
        policy: &SourcePolicy,
        times: RequestTimes,
    ) -> WebhookResponse {
        let now = times.received_at;
        let ParsedBody {
            messages,
            alerts,
            rejected,
            dropped,
        } = match parse_events(&request.headers, body, policy, times) {
            Ok(parsed) => parsed,
            Err(WebhookResponse::Unreadable(err)) => {
                let partner = policy.only_partner().cloned();
                let rejected = EventRejection {
                    index: 0,
                    error: err,
                    partner,
                };
                let digest = digest_of(request, body);
                let reports = reports(slice::from_ref(&rejected), policy, &digest, now);
                self.report(&reports).await;
                return WebhookResponse::Unreadable(rejected.error);
            }
            Err(response) => return response,
        };
        if dropped.total() > 0 {
            tracing::warn!(
                source = %policy.source,
                members = %dropped,
                "dropped unreadable members of events"
            );
            count(Metric::MembersDropped, dropped.total());
        }
        for rejected in &rejected {
            // The problem's text may quote the event, so it is not logged.
            tracing::warn!(
                source = %policy.source,
                index = rejected.index,
                field = rejected.error.field,
                "rejected an event of a batch"
            );
        }
        let reports = reports(&rejected, policy, &digest_of(request, body), now);
        if messages.is_empty() {
            self.report(&reports).await;
            return WebhookResponse::Rejected(rejected);
        }
        // If the process dies here or before the response, the sender repeats messages that may be
        // in the queue. Folding an event twice has the same result as folding it once.
        if let Err(err) = self.queue.send_all(&messages).await {
            tracing::error!(source = %policy.source, error = %err, "failed to queue messages");
            return WebhookResponse::Unavailable;
        }
        tracing::info!(source = %policy.source, events = messages.len(), "events queued");
        self.report(&reports).await;
        WebhookResponse::Accepted {
            events: messages.len(),
            alerts,
            rejected,
        }
    }

    /// Queues what a body of a source with a mapping became. The source gets its own response,
    /// whatever the body was: it would not send another body, and some stop posting.
    async fn queue_mapped(
        &self,
        mapped: MappedMessages,
        policy: &SourcePolicy,
        response: SuccessResponse,
    ) -> WebhookResponse {
        let MappedMessages {
            messages,
            events,
            quarantined,
            ignored,
        } = mapped;
        if let Err(err) = self.queue.send_all(&messages).await {
            tracing::error!(source = %policy.source, error = %err, "failed to queue messages");
            return WebhookResponse::Unavailable;
        }
        tracing::info!(source = %policy.source, events, quarantined, ignored, "events queued");
        count(Metric::MessagesQuarantined, quarantined);
        WebhookResponse::Mapped { events, response }
    }

    /// Reports rejected events for the partners' pages. A failure does not change the response: the
    /// sender gets the errors anyway, and the operator's alarm counts them.
    async fn report(&self, reports: &[Message]) {
        if let Err(err) = self.queue.send_all(reports).await {
            tracing::error!(error = %err, "failed to report rejected events");
        }
    }
}

/// Runs a handler. If it panics, the sender gets a response that says so; the panic is logged and
/// counted by then.
async fn or_failed(
    handler: impl Future<Output = ApiGatewayV2httpResponse>,
) -> ApiGatewayV2httpResponse {
    catch(handler).await.unwrap_or_else(|_| {
        let response = WebhookResponse::Failed;
        response.count();
        response.into_http()
    })
}

/// Whether the source posts and has a mapping.
fn is_mapped(document: &SourceDocument) -> bool {
    document.enabled && matches!(document.format, SourceFormat::Mapped(_))
}

/// Returns the raw bytes, or `None` if they are too many. The gateway encodes a body in base64 if
/// it does not know its media type as text.
fn raw_body(request: &ApiGatewayV2httpRequest) -> Option<Vec<u8>> {
    let text = request.body.as_deref().unwrap_or_default();
    if request.is_base64_encoded {
        if text.len() > MAX_BODY.div_ceil(3) * 4 {
            return None;
        }
        // A body that is not base64 becomes empty, and no signature matches it.
        let bytes = STANDARD.decode(text).unwrap_or_default();
        return (bytes.len() <= MAX_BODY).then_some(bytes);
    }
    (text.len() <= MAX_BODY).then(|| text.as_bytes().to_vec())
}

/// Builds one report for each partner of rejected events. An event of a source with several
/// partners may name none of them; then only the log has it.
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

/// Parses the events of an authenticated body.
fn parse_events(
    headers: &HeaderMap,
    body: &[u8],
    policy: &SourcePolicy,
    times: RequestTimes,
) -> Result<ParsedBody, WebhookResponse> {
    content::check(headers)?;
    let body = content::unpack(body)?;
    domain::wire::webhook::parse(&body, policy, times).map_err(|err| match err {
        UnreadableBody::Invalid(err) => {
            tracing::warn!(source = %policy.source, field = err.field, "rejected a request body");
            WebhookResponse::Unreadable(err)
        }
        UnreadableBody::TooManyEvents(events) => WebhookResponse::TooManyEvents(events),
    })
}

#[cfg(test)]
mod tests;
