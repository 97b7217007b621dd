//! What the door answers: 202 with a count, or a problem (RFC 9457) that says what to mend.

use aws::metrics::{Metric, count};
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::json;

/// The door's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Every event is in the queue.
    Accepted(usize),
    /// The body is wrong, here.
    Invalid {
        /// The member at fault.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Unsigned, wrongly signed, or from nobody known: not told apart.
    Unauthorized,
    /// Larger than the door takes.
    TooLarge,
    /// Not a media type that the door reads.
    UnsupportedMediaType,
    /// Not taken: send it again.
    Unavailable,
}

/// After how many seconds a sender is asked to come again.
const RETRY_AFTER: &str = "5";

impl Answer {
    /// Counts what became of the request.
    pub(crate) fn count(&self) {
        match self {
            Self::Accepted(events) => count(Metric::EventsAccepted, *events),
            Self::Invalid { .. }
            | Self::Unauthorized
            | Self::TooLarge
            | Self::UnsupportedMediaType => count(Metric::RequestsRefused, 1),
            Self::Unavailable => count(Metric::RequestsFailed, 1),
        }
    }

    /// The HTTP answer.
    #[must_use]
    pub fn into_response(self) -> ApiGatewayV2httpResponse {
        let (status, title, more) = match self {
            Self::Accepted(accepted) => {
                return response(202, "application/json", &json!({ "accepted": accepted }));
            }
            Self::Invalid { field, problem } => {
                let detail = format!("{field}: {problem}");
                (
                    400,
                    "The body is not a valid event",
                    json!({ "field": field, "detail": detail }),
                )
            }
            Self::Unauthorized => (
                401,
                "The signature does not fit",
                json!({ "detail": "Sign the raw body by Standard Webhooks with this source's secret, and send it within 300 seconds" }),
            ),
            Self::TooLarge => (
                413,
                "The body is too large",
                json!({ "detail": "A request is at most 262144 bytes; send fewer events at a time" }),
            ),
            Self::UnsupportedMediaType => (
                415,
                "The media type is not known here",
                json!({ "detail": "Send application/cloudevents+json or application/cloudevents-batch+json" }),
            ),
            Self::Unavailable => (
                503,
                "The events were not taken",
                json!({ "detail": "Send the same request again, with the same webhook-id" }),
            ),
        };
        let mut body = json!({ "type": "about:blank", "title": title, "status": status });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        response(status, "application/problem+json", &body)
    }
}

fn response(
    status: i64,
    content_type: &'static str,
    body: &serde_json::Value,
) -> ApiGatewayV2httpResponse {
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
    response.body = Some(Body::Text(body.to_string()));
    response
}
