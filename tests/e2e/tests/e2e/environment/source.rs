//! The seeded source, which posts signed events to the webhook endpoint.

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::HeaderName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use serde_json::Value;
use tokio::time::Instant;

use super::api_document;
use super::fixtures::{SECRET, SOURCE};

const CLOUD_EVENT: &str = "application/cloudevents+json";

pub(crate) struct Source {
    pub(crate) ingest: ingest::Webhook,
}

/// When an invocation of `ingest` that begins now must have answered.
pub(crate) fn webhook_ends() -> Instant {
    Instant::now() + Duration::from_secs(8)
}

impl Source {
    /// Hands over a request that is received at this time.
    pub(crate) async fn receive(
        &self,
        request: ApiGatewayV2httpRequest,
        at: Timestamp,
    ) -> ApiGatewayV2httpResponse {
        self.ingest.handle_at(request, at, webhook_ends()).await
    }

    /// Posts an event, which must be accepted.
    pub(crate) async fn post(&self, event: &Value) {
        self.post_at(0, event).await;
    }

    /// Posts an event that is signed and received so many minutes from now. It must be accepted.
    pub(crate) async fn post_at(&self, minutes: i64, event: &Value) {
        let at = Timestamp::now() + SignedDuration::from_mins(minutes);
        let request = signed(
            SOURCE,
            SECRET,
            CLOUD_EVENT,
            event.to_string().as_bytes(),
            at,
        );
        let response = self.receive(request, at).await;
        assert_eq!(response.status_code, 202, "{response:?}");
    }

    /// Posts a batch with a valid signature.
    pub(crate) async fn post_batch(&self, body: impl AsRef<[u8]>) -> ApiGatewayV2httpResponse {
        let content_type = "application/cloudevents-batch+json";
        self.post_raw(content_type, body).await
    }

    /// Posts any body with a valid signature.
    pub(crate) async fn post_raw(
        &self,
        content_type: &str,
        body: impl AsRef<[u8]>,
    ) -> ApiGatewayV2httpResponse {
        let now = Timestamp::now();
        let request = signed(SOURCE, SECRET, content_type, body.as_ref(), now);
        let response = self.receive(request, now).await;
        let media_type = response.headers["content-type"].to_str().unwrap();
        let (status, body) = (response.status_code, answer(&response).to_string());
        let (status, path) = (u16::try_from(status).unwrap(), "/v1/events/{source}");
        api_document::check("POST", path, status, media_type, &body);
        response
    }
}

/// A signed request, as the gateway hands it to the function.
pub(crate) fn signed(
    source: &str,
    secret: &str,
    content_type: &str,
    body: &[u8],
    at: Timestamp,
) -> ApiGatewayV2httpRequest {
    let id = "msg_1";
    let timestamp = at.as_second().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&secret[6..]).unwrap());
    let text = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let signature = format!("v1,{}", STANDARD.encode(hmac::sign(&key, &text)));
    let mut request = ApiGatewayV2httpRequest::default();
    let parameters = &mut request.path_parameters;
    parameters.insert("source".into(), source.into());
    for (name, value) in [
        ("content-type", content_type),
        ("webhook-id", id),
        ("webhook-timestamp", timestamp.as_str()),
        ("webhook-signature", signature.as_str()),
    ] {
        let name = HeaderName::try_from(name).unwrap();
        request.headers.insert(name, value.parse().unwrap());
    }
    request.body = Some(STANDARD.encode(body));
    request.is_base64_encoded = true;
    request
}

/// The JSON of a response. `null` without a body.
pub(crate) fn answer(response: &ApiGatewayV2httpResponse) -> Value {
    let Some(Body::Text(text)) = &response.body else {
        return Value::Null;
    };
    serde_json::from_str(text).unwrap()
}
