//! The responses of the webhook: 202 with the number of accepted events, or a problem (RFC 9457)
//! that says what to correct.

use aws::metrics::{Metric, count};
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::{HeaderMap, HeaderName, HeaderValue, header};
use domain::source::presets::SuccessResponse;
use domain::wire::problem::{PROBLEM_JSON, ProblemDetails, RejectedEvent};
use domain::wire::webhook::{AcceptedAlert, EventRejection, InvalidField, MAX_EVENTS};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookResponse {
    /// At least one event is in the queue. The rejected ones can never be accepted. This is no
    /// error, so that the sender does not send the good ones again.
    Accepted {
        events: usize,
        alerts: Vec<AcceptedAlert>,
        rejected: Vec<EventRejection>,
    },
    /// Everything that a source with a mapping posted is in the queue.
    Mapped {
        events: usize,
        response: SuccessResponse,
    },
    /// No event of the batch is valid.
    Rejected(Vec<EventRejection>),
    /// The body is neither an event nor a batch of events.
    Unreadable(InvalidField),
    /// Unsigned, wrongly signed, or from an unknown source. The response does not say which.
    Unauthorized,
    TooLarge,
    TooManyEvents(usize),
    UnsupportedMediaType,
    UnsupportedEncoding,
    /// The events were not accepted, and the sender should repeat the request.
    Unavailable,
    /// The handler of the request panicked.
    Failed,
}

/// The body of a response, by its form.
pub(crate) enum ResponseContent {
    Accepted(AcceptedResponse),
    /// What the source expects.
    Own(SuccessResponse),
    Problem(ProblemDetails),
}

/// The body of 202.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AcceptedResponse {
    /// The number of events that are in the queue.
    accepted: usize,
    /// The alerts of these events. An event about a list, such as a snapshot, has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alerts: Vec<AcceptedAlert>,
    /// The events that can never be accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<RejectedEvent>,
}

/// In seconds.
const RETRY_AFTER: &str = "5";

impl WebhookResponse {
    /// Counts the result of the request.
    pub(crate) fn count(&self) {
        match self {
            Self::Accepted {
                events, rejected, ..
            } => {
                count(Metric::EventsAccepted, *events);
                count(Metric::EventsRejected, rejected.len());
            }
            Self::Mapped { events, .. } => count(Metric::EventsAccepted, *events),
            Self::Rejected(rejected) => {
                count(Metric::EventsRejected, rejected.len());
                count(Metric::RequestsRefused, 1);
            }
            // At least one event is lost.
            Self::Unreadable(_)
            | Self::TooManyEvents(_)
            | Self::UnsupportedMediaType
            | Self::UnsupportedEncoding => {
                count(Metric::EventsRejected, 1);
                count(Metric::RequestsRefused, 1);
            }
            Self::Unauthorized | Self::TooLarge => count(Metric::RequestsRefused, 1),
            Self::Unavailable | Self::Failed => count(Metric::RequestsFailed, 1),
        }
    }

    #[must_use]
    pub fn into_http(self) -> ApiGatewayV2httpResponse {
        match self.content() {
            ResponseContent::Accepted(body) => response(202, "application/json", &json!(body)),
            ResponseContent::Own(own) => success(own),
            ResponseContent::Problem(problem) => {
                response(problem.status.into(), PROBLEM_JSON, &json!(problem))
            }
        }
    }

    pub(crate) fn content(self) -> ResponseContent {
        ResponseContent::Problem(match self {
            Self::Accepted {
                events,
                alerts,
                rejected,
            } => {
                return ResponseContent::Accepted(AcceptedResponse {
                    accepted: events,
                    alerts,
                    rejected: rejected.iter().map(RejectedEvent::from).collect(),
                });
            }
            Self::Mapped { response, .. } => return ResponseContent::Own(response),
            Self::Rejected(rejected) => {
                let title = "No event of the body is valid";
                let mut problem = match rejected.first() {
                    Some(first) => invalid_field(title, &first.error),
                    None => ProblemDetails::new(400, title, "The body has no event"),
                };
                if rejected.len() > 1 {
                    problem.rejected = rejected.iter().map(RejectedEvent::from).collect();
                }
                problem
            }
            Self::Unreadable(err) => {
                invalid_field("The body is neither an event nor a batch", &err)
            }
            Self::Unauthorized => ProblemDetails::new(
                401,
                "The request is not authenticated",
                "Sign the raw body as Standard Webhooks describes, with this source's secret, and send it within 300 seconds. A source with another authentication sends its secret as set up",
            ),
            Self::TooLarge => ProblemDetails::new(
                413,
                "The body is too large",
                "A request has at most 262144 bytes, also after decompression. Send fewer events at a time",
            ),
            Self::TooManyEvents(events) => ProblemDetails::new(
                413,
                "The batch is too large",
                format!(
                    "A batch has at most {MAX_EVENTS} events, and this one has {events}. Split it"
                ),
            ),
            Self::UnsupportedMediaType => ProblemDetails::new(
                415,
                "The media type is not supported",
                "Send application/cloudevents+json, application/cloudevents-batch+json or application/json",
            ),
            Self::UnsupportedEncoding => ProblemDetails::new(
                415,
                "The content encoding is not supported",
                "Send the body uncompressed, or with content-encoding: gzip",
            ),
            Self::Unavailable => ProblemDetails::new(
                503,
                "The events were not accepted",
                "Send the same request again, with the same webhook-id",
            ),
            Self::Failed => ProblemDetails::new(
                500,
                "The request failed",
                "This is a defect of Ticketbridge, and its operator was notified. Send the same request again, with the same webhook-id",
            ),
        })
    }
}

fn invalid_field(title: &str, err: &InvalidField) -> ProblemDetails {
    ProblemDetails {
        field: Some(err.field.clone()),
        ..ProblemDetails::new(400, title, err.to_string())
    }
}

/// The response that the source expects.
fn success(expected: SuccessResponse) -> ApiGatewayV2httpResponse {
    let content_type = match expected.body.starts_with('{') {
        true => "application/json",
        false => "text/plain; charset=utf-8",
    };
    with_body(expected.status.into(), content_type, expected.body)
}

fn response(
    status: i64,
    content_type: &'static str,
    body: &serde_json::Value,
) -> ApiGatewayV2httpResponse {
    with_body(status, content_type, body.to_string())
}

fn with_body(status: i64, content_type: &'static str, body: String) -> ApiGatewayV2httpResponse {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    if status == 503 {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = status;
    response.headers = headers;
    response.body = Some(Body::Text(body));
    response
}
